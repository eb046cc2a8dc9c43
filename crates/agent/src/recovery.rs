//! The start: what an earlier life of the agent has left, and how it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_core::{AgentCore, ExecutorKind, ExecutorState, Found, KnownContainer, Options, Output, Progress};
use agent_core::{Recovered, RecoveredExecutor, Write};
use base::{ContainerId, Time};
use containerizer::{Known, Launcher};
use store::{Backend, Batch, Embedded, Event, Opened, StoreError, Writer};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::acknowledged::Acknowledged;
use crate::boot::Boot;
use crate::checkpoint::{self, Memory};
use crate::compatibility::{self, IncompatibleError};
use crate::convert::{self, SelfDescription};
use crate::engine::Fate;
use crate::options::{AgentOptions, Recover};
use crate::server::StartError;
use crate::volumes;

/// What the agent keeps for itself in the work directory.
const DIRECTORY: &str = "meta";

/// In the work directory. Beside it is what was damaged, if anything ever was.
const STORE: &str = "meta/agent.redb";

/// How long the store of an agent that was just killed may still seem to be in use.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an earlier life has left.
pub(crate) struct Recovery {
    pub(crate) store: Box<dyn Backend>,
    recovered: Recovered,
    /// How the agent described itself then.
    info: Option<proto::v0::SlaveInfo>,
    /// The records are of another version.
    other_format: bool,
    /// In which life of the machine this is, and what the one before has taken with it.
    boot: Boot,
    /// How much was damaged.
    pub(crate) errors: u64,
    /// Where acknowledgements are noted from now on.
    pub(crate) acknowledged: Acknowledged,
}

/// Puts something around the store into which an agent writes.
pub type WrapStore = Box<dyn FnOnce(Embedded) -> Box<dyn Backend> + Send>;

/// Makes the directory in the work directory for what is remembered. Only we may look into it, also where an earlier
/// version let everybody: there are secrets in what tasks are given.
pub(crate) fn make_directory(work_dir: &Path) -> io::Result<PathBuf> {
    let directory = work_dir.join(DIRECTORY);
    std::fs::create_dir_all(&directory)?;
    std::fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
    Ok(directory)
}

/// Reads what is remembered. What is damaged is set aside and reported.
pub(crate) async fn read(work_dir: &Path, wrap: WrapStore) -> Result<Recovery, StartError> {
    let path = work_dir.join(STORE);
    let reading = tokio::task::spawn_blocking(move || {
        read_now(&path, wrap).map_err(|source| StartError::Store { path, source })
    });
    reading.await.map_err(|error| StartError::Thread(io::Error::other(error)))?
}

