//! Counters, under the names that Mesos gives them.

use std::collections::BTreeMap;

use crate::operations::OperationCounts;
use crate::types::{Reason, Source, TaskState};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident $name:literal,)+) => {
        /// What has been counted since the start.
        #[derive(Clone, Default, Debug, PartialEq, Eq)]
        pub struct Metrics {
            $($(#[$doc])* pub $field: u64,)+
            /// Tasks that came to a terminal state for a reason, by state, source and reason number.
            pub task_reasons: BTreeMap<(TaskState, Option<Source>, Reason), u64>,
            /// Operations, by kind and state.
            pub operations: OperationCounts,
        }

        impl Metrics {
            /// Each counter with its name, such as `master/messages_kill_task`.
            pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($name, self.$field),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Messages that were not acted upon.
    dropped_messages "master/dropped_messages",
    /// New subscriptions.
    messages_register_framework "master/messages_register_framework",
    /// Subscriptions with an id.
    messages_reregister_framework "master/messages_reregister_framework",
    /// TEARDOWN.
    messages_unregister_framework "master/messages_unregister_framework",
    /// LAUNCH operations.
    messages_launch_tasks "master/messages_launch_tasks",
    /// DECLINE, and LAUNCH operations without a task.
    messages_decline_offers "master/messages_decline_offers",
    /// REVIVE.
    messages_revive_offers "master/messages_revive_offers",
    /// SUPPRESS.
    messages_suppress_offers "master/messages_suppress_offers",
    /// REQUEST.
    messages_resource_request "master/messages_resource_request",
    /// KILL.
    messages_kill_task "master/messages_kill_task",
    /// ACKNOWLEDGE.
    messages_status_update_acknowledgement "master/messages_status_update_acknowledgement",
    /// ACKNOWLEDGE_OPERATION_STATUS.
    messages_operation_status_update_acknowledgement "master/messages_operation_status_update_acknowledgement",
    /// RECONCILE.
    messages_reconcile_tasks "master/messages_reconcile_tasks",
    /// RECONCILE_OPERATIONS.
    messages_reconcile_operations "master/messages_reconcile_operations",
    /// MESSAGE.
    messages_framework_to_executor "master/messages_framework_to_executor",
    /// MESSAGE that was sent on.
    valid_framework_to_executor_messages "master/valid_framework_to_executor_messages",
    /// MESSAGE that was dropped.
    invalid_framework_to_executor_messages "master/invalid_framework_to_executor_messages",
    /// `RegisterSlaveMessage`.
    messages_register_agent "master/messages_register_slave",
    /// `ReregisterSlaveMessage`.
    messages_reregister_agent "master/messages_reregister_slave",
    /// `UnregisterSlaveMessage`.
    messages_unregister_agent "master/messages_unregister_slave",
    /// `UpdateSlaveMessage`.
    messages_update_agent "master/messages_update_slave",
    /// `StatusUpdateMessage`.
    messages_status_update "master/messages_status_update",
    /// `UpdateOperationStatusMessage`.
    messages_operation_status_update "master/messages_operation_status_update",
    /// `ExitedExecutorMessage`.
    messages_exited_executor "master/messages_exited_executor",
    /// `ExecutorToFrameworkMessage`.
    messages_executor_to_framework "master/messages_executor_to_framework",
    /// `ExecutorToFrameworkMessage` that was sent on.
    valid_executor_to_framework_messages "master/valid_executor_to_framework_messages",
    /// `ExecutorToFrameworkMessage` that was dropped.
    invalid_executor_to_framework_messages "master/invalid_executor_to_framework_messages",
    /// Statuses of known tasks for connected frameworks.
    valid_status_updates "master/valid_status_updates",
    /// All other statuses.
    invalid_status_updates "master/invalid_status_updates",
    /// Acknowledgements that were sent on.
    valid_status_update_acknowledgements "master/valid_status_update_acknowledgements",
    /// Acknowledgements that were dropped.
    invalid_status_update_acknowledgements "master/invalid_status_update_acknowledgements",
    /// Statuses of known operations.
    valid_operation_status_updates "master/valid_operation_status_updates",
    /// All other statuses of operations.
    invalid_operation_status_updates "master/invalid_operation_status_updates",
    /// Acknowledgements of operations that were sent on.
    valid_operation_status_update_acknowledgements "master/valid_operation_status_update_acknowledgements",
    /// Acknowledgements of operations that were dropped.
    invalid_operation_status_update_acknowledgements "master/invalid_operation_status_update_acknowledgements",
    /// Agents that registered.
    agent_registrations "master/slave_registrations",
    /// Agents that reregistered.
    agent_reregistrations "master/slave_reregistrations",
    /// Agents that were removed.
    agent_removals "master/slave_removals",
    /// ... because a new agent came to the same address.
    agent_removals_registered "master/slave_removals/reason_registered",
    /// ... because they did not answer.
    agent_removals_unhealthy "master/slave_removals/reason_unhealthy",
    /// ... because they asked for it.
    agent_removals_unregistered "master/slave_removals/reason_unregistered",
    /// Agents about to be marked unreachable.
    agent_unreachable_scheduled "master/slave_unreachable_scheduled",
    /// Agents that were marked unreachable.
    agent_unreachable_completed "master/slave_unreachable_completed",
    /// Agents that answered in the last moment.
    agent_unreachable_canceled "master/slave_unreachable_canceled",
    /// Agents that did not come back to this master after it took over.
    recovery_agent_removals "master/recovery_slave_removals",
    /// Tasks that finished.
    tasks_finished "master/tasks_finished",
    /// Tasks that failed.
    tasks_failed "master/tasks_failed",
    /// Tasks that were killed.
    tasks_killed "master/tasks_killed",
    /// Tasks that were lost.
    tasks_lost "master/tasks_lost",
    /// Tasks with a wrong description.
    tasks_error "master/tasks_error",
    /// Tasks that were dropped.
    tasks_dropped "master/tasks_dropped",
    /// Tasks that their agent does not know.
    tasks_gone "master/tasks_gone",
    /// Tasks on agents that were declared gone.
    tasks_gone_by_operator "master/tasks_gone_by_operator",
    /// Allocation passes.
    allocation_runs "allocator/mesos/allocation_runs",
}

impl Metrics {
    /// Counts a task that came to a terminal state; others are counted when asked for.
    pub(crate) fn task_ended(&mut self, state: TaskState, source: Option<Source>, reason: Option<Reason>) {
        let counter = match state {
            TaskState::Finished => &mut self.tasks_finished,
            TaskState::Failed => &mut self.tasks_failed,
            TaskState::Killed => &mut self.tasks_killed,
            TaskState::Lost => &mut self.tasks_lost,
            TaskState::Error => &mut self.tasks_error,
            TaskState::Dropped => &mut self.tasks_dropped,
            TaskState::Gone => &mut self.tasks_gone,
            TaskState::GoneByOperator => &mut self.tasks_gone_by_operator,
            TaskState::Starting
            | TaskState::Running
            | TaskState::Staging
            | TaskState::Killing
            | TaskState::Unreachable
            | TaskState::Unknown => return,
        };
        *counter += 1;
        if let Some(reason) = reason {
            *self.task_reasons.entry((state, source, reason)).or_default() += 1;
        }
    }
}
