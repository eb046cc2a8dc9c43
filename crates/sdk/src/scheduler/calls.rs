//! What a scheduler says: one method for each call.
//!
//! A method returns when its call is queued on the connection, which is at once unless very much is queued already. What
//! becomes of it is told by events; when the master refuses it, that is an [`Event::CallFailed`](super::Event). Whoever
//! wants to wait for the master's answer uses [`Calls::send_and_wait`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::v1::scheduler::{Call, call};
use proto::v1::{
    AgentId, ExecutorId, ExecutorInfo, Filters, FrameworkId, FrameworkInfo, KillPolicy, Offer, OfferId,
    OperationId, OperationStatus, Request, TaskGroupInfo, TaskId, TaskInfo, TaskStatus, framework_info,
    offer,
};
use tokio::sync::oneshot;

use crate::encoding::Encoding;
use crate::http::CallError;
use crate::http::pipe::{Pipe, PushError};

/// The calling half of a scheduler; cheap to clone.
#[derive(Clone)]
pub struct Calls {
    encoding: Encoding,
    connection: Arc<Mutex<Option<Connection>>>,
    /// What the next SUBSCRIBE says: what the framework last said about itself.
    profile: Arc<Mutex<call::Subscribe>>,
}

#[derive(Clone)]
struct Connection {
    pipe: Arc<Pipe>,
    framework_id: FrameworkId,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

/// The acknowledgement that a status update asks for; none when it asks for none, having no uuid or no agent.
pub(super) fn acknowledgement(status: &TaskStatus) -> Option<Call> {
    let uuid = status.uuid.clone().filter(|uuid| !uuid.is_empty())?;
    let (agent_id, task_id) = (status.agent_id.clone()?, status.task_id.clone());
    let acknowledge = Some(call::Acknowledge { agent_id, task_id, uuid });
    Some(Call { acknowledge, ..of(call::Type::Acknowledge) })
}

/// The acknowledgement that a status of an operation asks for; none when it asks for none, having no uuid or no id.
pub(super) fn operation_acknowledgement(status: &OperationStatus) -> Option<Call> {
    let acknowledge = call::AcknowledgeOperationStatus {
        agent_id: status.agent_id.clone(),
        resource_provider_id: status.resource_provider_id.clone(),
        uuid: status.uuid.clone()?.value,
        operation_id: status.operation_id.clone()?,
    };
    let acknowledge_operation_status = Some(acknowledge);
    Some(Call { acknowledge_operation_status, ..of(call::Type::AcknowledgeOperationStatus) })
}

impl Calls {
    pub(super) fn new(encoding: Encoding, profile: call::Subscribe) -> Self {
        Self { encoding, connection: Arc::default(), profile: Arc::new(Mutex::new(profile)) }
    }

    pub(super) fn profile(&self) -> MutexGuard<'_, call::Subscribe> {
        self.profile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connect(&self, pipe: Pipe, framework_id: &FrameworkId) {
        let connection = Connection { pipe: Arc::new(pipe), framework_id: framework_id.clone() };
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    pub(super) fn disconnect(&self, reason: &'static str) {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(connection) = connection {
            connection.pipe.linger(reason);
        }
    }

    fn connection(&self, call: &'static str) -> Result<Connection, CallError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.clone().ok_or(CallError::NotSubscribed { call })
    }

    /// The framework's id while it is subscribed.
    #[must_use]
    pub fn framework_id(&self) -> Option<FrameworkId> {
        self.connection("").ok().map(|connection| connection.framework_id)
    }

    /// Queues any call; its framework id is filled in.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn send(&self, call: Call) -> Result<(), CallError> {
        self.queue(call, None).await
    }

    /// Sends any call and waits until the master has accepted or refused it. Accepting is not doing: what comes of it is
    /// told by events.
    ///
    /// # Errors
    /// When the framework is not subscribed, the connection breaks or the master refuses the call.
    pub async fn send_and_wait(&self, call: Call) -> Result<(), CallError> {
        let name = call.r#type().as_str_name();
        let (reply, answer) = oneshot::channel();
        self.queue(call, Some(reply)).await?;
        answer.await.unwrap_or_else(|_| {
            Err(CallError::Unanswered { call: name, reason: "the scheduler ended".to_owned() })
        })
    }

    /// Waits until all calls queued so far have been answered.
    pub async fn flush(&self) {
        if let Ok(connection) = self.connection("") {
            connection.pipe.flush().await;
        }
    }

    async fn queue(
        &self,
        mut call: Call,
        reply: Option<oneshot::Sender<Result<(), CallError>>>,
    ) -> Result<(), CallError> {
        let name = call.r#type().as_str_name();
        let connection = self.connection(name)?;
        call.framework_id = Some(connection.framework_id);
        connection.pipe.push(name, &self.encoding.encode(&call), reply).await
    }

