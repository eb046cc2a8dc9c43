//! Task groups with their executor.

use ::resources::{Resources, Scalar};
use proto::v1::{
    ContainerInfo, ExecutorInfo, TaskGroupInfo, TaskInfo, container_info, executor_info, health_check,
};

use super::executor::check_no_shared_cgroups;
use super::info::{check_task, read};
use super::resources::{self, Words};
use super::{shares_cgroups, validate_executor_info};
use crate::Invalid;
use crate::invalid::{Checked, ensure, general, invalid};
use crate::limits::check_group_size;

/// Checks a task group and the executor that is to run it. What needs to know the offer, the agent or other tasks is
/// left to the master.
///
/// # Errors
/// The first rule that is broken, as the message of the tasks' `TASK_ERROR`.
pub fn validate_task_group(group: &TaskGroupInfo, executor: &ExecutorInfo) -> Result<(), Invalid> {
    check_group_size(group.tasks.len())?;
    let of_executor = read(&executor.resources)?;
    let of_tasks = group.tasks.iter().map(|task| read(&task.resources)).collect::<Result<Vec<_>, _>>()?;
    for (task, resources) in group.tasks.iter().zip(&of_tasks) {
        check_task(task, resources)
            .and_then(|()| check_in_group(task))
            .map_err(|error| error.within(format!("Task '{}' is invalid", task.task_id)))?;
    }
    check_executor(executor, &of_executor)?;
    for task in &group.tasks {
        check_same_executor(task, executor)?;
    }
    check_enough(executor, &of_executor)?;
    let parts: Vec<_> = of_tasks.iter().chain([&of_executor]).collect();
    resources::check_together(&resources::sum(parts.iter().map(|part| Some(*part))), Words::GROUP)?;
    if resources::overlap(&parts) {
        let tasks: Vec<_> = of_tasks.iter().map(ToString::to_string).collect();
        return invalid(format!(
            "There are overlapping resources in the task group's task resources [ {} ] and/or executor resources \
             {of_executor}",
            tasks.join(", ")
        ));
    }
    check_no_shared_cgroups(executor)?;
    let mut shares = group.tasks.iter().map(|task| shares_cgroups(task.container.as_ref()));
    let first = shares.next();
    ensure(
        shares.all(|share| Some(share) == first),
        "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single \
         executor",
    )
}

