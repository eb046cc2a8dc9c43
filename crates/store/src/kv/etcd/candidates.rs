//! Elections: keys that belong to leases, of which the oldest leads. A fence is such a key's age: while it is there, its
//! lease lives, and no other is older.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::Shared;
use super::call::{Kind, PAUSE};
use super::wire::{Range, RangeAnswer, Txn, TxnAnswer, encode, end_of};
use crate::kv::campaign::{self, after_session, leads};
use crate::kv::{Fence, KvError, Leader, Observed, Standing};

/// How long news is waited for before it is looked again anyway.
const LOOK: Duration = Duration::from_secs(5);

/// A candidate. It outlives leases until it has led.
pub(super) struct Candidate {
    shared: Arc<Shared>,
    election: String,
    /// The key, and its lease.
    place: Option<(String, String)>,
}

impl Candidate {
    pub(super) fn new(shared: Arc<Shared>, election: &str) -> Self {
        Self { shared, election: election.to_owned(), place: None }
    }

    /// Stands under one lease, through all trouble that may pass while it lasts. A key that was made and is not there any more is
    /// not made again: whoever removed it wants somebody else to lead, and somebody may do so by now.
    async fn persist(
        &self,
        place: &str,
        lease: &str,
        value: &[u8],
        tell: &watch::Sender<Standing>,
    ) -> Standing {
        let mut entered = false;
        loop {
            let Err(trouble) = self.stay(place, lease, value, &mut entered, tell).await;
            match trouble {
                Trouble::Gone => return Standing::Lost { reason: "its key was removed".to_owned() },
                Trouble::Error(refused @ KvError::Denied { .. }) if !leads(tell) => {
                    return Standing::Refused(refused);
                }
                Trouble::Error(error) => {
                    warn!("candidate for {}: {error}", self.election);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Stands; ends only with trouble.
    async fn stay(
        &self,
        place: &str,
        lease: &str,
        value: &[u8],
        entered: &mut bool,
        tell: &watch::Sender<Standing>,
    ) -> Result<Infallible, Trouble> {
        if !*entered {
            self.enter(place, lease, value).await?;
            *entered = true;
        }
        let prefix = prefix(&self.shared, &self.election);
        loop {
            let all = list(&self.shared, &prefix).await?;
            let own = |pair: &&super::Pair| pair.key().is_ok_and(|key| key == place.as_bytes());
            let position = all.kvs.iter().position(|pair| own(&pair)).ok_or(Trouble::Gone)?;
            if position == 0 && matches!(&*tell.borrow(), Standing::Waiting) {
                let epoch = all.kvs.first().map_or(0, |pair| pair.create_revision);
                let fence = Fence { election: self.election.clone(), epoch, place: place.to_owned() };
                tell.send_replace(Standing::Leading(fence));
            }
            news(&self.shared, &prefix, all.header.revision).await;
        }
    }

    /// Makes the key, unless an earlier attempt has.
    async fn enter(&self, place: &str, lease: &str, value: &[u8]) -> Result<(), KvError> {
        let key = encode(place.as_bytes());
        let txn = Txn {
            compare: vec![
                json!({ "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0" }),
            ],
            success: vec![json!({ "request_put": { "key": key, "value": encode(value), "lease": lease } })],
            failure: Vec::new(),
        };
        self.shared.calls.call::<_, TxnAnswer>("kv/txn", &txn, Kind::Read).await.map(drop)
    }
}

impl campaign::Candidate for Candidate {
    async fn run(&mut self, value: &[u8], tell: &watch::Sender<Standing>) -> Standing {
        loop {
            let lease = match self.shared.lease.get().await {
                Ok(lease) => lease,
                Err(error) => return Standing::Refused(error),
            };
            // A name of its own, so that a put that is repeated is no second candidate.
            let number = self.shared.candidates.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}/{}/{lease}-{number}", self.shared.prefix, self.election);
            self.place = Some((name.clone(), lease.clone()));
            // Whatever fails or is waited for under a lease: when it is over, so is what was won by it.
            let end = tokio::select! {
                biased;
                () = self.shared.lease.over(&lease) => None,
                end = self.persist(&name, &lease, value, tell) => Some(end),
            };
            if let Some(end) = end.or_else(|| after_session(&self.election, tell)) {
                return end;
            }
        }
    }

    /// Removes the key, or waits for the lease's end, which does that too.
    async fn withdraw(self) {
        let Some((place, lease)) = self.place else { return };
        let question = json!({ "key": encode(place.as_bytes()) });
        let remove = self.shared.calls.call::<_, serde_json::Value>("kv/deleterange", &question, Kind::Read);
        tokio::select! {
            _ = timeout(self.shared.options.session_timeout, remove) => {}
            () = self.shared.lease.over(&lease) => {}
        }
    }
}

enum Trouble {
    /// The key is not there any more.
    Gone,
    Error(KvError),
}

impl From<KvError> for Trouble {
    fn from(error: KvError) -> Self {
        Self::Error(error)
    }
}

fn prefix(shared: &Shared, election: &str) -> String {
    format!("{}/{election}/", shared.prefix)
}

/// The candidates, the oldest first.
async fn list(shared: &Shared, prefix: &str) -> Result<RangeAnswer, KvError> {
    let range = Range {
        key: encode(prefix.as_bytes()),
        range_end: Some(encode(&end_of(prefix.as_bytes()))),
        sort_order: Some("ASCEND"),
        sort_target: Some("CREATE"),
        ..Range::default()
    };
    shared.calls.call("kv/range", &range, Kind::Read).await
}

/// What the candidates say of themselves.
pub(super) async fn values(shared: &Shared, election: &str) -> Result<Vec<Vec<u8>>, KvError> {
    let all = list(shared, &prefix(shared, election)).await?;
    Ok(all.kvs.iter().filter_map(|pair| pair.value().ok()).collect())
}

/// Waits until something has changed since a revision, or for a while.
async fn news(shared: &Shared, prefix: &str, since: u64) {
    let waiting = async {
        if let Ok(mut stream) = shared.calls.watch(prefix, Some(since + 1)).await {
            while let Some(events) = stream.next().await {
                if !events.is_empty() {
                    return;
                }
            }
        }
        sleep(PAUSE).await;
    };
    // Late news is no trouble: it is looked again.
    let _ = timeout(LOOK, waiting).await;
}

/// Tells who leads. Whatever fails is tried again; nothing is waited for without a bound.
pub(super) async fn observe(shared: Arc<Shared>, election: String, tell: watch::Sender<Observed>) {
    let prefix = prefix(&shared, &election);
    let publish = |observed: Observed| {
        tell.send_if_modified(|told| {
            let new = *told != observed;
            *told = observed;
            new
        });
    };
    loop {
        // As long as a leader's session may last nothing is said against it.
        match timeout(shared.options.session_timeout, list(&shared, &prefix)).await {
            Ok(Ok(all)) => {
                let leader = all
                    .kvs
                    .first()
                    .and_then(|pair| Some(Leader { epoch: pair.create_revision, value: pair.value().ok()? }));
                publish(leader.map_or(Observed::Nobody, Observed::Leader));
                news(&shared, &prefix, all.header.revision).await;
            }
            Ok(Err(error)) => {
                publish(Observed::Unavailable { reason: error.to_string() });
                sleep(PAUSE).await;
            }
            Err(_) => {
                let trouble = shared.calls.trouble();
                let reason = trouble.map_or_else(|| "no answer".to_owned(), |trouble| trouble.to_string());
                publish(Observed::Unavailable { reason });
            }
        }
    }
}
