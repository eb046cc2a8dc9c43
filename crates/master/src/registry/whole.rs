//! The registry as one message, as Mesos keeps it.

use master_core::{RegistryContent, RegistryOperation};
use proto::Message;
use proto::internal::Registry;
use proto::internal::registry::Master;
use proto::v1::MasterInfo;
use proto::v1::maintenance::Schedule;

use super::values;

/// The whole of the registry, with the leader that writes it.
pub(crate) fn whole(content: &RegistryContent, leader: MasterInfo) -> Registry {
    let mut registry = Registry { master: Some(Master { info: leader }), ..Registry::default() };
    for operation in operations(content) {
        let Some(value) = values::encode(&operation) else { continue };
        // All values one behind the other are one message.
        let merged = registry.merge(&value[..]);
        base::never!(merged.is_err(), "what was just written cannot be read: {merged:?}");
    }
    // Except that pieces of the schedule are schedules of their own.
    if !registry.schedules.is_empty() {
        let windows = crate::convert::schedule_to_proto(&master_core::windows_of(&content.windows)).windows;
        registry.schedules = vec![Schedule { windows }];
    }
    registry
}

fn operations(content: &RegistryContent) -> impl Iterator<Item = RegistryOperation> {
    let agents = content.agents.iter();
    let agents = agents.map(|(id, record)| RegistryOperation::Agent(id.clone(), Some(record.clone())));
    let quotas = content.quotas.iter();
    let quotas = quotas.map(|(role, quota)| RegistryOperation::Quota(role.clone(), quota.clone()));
    let weights = content.weights.iter();
    let weights = weights.map(|(role, weight)| RegistryOperation::Weight(role.clone(), *weight));
    let windows = content.windows.iter();
    let windows = windows.map(|(key, part)| RegistryOperation::Window(*key, Some(part.clone())));
    agents.chain(quotas).chain(weights).chain(windows)
}
