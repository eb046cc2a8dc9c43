//! Calls of operators and executors to an agent.

use proto::v1::agent::{Call, call, call::Type, call::attach_container_input};
use proto::v1::{CommandInfo, ContainerId, ContainerInfo};

use crate::Invalid;
use crate::invalid::{Checked, check_id, ensure, invalid, present};
use crate::resource::resources_from_proto;
use crate::task::{check_command, check_container, check_gpus, shares_cgroups};

/// Checks a call to an agent; the answer to a bad one is `Failed to validate agent::Call: ` and the reason.
///
/// # Errors
/// What is missing or does not fit.
pub fn validate_agent_call(call: &Call) -> Result<(), Invalid> {
    let Some(kind) = call.r#type.and_then(|kind| Type::try_from(kind).ok()) else {
        return invalid("Expecting 'type' to be present");
    };
    match kind {
        Type::GetMetrics => present(call.get_metrics.as_ref(), "get_metrics").map(|_| ()),
        Type::SetLoggingLevel => present(call.set_logging_level.as_ref(), "set_logging_level").map(|_| ()),
        Type::ListFiles => present(call.list_files.as_ref(), "list_files").map(|_| ()),
        Type::ReadFile => present(call.read_file.as_ref(), "read_file").map(|_| ()),
        Type::RemoveResourceProviderConfig => {
            present(call.remove_resource_provider_config.as_ref(), "remove_resource_provider_config")
                .map(|_| ())
        }
        Type::MarkResourceProviderGone => {
            present(call.mark_resource_provider_gone.as_ref(), "mark_resource_provider_gone").map(|_| ())
        }
        Type::AddResourceProviderConfig => {
            let name = "add_resource_provider_config";
            let part = present(call.add_resource_provider_config.as_ref(), name)?;
            ensure(part.info.id.is_none(), &format!("Expecting '{name}.info.id' to be unset"))
        }
        Type::UpdateResourceProviderConfig => {
            let name = "update_resource_provider_config";
            let part = present(call.update_resource_provider_config.as_ref(), name)?;
            ensure(part.info.id.is_none(), &format!("Expecting '{name}.info.id' to be unset"))
        }
        _ => validate_container_call(call, kind),
    }
}

/// The calls that name a container.
fn validate_container_call(call: &Call, kind: Type) -> Checked {
    match kind {
        Type::LaunchNestedContainer => {
            let name = "launch_nested_container";
            let launch = present(call.launch_nested_container.as_ref(), name)?;
            nested(&launch.container_id, name)?;
            described(launch.command.as_ref(), launch.container.as_ref(), name)?;
            let deep = is_nested_twice(&launch.container_id);
            ensure(
                !deep || shares_cgroups(launch.container.as_ref()),
                &format!("'{name}' is invalid: {TOO_DEEP}"),
            )
        }
        Type::LaunchNestedContainerSession => {
            let name = "launch_nested_container_session";
            let launch = present(call.launch_nested_container_session.as_ref(), name)?;
            nested(&launch.container_id, name)?;
            described(launch.command.as_ref(), launch.container.as_ref(), name)?;
            ensure(
                shares_cgroups(launch.container.as_ref()),
                &format!(
                    "'{name}.container.linux_info' is invalid: 'share_cgroups' cannot be set to 'false' for nested \
                     container sessions"
                ),
            )
        }
        Type::WaitNestedContainer => {
            let name = "wait_nested_container";
            nested(&present(call.wait_nested_container.as_ref(), name)?.container_id, name)
        }
        Type::KillNestedContainer => {
            let name = "kill_nested_container";
            nested(&present(call.kill_nested_container.as_ref(), name)?.container_id, name)
        }
        Type::RemoveNestedContainer => {
            let name = "remove_nested_container";
            nested(&present(call.remove_nested_container.as_ref(), name)?.container_id, name)
        }
        Type::WaitContainer => {
            let name = "wait_container";
            named(&present(call.wait_container.as_ref(), name)?.container_id, name)
        }
        Type::KillContainer => {
            let name = "kill_container";
            named(&present(call.kill_container.as_ref(), name)?.container_id, name)
        }
        Type::RemoveContainer => {
            let name = "remove_container";
            named(&present(call.remove_container.as_ref(), name)?.container_id, name)
        }
        Type::AttachContainerOutput => {
            let name = "attach_container_output";
            named(&present(call.attach_container_output.as_ref(), name)?.container_id, name)
        }
        Type::AttachContainerInput => validate_input(call),
        Type::LaunchContainer => {
            validate_launch(present(call.launch_container.as_ref(), "launch_container")?)
        }
        _ => Ok(()),
    }
}

