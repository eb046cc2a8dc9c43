//! The core's containers on this machine: sandbox, fetch, launch, and an end that leaves nothing behind.
//!
//! A container without a process of its own, a task group's, is a sandbox and the containers nested in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use agent_core::{
    CommandInfo, ContainerEvent, ContainerKind, ContainerSpec, Input, KnownContainer, Limitation, Reason,
    ResourceLimits, VolumeLink,
};
use base::ContainerId;
use containerizer::{
    Command, FetchRequest, Fetcher, GroupSpec, Isolation, LaunchSpec, Launcher, Limits, Outputs, Signal, Uri,
    Wishes,
};
use resources::Resources;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::work::{CoreHandle, Work};
use super::{disks, limitation};
use crate::convert;
use crate::launchers::Chosen;
use crate::logger::ContainerLogger;
use crate::metrics::Counters;
use crate::options::AgentOptions;

enum Phase {
    /// The sandbox is made and filled.
    Preparing { work: AbortHandle, launch: Option<Box<LaunchSpec>> },
    /// A process is being started, or runs.
    Process,
    /// No process of its own.
    Group,
    /// The same, and what was made for it is being removed.
    GroupEnding,
    /// Its process ended, with this status; what it left behind is being killed.
    Exited(i32),
}

struct Live {
    phase: Phase,
    parent: Option<ContainerId>,
    nested: BTreeSet<ContainerId>,
    /// Its process is known to run, or has run.
    started: bool,
    /// It is to end.
    doomed: bool,
    fetches: bool,
    directory: Arc<str>,
    /// What is linked into the sandbox.
    volumes: Vec<VolumeLink>,
    /// Beyond what it went, if that is why it ends.
    limitation: Option<Limitation>,
    /// What it was given, and what of that it may use.
    resources: Resources,
    limits: Limits,
    /// What else it is launched with.
    wishes: Wishes,
}

/// Something that is being done to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// What: under the name that Mesos has for it, where it has one.
    pub(crate) operation: &'static str,
    /// To which one.
    pub(crate) container_id: ContainerId,
}

/// All containers that are not over.
pub(crate) struct Containers {
    launcher: Arc<dyn Launcher>,
    /// What the launcher isolates; nothing without.
    isolation: Option<Isolation>,
    work_dir: Arc<str>,
    fetcher: Fetcher,
    logger: ContainerLogger,
    runtime: Handle,
    core: CoreHandle,
    live: HashMap<ContainerId, Live>,
    /// What happened, for the core.
    inputs: Vec<Input>,
    /// Whether sandboxes of nested containers are let go of before that of their executor.
    lets_go_of_nested: bool,
    /// Sandboxes that are not needed any longer, and whether they are an executor's.
    abandoned: Vec<(Arc<str>, bool)>,
}

impl Containers {
    pub(crate) fn new(
        Chosen { launcher, isolation }: Chosen,
        work_dir: &str,
        fetcher: Fetcher,
        options: &AgentOptions,
        runtime: Handle,
        core: CoreHandle,
    ) -> Self {
        Self {
            launcher,
            isolation,
            work_dir: work_dir.into(),
            fetcher,
            logger: options.logger.clone(),
            lets_go_of_nested: options.gc_non_executor_container_sandboxes,
            runtime,
            core,
            live: HashMap::new(),
            inputs: Vec::new(),
            abandoned: Vec::new(),
        }
    }

    /// Takes up what an earlier agent has launched. What is not there any more ends now.
    pub(crate) fn adopt(&mut self, known: Vec<KnownContainer>, found: &BTreeMap<ContainerId, Fate>) {
        let mut ended = Vec::new();
        for known in known {
            let KnownContainer { container_id, parent, directory, group, resources, limits, .. } = known;
            let fate = found.get(&container_id).copied().unwrap_or(Fate::Lost { rebooted: false });
            let phase = match fate {
                Fate::Running(_) if group => Phase::Group,
                Fate::Running(_) => Phase::Process,
                Fate::Ended(status) | Fate::Failed(status) => Phase::Exited(status),
                Fate::Lost { .. } => Phase::GroupEnding,
                // The core orders it again.
                Fate::Unstarted => continue,
            };
            if let Some(parent) = parent.as_ref().and_then(|parent| self.live.get_mut(parent)) {
                parent.nested.insert(container_id.clone());
            }
            let limitation = match fate {
                Fate::Lost { rebooted } => Some(lost(rebooted)),
                Fate::Failed(status) => Some(failed(status)),
                Fate::Running(_) | Fate::Ended(_) | Fate::Unstarted => None,
            };
            let live = Live {
                phase,
                parent,
                nested: BTreeSet::new(),
                started: true,
                doomed: false,
                fetches: false,
                directory,
                volumes: Vec::new(),
                limitation,
                limits: convert::limits(&resources, limits, &self.work_dir),
                resources,
                wishes: Wishes::default(),
            };
            self.live.insert(container_id.clone(), live);
            if !matches!(fate, Fate::Running(_)) {
                ended.push(container_id);
            }
        }
        for container_id in ended {
            self.launcher.destroy(&container_id);
        }
    }