/// A process that an agent was just starting when it was killed has its files open, too, until it executes something.
fn open(path: &Path) -> Result<Opened, StoreError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match Embedded::open(path) {
            Err(StoreError::InUse { .. }) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

fn read_now(path: &Path, wrap: WrapStore) -> Result<Recovery, StoreError> {
    let Opened { mut store, records, damage } = open(path)?;
    for damage in &damage {
        tracing::error!("{damage}");
    }
    let keys: Vec<String> = records.iter().map(|(key, _)| key.clone()).collect();
    let Memory { mut recovered, info, boot, other_format, unreadable } = checkpoint::read(records);
    if let Some(version) = &other_format {
        keep(path, version);
    }
    for (key, reason) in &unreadable {
        tracing::error!(key, reason, "a record of the agent makes no sense and is set aside");
    }
    let errors = (damage.len() + unreadable.len() + usize::from(other_format.is_some())) as u64;
    store.set_aside(&unreadable.into_iter().map(|(key, _)| key).collect::<Vec<_>>())?;

    let mut store = wrap(store);
    let mut batch = Batch::new();
    if recovered.agent_id.is_none() {
        // Another agent has nothing to do with what its predecessor ran; the resources stay as they are.
        keys.into_iter().filter(|key| checkpoint::belongs_to_agent(key)).for_each(|key| batch.delete(key));
        recovered = Recovered { resources: recovered.resources, ..Recovered::default() };
    }
    let work_dir = path.parent().and_then(Path::parent).unwrap_or(path).display().to_string();
    for write in recovered.prune_past(&work_dir, |sandbox| Path::new(sandbox).exists()) {
        checkpoint::forget(&write, &mut batch);
    }
    for write in recovered.prune() {
        tracing::error!(?write, "forgetting what makes no sense without what is missing");
        checkpoint::forget(&write, &mut batch);
    }
    if !batch.is_empty() {
        store.commit(&batch)?;
    }
    let other_format = other_format.is_some();
    let (acknowledged, earlier) = Acknowledged::open(path.parent().unwrap_or(path));
    recovered.acknowledged = earlier;
    Ok(Recovery { store, recovered, info, other_format, boot: Boot::compare(boot), errors, acknowledged })
}

/// Records of another version are used as far as they are known, and kept as they were, for that version.
fn keep(path: &Path, version: &str) {
    let version: String = version.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let kept = path.with_extension(format!("version-{version}"));
    let outcome = match std::fs::copy(path, &kept) {
        Ok(_) => format!("all are kept as '{}'", kept.display()),
        Err(error) => format!("they cannot be kept as '{}': {error}", kept.display()),
    };
    tracing::error!(
        "the agent's records are of version {version} and this agent knows version {}; it goes on with what it knows of \
         them, and {outcome}",
        checkpoint::FORMAT
    );
}

/// Containers of the earlier life, and what has become of them.
pub(crate) struct Leftovers {
    pub(crate) known: Vec<KnownContainer>,
    pub(crate) fates: BTreeMap<ContainerId, Fate>,
}

impl Recovery {
    /// Whether the agent may go on with other settings.
    pub(crate) fn compare(
        &self,
        options: &AgentOptions,
        own: &SelfDescription,
    ) -> Result<(), IncompatibleError> {
        match &self.info {
            // What is ended anyway need not fit.
            Some(before) if options.recover == Recover::Reconnect => {
                compatibility::check(options.reconfiguration_policy, before, &own.v0(None))
            }
            _ => Ok(()),
        }
    }

    /// Has the launcher take over what still runs, and remove what nobody knows.
    pub(crate) async fn find(&mut self, options: &Options, launcher: Arc<dyn Launcher>) -> Leftovers {
        let known = self.recovered.containers(options);
        self.boot.begin(&known, &mut *self.store);
        let asked = known
            .iter()
            .map(|known| Known {
                container_id: known.container_id.clone(),
                sandbox: known.directory.as_ref().into(),
                limits: convert::limits(&known.resources, known.limits, &options.work_dir),
                group: known.group,
            })
            .collect();
        let found =
            tokio::task::spawn_blocking(move || launcher.recover(asked)).await.unwrap_or_else(|error| {
                tracing::error!(%error, "containers of an earlier agent cannot be found");
                let lost = known.iter().map(|known| known.container_id.clone()).collect();
                containerizer::Recovered { lost, ..Default::default() }
            });
        for removed in &found.removed {
            tracing::warn!(container = removed, "removed a container that an earlier agent left behind");
        }
        // A group without a process is there unless it is lost.
        let mut fates: BTreeMap<ContainerId, Fate> =
            known.iter().map(|known| (known.container_id.clone(), Fate::Running(None))).collect();
        fates.extend(found.running.into_iter().map(|(id, pid)| (id, Fate::Running(Some(pid)))));
        let unasked = self.unasked();
        fates.extend(found.ended.into_iter().map(|(id, status)| {
            let failed = status != 0 && unasked.contains(&id);
            (id, if failed { Fate::Failed(status) } else { Fate::Ended(status) })
        }));
        for id in found.lost {
            let rebooted = self.boot.has_taken(&id);
            fates.insert(id, Fate::Lost { rebooted });
        }
        for id in found.unstarted {
            // What has no record after a start of the machine may have lost it then.
            let rebooted = self.boot.has_taken(&id);
            let awaited = known.iter().find(|known| known.container_id == id && known.awaited && !rebooted);
            if let Some(known) = awaited {
                begin_anew(&known.directory);
            }
            fates.insert(id, awaited.map_or(Fate::Lost { rebooted }, |_| Fate::Unstarted));
        }
        let found = |fate: &Fate| match fate {
            Fate::Running(pid) => Found::Running(*pid),
            Fate::Ended(_) | Fate::Failed(_) => Found::Ended,
            Fate::Lost { .. } => Found::Lost,
            Fate::Unstarted => Found::Unstarted,
        };
        self.recovered.found = fates.iter().map(|(id, fate)| (id.clone(), found(fate))).collect();
        Leftovers { known, fates }
    }

    /// The containers of command tasks of which nobody had asked that they end.
    fn unasked(&self) -> BTreeSet<ContainerId> {
        let executors = self.recovered.frameworks.iter().flat_map(|framework| &framework.executors);
        let unasked = |executor: &&RecoveredExecutor| {
            let killed = |progress: &Option<Progress>| progress.as_ref().is_some_and(|p| p.kill.is_some());
            executor.record.info.kind == ExecutorKind::Command
                && executor.record.state != ExecutorState::Terminating
                && !executor.tasks.iter().any(|(_, progress)| killed(progress))
        };
        executors.filter(unasked).map(|executor| executor.record.container_id.clone()).collect()
    }

    /// The core that goes on, and what it wants done first.
    pub(crate) fn core(
        &mut self,
        options: Options,
        own: &SelfDescription,
        now: Time,
    ) -> Result<(AgentCore, Vec<Output>), agent_core::RecoveryError> {
        let mut first = Vec::new();
        let described = self.info.as_ref() == Some(&own.v0(self.recovered.agent_id.as_ref()));
        // With the description the version of the records is written down.
        self.recovered.described = described && !self.other_format;
        let core = AgentCore::recover(options, std::mem::take(&mut self.recovered), now, &mut first)?;
        Ok((core, first))
    }
}

/// Removes what was fetched into the sandbox of a container that never started: it is all fetched again.
fn begin_anew(sandbox: &str) {
    tracing::info!(sandbox, "a container was ordered and never started; it is started now");
    match std::fs::remove_dir_all(sandbox) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(sandbox, %error, "what was fetched before stays");
        }
        _ => {}
    }
}

/// Starts the thread that writes down what the core says.
pub(crate) fn writer(
    store: Box<dyn Backend>,
    own: Arc<SelfDescription>,
    events: UnboundedSender<Event>,
) -> io::Result<Writer<Write>> {
    let encode = move |write, batch: &mut Batch| checkpoint::encode(write, &own, batch);
    // The loop has ended when nobody listens.
    let tell = move |event| drop(events.send(event));
    Writer::start(store, encode, tell)
}

/// Goes on deleting what removed volumes held.
pub(crate) fn delete_leftovers(work_dir: &Path, own: &SelfDescription, runtime: &Handle) {
    let places = volumes::places_of_leftovers(work_dir, &own.resources);
    runtime.spawn_blocking(move || volumes::delete_removed(&places));
}
