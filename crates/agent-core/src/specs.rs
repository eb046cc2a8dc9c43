//! What a container gets: its sandbox, its environment, its user, its resources.

use std::sync::Arc;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, TaskId, duration_text};
use resources::Resources;

use crate::allowance::Allowance;
use crate::core::AgentCore;
use crate::state::{Executor, Framework, Owner};
use crate::types::{
    CheckPlace, CommandInfo, ContainerKind, ContainerSpec, ExecutorKind, FrameworkInfo, TaskInfo,
};
use crate::{Options, volumes};

/// What Mesos gives where the operator says nothing.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Longest pause between attempts of an executor to subscribe again (`MESOS_SUBSCRIPTION_BACKOFF_MAX`).
const SUBSCRIPTION_BACKOFF: &str = "2secs";

type Environment = Vec<(Arc<str>, Arc<str>)>;

/// Where an executor's sandbox is. A container nested in it has its own under `containers/`.
pub(crate) fn directory(
    core: &AgentCore,
    framework: &FrameworkId,
    executor: &ExecutorId,
    container: &ContainerId,
) -> Arc<str> {
    path(&core.options.work_dir, &core.agent_id(), framework, executor, container)
}

/// The same of any agent.
pub(crate) fn path(
    work_dir: &str,
    agent: &AgentId,
    framework: &FrameworkId,
    executor: &ExecutorId,
    container: &ContainerId,
) -> Arc<str> {
    format!("{work_dir}/slaves/{agent}/frameworks/{framework}/executors/{executor}/runs/{container}").into()
}

/// Where the sandbox of a container is that is nested in one with this sandbox.
pub(crate) fn nested(parent: &str, container: &ContainerId) -> Arc<str> {
    let child = container.as_str().rsplit('.').next().unwrap_or_default();
    format!("{parent}/containers/{child}").into()
}

/// What a command that checks the task in a container finds itself in: what the task found, and what the check adds. As
/// in Mesos it runs as the task does, whomever it names.
pub(crate) fn of_check(
    core: &AgentCore,
    owner: &Owner,
    container: &ContainerId,
    check: &CommandInfo,
) -> Option<CheckPlace> {
    let (framework, executor, task) = (&owner.framework_id, &owner.executor_id, owner.task_id.as_ref()?);
    let of = core.frameworks.get(framework)?.executors.get(executor)?;
    let (output, own) = (of.directory.clone(), *container == of.container_id);
    let spec = if own {
        of_executor(core, framework, executor)?
    } else {
        of_group_task(core, framework, executor, task, container.clone())?
    };
    let environment = with_own(spec.environment, Some(check));
    let spec = Box::new(ContainerSpec { environment, kind: ContainerKind::Process(check.clone()), ..spec });
    Some(CheckPlace { spec, output })
}

/// The container of a new executor: of its command task, of its process, or around its groups' tasks.
pub(crate) fn of_executor(
    core: &AgentCore,
    framework: &FrameworkId,
    executor: &ExecutorId,
) -> Option<ContainerSpec> {
    let framework = core.frameworks.get(framework)?;
    let executor = framework.executors.get(executor)?;
    let task = (executor.kind() == ExecutorKind::Command)
        .then(|| executor.tasks.values().next().map(|entry| entry.task.info.clone()))
        .flatten();
    let command = task.as_ref().map_or(&executor.info.command, |task| &task.command);
    let mut environment = common_environment(core, framework, executor, &executor.directory);
    if let Some(task) = &task {
        add_role(&mut environment, &task.resources);
    }
    if framework.info.checkpoint && executor.kind() == ExecutorKind::Custom {
        set(&mut environment, "MESOS_RECOVERY_TIMEOUT", duration_text(core.options.recovery_timeout));
        set(&mut environment, "MESOS_SUBSCRIPTION_BACKOFF_MAX", SUBSCRIPTION_BACKOFF);
    }
    let Allowance { resources, limits } = executor.allowance(core.options.cpus_are_limited);
    let kind = match (executor.kind(), command) {
        (ExecutorKind::Default, _) => ContainerKind::Group,
        (_, command) => ContainerKind::Process(command.clone().unwrap_or_default()),
    };
    let volumes = volumes::links(core, &executor.container_id, &resources);
    Some(ContainerSpec {
        volumes,
        survives: framework.info.checkpoint,
        container_id: executor.container_id.clone(),
        parent: None,
        framework_id: framework.info.id.clone(),
        executor_id: executor.info.executor_id.clone(),
        task_id: task.as_ref().map(|task| task.task_id.clone()),
        directory: executor.directory.clone(),
        environment: with_own(environment, command.as_ref()),
        user: user(&core.options, &framework.info, command.as_ref()),
        resources,
        limits,
        executor: executor.info.clone(),
        task,
        kind,
    })
}