    /// How a container ended is written down.
    pub(crate) fn forget_record(&self, container_id: &ContainerId) {
        self.launcher.forget(container_id);
    }

    /// The way back to the core.
    pub(crate) fn core(&self) -> CoreHandle {
        self.core.clone()
    }

    /// Gives a container that runs the volumes that it is to have now.
    pub(crate) fn link(&mut self, container_id: &ContainerId, volumes: Vec<VolumeLink>) {
        // One whose sandbox is being made gets what it was ordered with, and one that is gone needs nothing.
        let Some(live) = self.live.get_mut(container_id) else { return };
        if let Err(error) = disks::link(Path::new(&*live.directory), &volumes, &live.volumes) {
            tracing::warn!(container = %container_id, error, "a container does not have its volumes");
        }
        live.volumes = volumes;
    }

    /// Changes what a container may use. One for which that fails is ended: it could take what others were promised.
    pub(crate) fn update(
        &mut self,
        container_id: &ContainerId,
        resources: &Resources,
        limits: ResourceLimits,
    ) {
        let Some(live) = self.live.get_mut(container_id) else { return };
        live.limits = convert::limits(resources, limits, &self.work_dir);
        live.resources.clone_from(resources);
        if let Phase::Preparing { launch, .. } = &mut live.phase {
            if let Some(launch) = launch {
                launch.limits.clone_from(&live.limits);
            }
            return;
        }
        if let Err(error) = self.launcher.update(container_id, &live.limits) {
            let error = crate::report(&error);
            tracing::error!(container = %container_id, error, "the limits of a container cannot be changed");
            let reason = Reason::ContainerUpdateFailed;
            let message = format!("Failed to update resources for container: {error}");
            self.limited(container_id, &Limitation { reason, message, resources: Resources::default() });
            self.destroy(container_id);
        }
    }

    /// A container is ended for this, and so are those nested in it.
    fn limited(&mut self, container_id: &ContainerId, limitation: &Limitation) {
        let Some(live) = self.live.get_mut(container_id) else { return };
        live.limitation.get_or_insert_with(|| limitation.clone());
        for nested in live.nested.clone() {
            self.limited(&nested, limitation);
        }
    }

