//! A task of a LAUNCH operation.

use ::resources::Resources;
use proto::MapEntry;
use proto::v1::{DurationInfo, TaskInfo};

use super::check::{check_check, check_health_check};
use super::executor::check_executor;
use super::resources::{self, Words};
use super::{check_command, check_container, shares_cgroups};
use crate::Invalid;
use crate::invalid::{Checked, check_id, ensure, invalid};
use crate::limits::check_resource_count;
use crate::resource::resources_from_proto;

/// Checks a task that is launched by itself, with its executor if it brings one. What needs to know the offer, the
/// agent or other tasks is left to the master.
///
/// # Errors
/// The first rule that is broken, as the message of the task's `TASK_ERROR`.
pub fn validate_task(task: &TaskInfo) -> Result<(), Invalid> {
    let own = read(&task.resources)?;
    let of_executor = task.executor.as_ref().map(|executor| read(&executor.resources)).transpose()?;
    check_task(task, &own)?;
    ensure(
        task.executor.is_some() != task.command.is_some(),
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
    )?;
    if let (Some(executor), Some(of_executor)) = (&task.executor, &of_executor) {
        check_executor(executor, of_executor)?;
    }
    let total = resources::sum([Some(&own), of_executor.as_ref()]);
    if let Some(of_executor) = &of_executor
        && resources::overlap(&[&own, of_executor])
    {
        return invalid(format!(
            "There are overlapping resources in the task resources {own} and executor resources {of_executor}"
        ));
    }
    resources::check_together(&total, Words::TASK_AND_EXECUTOR)?;
    ensure(
        shares_cgroups(task.container.as_ref()),
        "Only tasks in a task group may have 'share_cgroups' set to 'false'",
    )
}

pub(super) fn read(resources: &[proto::v1::Resource]) -> Result<Resources, Invalid> {
    check_resource_count(resources)?;
    resources_from_proto(resources).map_err(|error| Invalid::new(error.to_string()))
}

/// What holds for tasks of groups too.
pub(super) fn check_task(task: &TaskInfo, resources: &Resources) -> Checked {
    check_id(&task.task_id.value)?;
    let grace = task.kill_policy.as_ref().and_then(|policy| policy.grace_period.as_ref());
    ensure(is_time(grace), "Task's 'kill_policy.grace_period' must be non-negative")?;
    ensure(is_time(task.max_completion_time.as_ref()), "Task's `max_completion_time` must be non-negative")?;
    if let Some(check) = &task.check {
        check_check(check).map_err(|error| error.within("Task uses invalid check"))?;
    }
    if let Some(check) = &task.health_check {
        check_health_check(check).map_err(|error| error.within("Task uses invalid health check"))?;
    }
    ensure(!task.resources.is_empty(), "Task uses no resources")?;
    resources::check_all(resources, Words::TASK)?;
    if let Some(command) = &task.command {
        check_command(command).map_err(|error| error.within("Task's `CommandInfo` is invalid"))?;
    }
    if let Some(container) = &task.container {
        check_container(container).map_err(|error| error.within("Task's `ContainerInfo` is invalid"))?;
    }
    check_limits(task, resources)
}

pub(super) fn is_time(duration: Option<&DurationInfo>) -> bool {
    duration.is_none_or(|duration| duration.nanoseconds >= 0)
}

