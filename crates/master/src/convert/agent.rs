//! Registrations of agents.

use std::sync::Arc;

use base::{AgentId, FrameworkId, Payload, Uuid};
use master_core::{
    AgentCapabilities, AgentInfo, AgentTraits, ArchivedFramework, AttributeValue, FrameworkInfo,
    RegisterAgent, ReregisterAgent,
};
use proto::Message;
use proto::v1::agent_info::Capability;
use proto::v1::agent_info::capability::Type;
use proto::v1::value::Type as ValueType;
use proto::{internal, v0, v1};
use resources::{CheckpointError, Range, Ranges, Scalar, Set};

use super::task::{carried, executor_info, recovered};
use super::{framework_info, payload};
use crate::pb::{self, Writer};

/// The longest description of an agent, in bytes. With its key and how it is to be treated it is a little longer, and some
/// stores take no more than half a megabyte at once.
const LARGEST: usize = 500 << 10;

/// Why a message makes no sense although it is well formed.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// Resources that contradict themselves.
    #[error("invalid resources: {0}")]
    Resources(#[from] wire::ResourceError),
    /// More than can be counted.
    #[error("too many resources: {0}")]
    TooMuch(#[from] wire::Invalid),
    /// The agent remembers changes of resources that it does not have.
    #[error(transparent)]
    Checkpointed(#[from] CheckpointError),
    /// An agent that reregisters has to say who it is.
    #[error("the agent's id is missing")]
    NoId,
    /// Its id names a key of the registry, among others.
    #[error("the agent's id is not valid: {0}")]
    BadId(#[from] base::InvalidId),
    /// Every store of a registry has to take it.
    #[error("the description of the agent takes {0} bytes, more than the {LARGEST} that the registry takes")]
    TooLarge(usize),
    /// Executors belong to frameworks.
    #[error("executor '{0}' does not say whose it is")]
    NoFramework(String),
}

/// `RegisterSlaveMessage`.
pub(crate) fn register(message: internal::RegisterSlaveMessage) -> Result<RegisterAgent, ConvertError> {
    described(
        message.slave,
        &message.checkpointed_resources,
        message.version,
        &message.agent_capabilities,
        message.resource_version_uuid.as_ref(),
    )
}

/// `ReregisterSlaveMessage`.
pub(crate) fn reregister(message: internal::ReregisterSlaveMessage) -> Result<ReregisterAgent, ConvertError> {
    let agent_id = message.slave.id.as_ref().ok_or(ConvertError::NoId)?;
    base::validate_id(&agent_id.value)?;
    let agent_id: AgentId = agent_id.value.as_str().into();
    let agent = described(
        message.slave,
        &message.checkpointed_resources,
        message.version,
        &message.agent_capabilities,
        message.resource_version_uuid.as_ref(),
    )?;
    let executors = message.executor_infos.into_iter().map(|executor| {
        let info = executor_info(executor)?;
        let framework_id = info
            .framework_id
            .clone()
            .ok_or_else(|| ConvertError::NoFramework(info.executor_id.to_string()))?;
        Ok((framework_id, Arc::new(info)))
    });
    Ok(ReregisterAgent {
        agent,
        agent_id,
        frameworks: message.frameworks.into_iter().filter_map(framework).collect(),
        executors: executors.collect::<Result<_, ConvertError>>()?,
        tasks: tasks(message.tasks)?,
        completed_frameworks: message
            .completed_frameworks
            .into_iter()
            .map(|archived| {
                let Some((id, info)) = framework(archived.framework_info) else { return Ok(None) };
                Ok(Some(ArchivedFramework { id, info, tasks: tasks(archived.tasks)? }))
            })
            .filter_map(Result::transpose)
            .collect::<Result<_, ConvertError>>()?,
    })
}

fn tasks(tasks: Vec<v1::Task>) -> Result<Vec<Arc<master_core::Task>>, ConvertError> {
    tasks.into_iter().map(|task| recovered(task).map(Arc::new)).collect()
}

fn framework(info: v1::FrameworkInfo) -> Option<(FrameworkId, Arc<FrameworkInfo>)> {
    let id = info.id.as_ref().map(|id| FrameworkId::from(id.value.as_str()))?;
    Some((id, Arc::new(framework_info(info))))
}

/// What an agent says of itself.
pub(crate) fn agent_info(mut slave: v0::SlaveInfo) -> Result<AgentInfo, ConvertError> {
    slave.id = None;
    let resources = wire::resources_from_proto(&std::mem::take(&mut slave.resources))?;
    Ok(AgentInfo {
        hostname: slave.hostname.clone(),
        port: u16::try_from(slave.port()).unwrap_or_default(),
        traits: Arc::new(traits(&slave)),
        resources,
        body: payload(&slave),
    })
}

/// What an agent said of itself, with its id.
pub(crate) fn agent_info_to_proto(id: &AgentId, info: &AgentInfo) -> v0::SlaveInfo {
    let mut slave: v0::SlaveInfo = carried(info.body.as_bytes());
    slave.id = Some(id.as_str().into());
    slave.resources = wire::resources_to_proto(&info.resources);
    slave
}

/// Whether the registry can take it, in the form in which it writes it; `came` is its size in that of the message. What the
/// registry holds is never refused again: the next master has to be able to read it.
fn fits(came: usize, info: &AgentInfo) -> Result<(), ConvertError> {
    // The forms differ by little, and most are far from the limit.
    if came <= LARGEST / 2 {
        return Ok(());
    }
    let id = AgentId::from("0".repeat(255).as_str());
    let size = agent_info_to_proto(&id, info).encoded_len();
    if size > LARGEST { Err(ConvertError::TooLarge(size)) } else { Ok(()) }
}

fn described(
    slave: v0::SlaveInfo,
    checkpointed: &[v1::Resource],
    version: Option<String>,
    capabilities: &[Capability],
    resource_version: Option<&v1::Uuid>,
) -> Result<RegisterAgent, ConvertError> {
    let came = slave.encoded_len();
    let info = agent_info(slave)?;
    fits(came, &info)?;
    wire::validate_agent_total(&info.resources)?;
    let total = info.resources.with_checkpointed(&wire::resources_from_proto(checkpointed)?)?;
    let mut capabilities_body = Vec::new();
    let mut list = Writer::new(&mut capabilities_body);
    for capability in capabilities {
        list.message(1, capability);
    }
    Ok(RegisterAgent {
        info: Arc::new(info),
        total,
        version: version.unwrap_or_default(),
        capabilities: known(capabilities),
        capabilities_body: capabilities_body.into(),
        resource_version: resource_version.and_then(|uuid| Uuid::from_slice(&uuid.value)),
    })
}

/// What frameworks may choose an agent by.
fn traits(slave: &v0::SlaveInfo) -> AgentTraits {
    let domain = slave.domain.as_ref().and_then(|domain| domain.fault_domain.as_ref());
    let attributes = slave.attributes.iter();
    AgentTraits {
        hostname: slave.hostname.clone(),
        region: domain.map(|domain| domain.region.name.clone()),
        zone: domain.map(|domain| domain.zone.name.clone()),
        attributes: attributes.map(|each| (each.name.clone(), attribute_value(each))).collect(),
    }
}

/// The value of an attribute; an empty one where it does not make sense.
fn attribute_value(attribute: &v1::Attribute) -> AttributeValue {
    match attribute.r#type() {
        ValueType::Scalar => {
            let scalar = attribute.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
            AttributeValue::Scalar(Scalar::from_f64(scalar))
        }
        ValueType::Ranges => {
            let ranges = attribute.ranges.iter().flat_map(|ranges| &ranges.range);
            let ranges = Ranges::new(ranges.map(|range| Range { begin: range.begin, end: range.end }));
            AttributeValue::Ranges(ranges.unwrap_or_default())
        }
        ValueType::Set => {
            let items = attribute.set.iter().flat_map(|set| &set.item);
            AttributeValue::Set(Set::new(items.map(String::as_str)))
        }
        ValueType::Text => {
            AttributeValue::Text(attribute.text.as_ref().map(|text| text.value.clone()).unwrap_or_default())
        }
    }
}

fn known(capabilities: &[Capability]) -> AgentCapabilities {
    let mut known = AgentCapabilities::default();
    for capability in capabilities {
        match capability.r#type() {
            Type::MultiRole => known.multi_role = true,
            Type::ReservationRefinement => known.reservation_refinement = true,
            Type::ResourceProvider => known.resource_provider = true,
            Type::AgentDraining => known.agent_draining = true,
            Type::TaskResourceLimits => known.task_resource_limits = true,
            Type::HierarchicalRole => known.hierarchical_role = true,
            Type::ResizeVolume => known.resize_volume = true,
            Type::AgentOperationFeedback => known.agent_operation_feedback = true,
            Type::Unknown => {}
        }
    }
    known
}

/// An agent's capabilities as it listed them.
pub(crate) fn agent_capabilities_to_proto(body: &Payload) -> Vec<Capability> {
    pb::fields(body.as_bytes())
        .filter(|(field, _)| *field == 1)
        .map(|(_, encoded)| carried(encoded))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_can_name_nothing_is_refused() {
        for id in ["", "..", "a/b", "a\u{1}"] {
            let slave =
                v0::SlaveInfo { id: Some(id.into()), hostname: "h".to_owned(), ..v0::SlaveInfo::default() };
            let message =
                internal::ReregisterSlaveMessage { slave, ..internal::ReregisterSlaveMessage::default() };
            assert!(matches!(reregister(message), Err(ConvertError::BadId(_))), "{id:?}");
        }
    }

    /// What an agent says of itself grows a little when it is written down: that counts, and what is written is read again.
    #[test]
    fn the_registry_takes_what_it_can_read() {
        let long = |bytes: usize| v0::SlaveInfo { hostname: "h".repeat(bytes), ..v0::SlaveInfo::default() };
        let registered = |bytes| described(long(bytes), &[], None, &[], None);
        assert!(registered(LARGEST - 1000).is_ok());
        assert!(matches!(registered(LARGEST - 50), Err(ConvertError::TooLarge(_))));
        assert!(agent_info(long(LARGEST + 1000)).is_ok());
    }
}
