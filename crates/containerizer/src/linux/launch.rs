//! Starting a container: plan, record, control groups, init.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;

use base::ContainerId;

use super::Shared;
use super::isolators::{self, Plan, Subject};
use super::queue::Job;
use super::record::First;
use super::shared::{self, Around};
use super::spawn::{self, Child, Given};
use super::table::{Phase, Process, parent};
use super::watch::Kind;
use crate::cgroups::{Controller, Group, PressureGauge};
use crate::isolation::Limits;
use crate::launcher::{Command, ContainerEvent, GroupSpec, LaunchError, LaunchSpec};
use crate::user::User;
use crate::{output, procs};

/// The variable by which processes of containers are found where there are no control groups.
const COOKIE: &str = "MESOS_SANDBOX";

impl Shared {
    pub(super) fn launch(&self, container_id: &ContainerId) {
        let spec = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return };
            let starting = Phase::Starting { process: None, ready: None };
            match std::mem::replace(&mut container.phase, starting) {
                Phase::Queued(spec) => spec,
                other => {
                    container.phase = other;
                    return;
                }
            }
        };
        if let Err(error) = self.start(&spec) {
            self.refuse(container_id, error);
        }
    }

    fn start(&self, spec: &LaunchSpec) -> Result<(), LaunchError> {
        let container_id = &spec.container_id;
        let user = User::to_become(spec.user.as_deref())?;
        let plan = self.plan(spec, user.as_ref())?;
        self.bound(container_id, &spec.sandbox, &spec.limits)?;
        let record = self.records.create(container_id)?;
        let group = self.group(container_id, &spec.limits, spec.wishes.shares_limits)?;
        if let Some(user) = &user {
            group.give_to(user.uid(), user.gid())?;
        }
        let stdout = output::open(&spec.sandbox, "stdout", user.as_ref())?;
        let stderr = output::open(&spec.sandbox, "stderr", user.as_ref())?;
        let sandbox = spec.outputs.map(|_| output::directory(&spec.sandbox)).transpose()?;
        let around = parent(container_id).filter(|_| plan.joins_pids);
        let given = Given {
            image: &self.image,
            new_pids: plan.new_pids,
            pids: None,
            output: stdout.as_fd(),
            errors: stderr.as_fd(),
            sandbox: sandbox.as_ref().map(AsFd::as_fd),
            container: None,
            label: container_id.as_str(),
        };
        let owns_pids = plan.new_pids;
        let bytes = plan.into_spec(group.doors(), &record, spec).encode();
        let child = match around {
            Some(group) => self.start_in(&group, spec.survives, &given)?,
            None => spawn::start(&given).map_err(LaunchError::Fork)?,
        };
        let started = procs::read(child.pid).map_or(0, |process| process.started);
        let first = First { pid: child.pid, started, owns_pids };
        let handle = Arc::clone(&child.handle);
        let told = self
            .records
            .write(container_id, &first)
            .and_then(|()| self.watch_over(container_id, &group, first, child, &bytes));
        if told.is_err() {
            spawn::end(&handle);
        }
        told
    }

    pub(super) fn plan(&self, spec: &LaunchSpec, user: Option<&User>) -> Result<Plan, LaunchError> {
        let around = parent(&spec.container_id).and_then(|parent| {
            let containers = self.table.lock();
            let container = containers.by_id.get(&parent)?;
            Some(Around::new(container.sandbox.clone(), &self.records.of(&parent)))
        });
        let mut plan = Plan::default();
        plan.task = task(spec, user);
        let subject =
            Subject { options: &self.options, profiles: &self.profiles, spec, around: around.as_ref() };
        isolators::prepare(&subject, &mut plan)?;
        Ok(plan)
    }

    /// Makes a container's groups and sets their limits. They are known from here on, so that they are removed whatever
    /// comes.
    fn group(
        &self,
        container_id: &ContainerId,
        limits: &Limits,
        shares_limits: bool,
    ) -> Result<Group, LaunchError> {
        let group = self.cgroups.group(container_id);
        let shares_limits = shares_limits && parent(container_id).is_some();
        if let Some(container) = self.table.lock().by_id.get_mut(container_id) {
            container.group = Some(group.clone());
            container.shares_limits = shares_limits;
        }
        self.cgroups.create(container_id)?;
        isolators::limit(&self.options, &group, limits, shares_limits, true)?;
        self.gauge(container_id, &group);
        Ok(group)
    }

    /// Begins to count how often a container is short of memory. It does without where that is not to be had.
    pub(super) fn gauge(&self, container_id: &ContainerId, group: &Group) {
        if !group.has(Controller::Memory) {
            return;
        }
        match PressureGauge::open(group) {
            Ok(gauge) => {
                if let Some(container) = self.table.lock().by_id.get_mut(container_id) {
                    container.pressure = gauge.map(Arc::new);
                }
            }
            Err(error) => tracing::debug!(%container_id, %error, "memory pressure is not counted"),
        }
    }

    /// Tells the init what to do, and the kernel to tell us of it.
    fn watch_over(
        &self,
        container_id: &ContainerId,
        group: &Group,
        first: First,
        child: Child,
        bytes: &[u8],
    ) -> Result<(), LaunchError> {
        let Child { handle, ready, mut spec, .. } = child;
        let ready = Arc::new(ready);
        let notice = if group.has(Controller::Memory) {
            group.out_of_memory_notice().map_err(LaunchError::Fork)?.map(Arc::new)
        } else {
            None
        };
        let (number, doomed) = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return Ok(()) };
            let process = Process { first, handle: Arc::clone(&handle), own_child: true };
            container.phase = Phase::Starting { process: Some(process), ready: Some(Arc::clone(&ready)) };
            container.memory_notice.clone_from(&notice);
            (container.number, container.doomed)
        };
        if doomed {
            // Who destroyed it before found nothing to kill.
            self.queue.push(Job::KillInit(container_id.clone()));
        }
        if let Some(notice) = &notice {
            self.watch.add(notice, number, Kind::Memory).map_err(LaunchError::Fork)?;
        }
        self.watch_memory(container_id, group, number);
        // Those who wait in the pipe's other end are few; what is written fits or is read while we write. If nobody reads
        // any more, the init has ended, of which we are told in a moment.
        let _ = spec.write_all(bytes);
        drop(spec);
        self.watch.add(&ready, number, Kind::Ready).map_err(LaunchError::Fork)?;
        self.watch.add(&handle, number, Kind::Process).map_err(LaunchError::Fork)
    }

    pub(super) fn launch_group(&self, spec: GroupSpec) -> Result<(), LaunchError> {
        let GroupSpec { container_id, sandbox, limits, wishes } = spec;
        isolators::check_group(&wishes, &self.options)?;
        self.bound(&container_id, &sandbox, &limits)?;
        let record = self.records.create(&container_id)?;
        self.table.lock().insert(&container_id, Phase::Group, sandbox, limits.clone());
        let made = self
            .records
            .begin_group(&container_id)
            .and_then(|()| self.group(&container_id, &limits, false))
            .and_then(|_| shared::make(&record, &wishes, &self.options))
            .and_then(|()| self.records.finish_group(&container_id));
        if made.is_err() {
            // Nobody has joined it: there is nothing in the way.
            let _ = self.cgroups.group(&container_id).remove();
            self.table.remove(&container_id);
            self.records.remove(&container_id);
        }
        made
    }

    /// What an init says while it prepares, and that it is done: told by its silence.
    pub(super) fn ready(&self, container_id: &ContainerId) {
        let event = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return };
            let Phase::Starting { process: Some(process), ready } = &mut container.phase else { return };
            let Some(pipe) = ready.clone() else { return };
            let mut said = Vec::new();
            match read_all(pipe.as_fd(), &mut said) {
                Some(()) if said.is_empty() && container.failure.is_none() => {
                    let pid = u32::try_from(process.first.pid).unwrap_or(0);
                    container.phase = Phase::Running(process.clone());
                    if container.doomed {
                        self.queue.push(Job::Kill(container_id.clone()));
                    }
                    Some(ContainerEvent::Launched { container_id: container_id.clone(), pid })
                }
                None if said.is_empty() => None,
                over => {
                    let text = String::from_utf8_lossy(&said);
                    container.failure.get_or_insert_default().push_str(text.trim_end());
                    if over.is_some() {
                        *ready = None;
                    }
                    None
                }
            }
        };
        if let Some(event) = event {
            self.tell(event);
        }
    }
}

/// Reads what is there; `Some` if that was all there will ever be.
fn read_all(pipe: std::os::fd::BorrowedFd<'_>, said: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0_u8; 1024];
    loop {
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => return Some(()),
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return None,
            Err(_) => return Some(()),
        }
    }
}

fn task(spec: &LaunchSpec, user: Option<&User>) -> init::Task {
    let (program, arguments) = match &spec.command {
        Command::Shell(line) => ("/bin/sh".into(), vec!["sh".into(), "-c".into(), line.clone().into()]),
        Command::Exec { path, argv } => (path.clone().into(), argv.iter().map(Into::into).collect()),
    };
    let mut environment = spec.environment.clone();
    environment.insert(COOKIE.to_owned(), spec.sandbox.to_string_lossy().into_owned());
    init::Task {
        program,
        arguments,
        environment: environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        directory: spec.sandbox.clone(),
        user: user.map(User::numbers),
        ..init::Task::default()
    }
}