const TOO_DEEP: &str =
    "containers nested at the second level or greater cannot set 'share_cgroups' to 'false'";

fn validate_input(call: &Call) -> Checked {
    let name = "attach_container_input";
    let input = present(call.attach_container_input.as_ref(), name)?;
    let kind = input.r#type.and_then(|kind| attach_container_input::Type::try_from(kind).ok());
    match kind {
        None => invalid(format!("Expecting '{name}.type' to be present")),
        Some(attach_container_input::Type::Unknown) => invalid(format!("'{name}.type' is unknown")),
        Some(attach_container_input::Type::ContainerId) => {
            named(&input.container_id.clone().unwrap_or_default(), name)
        }
        Some(attach_container_input::Type::ProcessIo) => Ok(()),
    }
}

fn validate_launch(launch: &call::LaunchContainer) -> Checked {
    let name = "launch_container";
    named(&launch.container_id, name)?;
    let resources = resources_from_proto(&launch.resources)
        .map_err(|error| Invalid::new(error.to_string()).within("Invalid resources"))?;
    check_gpus(&resources).map_err(|error| error.within("Invalid GPU resources"))?;
    let is_nested = launch.container_id.parent.is_some();
    if !is_nested {
        // A container that nobody was offered resources for takes them from what the agent keeps for itself.
        ensure(resources.reserved().is_empty(), "'launch_container.resources' must be unreserved")?;
        ensure(
            !resources.iter().any(resources::Resource::is_persistent_volume),
            "'launch_container.resources' may not use persistent volumes",
        )?;
        ensure(resources.revocable().is_empty(), "'launch_container.resources' must be non-revocable")?;
    }
    described(launch.command.as_ref(), launch.container.as_ref(), name)?;
    let container = launch.container.as_ref();
    if is_nested_twice(&launch.container_id) {
        let deep = |what: &str| {
            format!(
                "'{name}' is invalid: containers nested at the second level or greater cannot specify {what}"
            )
        };
        ensure(launch.resources.is_empty(), &deep("resources"))?;
        ensure(launch.limits.is_empty(), &deep("resource limits"))?;
        ensure(shares_cgroups(container), &format!("'{name}' is invalid: {TOO_DEEP}"))?;
    }
    let says_shared = container.and_then(|c| c.linux_info.as_ref()).and_then(|linux| linux.share_cgroups);
    ensure(
        is_nested || says_shared != Some(true),
        "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'",
    )
}

fn described(command: Option<&CommandInfo>, container: Option<&ContainerInfo>, name: &str) -> Checked {
    if let Some(command) = command {
        check_command(command).map_err(|error| error.within(format!("'{name}.command' is invalid")))?;
    }
    if let Some(container) = container {
        check_container(container).map_err(|error| error.within(format!("'{name}.container' is invalid")))?;
    }
    Ok(())
}

fn named(id: &ContainerId, name: &str) -> Checked {
    check_container_id(id).map_err(|error| error.within(format!("'{name}.container_id' is invalid")))
}

/// As [`named`], for a container within another.
fn nested(id: &ContainerId, name: &str) -> Checked {
    named(id, name)?;
    present(id.parent.as_ref(), &format!("{name}.container_id.parent")).map(|_| ())
}

fn is_nested_twice(id: &ContainerId) -> bool {
    id.parent.as_ref().is_some_and(|parent| parent.parent.is_some())
}

/// Leaves room for what is put before the id in names of files.
const MAX_CONTAINER_ID_BYTES: usize = 242;

