//! Elections: in the process that has the directory, first come, first served. Another process waits for the directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use super::{LOOK, LocalStore};
use crate::kv::campaign;
use crate::kv::{Expect, Fence, KeyValue, KvError, Leader, Observed, Standing, Transaction};

/// The candidates of this process, by election; the first of each leads once it has its epoch.
#[derive(Debug)]
pub(super) struct Candidates {
    elections: Mutex<BTreeMap<String, Vec<Listed>>>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Listed {
    number: u64,
    value: Vec<u8>,
    epoch: Option<u64>,
}

impl Default for Candidates {
    fn default() -> Self {
        Self { elections: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Candidates {
    fn change<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Vec<Listed>>) -> T) -> T {
        let done = work(&mut self.elections.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
        done
    }

    fn read<T>(&self, election: &str, work: impl FnOnce(&[Listed]) -> T) -> T {
        let elections = self.elections.lock().unwrap_or_else(PoisonError::into_inner);
        work(elections.get(election).map_or(&[], Vec::as_slice))
    }

    /// Whether a fence is still the leader's.
    pub(super) fn check(&self, fence: &Fence) -> Result<(), KvError> {
        let leads = |all: &[Listed]| all.first().is_some_and(|c| c.epoch == Some(fence.epoch));
        if self.read(&fence.election, leads) {
            return Ok(());
        }
        Err(KvError::Fenced { election: fence.election.clone(), epoch: fence.epoch })
    }

    fn leader(&self, election: &str) -> Option<Leader> {
        self.read(election, |all| {
            let first = all.first()?;
            Some(Leader { epoch: first.epoch?, value: first.value.clone() })
        })
    }
}

/// A place among the candidates; given up when dropped.
struct Place {
    store: LocalStore,
    election: String,
    number: u64,
}

impl Place {
    fn take(store: &LocalStore, election: &str, value: Vec<u8>) -> Self {
        let number = store.shared.candidates.change(|elections| {
            let all = elections.entry(election.to_owned()).or_default();
            let number = all.last().map_or(0, |last| last.number + 1);
            all.push(Listed { number, value, epoch: None });
            number
        });
        Self { store: store.clone(), election: election.to_owned(), number }
    }

    async fn first(&self) {
        let candidates = &self.store.shared.candidates;
        let mut changed = candidates.changed.subscribe();
        let is_first = |all: &[Listed]| all.first().is_some_and(|c| c.number == self.number);
        while !candidates.read(&self.election, is_first) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn lead(&self, epoch: u64) {
        self.store.shared.candidates.change(|elections| {
            let own = elections.get_mut(&self.election).and_then(|all| all.first_mut());
            if let Some(own) = own.filter(|own| own.number == self.number) {
                own.epoch = Some(epoch);
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.store.shared.candidates.change(|elections| {
            if let Some(all) = elections.get_mut(&self.election) {
                let led = all.first().is_some_and(|c| c.number == self.number && c.epoch.is_some());
                all.retain(|candidate| candidate.number != self.number);
                if led {
                    // Others see that nobody leads; if this fails, they see it by the lock.
                    let _ = std::fs::remove_file(self.store.leader_file(&self.election));
                }
            }
        });
    }
}

impl LocalStore {
    /// Where the process that leads says so to others.
    fn leader_file(&self, election: &str) -> PathBuf {
        self.shared.directory.join(format!("{election}.leader"))
    }

    /// The next epoch of an election, on the disk before it begins.
    async fn next_epoch(&self, election: &str) -> Result<u64, KvError> {
        let key = format!("epochs/{election}");
        let last = self.get(&key).await?;
        let epoch = last.and_then(|e| e.value.as_slice().try_into().ok()).map_or(0, u64::from_be_bytes) + 1;
        let write = Transaction::new().put(key, epoch.to_be_bytes(), Expect::Anything);
        self.commit(&write, None).await?;
        Ok(epoch)
    }

    fn announce(&self, election: &str, leader: &Leader) {
        let path = self.leader_file(election);
        let written = std::fs::write(&path, [&leader.epoch.to_be_bytes(), leader.value.as_slice()].concat());
        if let Err(error) = written {
            warn!("cannot tell other processes who leads: cannot write '{}': {error}", path.display());
        }
    }

    /// What another process that has the directory said.
    fn announced(&self, election: &str) -> Option<Leader> {
        let text = std::fs::read(self.leader_file(election)).ok()?;
        let (epoch, value) = text.split_first_chunk()?;
        Some(Leader { epoch: u64::from_be_bytes(*epoch), value: value.to_vec() })
    }
}

impl LocalStore {
    /// What candidates say of themselves.
    pub(super) fn standing(&self, election: &str) -> Vec<Vec<u8>> {
        let values = |all: &[Listed]| all.iter().map(|candidate| candidate.value.clone()).collect();
        let own: Vec<Vec<u8>> = self.shared.candidates.read(election, values);
        if own.is_empty() {
            return self.announced(election).into_iter().map(|leader| leader.value).collect();
        }
        own
    }
}

/// A candidate. It has a place once it has the directory.
pub(super) struct Candidate {
    store: LocalStore,
    election: String,
    place: Option<Place>,
}

impl Candidate {
    pub(super) fn new(store: LocalStore, election: &str) -> Self {
        Self { store, election: election.to_owned(), place: None }
    }
}

impl campaign::Candidate for Candidate {
    async fn run(&mut self, value: &[u8], tell: &watch::Sender<Standing>) -> Standing {
        let (store, mut reported) = (&self.store, String::new());
        // The directory first: who has it not is no candidate.
        while let Err(error) = store.with(|_| Ok(())).await {
            report(&error, &mut reported);
            sleep(LOOK).await;
        }
        let place = self.place.insert(Place::take(store, &self.election, value.to_vec()));
        place.first().await;
        let epoch = loop {
            match store.next_epoch(&self.election).await {
                Ok(epoch) => break epoch,
                Err(error) => report(&error, &mut reported),
            }
            sleep(LOOK).await;
        };
        store.announce(&self.election, &Leader { epoch, value: value.to_vec() });
        place.lead(epoch);
        let fence = Fence { election: self.election.clone(), epoch, place: String::new() };
        tell.send_replace(Standing::Leading(fence));
        // Nobody takes it from us.
        std::future::pending().await
    }

    /// Gives up the place.
    async fn withdraw(self) {
        drop(self.place);
    }
}

/// Logs an error, once.
fn report(error: &KvError, reported: &mut String) {
    let text = error.to_string();
    if *reported != text {
        warn!("waiting to become a candidate: {text}");
        *reported = text;
    }
}

/// Tells who leads: what this process knows if it has the directory, else what the one says that has it.
pub(super) async fn observe(store: LocalStore, election: String, tell: watch::Sender<Observed>) {
    let mut changed = store.shared.candidates.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let own = store.shared.is_open();
        let leader = if own {
            store.shared.candidates.leader(&election)
        } else if store.is_held() {
            store.announced(&election)
        } else {
            None
        };
        let observed = leader.map_or(Observed::Nobody, Observed::Leader);
        tell.send_if_modified(|told| {
            let new = *told != observed;
            *told = observed;
            new
        });
        let _ = tokio::time::timeout(LOOK, changed.changed()).await;
    }
}

impl LocalStore {
    /// Whether another process has the directory.
    fn is_held(&self) -> bool {
        let held = std::fs::File::open(self.shared.directory.join("lock"));
        held.is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
    }
}
