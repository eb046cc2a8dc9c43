//! Versioned keys that several processes share, and the election of one of them as leader.
//!
//! [`KeyValue`] is what a backend offers: [`LocalStore`] (a file, for one process at a time), ZooKeeper and etcd. None of its
//! calls waits for ever: each is answered within the store's time limit, if need be with an error that says whether to try
//! again.

mod campaign;
mod commit;
mod entry;
mod error;
mod etcd;
mod fence;
mod local;
mod observer;
mod transaction;
mod watch;
mod zookeeper;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use campaign::{Candidacy, CandidacyError, Standing};
pub use commit::{CommitAllError, Limits};
pub use entry::{Entry, Version};
pub use error::KvError;
pub use etcd::EtcdStore;
pub use fence::Fence;
pub use local::LocalStore;
pub use observer::{Leader, Observed, Observer};
pub use transaction::{Expect, Op, Transaction};
pub use watch::{Change, Watch};
pub use zookeeper::ZooKeeperStore;

/// What a call comes to.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, KvError>>;

/// How a store is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long the service waits for a sign of life before it takes a client for dead, and with it its candidacy.
    pub session_timeout: Duration,
    /// How long a call may take.
    pub answer_timeout: Duration,
}

impl Default for Options {
    /// Ten seconds for a session, as in Mesos, and ten for a call.
    fn default() -> Self {
        Self { session_timeout: Duration::from_secs(10), answer_timeout: Duration::from_secs(10) }
    }
}

/// Versioned keys, shared, and elections.
///
/// A key is `table/name`: a table is a word, a name is any text. Values are bytes.
pub trait KeyValue: fmt::Debug + Send + Sync + 'static {
    /// The value of a key.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>>;

    /// All entries whose keys begin with `prefix`, by key. The prefix names a table: `table/` or `table/beginning`.
    /// Each entry is as it was at some moment during the call, not all at the same one.
    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Entry>>;

    /// Tells of changes to keys that begin with `prefix`, from now on until it is dropped.
    fn watch(&self, prefix: &str) -> Watch;

    /// Does all of a transaction or nothing; gives the new versions of what it puts, in their order.
    ///
    /// With a fence nothing is done unless its holder still leads. After [`KvError::Unavailable`] and [`KvError::Timeout`] it
    /// may have been done or not: who sends it again must be content with both. What was given up with a fence is done before
    /// whatever the same holder asks for later, or never.
    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Vec<Version>>;

    /// How much one transaction may hold here.
    fn limits(&self) -> Limits;

    /// Becomes a candidate and stays one until the candidacy is dropped or lost. `value` is what others learn of this leader.
    /// `election` is a word; stores that others read too use it in the names of candidates.
    fn campaign(&self, election: &str, value: Vec<u8>) -> Candidacy;

    /// Tells who leads, from now on until it is dropped.
    fn observe(&self, election: &str) -> Observer;

    /// What the candidates of an election say of themselves, the one that leads first. One that is not there any more is
    /// among them until its session has ended.
    fn candidates<'a>(&'a self, election: &'a str) -> Answer<'a, Vec<Vec<u8>>>;
}

impl dyn KeyValue {
    /// Sets one key, if it is as expected; its new version.
    ///
    /// # Errors
    /// As [`KeyValue::commit`].
    pub async fn put(
        &self,
        key: &str,
        value: impl Into<Vec<u8>>,
        expect: Expect,
        fence: Option<&Fence>,
    ) -> Result<Version, KvError> {
        let transaction = Transaction::new().put(key, value, expect);
        let versions = self.commit(&transaction, fence).await?;
        Ok(versions.first().copied().unwrap_or_default())
    }

    /// Removes one key, if it is as expected.
    ///
    /// # Errors
    /// As [`KeyValue::commit`].
    pub async fn remove(&self, key: &str, expect: Expect, fence: Option<&Fence>) -> Result<(), KvError> {
        self.commit(&Transaction::new().remove(key, expect), fence).await.map(drop)
    }

    /// Does many transactions in their order, each wholly or not at all, in as few steps as the store allows.
    ///
    /// # Errors
    /// Of the first that could not be done, with the number of those before it, which are done.
    pub async fn commit_all(
        &self,
        transactions: &[Transaction],
        fence: Option<&Fence>,
    ) -> Result<(), CommitAllError> {
        commit::all(self, transactions, fence).await
    }
}
