//! Descriptions of containers and their volumes.

use proto::v1::{ContainerInfo, Volume, container_info, volume};

use crate::invalid::{Checked, ensure, invalid};

/// Checks a container's description.
pub(crate) fn check_container(container: &ContainerInfo) -> Checked {
    for volume in &container.volumes {
        check_volume(volume).map_err(|error| error.within("Invalid volume"))?;
    }
    if container.r#type() != container_info::Type::Docker {
        return Ok(());
    }
    let Some(docker) = &container.docker else {
        return invalid("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo");
    };
    // The agent names containers itself, so that it finds them again.
    let names = docker.parameters.iter().any(|parameter| parameter.key == "name");
    ensure(!names, "Parameter in DockerInfo must not be 'name'")
}

/// Whether a container shares the control groups of the one that it is in; it does unless it says otherwise.
pub(crate) fn shares_cgroups(container: Option<&ContainerInfo>) -> bool {
    container.and_then(|container| container.linux_info.as_ref()).and_then(|linux| linux.share_cgroups)
        != Some(false)
}

fn check_volume(volume: &Volume) -> Checked {
    let sources = [volume.host_path.is_some(), volume.image.is_some(), volume.source.is_some()];
    ensure(
        sources.iter().filter(|is_set| **is_set).count() == 1,
        "Only one of them should be set: 'host_path', 'image' and 'source'",
    )?;
    let Some(source) = &volume.source else { return Ok(()) };
    let (field, kind, is_set) = match source.r#type() {
        volume::source::Type::DockerVolume => {
            ("docker_volume", "DOCKER_VOLUME", source.docker_volume.is_some())
        }
        volume::source::Type::HostPath => ("host_path", "HOST_PATH", source.host_path.is_some()),
        volume::source::Type::SandboxPath => ("sandbox_path", "SANDBOX_PATH", source.sandbox_path.is_some()),
        volume::source::Type::Secret => ("secret", "SECRET", source.secret.is_some()),
        volume::source::Type::CsiVolume => match &source.csi_volume {
            None => ("csi_volume", "CSI", false),
            Some(csi) => ("csi_volume.static_provisioning", "CSI", csi.static_provisioning.is_some()),
        },
        volume::source::Type::Unknown => return invalid("'source.type' is unknown"),
    };
    ensure(is_set, &format!("'source.{field}' is not set for {kind} volume"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &str) -> String {
        let container: ContainerInfo = proto::json::from_slice(format!("{{{fields}}}").as_bytes()).unwrap();
        check_container(&container).err().map(String::from).unwrap_or_default()
    }

    #[test]
    fn docker() {
        assert_eq!(
            check(r#""type":"DOCKER""#),
            "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"
        );
        let docker = |key: &str| {
            check(&format!(
                r#""type":"DOCKER","docker":{{"image":"i","parameters":[{{"key":"{key}","value":"v"}}]}}"#
            ))
        };
        assert_eq!(docker("name"), "Parameter in DockerInfo must not be 'name'");
        assert_eq!(docker("label"), "");
    }

    #[test]
    fn volumes() {
        let volume = |fields: &str| {
            check(&format!(r#""type":"MESOS","volumes":[{{"mode":"RW","container_path":"p"{fields}}}]"#))
        };
        assert_eq!(volume(r#","host_path":"h""#), "");
        let one = "Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'";
        assert_eq!(volume(""), one);
        assert_eq!(volume(r#","host_path":"h","source":{}"#), one);
        assert_eq!(volume(r#","source":{}"#), "Invalid volume: 'source.type' is unknown");
        for (kind, field, named) in [
            ("DOCKER_VOLUME", "docker_volume", "DOCKER_VOLUME"),
            ("HOST_PATH", "host_path", "HOST_PATH"),
            ("SANDBOX_PATH", "sandbox_path", "SANDBOX_PATH"),
            ("SECRET", "secret", "SECRET"),
            ("CSI_VOLUME", "csi_volume", "CSI"),
        ] {
            assert_eq!(
                volume(&format!(r#","source":{{"type":"{kind}"}}"#)),
                format!("Invalid volume: 'source.{field}' is not set for {named} volume")
            );
        }
        assert_eq!(
            volume(r#","source":{"type":"CSI_VOLUME","csi_volume":{"plugin_name":"p"}}"#),
            "Invalid volume: 'source.csi_volume.static_provisioning' is not set for CSI volume"
        );
    }
}
