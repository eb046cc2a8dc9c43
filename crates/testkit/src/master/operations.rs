//! Operations on resources, as short as a scenario wants them, and an agent that carries them out.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, Payload, Uuid};
use master_core::{
    AcceptOperation, FromAgent, Operation, OperationState, OperationStatus, Pid, SchedulerEvent, ToAgent,
    UpdateOperation,
};
use resources::{
    Details, Disk, Mode, Operation as Info, Persistence, Reservation, Resource, Resources, Scalar, Volume,
};

use super::{Master, Scheduler, resources};

/// Resources that are reserved dynamically for a role.
#[must_use]
pub fn reserved(text: &str, role: &str) -> Resources {
    resources(text).map(|resource| resource.clone().reserved_by(Reservation::dynamic(role.into(), None)))
}

/// A persistent volume on a disk that is reserved for a role. Tasks see it as `data`.
#[must_use]
pub fn volume(mb: i64, role: &str, id: &str) -> Resource {
    let disk = Disk {
        source: None,
        persistence: Some(Persistence { id: id.into(), principal: None }),
        volume: Some(Volume {
            container_path: "data".into(),
            host_path: None,
            mode: Mode::ReadWrite,
            body: Payload::default(),
        }),
    };
    let reservations = vec![Reservation::dynamic(role.into(), None)];
    Resource::scalar("disk", Scalar::whole(mb)).with_details(Details {
        reservations,
        disk: Some(disk),
        ..Details::default()
    })
}

/// The same volume, for several tasks at once.
#[must_use]
pub fn shared(volume: Resource) -> Resource {
    let details = Details { shared: true, ..volume.details().clone() };
    volume.with_details(details)
}

fn each(resources: &Resources) -> Vec<Resource> {
    resources.iter().cloned().collect()
}

/// RESERVE.
#[must_use]
pub fn reserve(reserved: &Resources) -> Info {
    Info::Reserve { source: Vec::new(), resources: each(reserved) }
}

/// UNRESERVE.
#[must_use]
pub fn unreserve(reserved: &Resources) -> Info {
    Info::Unreserve { resources: each(reserved) }
}

/// CREATE.
#[must_use]
pub fn create(volume: &Resource) -> Info {
    Info::Create { volumes: vec![volume.clone()] }
}

/// DESTROY.
#[must_use]
pub fn destroy(volume: &Resource) -> Info {
    Info::Destroy { volumes: vec![volume.clone()] }
}

/// An operation of an ACCEPT, without a name of its own.
#[must_use]
pub fn apply(operation: Info) -> AcceptOperation {
    AcceptOperation::Apply { id: None, kind: operation.kind(), operation: Ok(operation) }
}

/// An operation of an ACCEPT, of which the scheduler wants to hear.
#[must_use]
pub fn apply_as(id: &str, operation: Info) -> AcceptOperation {
    AcceptOperation::Apply { id: Some(id.into()), kind: operation.kind(), operation: Ok(operation) }
}

/// An operation that reached an agent.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Whose.
    pub framework_id: Option<FrameworkId>,
    /// Its name.
    pub id: Option<OperationId>,
    /// What.
    pub operation: Arc<Info>,
    /// Under which name master and agent know it.
    pub uuid: Uuid,
    /// Which version of the agent's resources it is meant for.
    pub resource_version: Uuid,
}

impl Applied {
    /// The operation from the message that brought it.
    #[must_use]
    pub fn from_message(message: &ToAgent) -> Option<Self> {
        match message {
            ToAgent::ApplyOperation { framework_id, id, operation, uuid, resource_version } => Some(Self {
                framework_id: framework_id.clone(),
                id: id.clone(),
                operation: Arc::clone(operation),
                uuid: *uuid,
                resource_version: *resource_version,
            }),
            _ => None,
        }
    }

    /// How it stands, as its agent tells; to be acknowledged if the operation has a name, with a uuid made of `mark`.
    #[must_use]
    pub fn status(&self, agent_id: &AgentId, state: OperationState, mark: u8) -> FromAgent {
        let status = self.newest(agent_id, state, mark);
        FromAgent::OperationStatus(Box::new(UpdateOperation {
            agent_id: Some(agent_id.clone()),
            framework_id: self.framework_id.clone(),
            operation_uuid: Some(self.uuid),
            latest_status: Some(status.clone()),
            status,
        }))
    }

    fn newest(&self, agent_id: &AgentId, state: OperationState, mark: u8) -> OperationStatus {
        OperationStatus {
            operation_id: self.id.clone(),
            state,
            message: None,
            uuid: self.id.as_ref().map(|_| Uuid::from_bytes([mark; 16])),
            agent_id: Some(agent_id.clone()),
            body: Some(Payload::from(vec![mark])),
        }
    }

    /// The operation as its agent describes it to a master.
    #[must_use]
    pub fn described(&self, agent_id: &AgentId, state: OperationState, mark: u8) -> Operation {
        let status = Arc::new(self.newest(agent_id, state, mark));
        Operation {
            uuid: self.uuid,
            id: self.id.clone(),
            framework_id: self.framework_id.clone(),
            agent_id: agent_id.clone(),
            info: Arc::clone(&self.operation),
            latest_status: Arc::clone(&status),
            statuses: vec![status],
        }
    }
}

impl Master {
    /// The operations among the messages to an agent; all other messages are off the record, too.
    pub fn operations_to(&mut self, pid: &Pid) -> Vec<Applied> {
        self.messages_to(pid).iter().filter_map(Applied::from_message).collect()
    }

    /// The next event, which is a status of an operation in `state`.
    ///
    /// # Panics
    /// If it is not.
    pub fn expect_operation(
        &mut self,
        scheduler: &Scheduler,
        id: &str,
        state: OperationState,
    ) -> Arc<OperationStatus> {
        match self.next_event(scheduler) {
            Some(SchedulerEvent::UpdateOperationStatus(status))
                if status.state == state
                    && status.operation_id.as_ref().is_some_and(|of| of.as_str() == id) =>
            {
                status
            }
            other => panic!("{id} is not {} but {other:?}", state.name()),
        }
    }
}
