//! What is said of agents, quotas and weights, as parts of Mesos' `Registry` message.

use std::sync::Arc;
use std::time::Duration;

use base::Time;
use master_core::{AgentRecord, Drain, DrainConfig, DrainState, RegistryContent, RegistryOperation};
use proto::internal::Registry;
use proto::internal::registry::{
    GoneSlave, GoneSlaves, Slave, Slaves, UnreachableSlave, UnreachableSlaves, Weight,
};
use proto::v1;

use super::keys;
use crate::convert::{
    ConvertError, agent_info, agent_info_to_proto, window_key, window_of_registry, window_to_registry,
};
use crate::operator::quota::{config_to_proto, quota_of};
use crate::view::agent::drain_info;
use crate::view::time_info;

/// Why a value of the registry makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    /// It is no `Registry` message.
    #[error(transparent)]
    Decode(#[from] proto::DecodeError),
    /// What an agent says of itself makes no sense.
    #[error(transparent)]
    Agent(#[from] ConvertError),
    /// The key is no place in the maintenance schedule.
    #[error("its key is no place in the maintenance schedule")]
    Key,
    /// There is no window, or none with machines.
    #[error("it has no window with machines")]
    NoWindow,
}

/// What is to be written; `None` removes the key.
pub(super) fn encode(operation: &RegistryOperation) -> Option<Vec<u8>> {
    let mut part = Registry::default();
    match operation {
        RegistryOperation::Agent(_, None) | RegistryOperation::Window(_, None) => return None,
        RegistryOperation::Window(_, Some(window)) => window_to_registry(window, &mut part),
        RegistryOperation::Agent(id, Some(record)) => match record {
            AgentRecord::Admitted { info, drain, deactivated } => {
                part.slaves = Some(Slaves {
                    slaves: vec![Slave {
                        info: agent_info_to_proto(id, info),
                        drain_info: drain.map(drain_info),
                        deactivated: Some(*deactivated),
                    }],
                });
            }
            AgentRecord::Unreachable { since, hostname, drain, deactivated } => {
                part.unreachable = Some(UnreachableSlaves {
                    slaves: vec![UnreachableSlave {
                        id: id.as_str().into(),
                        timestamp: time_info(*since),
                        drain_info: drain.map(drain_info),
                        deactivated: Some(*deactivated),
                        hostname: named(hostname),
                    }],
                });
            }
            AgentRecord::Gone { since, hostname } => {
                let gone = GoneSlave {
                    id: id.as_str().into(),
                    timestamp: time_info(*since),
                    hostname: named(hostname),
                };
                part.gone = Some(GoneSlaves { slaves: vec![gone] });
            }
        },
        RegistryOperation::Quota(_, quota) if quota.is_empty() => return None,
        RegistryOperation::Quota(role, quota) => part.quota_configs.push(config_to_proto(role, quota)),
        RegistryOperation::Weight(role, weight) => part
            .weights
            .push(Weight { info: v1::WeightInfo { role: Some(role.to_string()), weight: *weight } }),
    }
    Some(proto::encode(&part))
}

/// Adds what a value says.
pub(super) fn decode(key: &str, value: &[u8], content: &mut RegistryContent) -> Result<(), ValueError> {
    let mut part: Registry = proto::decode(value)?;
    if let Some(name) = key.strip_prefix(keys::WINDOWS) {
        let key = window_key(name).ok_or(ValueError::Key)?;
        let window = window_of_registry(&mut part).ok_or(ValueError::NoWindow)?;
        content.windows.insert(key, Arc::new(window));
    }
    for slave in part.slaves.into_iter().flat_map(|slaves| slaves.slaves) {
        let id = slave.info.id.as_ref().ok_or(ConvertError::NoId)?.value.as_str().into();
        let record = AgentRecord::Admitted {
            info: Arc::new(agent_info(slave.info)?),
            drain: slave.drain_info.as_ref().map(drain_of),
            deactivated: slave.deactivated.unwrap_or_default(),
        };
        content.agents.insert(id, record);
    }
    for slave in part.unreachable.into_iter().flat_map(|slaves| slaves.slaves) {
        let record = AgentRecord::Unreachable {
            since: time_of(&slave.timestamp),
            hostname: slave.hostname.unwrap_or_default().into(),
            drain: slave.drain_info.as_ref().map(drain_of),
            deactivated: slave.deactivated.unwrap_or_default(),
        };
        content.agents.insert(slave.id.value.into(), record);
    }
    for slave in part.gone.into_iter().flat_map(|slaves| slaves.slaves) {
        let hostname = slave.hostname.unwrap_or_default().into();
        let record = AgentRecord::Gone { since: time_of(&slave.timestamp), hostname };
        content.agents.insert(slave.id.value.into(), record);
    }
    for config in &part.quota_configs {
        content.quotas.insert(config.role.as_str().into(), quota_of(config));
    }
    for weight in &part.weights {
        content.weights.insert(weight.info.role().into(), weight.info.weight);
    }
    Ok(())
}

fn named(hostname: &str) -> Option<String> {
    (!hostname.is_empty()).then(|| hostname.to_owned())
}

fn time_of(time: &v1::TimeInfo) -> Time {
    Time::from_nanos(u64::try_from(time.nanoseconds).unwrap_or_default())
}

fn drain_of(info: &v1::DrainInfo) -> Drain {
    let state = match info.state() {
        v1::DrainState::Drained => DrainState::Drained,
        _ => DrainState::Draining,
    };
    let grace = info.config.max_grace_period.as_ref();
    let nanos = grace.map(|grace| u64::try_from(grace.nanoseconds).unwrap_or_default());
    let config = DrainConfig {
        max_grace_period: nanos.map(Duration::from_nanos),
        mark_gone: info.config.mark_gone.unwrap_or_default(),
    };
    Drain { state, config }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use master_core::{MachineId, MachineMode, Quota, Unavailability, WindowKey, WindowPart};
    use proto::v0::SlaveInfo;
    use resources::{Name, Scalar};

    use super::*;

    fn window() -> WindowPart {
        let id = |name: &str| MachineId { hostname: Some(name.into()), ip: None };
        let machines = vec![(id("a"), MachineMode::Draining), (id("b"), MachineMode::Down)];
        WindowPart { machines, unavailability: Unavailability { start: -5, duration: Some(7) } }
    }

    fn operations() -> Vec<RegistryOperation> {
        let slave = SlaveInfo { hostname: "h".into(), port: Some(5051), ..SlaveInfo::default() };
        let resources = resources::Resources::parse("cpus:4;mem:512;ports:[1-9]").unwrap();
        let slave = SlaveInfo { resources: wire::resources_to_proto(&resources), ..slave };
        let info = Arc::new(agent_info(slave).unwrap());
        let config = DrainConfig { max_grace_period: Some(Duration::from_millis(1500)), mark_gone: true };
        let drain = Some(Drain { state: DrainState::Drained, config });
        let since = Time::from_nanos(1_234_567_890_123_456_789);
        let quota = |cpus| BTreeMap::from([(Name::Cpus, Scalar::whole(cpus))]);
        vec![
            RegistryOperation::Agent("a".into(), Some(AgentRecord::admitted(Arc::clone(&info)))),
            RegistryOperation::Agent(
                "b".into(),
                Some(AgentRecord::Admitted { info, drain, deactivated: true }),
            ),
            RegistryOperation::Agent(
                "c".into(),
                Some(AgentRecord::Unreachable { since, hostname: "host-c".into(), drain, deactivated: true }),
            ),
            RegistryOperation::Agent("d".into(), Some(AgentRecord::Gone { since, hostname: "".into() })),
            RegistryOperation::Quota("web".into(), Quota { guarantees: quota(1), limits: quota(2) }),
            RegistryOperation::Weight("web/a".into(), 2.5),
            RegistryOperation::Window(WindowKey { window: 3, part: 1 }, Some(Arc::new(window()))),
        ]
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (mut expected, mut read) = (RegistryContent::default(), RegistryContent::default());
        for operation in operations() {
            let value = encode(&operation).unwrap();
            decode(&keys::of(&operation), &value, &mut read).unwrap();
            expected.apply(operation);
        }
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_forgotten_has_no_value() {
        assert_eq!(encode(&RegistryOperation::Agent("a".into(), None)), None);
        assert_eq!(encode(&RegistryOperation::Quota("a".into(), Quota::default())), None);
        let wrong = |key: &str, value: &[u8]| {
            decode(key, value, &mut RegistryContent::default()).unwrap_err().to_string()
        };
        assert!(!wrong("agents/a", b"nonsense").is_empty());
        assert_eq!(wrong("windows/0000000001-0000000000", b""), "it has no window with machines");
        assert_eq!(wrong("windows/1", b""), "its key is no place in the maintenance schedule");
    }
}