    /// What is under way: containers being launched and destroyed, by their ids. What stays here is stuck.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        let operation = |live: &Live| match live.phase {
            Phase::Preparing { .. } => Some("containerizer::prepare"),
            Phase::Process if live.doomed => Some("launcher::destroy"),
            Phase::Process if !live.started => Some("launcher::fork"),
            Phase::GroupEnding | Phase::Exited(_) => Some("launcher::destroy"),
            Phase::Process | Phase::Group => None,
        };
        let of = |(container_id, live): (&ContainerId, &Live)| {
            Some(Pending { operation: operation(live)?, container_id: container_id.clone() })
        };
        let mut pending: Vec<Pending> = self.live.iter().filter_map(of).collect();
        pending.sort_by(|a, b| a.container_id.cmp(&b.container_id));
        pending
    }

    /// What happened since the last time.
    pub(crate) fn take_inputs(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.inputs)
    }

    /// Sandboxes that nobody needs any longer, since the last time; with whether they are an executor's.
    pub(crate) fn take_abandoned(&mut self) -> Vec<(Arc<str>, bool)> {
        std::mem::take(&mut self.abandoned)
    }

    fn tell(&mut self, container_id: ContainerId, event: ContainerEvent) {
        self.inputs.push(Input::Container { container_id, event });
    }

    /// Starts a container; its sandbox first.
    pub(crate) fn launch(&mut self, spec: ContainerSpec) {
        let container_id = spec.container_id.clone();
        if let Some(parent) = spec.parent.as_ref().filter(|parent| !self.is_open(parent)) {
            let limitation = self.live.get(parent).and_then(|parent| parent.limitation.clone());
            return self.tell(container_id, ContainerEvent::Exited { status: None, limitation });
        }
        let sandbox = PathBuf::from(&*spec.directory);
        let user = Some(spec.user.to_string());
        let limits = convert::limits(&spec.resources, spec.limits, &self.work_dir);
        let asked = self.asked(&spec);
        let wishes = asked.as_ref().map(|(wishes, _)| wishes.clone()).unwrap_or_default();
        let (launch, uris) = match &spec.kind {
            ContainerKind::Group => (None, Vec::new()),
            ContainerKind::Process(command) => {
                let outputs = asked.as_ref().ok().and_then(|(_, outputs)| *outputs);
                let launch = launch_spec(&spec, command, limits.clone(), wishes.clone());
                let launch = LaunchSpec { outputs, ..launch };
                (Some(Box::new(launch)), command.uris.iter().map(uri).collect())
            }
        };
        let fetches = !uris.is_empty();
        // What is nested is in the sandbox of what is around it.
        let bounds = spec.parent.is_none().then(|| (Arc::clone(&self.launcher), limits.clone()));
        let request = FetchRequest { container_id: container_id.clone(), sandbox, user, uris };
        let (fetcher, core, volumes) = (self.fetcher.clone(), self.core.clone(), spec.volumes.clone());
        let work = self.runtime.spawn(async move {
            let container_id = request.container_id.clone();
            let result = match asked {
                Ok(_) => prepare(&fetcher, request, bounds, volumes).await,
                Err(message) => Err(ContainerEvent::LaunchFailed { message }),
            };
            // Nobody is left to be told when the agent ends.
            let _ = core.send(Work::Prepared { container_id, result }).await;
        });
        let phase = Phase::Preparing { work: work.abort_handle(), launch };
        if let Some(parent) = spec.parent.as_ref().and_then(|parent| self.live.get_mut(parent)) {
            parent.nested.insert(container_id.clone());
        }
        let live = Live {
            phase,
            parent: spec.parent,
            nested: BTreeSet::new(),
            started: false,
            doomed: false,
            fetches,
            directory: spec.directory,
            volumes: spec.volumes,
            limitation: None,
            resources: spec.resources,
            limits,
            wishes,
        };
        self.live.insert(container_id, live);
    }

    /// Whether something can be started in a container. Who is already being ended would miss it, and wait for it for ever.
    fn is_open(&self, container_id: &ContainerId) -> bool {
        self.live
            .get(container_id)
            .is_some_and(|live| !live.doomed && !matches!(live.phase, Phase::GroupEnding | Phase::Exited(_)))
    }

    /// What a container asks for, or why it cannot be given.
    fn asked(&self, spec: &ContainerSpec) -> Result<(Wishes, Option<Outputs>), String> {
        let wishes = convert::wishes(spec, self.isolation.as_ref())?;
        let environment = spec.environment.iter().map(|(name, value)| (&**name, &**value));
        let outputs = self.logger.outputs(environment);
        let outputs =
            outputs.map_err(|error| format!("Failed to load container logger settings: {error}"))?;
        Ok((wishes, outputs))
    }

    /// A sandbox is ready, or cannot be made so.
    pub(crate) fn prepared(
        &mut self,
        container_id: ContainerId,
        result: Result<(), ContainerEvent>,
        counters: &mut Counters,
    ) {
        // One that was destroyed meanwhile is gone already.
        let Some(live) = self.live.get_mut(&container_id) else { return };
        if live.fetches {
            let count =
                if result.is_ok() { &mut counters.fetches_succeeded } else { &mut counters.fetches_failed };
            *count += 1;
        }
        let Phase::Preparing { launch, .. } = &mut live.phase else { return };
        match (result, launch.take()) {
            (Err(event), _) => {
                counters.container_launch_errors += 1;
                self.forget(&container_id);
                self.tell(container_id, event);
            }
            (Ok(()), None) => {
                let spec = GroupSpec {
                    container_id: container_id.clone(),
                    sandbox: PathBuf::from(&*live.directory),
                    limits: live.limits.clone(),
                    wishes: live.wishes.clone(),
                };
                match self.launcher.launch_group(spec) {
                    Ok(()) => {
                        live.phase = Phase::Group;
                        self.tell(container_id, ContainerEvent::Launched { pid: None });
                    }
                    Err(error) => {
                        counters.container_launch_errors += 1;
                        self.forget(&container_id);
                        let message = crate::report(&error);
                        self.tell(container_id, ContainerEvent::LaunchFailed { message });
                    }
                }
            }
            (Ok(()), Some(launch)) => {
                live.phase = Phase::Process;
                self.launcher.launch(*launch);
            }
        }
    }

    /// Something happened to a process.
    pub(crate) fn event(&mut self, event: containerizer::ContainerEvent, counters: &mut Counters) {
        use containerizer::ContainerEvent as Event;
        match event {
            Event::Launched { container_id, pid } => {
                if let Some(live) = self.live.get_mut(&container_id) {
                    live.started = true;
                }
                self.tell(container_id, ContainerEvent::Launched { pid: Some(pid) });
            }
            Event::LaunchFailed { container_id, error } => {
                counters.container_launch_errors += 1;
                self.forget(&container_id);
                self.tell(container_id, ContainerEvent::LaunchFailed { message: crate::report(&error) });
            }
            Event::Limited { container_id, limitation } => {
                let held = self.live.get(&container_id).map(|live| live.resources.clone());
                let limitation = limitation::told(limitation, &held.unwrap_or_default(), &self.work_dir);
                self.limited(&container_id, &limitation);
                // One without a process of its own ends with those in it.
                if self.live.get(&container_id).is_some_and(|live| matches!(live.phase, Phase::Group)) {
                    self.destroy(&container_id);
                }
            }
            Event::Exited { container_id, status } => {
                let Some(live) = self.live.get_mut(&container_id) else { return };
                live.phase = Phase::Exited(status);
                // Whatever it left behind ends with it.
                self.launcher.destroy(&container_id);
                self.destroy_nested(&container_id);
            }
            Event::Destroyed { container_id } => {
                let Some(live) = self.live.get_mut(&container_id) else { return };
                let status = match live.phase {
                    Phase::Exited(status) => Some(status),
                    Phase::GroupEnding => None,
                    _ => return,
                };
                let limitation = live.limitation.take();
                self.forget(&container_id);
                self.tell(container_id, ContainerEvent::Exited { status, limitation });
            }
        }
    }

    /// Signals all processes of a container. One that does not run is left alone.
    pub(crate) fn signal(&self, container_id: &ContainerId, signal: i32) {
        let Some(signal) = Signal::from_named_raw(signal) else {
            base::never!(true, "there is no signal {signal}");
            return;
        };
        if self.live.get(container_id).is_some_and(|live| matches!(live.phase, Phase::Process)) {
            self.launcher.signal(container_id, signal);
        }
    }

    /// Ends a container and those nested in it, by force.
    pub(crate) fn destroy(&mut self, container_id: &ContainerId) {
        let Some(live) = self.live.get_mut(container_id) else { return };
        live.doomed = true;
        match &live.phase {
            Phase::Preparing { work, .. } => {
                work.abort();
                self.forget(container_id);
                let event = ContainerEvent::Exited { status: None, limitation: None };
                self.tell(container_id.clone(), event);
                return;
            }
            Phase::Process => self.launcher.destroy(container_id),
            Phase::Group | Phase::GroupEnding | Phase::Exited(_) => {}
        }
        self.destroy_nested(container_id);
        self.end_if_empty(container_id);
    }

    fn destroy_nested(&mut self, container_id: &ContainerId) {
        let nested = self.live.get(container_id).map(|live| live.nested.clone()).unwrap_or_default();
        for container_id in nested {
            self.destroy(&container_id);
        }
    }

    /// A group ends when it is to and nothing is left in it.
    fn end_if_empty(&mut self, container_id: &ContainerId) {
        let over = |live: &Live| live.doomed && matches!(live.phase, Phase::Group) && live.nested.is_empty();
        if let Some(live) = self.live.get_mut(container_id).filter(|live| over(live)) {
            live.phase = Phase::GroupEnding;
            self.launcher.destroy(container_id);
        }
    }

    fn forget(&mut self, container_id: &ContainerId) {
        let Some(live) = self.live.remove(container_id) else { return };
        if let Some(parent) = live.parent {
            if let Some(parent) = self.live.get_mut(&parent) {
                parent.nested.remove(container_id);
            }
            if self.lets_go_of_nested {
                self.abandoned.push((live.directory, false));
            }
            self.end_if_empty(&parent);
        } else {
            self.abandoned.push((live.directory, true));
        }
    }
}

