//! The core's containers on this machine: sandbox, fetch, launch, and an end that leaves nothing behind.
//!
//! A container without a process of its own, a task group's, is a sandbox and the containers nested in it.

mod adopt;
mod launch;
mod sandbox;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use agent_core::{ContainerEvent, Input, Limitation, Reason, ResourceLimits, VolumeLink};
use base::ContainerId;
use containerizer::{Fetcher, Isolation, LaunchSpec, Launcher, Limits, Signal, Wishes};
use resources::Resources;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::work::CoreHandle;
use super::{disks, limitation};
use crate::convert;
use crate::launchers::Chosen;
use crate::logger::ContainerLogger;
use crate::metrics::Counters;
use crate::options::AgentOptions;

pub(crate) use adopt::Fate;
pub(crate) use launch::launch_spec;

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

impl Live {
    /// It could not be launched. Those of executors are counted, as in Mesos, and what is nested in them is not: whoever wanted
    /// that is told.
    fn count_launch_error(&self, counters: &mut Counters) {
        if self.parent.is_none() {
            counters.container_launch_errors += 1;
        }
    }
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
                if let Some(live) = self.live.get(&container_id) {
                    live.count_launch_error(counters);
                }
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
