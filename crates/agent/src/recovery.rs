//! The start: what an earlier life of the agent has left, and how it goes on.

use std::io;
use std::path::Path;
use std::sync::Arc;

use agent_core::{AgentCore, Options, Output, Write};
use store::{Embedded, Event, Opened, StoreError, Writer};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::checkpoint::{self, Memory};
use crate::convert::SelfDescription;
use crate::engine::Clock;
use crate::server::StartError;
use crate::volumes;

/// In the work directory. Beside it is what was damaged, if anything ever was.
const STORE: &str = "meta/agent.redb";

/// An agent that goes on where it was.
pub(crate) struct Recovery {
    pub(crate) store: Embedded,
    pub(crate) core: AgentCore,
    /// What is to be done first.
    pub(crate) first: Vec<Output>,
    pub(crate) clock: Clock,
    /// How much was damaged.
    pub(crate) errors: u64,
}

/// Reads what is remembered. What is damaged is set aside and reported.
pub(crate) async fn recover(work_dir: &Path, options: Options) -> Result<Recovery, StartError> {
    let path = work_dir.join(STORE);
    let failed = |source: StoreError| StartError::Store { path: work_dir.join(STORE), source };
    let opening = tokio::task::spawn_blocking(move || Embedded::open(&path));
    let opened = opening.await.map_err(|error| StartError::Thread(io::Error::other(error)))?;
    let Opened { mut store, records, damage } = opened.map_err(failed)?;
    for damage in &damage {
        tracing::error!("{damage}");
    }
    let Memory { recovered, unreadable, .. } = checkpoint::read(records)?;
    for (key, reason) in &unreadable {
        tracing::error!(key, reason, "a record of the agent makes no sense and is set aside");
    }
    let errors = damage.len() + unreadable.len();
    let keys: Vec<String> = unreadable.into_iter().map(|(key, _)| key).collect();
    store.set_aside(&keys).map_err(failed)?;
    let (clock, mut first) = (Clock::start(), Vec::new());
    let core = AgentCore::recover(options, recovered, clock.now(), &mut first)?;
    Ok(Recovery { store, core, first, clock, errors: errors as u64 })
}

/// Starts the thread that writes down what the core says.
pub(crate) fn writer(
    store: Embedded,
    own: Arc<SelfDescription>,
    events: UnboundedSender<Event>,
) -> io::Result<Writer<Write>> {
    let encode = move |write, batch: &mut store::Batch| checkpoint::encode(write, &own, batch);
    // The loop has ended when nobody listens.
    let tell = move |event| drop(events.send(event));
    Writer::start(store, encode, tell)
}

/// Goes on deleting what removed volumes held.
pub(crate) fn delete_leftovers(work_dir: &Path, own: &SelfDescription, runtime: &Handle) {
    let places = volumes::places_of_leftovers(work_dir, &own.resources);
    runtime.spawn_blocking(move || volumes::delete_removed(&places));
}
