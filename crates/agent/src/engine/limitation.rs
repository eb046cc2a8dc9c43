//! What a container went beyond, in Mesos' terms.

use agent_core::{Limitation, Reason};
use containerizer::LimitationKind;
use resources::{Name, Range, Ranges, Resource, Resources, Scalar, Value};

const MEGABYTE: f64 = 1_048_576.0;

/// What a launcher has found, for the core. `held` is what the container was given. As in Mesos, the resources of a limitation
/// are the memory that was used at most, the disk that it may not go beyond, and the ports that it has not got; that
/// processes were refused is about no resource. Where the file system limits disk, it is what was used.
pub(super) fn told(found: containerizer::Limitation, held: &Resources, work_dir: &str) -> Limitation {
    let (reason, resources) = match found.kind {
        LimitationKind::Memory { peak } => {
            (Reason::ContainerLimitationMemory, Resource::scalar("mem", megabytes(peak)).into())
        }
        LimitationKind::Disk { used, volume, tells_use } => {
            let volume = volume.as_deref().and_then(std::path::Path::to_str);
            let is_meant = |resource: &Resource| match volume {
                None => resource.name == Name::Disk && !resource.is_persistent_volume(),
                Some(volume) => {
                    let place = agent_core::volume_directory(resource, work_dir);
                    place.is_ok_and(|place| &*place.path == volume)
                }
            };
            let meant = held.filter(is_meant);
            let resources = if tells_use { with_amount(&meant, used) } else { meant };
            (Reason::ContainerLimitationDisk, resources)
        }
        LimitationKind::Ports(ports) => {
            let range = |port: u16| Range { begin: port.into(), end: port.into() };
            let ranges = Ranges::new(ports.into_iter().map(range)).unwrap_or_default();
            (Reason::ContainerLimitation, Resource::new(Name::Ports, Value::Ranges(ranges)).into())
        }
        LimitationKind::Pids => (Reason::ContainerLimitation, Resources::default()),
    };
    Limitation { reason, message: found.message, resources }
}

fn megabytes(bytes: u64) -> Scalar {
    #[expect(clippy::cast_precision_loss, reason = "it is told to three decimals of a megabyte")]
    Scalar::from_f64(bytes as f64 / MEGABYTE)
}

/// One of these resources, of which so much was used.
fn with_amount(meant: &Resources, bytes: u64) -> Resources {
    let Some(mut used) = meant.iter().next().cloned() else { return Resources::default() };
    used.value = Value::Scalar(megabytes(bytes));
    used.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: LimitationKind, held: &str) -> Limitation {
        let found = containerizer::Limitation { kind, message: "beyond".to_owned() };
        told(found, &Resources::parse(held).expect("valid"), "/work")
    }

    #[test]
    fn what_was_gone_beyond_is_named_as_mesos_names_it() {
        let disk = |tells_use| LimitationKind::Disk { used: 4 << 20, volume: None, tells_use };
        let held = "cpus:1;mem:64;disk:2;ports:[31000-31001]";
        for (kind, reason, resources) in [
            (LimitationKind::Memory { peak: 65 << 20 }, Reason::ContainerLimitationMemory, "mem:65"),
            (disk(false), Reason::ContainerLimitationDisk, "disk:2"),
            (disk(true), Reason::ContainerLimitationDisk, "disk:4"),
            (LimitationKind::Ports(vec![80, 81, 90]), Reason::ContainerLimitation, "ports:[80-81,90-90]"),
        ] {
            let limitation = of(kind, held);
            assert_eq!((limitation.reason, limitation.message.as_str()), (reason, "beyond"));
            assert_eq!(limitation.resources, Resources::parse(resources).expect("valid"));
        }
        assert!(of(LimitationKind::Pids, held).resources.is_empty());
    }
}