fn check_container_id(id: &ContainerId) -> Checked {
    let value = &id.value;
    check_id(value)?;
    if value.len() > MAX_CONTAINER_ID_BYTES {
        return invalid(format!(
            "'ContainerID.value' '{value}' exceeds the maximum length ({MAX_CONTAINER_ID_BYTES})"
        ));
    }
    // A nested container's id is written with periods between the ids.
    if value.contains(['.', ' ']) {
        return invalid(format!("'ContainerID.value' '{value}' contains invalid characters"));
    }
    match &id.parent {
        Some(parent) => {
            check_container_id(parent).map_err(|error| error.within("'ContainerID.parent' is invalid"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), String> {
        let call: Call = proto::json::from_slice(json.as_bytes()).unwrap();
        validate_agent_call(&call).map_err(|error| error.to_string())
    }

    fn err(text: &str) -> Result<(), String> {
        Err(text.to_owned())
    }

    /// A call of a kind with these fields in its part.
    fn with(kind: &str, fields: &str) -> Result<(), String> {
        check(&format!(r#"{{"type":"{kind}","{}":{{{fields}}}}}"#, kind.to_lowercase()))
    }

    #[test]
    fn each_call_needs_its_part() {
        assert_eq!(check("{}"), err("Expecting 'type' to be present"));
        for number in 0..100 {
            let Ok(kind) = Type::try_from(number) else { continue };
            let name = kind.as_str_name();
            let needs_nothing = name.starts_with("GET_") && kind != Type::GetMetrics;
            let expected = match needs_nothing || matches!(kind, Type::Unknown | Type::PruneImages) {
                true => Ok(()),
                false => Err(format!("Expecting '{}' to be present", name.to_lowercase())),
            };
            assert_eq!(check(&format!(r#"{{"type":"{name}"}}"#)), expected, "{name}");
        }
    }

    #[test]
    fn ids_of_containers() {
        let wait = |id: &str| with("WAIT_CONTAINER", &format!(r#""container_id":{id}"#));
        assert_eq!(wait(r#"{"value":"a"}"#), Ok(()));
        let prefix = "'wait_container.container_id' is invalid: ";
        let long = "x".repeat(243);
        for (id, error) in [
            (r#"{"value":""}"#.to_owned(), "ID must not be empty".to_owned()),
            (
                r#"{"value":"a.b"}"#.to_owned(),
                "'ContainerID.value' 'a.b' contains invalid characters".to_owned(),
            ),
            (
                r#"{"value":"a b"}"#.to_owned(),
                "'ContainerID.value' 'a b' contains invalid characters".to_owned(),
            ),
            (
                format!(r#"{{"value":"{long}"}}"#),
                format!("'ContainerID.value' '{long}' exceeds the maximum length (242)"),
            ),
            (
                r#"{"value":"a","parent":{"value":"/"}}"#.to_owned(),
                "'ContainerID.parent' is invalid: '/' contains invalid characters".to_owned(),
            ),
        ] {
            assert_eq!(wait(&id), Err(format!("{prefix}{error}")));
        }
    }

    #[test]
    fn nested_containers_have_a_parent() {
        for kind in [
            "LAUNCH_NESTED_CONTAINER",
            "LAUNCH_NESTED_CONTAINER_SESSION",
            "WAIT_NESTED_CONTAINER",
            "KILL_NESTED_CONTAINER",
            "REMOVE_NESTED_CONTAINER",
        ] {
            let expected = format!("Expecting '{}.container_id.parent' to be present", kind.to_lowercase());
            assert_eq!(with(kind, r#""container_id":{"value":"a"}"#), Err(expected));
            assert_eq!(with(kind, r#""container_id":{"value":"a","parent":{"value":"p"}}"#), Ok(()));
        }
    }

    #[test]
    fn what_is_launched_is_checked() {
        let own = r#""container":{"type":"MESOS","linux_info":{"share_cgroups":false}}"#;
        let deep = r#""container_id":{"value":"a","parent":{"value":"p","parent":{"value":"q"}}}"#;
        assert_eq!(
            with("LAUNCH_NESTED_CONTAINER", &format!("{deep},{own}")),
            err(
                "'launch_nested_container' is invalid: containers nested at the second level or greater cannot set \
                 'share_cgroups' to 'false'"
            )
        );
        let id = r#""container_id":{"value":"a","parent":{"value":"p"}}"#;
        assert_eq!(
            with("LAUNCH_NESTED_CONTAINER_SESSION", &format!("{id},{own}")),
            err(
                "'launch_nested_container_session.container.linux_info' is invalid: 'share_cgroups' cannot be set to \
                 'false' for nested container sessions"
            )
        );
        let command = r#""command":{"environment":{"variables":[{"name":"X"}]}}"#;
        assert_eq!(
            with("LAUNCH_NESTED_CONTAINER", &format!("{id},{command}")),
            err(
                "'launch_nested_container.command' is invalid: Environment variable 'X' of type 'VALUE' must have a \
                 value set"
            )
        );
        let container = r#""container":{"type":"DOCKER"}"#;
        assert_eq!(
            with("LAUNCH_CONTAINER", &format!("{id},{container}")),
            err("'launch_container.container' is invalid: DockerInfo 'docker' is not set for DOCKER typed \
                 ContainerInfo")
        );
    }

    #[test]
    fn standalone_containers() {
        let launch =
            |rest: &str| with("LAUNCH_CONTAINER", &format!(r#""container_id":{{"value":"a"}}{rest}"#));
        assert_eq!(launch(""), Ok(()));
        let resource = |rest: &str| {
            launch(&format!(r#","resources":[{{"type":"SCALAR","scalar":{{"value":1.5}}{rest}}}]"#))
        };
        assert_eq!(
            resource(r#","name":"gpus""#),
            err("Invalid GPU resources: The 'gpus' resource must be an unsigned integer")
        );
        assert_eq!(
            resource(r#","name":"cpus","role":"web""#),
            err("'launch_container.resources' must be unreserved")
        );
        assert_eq!(
            resource(r#","name":"disk","disk":{"persistence":{"id":"i"}}"#),
            err("'launch_container.resources' may not use persistent volumes")
        );
        assert_eq!(
            resource(r#","name":"cpus","revocable":{}"#),
            err("'launch_container.resources' must be non-revocable")
        );
        assert_eq!(
            resource(r#","name":"""#),
            err("Invalid resources: Resource ':1.5' is invalid: Empty resource name")
        );
        assert_eq!(
            launch(r#","container":{"type":"MESOS","linux_info":{"share_cgroups":true}}"#),
            err(
                "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'"
            )
        );
        let deep = r#""container_id":{"value":"a","parent":{"value":"p","parent":{"value":"q"}}}"#;
        let launch = |rest: &str| with("LAUNCH_CONTAINER", &format!("{deep},{rest}"));
        let prefix = "'launch_container' is invalid: containers nested at the second level or greater cannot";
        assert_eq!(
            launch(r#""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]"#),
            Err(format!("{prefix} specify resources"))
        );
        assert_eq!(
            launch(r#""limits":{"cpus":{"value":1}}"#),
            Err(format!("{prefix} specify resource limits"))
        );
        assert_eq!(
            launch(r#""container":{"type":"MESOS","linux_info":{"share_cgroups":false}}"#),
            Err(format!("{prefix} set 'share_cgroups' to 'false'"))
        );
    }

    #[test]
    fn other_parts() {
        assert_eq!(
            with("ATTACH_CONTAINER_INPUT", ""),
            err("Expecting 'attach_container_input.type' to be present")
        );
        assert_eq!(
            with("ATTACH_CONTAINER_INPUT", r#""type":"UNKNOWN""#),
            err("'attach_container_input.type' is unknown")
        );
        assert_eq!(
            with("ATTACH_CONTAINER_INPUT", r#""type":"CONTAINER_ID""#),
            err("'attach_container_input.container_id' is invalid: ID must not be empty")
        );
        for kind in ["ADD", "UPDATE"] {
            let kind = format!("{kind}_RESOURCE_PROVIDER_CONFIG");
            let info = r#""info":{"type":"t","name":"n","id":{"value":"i"}}"#;
            let expected = format!("Expecting '{}.info.id' to be unset", kind.to_lowercase());
            assert_eq!(with(&kind, info), Err(expected));
        }
    }
}
