//! What schedulers and operators ask for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use allocator::Quota;
use base::{AgentId, ExecutorId, FrameworkId, OfferId, OperationId, Payload, TaskId, Uuid};
use resources::{Name, Operation, OperationKind, Role, Scalar};

use crate::types::{DrainConfig, ExecutorInfo, FrameworkInfo, MachineId, OfferConstraints, TaskInfo, Window};

/// A task whose description alone already shows that it is wrong.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusedTask {
    /// Its id, as given.
    pub task_id: TaskId,
    /// Its agent, as given.
    pub agent_id: AgentId,
    /// What is wrong, in one line.
    pub message: String,
}

/// What to do with the resources of accepted offers.
#[derive(Clone, PartialEq, Debug)]
pub enum AcceptOperation {
    /// Launch tasks, each on its own. Executors without a `framework_id` have been given the caller's.
    Launch(Vec<Result<Arc<TaskInfo>, RefusedTask>>),
    /// Launch tasks together in one executor; `Err` if the group's description is wrong in itself.
    LaunchGroup {
        /// The executor.
        executor: Arc<ExecutorInfo>,
        /// The tasks. Their own `executor` is `None`, and no part of their bodies; in messages to the agent the server
        /// repeats the group's executor in each, as Mesos does.
        tasks: Vec<Arc<TaskInfo>>,
        /// What is wrong with the group as described, in one line.
        refused: Option<String>,
    },
    /// Change resources.
    Apply {
        /// By which the scheduler wants to hear of it.
        id: Option<OperationId>,
        /// Of which kind the operation is.
        kind: OperationKind,
        /// What to do, with resources allocated as the scheduler says or not at all; or what is wrong with these
        /// resources in themselves, in one line.
        operation: Result<Operation, String>,
    },
}

/// A call of a subscribed scheduler.
#[derive(Clone, PartialEq, Debug)]
pub enum SchedulerCall {
    /// Ends the framework and all its tasks.
    Teardown,
    /// Uses offers.
    Accept {
        /// Which.
        offer_ids: Vec<OfferId>,
        /// For what.
        operations: Vec<AcceptOperation>,
        /// How long what is left shall not be offered again.
        refuse: Duration,
    },
    /// Gives offers back.
    Decline {
        /// Which.
        offer_ids: Vec<OfferId>,
        /// How long they shall not be offered again.
        refuse: Duration,
    },
    /// Says whether it will leave agents that are to be maintained. It is shown to operators.
    AnswerInverseOffers {
        /// Which inverse offers it answers.
        offer_ids: Vec<OfferId>,
        /// Whether it will leave.
        accepted: bool,
        /// How long it does not want to be asked again.
        refuse: Duration,
    },
    /// Wants offers again, for these roles or for all (empty).
    Revive(Vec<Role>),
    /// Wants no offers, for these roles or for all (empty).
    Suppress(Vec<Role>),
    /// Ends a task.
    Kill {
        /// Which.
        task_id: TaskId,
        /// Where the scheduler believes it to be.
        agent_id: Option<AgentId>,
        /// Encoded `mesos.v1.KillPolicy`.
        kill_policy: Option<Payload>,
    },
    /// Ends an executor.
    Shutdown {
        /// Which.
        executor_id: ExecutorId,
        /// Where.
        agent_id: AgentId,
    },
    /// Has taken note of a status.
    Acknowledge {
        /// From where.
        agent_id: AgentId,
        /// Of which task.
        task_id: TaskId,
        /// Which status.
        uuid: Uuid,
    },
    /// Has taken note of an operation's status.
    AcknowledgeOperationStatus {
        /// Of which operation.
        operation_id: OperationId,
        /// From where.
        agent_id: Option<AgentId>,
        /// Which status.
        uuid: Uuid,
    },
    /// Asks how tasks stand: these, or all of its own (empty).
    Reconcile(Vec<(TaskId, Option<AgentId>)>),
    /// Asks how operations stand: these, or all of its own (empty).
    ReconcileOperations(Vec<(OperationId, Option<AgentId>)>),
    /// Sends bytes to an executor.
    Message {
        /// Where.
        agent_id: AgentId,
        /// To which.
        executor_id: ExecutorId,
        /// What.
        data: Payload,
    },
    /// Tells what it would like to be offered; noted only.
    Request,
}

