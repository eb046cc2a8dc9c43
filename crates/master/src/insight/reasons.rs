//! What the reasons of task statuses mean, for people, and what they can do.

use master_core::TaskState;
use proto::v1::task_status::Reason;

/// What a reason means, and what helps, where there is something.
pub(super) fn reason(reason: Reason) -> (&'static str, Option<&'static str>) {
    match reason {
        Reason::ContainerLaunchFailed => (
            "Its container could not be launched.",
            Some(
                "The message says why; the agent's log has the details. A URI that cannot be fetched is a common cause.",
            ),
        ),
        Reason::ContainerLimitation => ("It used more than its container may.", None),
        Reason::ContainerLimitationDisk => (
            "It wrote more to its sandbox than its disk resource allows.",
            Some("Give it more disk, or have it write less."),
        ),
        Reason::ContainerLimitationMemory => (
            "It used more memory than it has, and the kernel ended it.",
            Some("Give it more memory, or have it use less."),
        ),
        Reason::ContainerPreempted => ("Its revocable resources were wanted back.", None),
        Reason::ContainerUpdateFailed => ("The limits of its container could not be changed.", None),
        Reason::MaxCompletionTimeReached => {
            ("It ran longer than its framework lets it.", Some("Raise its max_completion_time."))
        }
        Reason::ExecutorRegistrationTimeout => (
            "Its executor did not register with the agent in time.",
            Some("Look into the executor's stderr. The agent waits --executor_registration_timeout."),
        ),
        Reason::ExecutorReregistrationTimeout => {
            ("Its executor did not come back in time after the agent was restarted.", None)
        }
        Reason::ExecutorTerminated => {
            ("Its executor ended.", Some("Look into stdout and stderr of its sandbox."))
        }
        Reason::ExecutorUnregistered => ("Its executor said goodbye.", None),
        Reason::CommandExecutorFailed => ("Its command could not be run.", None),
        Reason::FrameworkRemoved => ("Its framework was removed, and its tasks with it.", None),
        Reason::GcError => ("The agent could not make room for it.", None),
        Reason::InvalidFrameworkid => ("Its framework's id is not valid.", None),
        Reason::InvalidOffers => (
            "The offers it was launched on were gone by then.",
            Some("The framework should launch it again on a new offer. It may hold offers for too long."),
        ),
        Reason::IoSwitchboardExited => ("The server of its container's input and output ended.", None),
        Reason::MasterDisconnected => ("The scheduler was not connected to a master.", None),
        Reason::Reconciliation => ("The framework asked how it stands, and this is the answer.", None),
        Reason::ResourcesUnknown => ("The agent does not have the resources that it was launched on.", None),
        Reason::AgentDisconnected => (
            "The connection to its agent broke, and its framework keeps no checkpoints.",
            Some("Frameworks with checkpoint=true keep their tasks over this."),
        ),
        Reason::AgentDraining => ("Its agent is being drained.", None),
        Reason::AgentRemoved => (
            "Its agent did not answer for too long and was removed.",
            Some(
                "See whether the agent's machine and its network are well. If the agent comes back, so does the task.",
            ),
        ),
        Reason::AgentRemovedByOperator => ("An operator said that its agent is gone for good.", None),
        Reason::AgentReregistered => ("Its agent came back.", None),
        Reason::AgentRestarted => ("Its agent was restarted and had forgotten it.", None),
        Reason::AgentUnknown => ("The master does not know its agent.", None),
        Reason::TaskKilledDuringLaunch => ("It was killed before it ran.", None),
        Reason::TaskCheckStatusUpdated => ("The result of its check changed.", None),
        Reason::TaskHealthCheckStatusUpdated => ("The result of its health check changed.", None),
        Reason::TaskGroupInvalid | Reason::TaskInvalid => {
            ("Its description is not valid.", Some("The message says what is wrong with it."))
        }
        Reason::TaskGroupUnauthorized | Reason::TaskUnauthorized => {
            ("Its framework may not launch it.", None)
        }
        Reason::TaskUnknown => ("Nobody knows of it any more.", None),
    }
}

/// What a state means.
pub(super) fn state(state: TaskState) -> &'static str {
    match state {
        TaskState::Staging => {
            "It is on its way: the master has sent it to its agent, which has not told of it yet."
        }
        TaskState::Starting => "Its executor has it and prepares it.",
        TaskState::Running => "It runs.",
        TaskState::Killing => "It is being killed: it has been asked to end and has its grace period.",
        TaskState::Finished => "It ended by itself, with success.",
        TaskState::Failed => "It ended by itself, without success.",
        TaskState::Killed => "It was killed because somebody asked for it.",
        TaskState::Error => "It was never launched: something is wrong with its description.",
        TaskState::Lost => "It is lost: it does not run any more, or never did.",
        TaskState::Dropped => "It was never launched: something passing was in the way.",
        TaskState::Unreachable => "Its agent does not answer. It may still run.",
        TaskState::Gone => "Its agent says that it does not run any more.",
        TaskState::GoneByOperator => "An operator says that it does not run any more.",
        TaskState::Unknown => "Nobody knows of it.",
    }
}
