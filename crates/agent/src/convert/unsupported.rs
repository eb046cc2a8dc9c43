//! What containers are asked for and cannot be given yet, whatever the agent's isolators. What depends on those is seen to
//! where a container is launched, see `isolation`.
//!
//! To run such a task as if it had not asked could harm: its command would see the host's own files, network and
//! processes. A Mesos agent without the containerizer or the isolator fails the launch, and so does this one.

use std::sync::Arc;

use proto::v1;
use proto::v1::container_info::Type;

/// What of a container and its command is not supported, in one line.
pub(super) fn find(
    container: Option<&v1::ContainerInfo>,
    command: Option<&v1::CommandInfo>,
) -> Option<Arc<str>> {
    let of_container = || container.and_then(in_container).map(str::to_owned);
    let what = of_container().or_else(|| command.and_then(in_command))?;
    Some(format!("this agent does not support {what} yet").into())
}

fn in_container(container: &v1::ContainerInfo) -> Option<&'static str> {
    let wrong = match container.r#type() {
        Type::Docker => return Some("containers of type DOCKER"),
        Type::Mesos => [
            (container.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()), "images of containers"),
            (container.network_infos.iter().any(|network| network.name.is_some()), "networks of containers"),
            (container.tty_info.is_some(), "terminals of containers (tty_info)"),
        ],
    };
    wrong.into_iter().find_map(|(asked, what)| asked.then_some(what))
}

fn in_command(command: &v1::CommandInfo) -> Option<String> {
    let mut variables = command.environment.iter().flat_map(|environment| &environment.variables);
    let secret = variables.find(|variable| variable.r#type() == v1::environment::variable::Type::Secret)?;
    Some(format!("secrets (environment variable '{}')", secret.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(container: &str) -> Option<Arc<str>> {
        let container = proto::json::from_slice(container.as_bytes()).expect("a container");
        find(Some(&container), None)
    }

    #[test]
    fn what_harms_nobody_runs() {
        for harmless in [
            r#"{"type":"MESOS"}"#,
            r#"{"type":"MESOS","mesos":{},"network_infos":[{}],"linux_info":{}}"#,
            r#"{"type":"MESOS","linux_info":{"seccomp":{"unconfined":true},"ipc_mode":"SHARE_PARENT"}}"#,
        ] {
            assert_eq!(of(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn what_cannot_be_given_is_named() {
        for (asked, what) in [
            (r#"{"type":"DOCKER","docker":{"image":"busybox"}}"#, "type DOCKER"),
            (r#"{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"x"}}}}"#, "images"),
            (r#"{"type":"MESOS","network_infos":[{"name":"web"}]}"#, "networks"),
            (r#"{"type":"MESOS","tty_info":{}}"#, "tty_info"),
        ] {
            let found = of(asked).unwrap_or_else(|| panic!("{asked} runs"));
            assert!(found.contains(what), "{asked}: {found}");
        }
    }

    #[test]
    fn secrets_are_named() {
        let command = r#"{"environment":{"variables":[{"name":"A","value":"1"},
            {"name":"KEY","type":"SECRET","secret":{"type":"VALUE","value":{"data":"eA=="}}}]}}"#;
        let command = proto::json::from_slice(command.as_bytes()).expect("a command");
        let found = find(None, Some(&command)).expect("a secret");
        assert_eq!(&*found, "this agent does not support secrets (environment variable 'KEY') yet");
    }
}