/// The container of a group's task, nested in its executor's.
pub(crate) fn of_group_task(
    core: &AgentCore,
    framework: &FrameworkId,
    executor: &ExecutorId,
    task: &TaskId,
    container_id: ContainerId,
) -> Option<ContainerSpec> {
    let framework = core.frameworks.get(framework)?;
    let executor = framework.executors.get(executor)?;
    let task: Arc<TaskInfo> = executor.tasks.get(task)?.task.info.clone();
    let command = task.command.clone().unwrap_or_default();
    let directory = nested(&executor.directory, &container_id);
    let mut environment = common_environment(core, framework, executor, &directory);
    add_role(&mut environment, &task.resources);
    set(&mut environment, "MESOS_CONTAINER_IP", address(&core.options).0);
    let volumes = volumes::links(core, &container_id, &task.resources);
    Some(ContainerSpec {
        volumes,
        survives: framework.info.checkpoint,
        container_id,
        parent: Some(executor.container_id.clone()),
        framework_id: framework.info.id.clone(),
        executor_id: executor.info.executor_id.clone(),
        task_id: Some(task.task_id.clone()),
        directory,
        environment: with_own(environment, Some(&command)),
        user: user(&core.options, &framework.info, Some(&command)),
        resources: task.resources.clone(),
        limits: task.limits,
        executor: executor.info.clone(),
        kind: ContainerKind::Process(command),
        task: Some(task),
    })
}

fn common_environment(
    core: &AgentCore,
    framework: &Framework,
    executor: &Executor,
    sandbox: &Arc<str>,
) -> Environment {
    let options = &core.options;
    let (ip, endpoint) = address(options);
    let grace = executor.info.shutdown_grace.unwrap_or(options.executor_shutdown_grace);
    let mut environment: Environment = vec![("PATH".into(), PATH.into())];
    environment.extend(options.environment.iter().cloned());
    set(&mut environment, "LIBPROCESS_IP", ip);
    set(&mut environment, "LIBPROCESS_PORT", "0");
    set(&mut environment, "MESOS_AGENT_ENDPOINT", endpoint);
    set(&mut environment, "MESOS_CHECKPOINT", if framework.info.checkpoint { "1" } else { "0" });
    set(&mut environment, "MESOS_DIRECTORY", sandbox.clone());
    set(&mut environment, "MESOS_EXECUTOR_ID", executor.info.executor_id.as_str());
    set(&mut environment, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", duration_text(grace));
    set(&mut environment, "MESOS_FRAMEWORK_ID", framework.info.id.as_str());
    set(&mut environment, "MESOS_HTTP_COMMAND_EXECUTOR", "0");
    set(&mut environment, "MESOS_SANDBOX", sandbox.clone());
    set(&mut environment, "MESOS_SLAVE_ID", core.agent_id().as_str());
    set(&mut environment, "MESOS_SLAVE_PID", options.pid.as_str());
    environment
}

fn set(environment: &mut Environment, name: &str, value: impl Into<Arc<str>>) {
    environment.push((name.into(), value.into()));
}

/// The role that a task's resources are allocated to, so that it can reserve on the same behalf.
fn add_role(environment: &mut Environment, resources: &Resources) {
    let role = resources.iter().find_map(|resource| resource.allocation.as_ref());
    if let Some(role) = role {
        set(environment, "MESOS_ALLOCATION_ROLE", role.to_string());
    }
}

/// What the scheduler set goes last, and so wins.
fn with_own(mut environment: Environment, command: Option<&CommandInfo>) -> Environment {
    environment.extend(command.into_iter().flat_map(|command| command.environment.iter().cloned()));
    environment
}

fn user(options: &Options, framework: &FrameworkInfo, command: Option<&CommandInfo>) -> Arc<str> {
    if !options.switch_user {
        return options.own_user.clone();
    }
    let own = command.and_then(|command| command.user.as_ref()).unwrap_or(&framework.user);
    if own.is_empty() { options.own_user.clone() } else { own.clone() }
}

/// The agent's address and endpoint, from its pid.
fn address(options: &Options) -> (&str, &str) {
    let pid = options.pid.as_str();
    let endpoint = pid.split_once('@').map_or(pid, |(_, endpoint)| endpoint);
    (endpoint.rsplit_once(':').map_or(endpoint, |(ip, _)| ip), endpoint)
}
