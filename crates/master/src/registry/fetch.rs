//! Reading all of the registry, when a master begins to lead.

use std::time::{Duration, Instant};

use master_core::RegistryContent;
use store::kv::{Entry, Fence, KeyValue, KvError};

use super::values::ValueError;
use super::{RegistryFigures, journal, keys, values};

/// How long to wait before a store that is out of reach is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Why the registry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store did not let us, or not in time.
    #[error("cannot read the registry")]
    Store(#[from] KvError),
    /// What is there makes no sense to us: it is damaged, or of a later version.
    #[error("'{key}' in the registry makes no sense: {why}")]
    Value {
        /// Where.
        key: String,
        /// Why.
        why: String,
    },
}

/// Reads the registry, after what the last master has begun to write is finished; a store that is out of reach is asked again
/// until `limit` is over.
pub(crate) async fn fetch(
    store: &dyn KeyValue,
    fence: Option<&Fence>,
    limit: Duration,
    figures: &RegistryFigures,
) -> Result<RegistryContent, RegistryError> {
    let started = Instant::now();
    let mut patience = Patience { deadline: started + limit, told: String::new() };
    finish(store, fence, &mut patience).await?;
    let mut content = RegistryContent::default();
    for table in [keys::AGENTS, keys::QUOTAS, keys::WEIGHTS, keys::WINDOWS] {
        for entry in list(store, table, &mut patience).await? {
            figures.read(&entry.key, entry.value.len());
            values::decode(&entry.key, &entry.value, &mut content)
                .map_err(|why: ValueError| RegistryError::Value { key: entry.key, why: why.to_string() })?;
        }
    }
    figures.fetch.add(Instant::now(), started.elapsed());
    Ok(content)
}

async fn finish(
    store: &dyn KeyValue,
    fence: Option<&Fence>,
    patience: &mut Patience,
) -> Result<(), RegistryError> {
    loop {
        let entries = list(store, journal::JOURNAL, patience).await?;
        if entries.is_empty() {
            return Ok(());
        }
        match journal::finish(store, &entries, fence).await {
            Err(RegistryError::Store(error)) if patience.again(&error) => tokio::time::sleep(PAUSE).await,
            finished => return finished,
        }
    }
}

/// How long a store is asked again, and what was logged of it last.
struct Patience {
    deadline: Instant,
    told: String,
}

impl Patience {
    /// Whether the store may still answer in time. What is wrong is logged once.
    fn again(&mut self, error: &KvError) -> bool {
        let again = error.is_transient() && Instant::now() + PAUSE < self.deadline;
        let text = error.to_string();
        if again && text != self.told {
            tracing::warn!("cannot read the registry yet: {text}");
            self.told = text;
        }
        again
    }
}

async fn list(store: &dyn KeyValue, table: &str, patience: &mut Patience) -> Result<Vec<Entry>, KvError> {
    loop {
        match store.list(table).await {
            Err(error) if patience.again(&error) => tokio::time::sleep(PAUSE).await,
            listed => return listed,
        }
    }
}
