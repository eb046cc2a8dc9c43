//! What a container may use and asks for, in the terms of the containerizer.
//!
//! What a container asks for and the agent's isolators cannot give is refused: to run it as if it had not asked could
//! harm, since it would see the machine's own files and rights.

use agent_core::{ContainerSpec, ResourceLimit, ResourceLimits};
use containerizer::{
    Ipc, Isolation, Isolator, Limit, Limits, Rlimit, Seccomp, Volume, VolumeFrom, VolumeLimit, Wishes,
};
use proto::v1;
use proto::v1::linux_info::IpcMode;
use resources::{Name, Resource, Resources, Scalar};

use super::info::decoded;

/// What a container may use that has these resources and limits, with its volumes where this agent keeps them.
pub(crate) fn limits(resources: &Resources, limits: ResourceLimits, work_dir: &str) -> Limits {
    let cpus = |limit: ResourceLimit| match limit {
        ResourceLimit::At(cpus) => Limit::At(cpus.to_f64()),
        ResourceLimit::Unlimited => Limit::Unlimited,
    };
    let memory = |limit: ResourceLimit| match limit {
        ResourceLimit::At(megabytes) => Limit::At(bytes(megabytes)),
        ResourceLimit::Unlimited => Limit::Unlimited,
    };
    Limits {
        cpus: resources.cpus().map(Scalar::to_f64),
        cpus_limit: limits.cpus.map_or(Limit::Request, cpus),
        cpus_revocable: resources.revocable().cpus().is_some(),
        memory: resources.mem().map(bytes),
        memory_limit: limits.mem.map_or(Limit::Request, memory),
        disk: sandbox_disk(resources).map(bytes),
        volumes: volumes(resources, work_dir),
        ports: resources.ports().map_or_else(Vec::new, |ports| {
            let port = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
            ports.iter().map(|range| (port(range.begin), port(range.end))).collect()
        }),
    }
}

/// What the persistent volumes among the resources may hold. One that has no place was complained of when it was linked.
fn volumes(resources: &Resources, work_dir: &str) -> Vec<VolumeLimit> {
    let volumes = resources.iter().filter(|resource| resource.is_persistent_volume());
    let limit = |volume: &Resource| {
        let directory = agent_core::volume_directory(volume, work_dir).ok()?;
        let size = Resources::from(volume.clone()).scalar(&Name::Disk)?;
        Some(VolumeLimit {
            path: (&*directory.path).into(),
            bytes: bytes(size),
            is_mount: directory.is_mount,
        })
    };
    volumes.filter_map(limit).collect()
}

/// Disk that is not a volume: what the sandbox may hold.
fn sandbox_disk(resources: &Resources) -> Option<Scalar> {
    let sandbox: Resources = resources.filter(|resource| !resource.is_persistent_volume());
    sandbox.scalar(&Name::Disk)
}

/// From megabytes.
fn bytes(megabytes: Scalar) -> u64 {
    u64::try_from(megabytes.thousandths()).unwrap_or(0).saturating_mul(1 << 20) / 1000
}

fn task(spec: &ContainerSpec) -> Option<v1::TaskInfo> {
    spec.task.as_ref().map(|task| decoded(task.body.as_bytes()))
}

/// What a container asks for beside resources. `isolation` is what the agent runs with; without it nothing can be given.
///
/// # Errors
/// With one line that says what cannot be given, and what would give it.
pub(crate) fn wishes(spec: &ContainerSpec, isolation: Option<&Isolation>) -> Result<Wishes, String> {
    of_container(container(spec), isolation)
}

fn container(spec: &ContainerSpec) -> Option<v1::ContainerInfo> {
    match task(spec) {
        Some(task) => task.container,
        None if spec.executor.body.as_bytes().is_empty() => None,
        None => decoded::<v1::ExecutorInfo>(spec.executor.body.as_bytes()).container,
    }
}

