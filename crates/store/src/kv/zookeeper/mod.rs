//! ZooKeeper: one session, used for everything; keys as nodes below `<path>/meseta`, candidates as Mesos' masters are.

mod candidates;
mod commit;
mod errors;
mod nodes;
mod session;
mod watching;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use zookeeper_client::{Client, Error};

use self::nodes::Nodes;
use self::session::Session;
use super::watch::BACKLOG;
use super::{
    Answer, Candidacy, Entry, Fence, KeyValue, KvError, Limits, Observed, Observer, Options, Transaction,
    Version, Watch, campaign, entry,
};
use crate::url::ZooKeeperUrl;

/// What fits into a request of 1 MiB (`jute.maxbuffer`), with paths and access lists.
const LIMITS: Limits = Limits { ops: 256, bytes: 512 << 10 };

/// How many reads are under way at once.
const TOGETHER: usize = 256;

/// Versioned keys in ZooKeeper.
#[derive(Clone)]
pub struct ZooKeeperStore {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    nodes: Nodes,
    session: Session,
    options: Options,
    /// The nodes of our own candidates.
    own: Mutex<BTreeSet<String>>,
}

impl Shared {
    /// Whether this node belonged to none of our candidates; now it does.
    fn take(&self, node: &str) -> bool {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(node.to_owned())
    }

    fn give_back(&self, node: &str) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }
}

impl fmt::Debug for ZooKeeperStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperStore").field("url", &self.shared.session.name()).finish_non_exhaustive()
    }
}

impl ZooKeeperStore {
    /// A client of these servers. It connects in the background, and again and again, until it is dropped; so nothing can
    /// fail here. To be called in a runtime.
    #[must_use]
    pub fn new(url: &ZooKeeperUrl, options: Options) -> Self {
        let nodes = Nodes::new(&url.path, url.credentials.is_some());
        let session = Session::start(url, options, nodes.clone());
        Self { shared: Arc::new(Shared { nodes, session, options, own: Mutex::default() }) }
    }

    /// Bounds an answer.
    async fn answered<T>(&self, answer: impl Future<Output = Result<T, KvError>>) -> Result<T, KvError> {
        let after = self.shared.options.answer_timeout;
        match tokio::time::timeout(after, answer).await {
            Ok(answer) => answer,
            // If there was no session all that time, it is known why.
            Err(_) => Err(self
                .shared
                .session
                .trouble()
                .unwrap_or_else(|| KvError::Timeout { store: self.shared.session.name().to_owned(), after })),
        }
    }

    async fn read(&self, client: &Client, key: &str) -> Result<Option<Entry>, KvError> {
        match client.get_data(&self.shared.nodes.of_key(key)?).await {
            Ok((value, stat)) => {
                Ok(Some(Entry { key: key.to_owned(), value, version: version(stat.version) }))
            }
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(self.shared.session.error(&error)),
        }
    }
}

/// ZooKeeper counts writes to a node, from 0.
fn version(of_node: i32) -> Version {
    Version(u64::from(of_node.cast_unsigned()))
}

impl KeyValue for ZooKeeperStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        self.answered(async move {
            entry::split(key)?;
            let client = self.shared.session.client().await;
            self.read(&client, key).await
        })
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        self.answered(async move {
            let (table, beginning) = entry::split_prefix(prefix)?;
            let client = self.shared.session.client().await;
            let names = match client.list_children(&self.shared.nodes.of_table(table)).await {
                Ok(names) => names,
                Err(Error::NoNode) => return Ok(Vec::new()),
                Err(error) => return Err(self.shared.session.error(&error)),
            };
            let mut keys: Vec<String> = names
                .iter()
                .filter_map(|node| nodes::name(node))
                .filter(|name| name.starts_with(beginning))
                .map(|name| format!("{table}/{name}"))
                .collect();
            keys.sort_unstable();
            let mut entries = Vec::with_capacity(keys.len());
            for some in keys.chunks(TOGETHER) {
                for entry in join_all(some.iter().map(|key| self.read(&client, key))).await {
                    entries.extend(entry?);
                }
            }
            Ok(entries)
        })
        .boxed()
    }

    /// Needs ZooKeeper 3.6.
    fn watch(&self, prefix: &str) -> Watch {
        let (sender, changes) = mpsc::channel(BACKLOG);
        let task = tokio::spawn(watching::watch(self.clone(), prefix.to_owned(), sender));
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
        self.answered(async move {
            let client = self.shared.session.client().await;
            let all = candidates::values(&self.shared, &client, election).await;
            all.map_err(|error| self.shared.session.error(&error))
        })
        .boxed()
    }
}