impl SchedulerCall {
    /// The call's name, as it is written in logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Teardown => "TEARDOWN",
            Self::Accept { .. } => "ACCEPT",
            Self::Decline { .. } => "DECLINE",
            Self::AnswerInverseOffers { accepted: true, .. } => "ACCEPT_INVERSE_OFFERS",
            Self::AnswerInverseOffers { accepted: false, .. } => "DECLINE_INVERSE_OFFERS",
            Self::Revive(_) => "REVIVE",
            Self::Suppress(_) => "SUPPRESS",
            Self::Kill { .. } => "KILL",
            Self::Shutdown { .. } => "SHUTDOWN",
            Self::Acknowledge { .. } => "ACKNOWLEDGE",
            Self::AcknowledgeOperationStatus { .. } => "ACKNOWLEDGE_OPERATION_STATUS",
            Self::Reconcile(_) => "RECONCILE",
            Self::ReconcileOperations(_) => "RECONCILE_OPERATIONS",
            Self::Message { .. } => "MESSAGE",
            Self::Request => "REQUEST",
        }
    }
}

/// A call that changes something and waits for its answer: those of operators, and UPDATE_FRAMEWORK.
#[derive(Clone, PartialEq, Debug)]
pub enum OperatorCall {
    /// A scheduler changes what it says of itself.
    UpdateFramework {
        /// Which.
        framework_id: FrameworkId,
        /// What it says now.
        info: Box<FrameworkInfo>,
        /// For which of its roles it wants no offers.
        suppressed_roles: Vec<Role>,
        /// Of which agents it wants offers, or what is wrong with that.
        offer_constraints: Result<Arc<OfferConstraints>, String>,
    },
    /// Ends a framework and all its tasks.
    Teardown(FrameworkId),
    /// Ends one task, as its framework's KILL does. Mesos has no such call.
    KillTask {
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
    },
    /// Declares an agent gone for ever.
    MarkAgentGone(AgentId),
    /// Ends an agent's tasks and offers nothing of it.
    DrainAgent {
        /// Which.
        agent_id: AgentId,
        /// How.
        config: DrainConfig,
    },
    /// Offers nothing of an agent.
    DeactivateAgent(AgentId),
    /// Ends draining and deactivation.
    ReactivateAgent(AgentId),
    /// Sets weights of roles.
    UpdateWeights(Vec<(Role, f64)>),
    /// Sets guarantees and limits of roles; empty ones take the quota of a role away.
    UpdateQuota {
        /// Of which roles, and how much.
        quotas: Vec<(Role, Quota)>,
        /// Even if a role already takes more than its limit, or there is not enough for all guarantees.
        force: bool,
    },
    /// Sets what is guaranteed to a role that has no quota yet, which is also all that it may have.
    SetQuota {
        /// Which role.
        role: Role,
        /// How much.
        guarantee: BTreeMap<Name, Scalar>,
        /// Even if there is not enough for all guarantees.
        force: bool,
    },
    /// Takes the quota of a role away.
    RemoveQuota(Role),
    /// Sets when which machines are to be maintained, instead of what was set before.
    UpdateMaintenanceSchedule(Vec<Window>),
    /// Takes machines that are in the schedule out of the cluster.
    StartMaintenance(Vec<MachineId>),
    /// Lets machines that are down come back, and takes them out of the schedule.
    StopMaintenance(Vec<MachineId>),
    /// Changes resources of an agent that nobody uses; offers of them are withdrawn.
    ApplyOperation {
        /// Of which agent.
        agent_id: AgentId,
        /// What to do.
        operation: Operation,
        /// Who wants it.
        principal: Option<Arc<str>>,
    },
}

/// Why an operator's call was refused: what is answered, in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorError {
    /// Status 400.
    BadRequest(String),
    /// Status 403.
    Forbidden(String),
    /// Status 404.
    NotFound(String),
    /// Status 409.
    Conflict(String),
    /// Status 503: not now.
    Unavailable(String),
}
