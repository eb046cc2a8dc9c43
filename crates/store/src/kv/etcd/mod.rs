//! etcd, by version 3 of its API as JSON over HTTP: keys as `<prefix>/keys/<key>`, candidates as `<prefix>/<election>/<name>`
//! with a lease, of which the oldest leads; `<prefix>/turns/<election>` keeps the leader's writes in their order.
//!
//! The JSON form of the API is served by every member on its client port, and needs neither HTTP/2 nor a compiler for the
//! service's `.proto` files at build time.

mod call;
mod candidates;
mod commit;
mod lease;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

use self::call::{Calls, Kind};
use self::lease::Lease;
use self::wire::{KeyValue as Pair, Range, RangeAnswer, encode, end_of};
use super::watch::BACKLOG;
use super::{
    Answer, Candidacy, Change, Entry, Fence, KeyValue, KvError, Limits, Observed, Observer, Options,
    Transaction, Version, Watch, campaign, entry,
};
use crate::url::EtcdUrl;

/// What an etcd takes that is set up as usual: 128 operations and 1.5 MiB.
const LIMITS: Limits = Limits { ops: 120, bytes: 1 << 20 };

/// How many entries are read at once.
const PAGE: u32 = 500;

/// Versioned keys in etcd.
#[derive(Clone)]
pub struct EtcdStore {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    prefix: String,
    calls: Arc<Calls>,
    lease: Lease,
    options: Options,
    /// How many candidates there have been, so that each has a name of its own.
    candidates: AtomicU64,
    last_turn: commit::LastTurn,
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore").field("url", &self.shared.calls.name()).finish_non_exhaustive()
    }
}

impl EtcdStore {
    /// A client of these members. It connects when it is used, and again and again; what is wrong with files that the URL
    /// names is told by every call. To be called in a runtime.
    #[must_use]
    pub fn new(url: &EtcdUrl, options: Options) -> Self {
        let calls = Arc::new(Calls::new(url));
        let lease = Lease::start(Arc::clone(&calls), options.session_timeout);
        Self {
            shared: Arc::new(Shared {
                prefix: url.prefix.clone(),
                calls,
                lease,
                options,
                candidates: AtomicU64::new(0),
                last_turn: commit::LastTurn::default(),
            }),
        }
    }

    /// Bounds an answer.
    async fn answered<T>(&self, answer: impl Future<Output = Result<T, KvError>>) -> Result<T, KvError> {
        let after = self.shared.options.answer_timeout;
        let timeout = || KvError::Timeout { store: self.shared.calls.name().to_owned(), after };
        match tokio::time::timeout(after, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared.calls.trouble().unwrap_or_else(timeout)),
        }
    }
}

impl Shared {
    /// Where a key is.
    fn place(&self, key: &str) -> String {
        format!("{}/keys/{key}", self.prefix)
    }

    /// The entry that etcd tells of.
    fn entry(&self, pair: &Pair) -> Option<Entry> {
        let place = String::from_utf8(pair.key().ok()?).ok()?;
        let key = place.strip_prefix(&self.place(""))?.to_owned();
        Some(Entry { key, value: pair.value().ok()?, version: Version(pair.mod_revision) })
    }

    /// What begins with this, one page after the other.
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, KvError> {
        let place = self.place(prefix);
        let end = encode(&end_of(place.as_bytes()));
        let mut from = place.into_bytes();
        let mut entries = Vec::new();
        loop {
            let range = Range {
                key: encode(&from),
                range_end: Some(end.clone()),
                limit: Some(PAGE),
                ..Range::default()
            };
            let answer: RangeAnswer = self.calls.call("kv/range", &range, Kind::Read).await?;
            entries.extend(answer.kvs.iter().filter_map(|pair| self.entry(pair)));
            match answer.kvs.last().filter(|_| answer.more).and_then(|last| last.key().ok()) {
                Some(last) => from = [last.as_slice(), &[0]].concat(),
                None => return Ok(entries),
            }
        }
    }
}

impl KeyValue for EtcdStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        self.answered(async move {
            entry::split(key)?;
            let range = Range { key: encode(self.shared.place(key).as_bytes()), ..Range::default() };
            let answer: RangeAnswer = self.shared.calls.call("kv/range", &range, Kind::Read).await?;
            Ok(answer.kvs.first().and_then(|pair| self.shared.entry(pair)))
        })
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        self.answered(async move {
            entry::split_prefix(prefix)?;
            self.shared.list(prefix).await
        })
        .boxed()
    }

    fn watch(&self, prefix: &str) -> Watch {
        let (sender, changes) = mpsc::channel(BACKLOG);
        let task = tokio::spawn(watch_keys(Arc::clone(&self.shared), prefix.to_owned(), sender));
        Watch::new(changes, Some(task))
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Vec<Version>> {
        self.answered(async move {
            transaction.validate(LIMITS)?;
            commit::commit(&self.shared, transaction, fence).await
        })
        .boxed()
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn campaign(&self, election: &str, value: Vec<u8>) -> Candidacy {
        let candidate = candidates::Candidate::new(Arc::clone(&self.shared), election);
        let election = election.to_owned();
        Candidacy::start(move |tell, stop| campaign::stand(candidate, election, value, tell, stop))
    }

    fn observe(&self, election: &str) -> Observer {
        let (tell, observed) = watch::channel(Observed::Asking);
        let task = tokio::spawn(candidates::observe(Arc::clone(&self.shared), election.to_owned(), tell));
        Observer::new(observed, task)
    }

    fn candidates<'a>(&'a self, election: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        self.answered(candidates::values(&self.shared, election)).boxed()
    }
}

/// Tells of changes for as long as somebody listens. After whatever interrupts the stream it begins anew.
async fn watch_keys(shared: Arc<Shared>, prefix: String, sender: mpsc::Sender<Change>) {
    if entry::split_prefix(&prefix).is_err() {
        // There are no such keys, and so no changes.
        return;
    }
    while !sender.is_closed() {
        if let Ok(mut stream) = shared.calls.watch(&shared.place(&prefix), None).await {
            // The stream begins with saying that it does.
            let mut begun = false;
            while let Some(events) = stream.next().await {
                if !std::mem::replace(&mut begun, true) && sender.send(Change::Resync).await.is_err() {
                    return;
                }
                for (gone, pair) in events {
                    let Some(entry) = shared.entry(&pair) else { continue };
                    let change = if gone { Change::Removed(entry.key) } else { Change::Put(entry) };
                    if sender.send(change).await.is_err() {
                        return;
                    }
                }
            }
        }
        tokio::time::sleep(call::PAUSE).await;
    }
}
