//! Frameworks, executors, tasks and commands, as schedulers describe them.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    CommandInfo, Drain, ExecutorInfo, ExecutorKind, ExecutorView, FrameworkInfo, ResourceLimit,
    ResourceLimits, TaskInfo, Uri,
};
use base::{FrameworkId, Payload};
use proto::{MapEntry, v1};
use resources::Resources;

use super::{check, unsupported};

/// The core's command executor appears to clients as Mesos' own, whose share of the resources these are.
const COMMAND_EXECUTOR: &str = "/usr/libexec/mesos/mesos-executor";

/// How much longer than its task Mesos' command executor may take to end, in nanoseconds.
const COMMAND_EXECUTOR_BUFFER: i64 = 2_000_000_000;

pub(super) fn resources(resources: &[v1::Resource]) -> Result<Resources, String> {
    wire::resources_from_proto(resources).map_err(|error| error.to_string())
}

pub(crate) fn framework(info: &v1::FrameworkInfo) -> Result<FrameworkInfo, String> {
    let id = info.id.as_ref().ok_or("the framework has no id")?;
    let has = |capability: v1::framework_info::capability::Type| {
        info.capabilities.iter().any(|known| known.r#type == Some(capability.into()))
    };
    Ok(FrameworkInfo {
        id: FrameworkId::from(id.value.as_str()),
        user: info.user.as_str().into(),
        checkpoint: info.checkpoint.unwrap_or(false),
        task_killing: has(v1::framework_info::capability::Type::TaskKillingState),
        partition_aware: has(v1::framework_info::capability::Type::PartitionAware),
        body: Payload::from(proto::encode(info)),
    })
}

/// A framework as it was sent. What was valid when it came is valid still.
pub(crate) fn framework_to_proto(framework: &FrameworkInfo) -> v1::FrameworkInfo {
    decoded(framework.body.as_bytes())
}

/// Decodes what this agent has decoded and encoded before.
pub(super) fn decoded<M: proto::Message + proto::Described + Default>(body: &[u8]) -> M {
    M::decode(body).unwrap_or_else(|error| {
        base::never!(true, "carried bytes do not decode: {error}");
        M::default()
    })
}

pub(super) fn command(command: &v1::CommandInfo) -> CommandInfo {
    let variables = command.environment.iter().flat_map(|environment| &environment.variables);
    CommandInfo {
        value: command.value.as_deref().map(Into::into),
        shell: command.shell.unwrap_or(true),
        arguments: command.arguments.iter().map(|argument| argument.as_str().into()).collect(),
        environment: variables
            .map(|variable| {
                (variable.name.as_str().into(), variable.value.as_deref().unwrap_or_default().into())
            })
            .collect(),
        uris: command.uris.iter().map(uri).collect(),
        user: command.user.as_deref().map(Into::into),
    }
}

fn uri(uri: &v1::command_info::Uri) -> Uri {
    Uri {
        value: uri.value.as_str().into(),
        executable: uri.executable.unwrap_or(false),
        extract: uri.extract.unwrap_or(true),
        cache: uri.cache.unwrap_or(false),
        output_file: uri.output_file.as_deref().map(Into::into),
    }
}

pub(super) fn duration(duration: Option<&v1::DurationInfo>) -> Option<Duration> {
    // A negative duration is as good as none at all.
    duration.map(|duration| Duration::from_nanos(u64::try_from(duration.nanoseconds).unwrap_or(0)))
}

/// A drain as the master has ordered it.
pub(crate) fn drain_to_proto(drain: &Drain) -> v1::DrainConfig {
    let nanoseconds = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    v1::DrainConfig {
        max_grace_period: drain.max_grace.map(|most| v1::DurationInfo { nanoseconds: nanoseconds(most) }),
        mark_gone: Some(drain.mark_gone),
    }
}

pub(crate) fn executor(info: &v1::ExecutorInfo) -> Result<ExecutorInfo, String> {
    let kind = match info.r#type() {
        v1::executor_info::Type::Default => ExecutorKind::Default,
        // Frameworks from before there were types describe executors of their own.
        v1::executor_info::Type::Custom | v1::executor_info::Type::Unknown => ExecutorKind::Custom,
    };
    Ok(ExecutorInfo {
        executor_id: info.executor_id.value.as_str().into(),
        kind,
        command: info.command.as_ref().map(command),
        resources: resources(&info.resources)?,
        shutdown_grace: duration(info.shutdown_grace_period.as_ref()),
        unsupported: unsupported::find(info.container.as_ref(), info.command.as_ref()),
        body: Payload::from(proto::encode(info)),
    })
}