/// What has become of a container of an earlier agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs; its first process, if it has one.
    Running(Option<u32>),
    /// It has ended like this.
    Ended(i32),
    /// The same, of a command task that nobody had asked to end: as in Mesos its executor is gone, and the agent tells of it.
    Failed(i32),
    /// Nothing of it was found.
    Lost {
        /// Because the machine was started anew.
        rebooted: bool,
    },
    /// It never started, and is still to.
    Unstarted,
}

/// Why a container has ended of which nothing was found.
fn lost(rebooted: bool) -> Limitation {
    let message = if rebooted {
        "The container ended when the machine was started anew"
    } else {
        "The container ended together with the agent that had launched it"
    };
    let resources = Resources::default();
    Limitation { reason: Reason::ExecutorTerminated, message: message.to_owned(), resources }
}

/// How a command task has failed while no agent was there. Mesos says "Executor terminated" then, and knows no more.
fn failed(status: i32) -> Limitation {
    let message = format!("Executor terminated while the agent was away: {}", ExitStatus::from_raw(status));
    Limitation { reason: Reason::ExecutorTerminated, message, resources: Resources::default() }
}

/// What the launcher is told of a container in which `command` runs.
pub(crate) fn launch_spec(
    spec: &ContainerSpec,
    command: &CommandInfo,
    limits: Limits,
    wishes: Wishes,
) -> LaunchSpec {
    let environment = spec.environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    LaunchSpec {
        container_id: spec.container_id.clone(),
        command: self::command(command),
        sandbox: PathBuf::from(&*spec.directory),
        environment: environment.collect(),
        user: Some(spec.user.to_string()),
        limits,
        wishes,
        outputs: None,
        survives: spec.survives,
    }
}

