//! Executors.

use ::resources::Resources;
use proto::v1::{ContainerInfo, ExecutorInfo, container_info, executor_info::Type};

use super::info::is_time;
use super::resources::{self, Words};
use super::{check_command, check_container};
use crate::Invalid;
use crate::invalid::{Checked, check_id, ensure, invalid};

/// Checks an executor's description by itself, without its resources; also that of one which an agent reports.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_executor_info(executor: &ExecutorInfo) -> Result<(), Invalid> {
    check_described(executor, executor.r#type())
}

fn check_described(executor: &ExecutorInfo, kind: Type) -> Checked {
    check_type(executor, kind)?;
    check_id(&executor.executor_id.value)?;
    ensure(
        is_time(executor.shutdown_grace_period.as_ref()),
        "ExecutorInfo's 'shutdown_grace_period' must be non-negative",
    )?;
    if let Some(command) = &executor.command {
        check_command(command).map_err(|error| error.within("Executor's `CommandInfo` is invalid"))?;
    }
    if let Some(container) = &executor.container {
        check_container(container).map_err(|error| error.within("Executor's `ContainerInfo` is invalid"))?;
    }
    Ok(())
}

fn check_type(executor: &ExecutorInfo, kind: Type) -> Checked {
    match kind {
        Type::Custom => {
            ensure(executor.command.is_some(), "'ExecutorInfo.command' must be set for 'CUSTOM' executor")
        }
        Type::Default => {
            ensure(
                executor.command.is_none(),
                "'ExecutorInfo.command' must not be set for 'DEFAULT' executor",
            )?;
            executor.container.as_ref().map_or(Ok(()), check_default_container)
        }
        Type::Unknown => Ok(()),
    }
}

fn check_default_container(container: &ContainerInfo) -> Checked {
    ensure(
        container.r#type() == container_info::Type::Mesos,
        "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor",
    )?;
    ensure(
        container.mesos.as_ref().is_none_or(|mesos| mesos.image.is_none()),
        "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor",
    )
}

/// Checks the executor that a task of a LAUNCH operation brings. One that says nothing of its type is a custom one.
pub(super) fn check_executor(executor: &ExecutorInfo, resources: &Resources) -> Checked {
    let kind = if executor.r#type.is_none() { Type::Custom } else { executor.r#type() };
    check_described(executor, kind)?;
    resources::check_all(resources, Words::EXECUTOR)?;
    ensure(kind == Type::Custom, "'ExecutorInfo.type' must be 'CUSTOM'")?;
    ensure(executor.command.is_some(), "'ExecutorInfo.command' must be set")?;
    if resources.iter().any(::resources::Resource::is_shared) {
        return invalid(format!("Executor resources {resources} should not contain any shared resources"));
    }
    check_no_shared_cgroups(executor)
}

pub(super) fn check_no_shared_cgroups(executor: &ExecutorInfo) -> Checked {
    let linux = executor.container.as_ref().and_then(|container| container.linux_info.as_ref());
    ensure(
        linux.and_then(|linux| linux.share_cgroups) != Some(true),
        "The 'share_cgroups' field cannot be set to 'true' on executor containers",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(fields: &str) -> ExecutorInfo {
        proto::json::from_slice(format!(r#"{{"executor_id":{{"value":"e"}}{fields}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn described_by_itself() {
        for (fields, expected) in [
            ("", ""),
            (r#","type":"CUSTOM","command":{"value":"x"}"#, ""),
            (r#","type":"CUSTOM""#, "'ExecutorInfo.command' must be set for 'CUSTOM' executor"),
            (r#","type":"DEFAULT""#, ""),
            (
                r#","type":"DEFAULT","command":{"value":"x"}"#,
                "'ExecutorInfo.command' must not be set for 'DEFAULT' executor",
            ),
            (
                r#","type":"DEFAULT","container":{"type":"DOCKER"}"#,
                "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor",
            ),
            (
                r#","type":"DEFAULT","container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER"}}}"#,
                "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor",
            ),
            (
                r#","shutdown_grace_period":{"nanoseconds":-1}"#,
                "ExecutorInfo's 'shutdown_grace_period' must be non-negative",
            ),
            (
                r#","command":{"environment":{"variables":[{"name":"X"}]}}"#,
                "Executor's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a value set",
            ),
            (
                r#","container":{"type":"DOCKER"}"#,
                "Executor's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
            ),
        ] {
            let answer = validate_executor_info(&info(fields)).err().map(String::from).unwrap_or_default();
            assert_eq!(answer, expected, "{fields}");
        }
        let nameless: ExecutorInfo = proto::json::from_slice(br#"{"executor_id":{"value":""}}"#).unwrap();
        assert_eq!(validate_executor_info(&nameless).unwrap_err().reason(), "ID must not be empty");
    }

    #[test]
    fn of_a_task() {
        let check = |fields: &str| check_executor(&info(fields), &Resources::new()).err().map(String::from);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(check(r#","command":{"value":"x"}"#), None);
        assert_eq!(check(""), some("'ExecutorInfo.command' must be set for 'CUSTOM' executor"));
        assert_eq!(check(r#","type":"DEFAULT""#), some("'ExecutorInfo.type' must be 'CUSTOM'"));
        assert_eq!(
            check(
                r#","command":{"value":"x"},"container":{"type":"MESOS","linux_info":{"share_cgroups":true}}"#
            ),
            some("The 'share_cgroups' field cannot be set to 'true' on executor containers")
        );
    }
}