fn of_container(
    container: Option<v1::ContainerInfo>,
    isolation: Option<&Isolation>,
) -> Result<Wishes, String> {
    let Some(container) = container else {
        return Ok(Wishes { shares_limits: true, ..Wishes::default() });
    };
    let needs = |asked: bool, isolator: Isolator, what: &str| {
        if !asked || isolation.is_some_and(|isolation| isolation.has(isolator)) {
            return Ok(());
        }
        Err(format!("this agent does not support {what}: it runs without the isolator '{}'", isolator.name()))
    };
    let linux = container.linux_info.unwrap_or_default();
    let effective = linux.effective_capabilities.as_ref().or(linux.capability_info.as_ref());
    let bounding = linux.bounding_capabilities.as_ref();
    let private = linux.ipc_mode() == IpcMode::Private;
    needs(effective.or(bounding).is_some(), Isolator::LinuxCapabilities, "capabilities of containers")?;
    needs(private, Isolator::NamespacesIpc, "IPC namespaces of containers")?;
    needs(
        linux.shm_size.is_some(),
        Isolator::NamespacesIpc,
        "shared memory of a container's own (shm_size)",
    )?;
    let seccomp = seccomp(linux.seccomp.as_ref())?;
    needs(matches!(seccomp, Seccomp::Profile(_)), Isolator::LinuxSeccomp, "seccomp profiles of containers")?;
    let mut volumes = Vec::with_capacity(container.volumes.len());
    for asked in &container.volumes {
        let volume = volume(asked)?;
        let isolator = match volume.source {
            VolumeFrom::Host(_) => Isolator::VolumeHostPath,
            VolumeFrom::Sandbox(_) | VolumeFrom::ParentSandbox(_) => Isolator::VolumeSandboxPath,
        };
        needs(true, isolator, "volumes of containers")?;
        volumes.push(volume);
    }
    Ok(Wishes {
        volumes,
        rlimits: rlimits(container.rlimit_info.as_ref())?,
        effective_capabilities: effective.map(capabilities),
        bounding_capabilities: bounding.map(capabilities),
        seccomp,
        shares_pids: linux.share_pid_namespace.unwrap_or(false),
        ipc: match linux.ipc_mode() {
            IpcMode::Unknown => Ipc::Unset,
            IpcMode::Private => Ipc::Private,
            IpcMode::ShareParent => Ipc::ShareParent,
        },
        shm_size: linux.shm_size.map(|megabytes| u64::from(megabytes) << 20),
        shares_limits: linux.share_cgroups.unwrap_or(true),
    })
}

fn volume(volume: &v1::Volume) -> Result<Volume, String> {
    use v1::volume::source::Type;
    let source = match (&volume.source, volume.host_path.as_deref()) {
        (Some(source), _) => match (source.r#type(), &source.host_path, &source.sandbox_path) {
            (Type::HostPath, Some(host), _) => {
                let propagation = host.mount_propagation.as_ref().map(v1::MountPropagation::mode);
                if propagation == Some(v1::mount_propagation::Mode::Bidirectional) {
                    return Err("this agent does not support mounts of a container that reach the host \
                                (mount_propagation BIDIRECTIONAL)"
                        .to_owned());
                }
                VolumeFrom::Host(host.path.clone().into())
            }
            (Type::SandboxPath, _, Some(sandbox)) => match sandbox.r#type() {
                v1::volume::source::sandbox_path::Type::Parent => {
                    VolumeFrom::ParentSandbox(sandbox.path.clone().into())
                }
                _ => VolumeFrom::Sandbox(sandbox.path.clone().into()),
            },
            (other, _, _) => {
                return Err(format!("this agent does not support volumes of type {}", other.as_str_name()));
            }
        },
        // As volumes were written before they had sources: a relative path is one in the sandbox.
        (None, Some(path)) if path.starts_with('/') => VolumeFrom::Host(path.into()),
        (None, Some(path)) => VolumeFrom::Sandbox(path.into()),
        (None, None) => return Err("this agent does not support volumes of images".to_owned()),
    };
    let read_only = volume.mode() == v1::volume::Mode::Ro;
    Ok(Volume { source, container_path: volume.container_path.clone().into(), read_only })
}

fn seccomp(info: Option<&v1::SeccompInfo>) -> Result<Seccomp, String> {
    match info.map(|info| (info.unconfined.unwrap_or(false), &info.profile_name)) {
        None => Ok(Seccomp::Default),
        Some((true, None)) => Ok(Seccomp::Unconfined),
        Some((false, Some(name))) => Ok(Seccomp::Profile(name.clone())),
        Some((true, Some(_))) => Err("a seccomp profile is given and unconfined at once".to_owned()),
        Some((false, None)) => Err("the name of the seccomp profile is missing".to_owned()),
    }
}

/// Bits by the kernel's numbers, to which the wire adds a thousand.
fn capabilities(info: &v1::CapabilityInfo) -> u64 {
    let bit = |capability: &i32| u32::try_from(*capability - 1000).ok().filter(|number| *number < 64);
    info.capabilities.iter().filter_map(bit).fold(0, |bits, number| bits | 1 << number)
}