fn command(command: &CommandInfo) -> Command {
    let value = command.value.as_deref().unwrap_or_default().to_owned();
    if command.shell {
        Command::Shell(value)
    } else {
        Command::Exec { path: value, argv: command.arguments.iter().map(ToString::to_string).collect() }
    }
}

fn uri(uri: &agent_core::Uri) -> Uri {
    Uri {
        value: uri.value.to_string(),
        executable: uri.executable,
        extract: uri.extract,
        cache: uri.cache,
        output_file: uri.output_file.as_deref().map(str::to_owned),
    }
}

/// Makes the sandbox of a container, with all that is to be in it. What goes wrong is told as the container's end.
async fn prepare(
    fetcher: &Fetcher,
    request: FetchRequest,
    bounds: Option<(Arc<dyn Launcher>, Limits)>,
    volumes: Vec<VolumeLink>,
) -> Result<(), ContainerEvent> {
    let failed = |message: String| ContainerEvent::LaunchFailed { message };
    let (sandbox, user, top_level) = (request.sandbox.clone(), request.user.clone(), bounds.is_some());
    // Users may be looked up in a directory service, and the disk may be slow.
    let made = tokio::task::spawn_blocking(move || make_sandbox(&sandbox, user.as_deref(), top_level));
    // That of a task in a group is made by its executor, in Mesos.
    let unmade =
        |message: String| if top_level { ContainerEvent::NoSandbox { message } } else { failed(message) };
    made.await.map_err(|error| failed(error.to_string()))?.map_err(unmade)?;
    disks::link_new(request.sandbox.clone(), volumes).await.map_err(failed)?;
    if let Some((launcher, limits)) = bounds {
        let sandbox = request.sandbox.clone();
        let bounding = tokio::task::spawn_blocking(move || launcher.prepare(&sandbox, &limits));
        let bounded = bounding.await.map_err(|error| failed(error.to_string()))?;
        bounded.map_err(|error| failed(crate::report(&error)))?;
    }
    fetcher.fetch(request).await.map_err(|error| failed(crate::report(&error)))
}

fn make_sandbox(sandbox: &Path, user: Option<&str>, top_level: bool) -> Result<(), String> {
    containerizer::create_sandbox(sandbox, user).map_err(|error| crate::report(&error))?;
    if top_level && let Err(error) = link_latest(sandbox) {
        tracing::warn!(sandbox = %sandbox.display(), %error, "cannot link the latest run");
    }
    Ok(())
}

/// Points `runs/latest` to the newest run, in one step.
fn link_latest(sandbox: &Path) -> std::io::Result<()> {
    let (Some(runs), Some(name)) = (sandbox.parent(), sandbox.file_name()) else { return Ok(()) };
    let mut temporary = name.to_owned();
    temporary.push(".latest");
    let temporary = runs.join(temporary);
    std::os::unix::fs::symlink(name, &temporary)?;
    std::fs::rename(&temporary, runs.join("latest"))
}