fn check_in_group(task: &TaskInfo) -> Checked {
    if let Some(container) = &task.container {
        let over_network = task.health_check.as_ref().is_some_and(|check| {
            matches!(check.r#type(), health_check::Type::Http | health_check::Type::Tcp)
        });
        ensure(
            container.network_infos.is_empty() || !over_network,
            "HTTP and TCP health checks are not supported for nested containers not joining parent's network",
        )?;
        ensure(!is_docker(container), "Docker ContainerInfo is not supported on the task")?;
    }
    ensure(
        task.limits.is_empty() || !shares_cgroups(task.container.as_ref()),
        "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to \
         'false'.",
    )
}

fn is_docker(container: &ContainerInfo) -> bool {
    container.r#type() == container_info::Type::Docker
}

fn check_executor(executor: &ExecutorInfo, of_executor: &Resources) -> Checked {
    validate_executor_info(executor)?;
    resources::check_all(of_executor, Words::EXECUTOR)?;
    ensure(executor.r#type.is_some(), "'ExecutorInfo.type' must be set")?;
    ensure(executor.r#type() != executor_info::Type::Unknown, "Unknown executor type")?;
    ensure(
        !executor.container.as_ref().is_some_and(is_docker),
        "Docker ContainerInfo is not supported on the executor",
    )
}

/// A task need not name its executor; if it does, it names that of the group.
fn check_same_executor(task: &TaskInfo, executor: &ExecutorInfo) -> Checked {
    let Some(named) = &task.executor else { return Ok(()) };
    let mut named = named.clone();
    // Whose it is need not be said twice.
    named.framework_id = named.framework_id.or_else(|| executor.framework_id.clone());
    ensure(
        named == *executor,
        &format!(
            "The `ExecutorInfo` of task '{}' is different from executor '{}'",
            task.task_id, executor.executor_id
        ),
    )
}

const MIN_CPUS: Scalar = Scalar::from_thousandths(10);
const MIN_MEM: Scalar = Scalar::whole(32);

fn check_enough(executor: &ExecutorInfo, resources: &Resources) -> Checked {
    let id = &executor.executor_id;
    let none = || "None".to_owned();
    let cpus = resources.cpus();
    if cpus.is_none_or(|cpus| cpus < MIN_CPUS) {
        let has = cpus.map_or_else(none, |cpus| general(cpus.to_f64()));
        return invalid(format!("Executor '{id}' uses less CPUs ({has}) than the minimum required (0.01)"));
    }
    let mem = resources.mem();
    if mem.is_none_or(|mem| mem < MIN_MEM) {
        let has = mem.map_or_else(none, |mem| match mem.thousandths() / 1000 {
            0 => "0B".to_owned(),
            megabytes => format!("{megabytes}MB"),
        });
        return invalid(format!("Executor '{id}' uses less memory ({has}) than the minimum required (32MB)"));
    }
    ensure(resources.disk().is_some(), &format!("Executor '{id}' uses no disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUS: &str = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":1}}"#;
    const ENOUGH: &str = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},
        {"name":"mem","type":"SCALAR","scalar":{"value":32}},{"name":"disk","type":"SCALAR","scalar":{"value":10}}"#;

    fn task(id: &str, fields: &str) -> TaskInfo {
        let json = format!(
            r#"{{"name":"t","task_id":{{"value":"{id}"}},"agent_id":{{"value":"a"}},"resources":[{CPUS}],
                "command":{{"value":"true"}}{fields}}}"#
        );
        proto::json::from_slice(json.as_bytes()).unwrap()
    }

    fn executor(resources: &str, fields: &str) -> ExecutorInfo {
        let json = format!(r#"{{"executor_id":{{"value":"e"}},"resources":[{resources}]{fields}}}"#);
        proto::json::from_slice(json.as_bytes()).unwrap()
    }

    fn default_executor() -> ExecutorInfo {
        executor(ENOUGH, r#","type":"DEFAULT""#)
    }

    #[track_caller]
    fn check(tasks: Vec<TaskInfo>, executor: &ExecutorInfo, expected: &str) {
        let answer = validate_task_group(&TaskGroupInfo { tasks }, executor).err().map(String::from);
        assert_eq!(answer.as_deref().unwrap_or("ok"), expected);
    }

    #[test]
    fn tasks_of_a_group() {
        let one =
            |fields: &str, expected: &str| check(vec![task("t", fields)], &default_executor(), expected);
        one("", "ok");
        one(
            r#","container":{"type":"DOCKER","docker":{"image":"i"}}"#,
            "Task 't' is invalid: Docker ContainerInfo is not supported on the task",
        );
        one(
            r#","container":{"type":"MESOS","network_infos":[{}]},"health_check":{"type":"TCP","tcp":{"port":1}}"#,
            "Task 't' is invalid: HTTP and TCP health checks are not supported for nested containers not joining \
             parent's network",
        );
        one(
            r#","limits":{"cpus":{"value":2}}"#,
            "Task 't' is invalid: Resource limits may only be set for tasks within a task group when the \
             'share_cgroups' field is set to 'false'.",
        );
        let own = r#","container":{"type":"MESOS","linux_info":{"share_cgroups":false}}"#;
        one(own, "ok");
        check(
            vec![task("t", own), task("u", "")],
            &default_executor(),
            "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single \
             executor",
        );
        check(vec![task("..", "")], &default_executor(), "Task '..' is invalid: '..' is disallowed");
    }

    #[test]
    fn the_executor_of_a_group() {
        let with = |executor: &ExecutorInfo, expected: &str| check(vec![task("t", "")], executor, expected);
        with(&executor(ENOUGH, ""), "'ExecutorInfo.type' must be set");
        with(&executor(ENOUGH, r#","type":"UNKNOWN""#), "Unknown executor type");
        with(
            &executor(
                ENOUGH,
                r#","type":"CUSTOM","command":{"value":"x"},"container":{"type":"DOCKER","docker":{"image":"i"}}"#,
            ),
            "Docker ContainerInfo is not supported on the executor",
        );
        let scalar = |name: &str, value: f64| {
            format!(r#"{{"name":"{name}","type":"SCALAR","scalar":{{"value":{value}}}}}"#)
        };
        let default = |resources: &[String]| executor(&resources.join(","), r#","type":"DEFAULT""#);
        with(&default(&[]), "Executor 'e' uses less CPUs (None) than the minimum required (0.01)");
        with(
            &default(&[scalar("cpus", 0.001)]),
            "Executor 'e' uses less CPUs (0.001) than the minimum required (0.01)",
        );
        let cpus = scalar("cpus", 0.1);
        with(
            &default(std::slice::from_ref(&cpus)),
            "Executor 'e' uses less memory (None) than the minimum required (32MB)",
        );
        with(
            &default(&[cpus.clone(), scalar("mem", 16.5)]),
            "Executor 'e' uses less memory (16MB) than the minimum required (32MB)",
        );
        with(&default(&[cpus, scalar("mem", 32.0)]), "Executor 'e' uses no disk");
        with(
            &executor(
                ENOUGH,
                r#","type":"DEFAULT","container":{"type":"MESOS","linux_info":{"share_cgroups":true}}"#,
            ),
            "The 'share_cgroups' field cannot be set to 'true' on executor containers",
        );
    }

    #[test]
    fn tasks_name_the_same_executor_or_none() {
        let named = |executor: ExecutorInfo| TaskInfo { executor: Some(executor), ..task("t", "") };
        let of = ExecutorInfo { framework_id: Some("f".into()), ..default_executor() };
        check(vec![named(of.clone()), task("u", "")], &of, "ok");
        check(vec![named(default_executor())], &of, "ok");
        check(
            vec![named(ExecutorInfo { name: Some("x".to_owned()), ..default_executor() })],
            &of,
            "The `ExecutorInfo` of task 't' is different from executor 'e'",
        );
    }

    #[test]
    fn nothing_is_used_twice() {
        let ports = r#"{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}"#;
        let with_ports = |id: &str| {
            let mut task = task(id, "");
            task.resources.push(proto::json::from_slice(ports.as_bytes()).unwrap());
            task
        };
        check(vec![with_ports("t")], &default_executor(), "ok");
        check(
            vec![with_ports("t"), with_ports("u")],
            &default_executor(),
            "There are overlapping resources in the task group's task resources [ cpus:1; ports:[1-2], cpus:1; \
             ports:[1-2] ] and/or executor resources cpus:0.1; mem:32; disk:10",
        );
    }
}
