//! Why a task is in its state, in words for people, and what they can do: from what was told of it, and from what is known of its
//! agent and its framework. The master's answers and the command line tell it with the same words.

use proto::v1::task_status::{Reason, Source};
use proto::v1::{TaskState, TaskStatus};

/// What is known beside what was told of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Around {
    /// Its agent.
    pub agent: TasksAgent,
    /// Whether its scheduler is not connected.
    pub scheduler_is_away: bool,
    /// Whether its scheduler has had the newest status for long and not acknowledged it.
    pub is_unacknowledged: bool,
}

/// How the agent of a task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TasksAgent {
    /// Nothing special is known of it.
    Fine,
    /// Its connection is broken.
    Disconnected,
    /// It is being drained.
    Draining,
    /// The master does not list it.
    Unknown,
}

/// Sentences.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Explained {
    /// Why.
    pub why: Vec<String>,
    /// What helps.
    pub help: Vec<String>,
}

/// Why a task is in this state.
#[must_use]
pub fn explain(task_state: TaskState, statuses: &[TaskStatus], around: Around) -> Explained {
    let mut explained = Explained { why: vec![state(task_state).to_owned()], help: Vec::new() };
    let told = statuses.iter().rev().find(|status| status.state() == task_state);
    if let Some(status) = told.or(statuses.last()) {
        explained.add_status(status);
    }
    if !is_over(task_state) {
        explained.add_surroundings(around);
    }
    if around.is_unacknowledged {
        explained.why.push("Its scheduler has not acknowledged the newest status yet.".to_owned());
        explained.help.push("A scheduler that does not acknowledge gets the same status again and again; see whether it is well.".to_owned());
    }
    if task_state == TaskState::TaskFailed && explained.help.is_empty() {
        explained.help.push("Look into stdout and stderr of its sandbox.".to_owned());
    }
    explained
}

impl Explained {
    fn add_status(&mut self, status: &TaskStatus) {
        if status.reason.is_some() {
            let (meaning, helps) = reason(status.reason());
            self.why.push(meaning.to_owned());
            self.help.extend(helps.map(str::to_owned));
        }
        if let Some(message) = status.message.as_deref().filter(|message| !message.is_empty()) {
            let source = status.source.map(|_| source(status.source()));
            self.why.push(format!("{} says: {message}", source.unwrap_or("Its status")));
        }
        if status.healthy == Some(false) {
            self.why.push("Its health check fails.".to_owned());
        }
    }

    fn add_surroundings(&mut self, around: Around) {
        let agent = match around.agent {
            TasksAgent::Fine => None,
            TasksAgent::Unknown => Some("Its agent is not registered now."),
            TasksAgent::Disconnected => {
                self.help.push("`meseta doctor` says what is wrong with the agent.".to_owned());
                Some("The connection to its agent is broken; the master waits for the agent to come back.")
            }
            TasksAgent::Draining => Some("Its agent is being drained, so that it will be killed."),
        };
        self.why.extend(agent.map(str::to_owned));
        if around.scheduler_is_away {
            self.why.push("Its scheduler is away.".to_owned());
            self.help.push("Start the scheduler of its framework anew, or end the framework with `meseta framework teardown`.".to_owned());
        }
    }
}

fn is_over(state: TaskState) -> bool {
    use TaskState as S;
    !matches!(
        state,
        S::TaskStaging
            | S::TaskStarting
            | S::TaskRunning
            | S::TaskKilling
            | S::TaskUnreachable
            | S::TaskUnknown
    )
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Master => "The master",
        Source::Agent => "The agent",
        Source::Executor => "The executor",
    }
}

/// What a reason means, and what helps, where there is something.
fn reason(reason: Reason) -> (&'static str, Option<&'static str>) {
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
fn state(state: TaskState) -> &'static str {
    match state {
        TaskState::TaskStaging => {
            "It is on its way: the master has sent it to its agent, which has not told of it yet."
        }
        TaskState::TaskStarting => "Its executor has it and prepares it.",
        TaskState::TaskRunning => "It runs.",
        TaskState::TaskKilling => "It is being killed: it has been asked to end and has its grace period.",
        TaskState::TaskFinished => "It ended by itself, with success.",
        TaskState::TaskFailed => "It ended by itself, without success.",
        TaskState::TaskKilled => "It was killed because somebody asked for it.",
        TaskState::TaskError => "It was never launched: something is wrong with its description.",
        TaskState::TaskLost => "It is lost: it does not run any more, or never did.",
        TaskState::TaskDropped => "It was never launched: something passing was in the way.",
        TaskState::TaskUnreachable => "Its agent does not answer. It may still run.",
        TaskState::TaskGone => "Its agent says that it does not run any more.",
        TaskState::TaskGoneByOperator => "An operator says that it does not run any more.",
        TaskState::TaskUnknown => "Nobody knows of it.",
    }
}
