//! Messages to masters. Encoded in the connection's task, not by the core's thread.

use std::net::IpAddr;
use std::sync::Arc;

use agent_core::{FrameworkView, Reregister, ToMaster};
use base::AgentId;
use proto::{FullName, Message, internal, v0, v1};
use resources::Resources;
use transport::Outgoing;

use super::info::{executor_to_proto, framework_to_proto};
use super::operation::{self, uuid};
use super::status::update_to_proto;
use super::task::task_to_proto;

/// What the agent says of itself and what never changes.
#[derive(Clone, Debug)]
pub(crate) struct SelfDescription {
    /// Who sends: `slave(1)`.
    pub(crate) process: Arc<str>,
    /// The agent's whole libprocess address.
    pub(crate) pid: Arc<str>,
    pub(crate) hostname: String,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) resources: Resources,
    pub(crate) attributes: Vec<v1::Attribute>,
    pub(crate) domain: Option<v1::DomainInfo>,
}

impl SelfDescription {
    /// The description that masters get.
    pub(crate) fn v0(&self, agent_id: Option<&AgentId>) -> v0::SlaveInfo {
        v0::SlaveInfo {
            hostname: self.hostname.clone(),
            port: Some(i32::from(self.port)),
            resources: wire::resources_to_proto(&self.resources).into_iter().collect(),
            attributes: self.attributes.clone(),
            domain: self.domain.clone(),
            id: agent_id.map(|id| id.as_str().into()),
            checkpoint: Some(true),
        }
    }

    /// The description that executors and operators get.
    pub(crate) fn v1(&self, agent_id: Option<&AgentId>) -> v1::AgentInfo {
        v1::AgentInfo {
            hostname: self.hostname.clone(),
            port: Some(i32::from(self.port)),
            resources: wire::resources_to_proto(&self.resources).into_iter().collect(),
            attributes: self.attributes.clone(),
            domain: self.domain.clone(),
            id: agent_id.map(|id| id.as_str().into()),
            checkpoint: None,
        }
    }
}