fn rlimits(info: Option<&v1::RLimitInfo>) -> Result<Vec<Rlimit>, String> {
    let limits = info.map(|info| info.rlimits.as_slice()).unwrap_or_default();
    limits
        .iter()
        .map(|limit| match (limit.soft, limit.hard) {
            (Some(_), None) | (None, Some(_)) => {
                Err("a resource limit has to have both a soft and a hard value, or none".to_owned())
            }
            (soft, hard) => Ok(Rlimit { resource: kernel_number(limit.r#type())?, soft, hard }),
        })
        .collect()
}

fn kernel_number(kind: v1::r_limit_info::r_limit::Type) -> Result<u32, String> {
    use v1::r_limit_info::r_limit::Type;
    Ok(match kind {
        Type::Unknown => return Err("a resource limit of an unknown type".to_owned()),
        Type::RlmtCpu => 0,
        Type::RlmtFsize => 1,
        Type::RlmtData => 2,
        Type::RlmtStack => 3,
        Type::RlmtCore => 4,
        Type::RlmtRss => 5,
        Type::RlmtNproc => 6,
        Type::RlmtNofile => 7,
        Type::RlmtMemlock => 8,
        Type::RlmtAs => 9,
        Type::RlmtLocks => 10,
        Type::RlmtSigpending => 11,
        Type::RlmtMsgqueue => 12,
        Type::RlmtNice => 13,
        Type::RlmtRtprio => 14,
        Type::RlmtRttime => 15,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(container: &str, isolation: Option<&str>) -> Result<Wishes, String> {
        let container = proto::json::from_slice(container.as_bytes()).expect("a container");
        let isolation = isolation.map(|text| Isolation::parse(text).expect("known isolators"));
        of_container(Some(container), isolation.as_ref())
    }

    #[test]
    fn what_the_isolators_do_not_give_is_refused_and_says_which_would() {
        for (asked, isolator) in [
            (
                r#"{"type":"MESOS","volumes":[{"host_path":"/x","container_path":"/x","mode":"RW"}]}"#,
                "volume/host_path",
            ),
            (r#"{"type":"MESOS","linux_info":{"effective_capabilities":{}}}"#, "linux/capabilities"),
            (r#"{"type":"MESOS","linux_info":{"seccomp":{"profile_name":"x"}}}"#, "linux/seccomp"),
            (r#"{"type":"MESOS","linux_info":{"ipc_mode":"PRIVATE"}}"#, "namespaces/ipc"),
            (r#"{"type":"MESOS","linux_info":{"shm_size":64}}"#, "namespaces/ipc"),
        ] {
            for isolation in [None, Some("posix/cpu,posix/mem")] {
                let found = of(asked, isolation).expect_err(asked);
                assert!(found.contains(&format!("'{isolator}'")), "{asked}: {found}");
            }
            let all = "filesystem/linux,namespaces/ipc,linux/capabilities,linux/seccomp";
            assert!(of(asked, Some(all)).is_ok(), "{asked}");
        }
        let outward = r#"{"type":"MESOS","volumes":[{"container_path":"/x","mode":"RW","source":{"type":"HOST_PATH",
            "host_path":{"path":"/x","mount_propagation":{"mode":"BIDIRECTIONAL"}}}}]}"#;
        let found = of(outward, Some("filesystem/linux")).expect_err("it is not to be had");
        assert!(found.contains("BIDIRECTIONAL"), "{found}");
        let harmless =
            r#"{"type":"MESOS","linux_info":{"seccomp":{"unconfined":true},"ipc_mode":"SHARE_PARENT"}}"#;
        assert!(of(harmless, None).is_ok());
    }

    #[test]
    fn wishes_are_read_as_the_wire_has_them() {
        let asked = r#"{"type":"MESOS",
            "volumes":[{"container_path":"data","mode":"RO","source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"PARENT","path":"pool"}}}],
            "rlimit_info":{"rlimits":[{"type":"RLMT_NOFILE","soft":10,"hard":20},{"type":"RLMT_CORE"}]},
            "linux_info":{"effective_capabilities":{"capabilities":["NET_RAW"]},"share_pid_namespace":true,"share_cgroups":false}}"#;
        let wishes = of(asked, Some("filesystem/linux,linux/capabilities")).expect("it is given");
        let volume = Volume {
            source: VolumeFrom::ParentSandbox("pool".into()),
            container_path: "data".into(),
            read_only: true,
        };
        assert_eq!(wishes.volumes, [volume]);
        let limits = [(7, Some(10), Some(20)), (4, None, None)];
        let limits = limits.map(|(resource, soft, hard)| Rlimit { resource, soft, hard });
        assert_eq!(wishes.rlimits, limits);
        assert_eq!(wishes.effective_capabilities, Some(1 << 13));
        assert!(wishes.shares_pids && !wishes.shares_limits);
        let half = r#"{"type":"MESOS","rlimit_info":{"rlimits":[{"type":"RLMT_CPU","soft":1}]}}"#;
        assert!(of(half, None).is_err_and(|error| error.contains("both")));
    }
}