fn check_limits(task: &TaskInfo, resources: &Resources) -> Checked {
    let known = task.limits.iter().all(|limit| matches!(limit.key(), "cpus" | "mem"));
    ensure(known, "Only cpus and mem may be included in a task's resource limits")?;
    if let Some(limit) = MapEntry::lookup(&task.limits, "cpus") {
        let Some(cpus) = resources.cpus() else {
            return invalid("When a CPU limit is specified, a CPU request must also be specified");
        };
        ensure(
            limit.value >= cpus.to_f64(),
            "The cpu limit must be greater than or equal to the cpu request",
        )?;
    }
    if let Some(limit) = MapEntry::lookup(&task.limits, "mem") {
        let Some(mem) = resources.mem() else {
            return invalid("When a memory limit is specified, a memory request must also be specified");
        };
        // Memory is counted in whole megabytes.
        ensure(
            limit.value.floor() >= mem.to_f64().floor(),
            "The memory limit must be greater than or equal to the memory request",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = r#","command":{"value":"true"}"#;
    const CPUS: &str = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":1}}"#;

    fn task(id: &str, resources: &str, rest: &str) -> TaskInfo {
        let json = format!(
            r#"{{"name":"t","task_id":{{"value":"{id}"}},"agent_id":{{"value":"a"}},"resources":[{resources}]{rest}}}"#
        );
        proto::json::from_slice(json.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(task: &TaskInfo, expected: &str) {
        let answer = validate_task(task).map_err(|error| error.to_string());
        assert_eq!(answer.err().as_deref().unwrap_or("ok"), expected);
    }

    /// A command task with these fields as well.
    #[track_caller]
    fn with(fields: &str, expected: &str) {
        check(&task("t", CPUS, &format!("{COMMAND}{fields}")), expected);
    }

    #[test]
    fn as_recorded_from_mesos() {
        with("", "ok");
        check(&task("a/b", CPUS, COMMAND), "'a/b' contains invalid characters");
        let negative = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}"#;
        check(
            &task("t", negative, COMMAND),
            "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
        );
        let none = "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
        check(&task("t", CPUS, ""), none);
        let executor = r#","executor":{"executor_id":{"value":"e"},"command":{"value":"true"}}"#;
        check(&task("t", CPUS, &format!("{COMMAND}{executor}")), none);
        check(&task("t", CPUS, executor), "ok");
        check(&task("t", "", COMMAND), "Task uses no resources");
    }

    #[test]
    fn times() {
        with(r#","kill_policy":{"grace_period":{"nanoseconds":0}}"#, "ok");
        with(
            r#","kill_policy":{"grace_period":{"nanoseconds":-1}}"#,
            "Task's 'kill_policy.grace_period' must be non-negative",
        );
        with(
            r#","max_completion_time":{"nanoseconds":-1}"#,
            "Task's `max_completion_time` must be non-negative",
        );
    }

    #[test]
    fn parts_are_checked() {
        with(r#","check":{}"#, "Task uses invalid check: CheckInfo must specify 'type'");
        with(r#","health_check":{}"#, "Task uses invalid health check: HealthCheck must specify 'type'");
        with(
            r#","container":{"type":"DOCKER"}"#,
            "Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
        );
        let bad = r#","command":{"value":"x","environment":{"variables":[{"name":"X"}]}}"#;
        check(
            &task("t", CPUS, bad),
            "Task's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a value set",
        );
        with(
            r#","container":{"type":"MESOS","linux_info":{"share_cgroups":false}}"#,
            "Only tasks in a task group may have 'share_cgroups' set to 'false'",
        );
    }

    #[test]
    fn limits() {
        let limit = |name: &str, value: &str| format!(r#","limits":{{"{name}":{{"value":{value}}}}}"#);
        with(&limit("cpus", "1"), "ok");
        with(&limit("disk", "1"), "Only cpus and mem may be included in a task's resource limits");
        with(&limit("cpus", "0.5"), "The cpu limit must be greater than or equal to the cpu request");
        with(&limit("mem", "1"), "When a memory limit is specified, a memory request must also be specified");
        let mem = r#"{"name":"mem","type":"SCALAR","scalar":{"value":32}}"#;
        let with_mem = |fields: &str| task("t", mem, &format!("{COMMAND}{fields}"));
        check(&with_mem(&limit("mem", "32")), "ok");
        check(
            &with_mem(&limit("mem", "31")),
            "The memory limit must be greater than or equal to the memory request",
        );
        check(
            &with_mem(&limit("cpus", "1")),
            "When a CPU limit is specified, a CPU request must also be specified",
        );
    }

    #[test]
    fn the_executor_and_its_task_do_not_overlap() {
        let ports = |begin: u64| {
            format!(
                r#"{{"name":"ports","type":"RANGES","ranges":{{"range":[{{"begin":{begin},"end":{}}}]}}}}"#,
                begin + 1
            )
        };
        let executor = format!(
            r#","executor":{{"executor_id":{{"value":"e"}},"command":{{"value":"true"}},"resources":[{}]}}"#,
            ports(2)
        );
        check(&task("t", &ports(4), &executor), "ok");
        check(
            &task("t", &ports(1), &executor),
            "There are overlapping resources in the task resources ports:[1-2] and executor resources ports:[2-3]",
        );
    }
}