    /// Takes an offer's resources, or those of several offers of one agent, and uses them for `operations`; what is left
    /// returns to the master and stays away for as long as `filters` says.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn accept(
        &self,
        offer_ids: Vec<OfferId>,
        operations: Vec<offer::Operation>,
        filters: Option<Filters>,
    ) -> Result<(), CallError> {
        let accept = call::Accept { offer_ids, operations, filters };
        self.send(Call { accept: Some(accept), ..of(call::Type::Accept) }).await
    }

    /// Launches tasks on offers of one agent. No tasks are as good as a decline.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn launch(
        &self,
        offers: &[Offer],
        tasks: Vec<TaskInfo>,
        refuse_seconds: Option<f64>,
    ) -> Result<(), CallError> {
        let operation = offer::Operation {
            r#type: Some(offer::operation::Type::Launch.into()),
            launch: Some(offer::operation::Launch { task_infos: tasks }),
            ..offer::Operation::default()
        };
        self.accept(ids(offers), vec![operation], filters(refuse_seconds)).await
    }

    /// Launches a group of tasks that start and fail together under `executor`, on offers of one agent.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn launch_group(
        &self,
        offers: &[Offer],
        executor: ExecutorInfo,
        tasks: Vec<TaskInfo>,
        refuse_seconds: Option<f64>,
    ) -> Result<(), CallError> {
        let operation = offer::Operation {
            r#type: Some(offer::operation::Type::LaunchGroup.into()),
            launch_group: Some(offer::operation::LaunchGroup {
                executor,
                task_group: TaskGroupInfo { tasks },
            }),
            ..offer::Operation::default()
        };
        self.accept(ids(offers), vec![operation], filters(refuse_seconds)).await
    }

    /// Returns offers; their resources stay away for `refuse_seconds`, or the master's default of 5 seconds.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn decline(
        &self,
        offer_ids: Vec<OfferId>,
        refuse_seconds: Option<f64>,
    ) -> Result<(), CallError> {
        let decline = call::Decline { offer_ids, filters: filters(refuse_seconds) };
        self.send(Call { decline: Some(decline), ..of(call::Type::Decline) }).await
    }

    /// Says whether the framework will leave agents that are to be maintained, in answer to inverse offers. Operators see it;
    /// nothing else follows. Where the agents are still in use it is asked again after `refuse_seconds`, or the master's
    /// default of 5 seconds.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn answer_inverse_offers(
        &self,
        inverse_offer_ids: Vec<OfferId>,
        accept: bool,
        refuse_seconds: Option<f64>,
    ) -> Result<(), CallError> {
        let filters = filters(refuse_seconds);
        let call = if accept {
            let accept = call::AcceptInverseOffers { inverse_offer_ids, filters };
            Call { accept_inverse_offers: Some(accept), ..of(call::Type::AcceptInverseOffers) }
        } else {
            let decline = call::DeclineInverseOffers { inverse_offer_ids, filters };
            Call { decline_inverse_offers: Some(decline), ..of(call::Type::DeclineInverseOffers) }
        };
        self.send(call).await
    }

    /// Asks for offers again: lifts all filters and suppression, of all roles when none is named.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn revive(&self, roles: Vec<String>) -> Result<(), CallError> {
        self.profile().suppressed_roles.retain(|role| !roles.is_empty() && !roles.contains(role));
        self.send(Call { revive: Some(call::Revive { roles }), ..of(call::Type::Revive) }).await
    }

    /// Asks for no offers until the next revival, for all roles when none is named.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn suppress(&self, roles: Vec<String>) -> Result<(), CallError> {
        self.note_suppressed(&roles);
        self.send(Call { suppress: Some(call::Suppress { roles }), ..of(call::Type::Suppress) }).await
    }

    /// Kills a task; naming its agent lets the master kill what it does not know.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn kill(
        &self,
        task_id: TaskId,
        agent_id: Option<AgentId>,
        kill_policy: Option<KillPolicy>,
    ) -> Result<(), CallError> {
        let kill = call::Kill { task_id, agent_id, kill_policy };
        self.send(Call { kill: Some(kill), ..of(call::Type::Kill) }).await
    }

    /// Shuts down an executor with all its tasks.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn shutdown(&self, executor_id: ExecutorId, agent_id: AgentId) -> Result<(), CallError> {
        let shutdown = call::Shutdown { executor_id, agent_id };
        self.send(Call { shutdown: Some(shutdown), ..of(call::Type::Shutdown) }).await
    }

    /// Acknowledges a status update, if it asks for that. Only for those who switched off that it is done for them.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn acknowledge(&self, status: &TaskStatus) -> Result<(), CallError> {
        match acknowledgement(status) {
            Some(acknowledge) => self.send(acknowledge).await,
            None => Ok(()),
        }
    }

    /// Acknowledges a status of an operation, if it asks for that. Only for those who switched off that it is done for
    /// them.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn acknowledge_operation(&self, status: &OperationStatus) -> Result<(), CallError> {
        match operation_acknowledgement(status) {
            Some(acknowledge) => self.send(acknowledge).await,
            None => Ok(()),
        }
    }

    /// Asks for the states of these tasks, or of all when none is named.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn reconcile(&self, tasks: Vec<(TaskId, Option<AgentId>)>) -> Result<(), CallError> {
        let tasks = tasks
            .into_iter()
            .map(|(task_id, agent_id)| call::reconcile::Task { task_id, agent_id })
            .collect();
        self.send(Call { reconcile: Some(call::Reconcile { tasks }), ..of(call::Type::Reconcile) }).await
    }

    /// Asks for the states of these operations, or of all when none is named.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn reconcile_operations(
        &self,
        operations: Vec<(OperationId, Option<AgentId>)>,
    ) -> Result<(), CallError> {
        let operation = |(operation_id, agent_id)| call::reconcile_operations::Operation {
            operation_id,
            agent_id,
            resource_provider_id: None,
        };
        let reconcile =
            call::ReconcileOperations { operations: operations.into_iter().map(operation).collect() };
        self.send(Call { reconcile_operations: Some(reconcile), ..of(call::Type::ReconcileOperations) }).await
    }

    /// Sends bytes to an executor; whether they arrive is not promised.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn message(
        &self,
        agent_id: AgentId,
        executor_id: ExecutorId,
        data: impl Into<Bytes>,
    ) -> Result<(), CallError> {
        let message = call::Message { agent_id, executor_id, data: data.into() };
        self.send(Call { message: Some(message), ..of(call::Type::Message) }).await
    }

    /// Tells the master's allocator what resources are wanted.
    ///
    /// # Errors
    /// When the framework is not subscribed.
    pub async fn request(&self, requests: Vec<Request>) -> Result<(), CallError> {
        self.send(Call { request: Some(call::Request { requests }), ..of(call::Type::Request) }).await
    }

    /// Ends the framework and waits for the master's answer: its tasks are killed and its id is never valid again.
    ///
    /// # Errors
    /// When the framework is not subscribed, the connection breaks or the master refuses.
    pub async fn teardown(&self) -> Result<(), CallError> {
        self.send_and_wait(of(call::Type::Teardown)).await
    }

    /// Changes the framework's info, and the roles for which it wants no offers; waits for the master's answer.
    ///
    /// # Errors
    /// When the framework is not subscribed, the connection breaks or the master refuses the change.
    pub async fn update_framework(
        &self,
        framework_info: FrameworkInfo,
        suppressed_roles: Vec<String>,
    ) -> Result<(), CallError> {
        let offer_constraints = self.profile().offer_constraints.clone();
        let update = call::UpdateFramework { framework_info, suppressed_roles, offer_constraints };
        let call = Call { update_framework: Some(update.clone()), ..of(call::Type::UpdateFramework) };
        self.send_and_wait(call).await?;
        let mut profile = self.profile();
        let id = profile.framework_info.id.take();
        profile.framework_info = FrameworkInfo { id, ..update.framework_info };
        profile.suppressed_roles = update.suppressed_roles;
        Ok(())
    }

    fn note_suppressed(&self, roles: &[String]) {
        let mut profile = self.profile();
        let profile = &mut *profile;
        let own = own_roles(&profile.framework_info);
        let added = if roles.is_empty() { own } else { roles.to_vec() };
        for role in added {
            if !profile.suppressed_roles.contains(&role) {
                profile.suppressed_roles.push(role);
            }
        }
    }

    /// Whether an acknowledgement needs no more care: it is queued, or the subscription is gone and the agent will send
    /// what it acknowledges again.
    pub(super) fn try_push(&self, acknowledge: &Call) -> bool {
        let name = acknowledge.r#type().as_str_name();
        let Ok(connection) = self.connection(name) else { return true };
        let call = Call { framework_id: Some(connection.framework_id), ..acknowledge.clone() };
        !matches!(connection.pipe.try_push(name, &self.encoding.encode(&call), None), Err(PushError::Full(_)))
    }
}

/// The roles of a framework; one that cannot have several has one, be it the default.
fn own_roles(info: &FrameworkInfo) -> Vec<String> {
    let several = framework_info::capability::Type::MultiRole;
    if info.capabilities.iter().any(|capability| capability.r#type() == several) {
        return info.roles.clone();
    }
    vec![info.role.clone().unwrap_or_else(|| "*".to_owned())]
}

fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Call::default() }
}

fn ids(offers: &[Offer]) -> Vec<OfferId> {
    offers.iter().map(|offer| offer.id.clone()).collect()
}

fn filters(refuse_seconds: Option<f64>) -> Option<Filters> {
    refuse_seconds.map(|refuse_seconds| Filters { refuse_seconds: Some(refuse_seconds) })
}
