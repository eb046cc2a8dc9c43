//! Starting a container: what it asks for, its sandbox, then its process.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use agent_core::{CommandInfo, ContainerEvent, ContainerKind, ContainerSpec};
use base::ContainerId;
use containerizer::{Command, FetchRequest, GroupSpec, LaunchSpec, Limits, Outputs, Uri, Wishes};

use super::sandbox::prepare;
use super::{Containers, Live, Phase};
use crate::convert;
use crate::engine::work::Work;
use crate::metrics::Counters;

impl Containers {
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
                if matches!(event, ContainerEvent::LaunchFailed { .. }) {
                    live.count_launch_error(counters);
                }
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
                        live.count_launch_error(counters);
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