/// An executor as it was sent. The agent's own for command tasks gets the description that Mesos gives it; `task` is
/// the one that it runs.
pub(crate) fn executor_to_proto(
    info: &ExecutorInfo,
    framework_id: &FrameworkId,
    task: Option<&v1::TaskInfo>,
) -> v1::ExecutorInfo {
    if info.kind != ExecutorKind::Command {
        return decoded(info.body.as_bytes());
    }
    let id = info.executor_id.as_str();
    let runs = task.and_then(|task| task.command.as_ref());
    v1::ExecutorInfo {
        executor_id: id.into(),
        framework_id: Some(framework_id.as_str().into()),
        command: Some(v1::CommandInfo {
            shell: Some(false),
            value: Some(COMMAND_EXECUTOR.to_owned()),
            arguments: vec!["mesos-executor".to_owned()],
            uris: runs.map(|command| command.uris.clone()).unwrap_or_default(),
            environment: runs.and_then(|command| command.environment.clone()),
            user: runs.and_then(|command| command.user.clone()),
        }),
        resources: wire::resources_to_proto(&info.resources).into_iter().collect(),
        name: Some(command_executor_name(id, runs)),
        source: Some(id.to_owned()),
        container: task.and_then(|task| task.container.clone()),
        labels: task.and_then(|task| task.labels.clone()),
        discovery: task.and_then(|task| task.discovery.clone()),
        shutdown_grace_period: task.and_then(|task| task.kill_policy.as_ref()?.grace_period).map(|grace| {
            v1::DurationInfo { nanoseconds: grace.nanoseconds.saturating_add(COMMAND_EXECUTOR_BUFFER) }
        }),
        ..Default::default()
    }
}

/// The task that a command task's executor runs.
pub(crate) fn task_of_executor(executor: &ExecutorView) -> Option<v1::TaskInfo> {
    let tasks = executor.launched.iter().chain(&executor.terminated).chain(&executor.completed);
    let info = tasks.map(|task| &task.info).chain(&executor.queued).next()?;
    Some(decoded(info.body.as_bytes()))
}

/// The name that people see for a command task's executor.
fn command_executor_name(task_id: &str, command: Option<&v1::CommandInfo>) -> String {
    let text = command.map_or_else(String::new, |command| {
        match (command.shell.unwrap_or(true), command.value.as_deref()) {
            (true, None) => "NO COMMAND".to_owned(),
            (true, Some(value)) => format!("sh -c '{}'", cut(value)),
            (false, None) => "NO EXECUTABLE".to_owned(),
            // Mesos puts a comma after the program's name, whether or not arguments follow.
            (false, Some(value)) => {
                format!("[{}]", cut(&format!("{value}, {}", command.arguments.join(", "))))
            }
        }
    });
    format!("Command Executor (Task: {task_id}) (Command: {text})")
}

/// As much of a command as a name shows.
fn cut(command: &str) -> String {
    const SHOWN: usize = 15;
    if command.chars().count() <= SHOWN {
        return command.to_owned();
    }
    command.chars().take(SHOWN - 3).chain("...".chars()).collect()
}

/// Infinity is no limit.
fn limits(entries: &[v1::task_info::LimitsEntry]) -> ResourceLimits {
    let limit = |name: &str| {
        let value = MapEntry::lookup(entries, name)?.value;
        Some(if value.is_infinite() {
            ResourceLimit::Unlimited
        } else {
            ResourceLimit::At(resources::Scalar::from_f64(value))
        })
    };
    ResourceLimits { cpus: limit("cpus"), mem: limit("mem") }
}

