//! Which operations there are, as asked by schedulers and as told by agents.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, Uuid};

use super::books;
use crate::core::{MasterCore, send, send_agent};
use crate::output::{Output, SchedulerEvent, ToAgent};
use crate::types::{Framework, Operation, OperationState, OperationStatus};

/// RECONCILE_OPERATIONS.
pub(crate) fn reconcile(
    core: &mut MasterCore,
    id: &FrameworkId,
    operations: Vec<(OperationId, Option<AgentId>)>,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_reconcile_operations += 1;
    let Some(framework) = core.frameworks.get(id) else { return };
    let mut tell = |status| send(framework, SchedulerEvent::UpdateOperationStatus(Arc::new(status)), out);
    if operations.is_empty() {
        framework
            .operations
            .keys()
            .filter_map(|uuid| find(core, framework, *uuid))
            .map(newest)
            .for_each(&mut tell);
    }
    for (operation_id, agent_id) in operations {
        let known = framework.operation_ids.get(&operation_id).and_then(|uuid| find(core, framework, *uuid));
        tell(known.map_or_else(|| unknown(core, operation_id, agent_id), newest));
    }
}

fn find<'a>(core: &'a MasterCore, framework: &Framework, uuid: Uuid) -> Option<&'a Operation> {
    let agent = core.agents.get(framework.operations.get(&uuid)?)?;
    agent.operations.get(&uuid).map(AsRef::as_ref)
}

/// What the scheduler has been told last, or would have been. There is no agent that would repeat this, so that it is
/// not to be acknowledged.
fn newest(operation: &Operation) -> OperationStatus {
    let status = operation.statuses.last().unwrap_or(&operation.latest_status);
    OperationStatus { uuid: None, body: None, ..OperationStatus::clone(status) }
}

/// The master does not know the operation; what it knows of the agent still says something.
fn unknown(core: &MasterCore, operation_id: OperationId, agent_id: Option<AgentId>) -> OperationStatus {
    let (state, message) = match &agent_id {
        Some(agent) if core.agents.registered.contains_key(agent) => {
            (OperationState::Unknown, "Reconciliation: Operation is unknown")
        }
        Some(agent) if core.agents.recovered.contains_key(agent) => {
            (OperationState::Recovering, "Reconciliation: Agent is recovered but has not re-registered")
        }
        Some(agent) if core.agents.unreachable.contains_key(agent) => {
            (OperationState::Unreachable, "Reconciliation: Agent is unreachable")
        }
        Some(agent) if core.agents.gone.contains_key(agent) => {
            (OperationState::GoneByOperator, "Reconciliation: Agent marked gone by operator")
        }
        Some(_) => (OperationState::Unknown, "Reconciliation: Both operation and agent are unknown"),
        None => {
            (OperationState::Unknown, "Reconciliation: Operation is unknown and no 'agent_id' was provided")
        }
    };
    OperationStatus {
        operation_id: Some(operation_id),
        state,
        message: Some(message.to_owned()),
        uuid: None,
        agent_id,
        body: None,
    }
}

/// An agent has told which operations it knows. Those that the master does not know are entered: another master sent
/// them. Not so those whose end was acknowledged while the agent told of them: it forgets them without a further word, or
/// repeats their status if it was not reached. Those that only the master knows may be on their way or lost, and the agent is
/// asked about them.
pub(crate) fn reported(
    core: &mut MasterCore,
    agent_id: &AgentId,
    operations: Vec<Arc<Operation>>,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(agent_id) else { return };
    let told: BTreeSet<Uuid> = operations.iter().map(|operation| operation.uuid).collect();
    let missing: Vec<Uuid> = agent.operations.keys().filter(|uuid| !told.contains(uuid)).copied().collect();
    if !missing.is_empty() {
        send_agent(agent, ToAgent::ReconcileOperations(missing), out);
    }
    for operation in operations {
        let known = |agent: &Arc<_>| -> bool { known(agent, operation.uuid) };
        if !core.agents.get(agent_id).is_some_and(known) && !is_over(core, agent_id, &operation) {
            let operation = Arc::unwrap_or_clone(operation);
            books::add(core, Operation { agent_id: agent_id.clone(), ..operation });
        }
    }
}

fn is_over(core: &MasterCore, agent_id: &AgentId, operation: &Operation) -> bool {
    let framework = operation.framework_id.as_ref();
    operation.latest_status.state.is_terminal()
        && framework.is_some_and(|id| core.agents.has_acknowledged(agent_id, id, operation.uuid))
}

fn known(agent: &Arc<crate::types::Agent>, uuid: Uuid) -> bool {
    agent.operations.contains_key(&uuid)
}
