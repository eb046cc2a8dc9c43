//! The death of an agent at one of its writes: a store that kills its own process, as `kill -9` does, before or after a
//! commit that a test has chosen.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use store::{Backend, Batch, StoreError};

/// Where an agent dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// Nothing of the commit of that number is on the disk.
    Before(u32),
    /// It is, and nobody was told.
    After(u32),
}

impl Failpoint {
    pub fn number(self) -> u32 {
        let (Self::Before(number) | Self::After(number)) = self;
        number
    }

    fn side(self) -> &'static str {
        match self {
            Self::Before(_) => "before",
            Self::After(_) => "after",
        }
    }
}

/// Orders a death. Commits are counted from now on, also by a life that has not begun.
pub fn arm(order: &Path, failpoint: Failpoint) {
    write(order, failpoint.side(), &failpoint.number().to_string());
}

/// Orders a death at the first commit that has a record of this kind. Of the failpoint only the side counts.
pub fn arm_at(order: &Path, failpoint: Failpoint, kind: &str) {
    write(order, failpoint.side(), kind);
}

fn write(order: &Path, side: &str, at: &str) {
    // No two orders are the same, so that a new one is known.
    static ORDERS: AtomicU32 = AtomicU32::new(0);
    let text = format!("{side} {at} {}", ORDERS.fetch_add(1, Ordering::Relaxed));
    let new = order.with_extension("new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(new, order)).expect("ours");
}

/// Takes an order back that was not carried out.
pub fn disarm(order: &Path) {
    // Carried out already is as good.
    let _ = std::fs::remove_file(order);
}

/// What records are about: the first part of their keys.
pub fn kinds_at_deaths(order: &Path) -> BTreeSet<String> {
    let noted = std::fs::read_to_string(order.with_extension("deaths")).unwrap_or_default();
    noted.lines().map(str::to_owned).collect()
}

/// What the records of a commit are about.
fn kinds(batch: &Batch) -> impl Iterator<Item = &str> {
    batch.iter().map(|(key, _)| key.split('/').next().unwrap_or(key))
}

/// Notes what the commit is about at which an agent dies.
fn note_death(order: &Path, batch: &Batch) {
    let mut kinds: Vec<&str> = kinds(batch).collect();
    kinds.dedup();
    let path = order.with_extension("deaths");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("ours");
    kinds.iter().for_each(|kind| writeln!(file, "{kind}").expect("ours"));
}

/// The store of an agent that dies as ordered.
pub struct Failing {
    store: Box<dyn Backend>,
    order: PathBuf,
    last: String,
    commits: u32,
}

impl Failing {
    pub fn new(store: impl Backend, order: PathBuf) -> Self {
        Self { store: Box::new(store), order, last: String::new(), commits: 0 }
    }

    fn die_if(&self, failpoint: Failpoint, batch: &Batch) {
        let (here, _) = self.last.rsplit_once(' ').unwrap_or_default();
        let (side, at) = here.split_once(' ').unwrap_or_default();
        let there = at == failpoint.number().to_string() || kinds(batch).any(|kind| kind == at);
        if side == failpoint.side() && there {
            // One order is for one death. One that was taken back while the commit was under way is none any more.
            if std::fs::remove_file(&self.order).is_err() {
                return;
            }
            note_death(&self.order, batch);
            kill_process(getpid(), Signal::KILL).expect("ourselves");
            loop {
                std::thread::park();
            }
        }
    }
}

impl Backend for Failing {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let order = std::fs::read_to_string(&self.order).unwrap_or_default();
        if order != self.last {
            (self.last, self.commits) = (order, 0);
        }
        self.commits += 1;
        self.die_if(Failpoint::Before(self.commits), batch);
        let committed = self.store.commit(batch);
        self.die_if(Failpoint::After(self.commits), batch);
        committed
    }
}