/// What this agent can do, as it tells masters.
pub(crate) fn capabilities() -> Vec<v1::agent_info::Capability> {
    use v1::agent_info::capability::Type;
    let types = [
        Type::MultiRole,
        Type::HierarchicalRole,
        Type::ReservationRefinement,
        Type::ResourceProvider,
        Type::ResizeVolume,
        Type::AgentOperationFeedback,
        Type::AgentDraining,
        Type::TaskResourceLimits,
    ];
    types.map(|kind| v1::agent_info::Capability { r#type: Some(kind.into()) }).to_vec()
}

/// A message on its way to a master.
pub(crate) struct ToMasterMessage {
    pub(crate) own: Arc<SelfDescription>,
    /// The process at the master, such as `master` or `slave-observer(1)`.
    pub(crate) receiver: Arc<str>,
    pub(crate) message: ToMaster,
}

impl Outgoing for ToMasterMessage {
    type Receipt = ();

    fn sender(&self) -> &str {
        &self.own.process
    }

    fn receiver(&self) -> &str {
        &self.receiver
    }

    fn name(&self) -> &str {
        match &self.message {
            ToMaster::Register { .. } => internal::RegisterSlaveMessage::FULL_NAME,
            ToMaster::Reregister(_) => internal::ReregisterSlaveMessage::FULL_NAME,
            ToMaster::UpdateAgent { .. } => internal::UpdateSlaveMessage::FULL_NAME,
            ToMaster::Unregister { .. } => internal::UnregisterSlaveMessage::FULL_NAME,
            ToMaster::StatusUpdate(_) => internal::StatusUpdateMessage::FULL_NAME,
            ToMaster::ExitedExecutor { .. } => internal::ExitedExecutorMessage::FULL_NAME,
            ToMaster::Message { .. } => internal::ExecutorToFrameworkMessage::FULL_NAME,
            ToMaster::OperationStatus(_) => internal::UpdateOperationStatusMessage::FULL_NAME,
            ToMaster::Pong => internal::PongSlaveMessage::FULL_NAME,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        // A vector grows as is needed, so that encoding cannot fail.
        let mut put = |message: &dyn Encode| message.encode_into(out);
        match &self.message {
            ToMaster::Register { checkpointed, resource_version } => put(&internal::RegisterSlaveMessage {
                slave: self.own.v0(None),
                checkpointed_resources: wire::resources_to_proto(checkpointed).into_iter().collect(),
                version: Some(http_api::MESOS_VERSION.to_owned()),
                agent_capabilities: capabilities(),
                resource_version_uuid: Some(uuid(*resource_version)),
            }),
            ToMaster::Reregister(what) => put(&self.reregister(what)),
            ToMaster::UpdateAgent { agent_id, resource_version, operations } => {
                put(&internal::UpdateSlaveMessage {
                    slave_id: agent_id.as_str().into(),
                    update_oversubscribed_resources: Some(false),
                    oversubscribed_resources: Vec::new(),
                    operations: Some(internal::update_slave_message::Operations {
                        operations: operations
                            .iter()
                            .map(|operation| operation::operation_to_proto(operation))
                            .collect(),
                    }),
                    resource_version_uuid: Some(uuid(*resource_version)),
                    resource_providers: Some(internal::update_slave_message::ResourceProviders::default()),
                })
            }
            ToMaster::Unregister { agent_id } => {
                put(&internal::UnregisterSlaveMessage { slave_id: agent_id.as_str().into() });
            }
            ToMaster::StatusUpdate(update) => put(&internal::StatusUpdateMessage {
                update: update_to_proto(update, self.own.ip),
                pid: Some(self.own.pid.to_string()),
            }),
            ToMaster::ExitedExecutor { agent_id, framework_id, executor_id, status } => {
                put(&internal::ExitedExecutorMessage {
                    slave_id: agent_id.as_str().into(),
                    framework_id: framework_id.as_str().into(),
                    executor_id: executor_id.as_str().into(),
                    status: *status,
                });
            }
            ToMaster::Message { agent_id, framework_id, executor_id, data } => {
                put(&internal::ExecutorToFrameworkMessage {
                    slave_id: agent_id.as_str().into(),
                    framework_id: framework_id.as_str().into(),
                    executor_id: executor_id.as_str().into(),
                    data: data.as_bytes().to_vec().into(),
                });
            }
            ToMaster::OperationStatus(update) => put(&operation::update_to_proto(update)),
            ToMaster::Pong => put(&internal::PongSlaveMessage {}),
        }
    }
}

/// Messages of any type, to be appended.
trait Encode {
    fn encode_into(&self, out: &mut Vec<u8>);
}

impl<M: Message> Encode for M {
    fn encode_into(&self, out: &mut Vec<u8>) {
        self.encode_raw(out);
    }
}

impl ToMasterMessage {
    fn reregister(&self, what: &Reregister) -> internal::ReregisterSlaveMessage {
        let own = self.own.ip;
        internal::ReregisterSlaveMessage {
            slave: self.own.v0(Some(&what.agent_id)),
            checkpointed_resources: wire::resources_to_proto(&what.checkpointed).into_iter().collect(),
            executor_infos: what
                .executors
                .iter()
                .map(|(framework_id, info)| {
                    let mut wire = executor_to_proto(info, framework_id, None);
                    wire.framework_id.get_or_insert_with(|| framework_id.as_str().into());
                    wire
                })
                .collect(),
            tasks: what.tasks.iter().map(|task| task_to_proto(task, &what.agent_id, own)).collect(),
            frameworks: what.frameworks.iter().map(|framework| framework_to_proto(framework)).collect(),
            completed_frameworks: what
                .completed_frameworks
                .iter()
                .map(|framework| completed(framework, &what.agent_id, own))
                .collect(),
            version: Some(http_api::MESOS_VERSION.to_owned()),
            agent_capabilities: capabilities(),
            resource_version_uuid: Some(uuid(what.resource_version)),
        }
    }
}

fn completed(framework: &FrameworkView, agent_id: &AgentId, own: IpAddr) -> internal::archive::Framework {
    let executors = framework.executors.iter().chain(&framework.completed_executors);
    internal::archive::Framework {
        framework_info: framework_to_proto(&framework.info),
        pid: None,
        tasks: executors
            .flat_map(|executor| executor.terminated.iter().chain(&executor.completed))
            .map(|task| task_to_proto(task, agent_id, own))
            .collect(),
    }
}