pub(crate) fn task(info: &v1::TaskInfo) -> Result<TaskInfo, String> {
    let nonzero = |limit: &Duration| !limit.is_zero();
    Ok(TaskInfo {
        task_id: info.task_id.value.as_str().into(),
        name: info.name.as_str().into(),
        resources: resources(&info.resources)?,
        limits: limits(&info.limits),
        executor: info.executor.as_ref().map(|info| executor(info).map(Arc::new)).transpose()?,
        command: info.command.as_ref().map(command),
        kill_grace: duration(info.kill_policy.as_ref().and_then(|policy| policy.grace_period.as_ref())),
        max_completion_time: duration(info.max_completion_time.as_ref()).filter(nonzero),
        check: info.check.as_ref().and_then(check::check),
        health_check: info.health_check.as_ref().and_then(check::health_check),
        unsupported: unsupported::find(info.container.as_ref(), info.command.as_ref())
            .or_else(|| unsupported::find(None, check::command_of(info.check.as_ref())))
            .or_else(|| unsupported::find(None, check::command_of_health(info.health_check.as_ref()))),
        body: Payload::from(proto::encode(info)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_schedulers_leave_out_has_its_default() {
        let uri = super::uri(&v1::command_info::Uri { value: "http://h/x".into(), ..Default::default() });
        assert!((uri.extract, uri.executable, uri.cache) == (true, false, false));
        assert!(command(&v1::CommandInfo::default()).shell);
        assert!(framework(&v1::FrameworkInfo::default()).is_err());
    }

    #[test]
    fn the_command_executor_is_named_as_in_mesos() {
        let command = |value: &str| v1::CommandInfo { value: Some(value.to_owned()), ..Default::default() };
        let name = |value: &str| command_executor_name("t", Some(&command(value)));
        assert_eq!(name("true"), "Command Executor (Task: t) (Command: sh -c 'true')");
        assert_eq!(
            name("echo out; sleep 60"),
            "Command Executor (Task: t) (Command: sh -c 'echo out; sl...')"
        );
        let exec = |value: Option<&str>, arguments: &[&str]| {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            let value = value.map(ToOwned::to_owned);
            let command = v1::CommandInfo { value, arguments, shell: Some(false), ..Default::default() };
            command_executor_name("t", Some(&command))
        };
        assert_eq!(exec(Some("ls"), &["ls", "-l"]), "Command Executor (Task: t) (Command: [ls, ls, -l])");
        assert_eq!(
            exec(Some("/bin/echo"), &["/bin/echo", "--author"]),
            "Command Executor (Task: t) (Command: [/bin/echo, /...])"
        );
        assert_eq!(exec(None, &[]), "Command Executor (Task: t) (Command: NO EXECUTABLE)");
        let none = command_executor_name("t", Some(&v1::CommandInfo::default()));
        assert_eq!(none, "Command Executor (Task: t) (Command: NO COMMAND)");
    }

    /// After Mesos' `GetExecutorInfo` and `GetExecutorInfoForTaskWithContainer`: what describes the task describes its executor,
    /// whose command is not the task's.
    #[test]
    fn the_command_executor_has_what_its_task_says_of_itself() {
        let label = v1::Label { key: "label1".to_owned(), value: Some("key1".to_owned()) };
        let address =
            v1::network_info::IpAddress { ip_address: Some("4.3.2.1".to_owned()), ..Default::default() };
        let network = v1::NetworkInfo {
            ip_addresses: vec![address],
            groups: vec!["public".to_owned()],
            ..Default::default()
        };
        let task = v1::TaskInfo {
            task_id: "t".into(),
            command: Some(v1::CommandInfo {
                value: Some("/bin/echo".to_owned()),
                arguments: vec!["/bin/echo".to_owned(), "--author".to_owned()],
                shell: Some(false),
                user: Some("somebody".to_owned()),
                uris: vec![v1::command_info::Uri { value: "http://h/x".into(), ..Default::default() }],
                ..Default::default()
            }),
            container: Some(v1::ContainerInfo { network_infos: vec![network], ..Default::default() }),
            labels: Some(v1::Labels { labels: vec![label.clone(), label] }),
            discovery: Some(v1::DiscoveryInfo { name: Some("mytask".to_owned()), ..Default::default() }),
            kill_policy: Some(v1::KillPolicy {
                grace_period: Some(v1::DurationInfo { nanoseconds: 3_000_000_000 }),
            }),
            ..Default::default()
        };
        let own = ExecutorInfo {
            executor_id: "t".into(),
            kind: ExecutorKind::Command,
            command: None,
            resources: Resources::default(),
            shutdown_grace: None,
            unsupported: None,
            body: Payload::default(),
        };
        let shown = executor_to_proto(&own, &FrameworkId::from("f"), Some(&task));
        let command = shown.command.expect("a command");
        assert_eq!(
            (command.value.as_deref(), command.arguments),
            (Some(COMMAND_EXECUTOR), vec!["mesos-executor".to_owned()])
        );
        assert_eq!((command.shell, command.user.as_deref()), (Some(false), Some("somebody")));
        assert_eq!(command.uris.len(), 1);
        assert_eq!(
            (shown.container, shown.labels, shown.discovery),
            (task.container, task.labels, task.discovery)
        );
        let grace = shown.shutdown_grace_period.map(|grace| grace.nanoseconds);
        assert_eq!(grace, Some(5_000_000_000));
    }
}
