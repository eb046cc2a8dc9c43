//! Why a task is in its state, in words, and what can be done, for masters that do not say it themselves: from the state, the reason that came with it, and what is
//! known of its agent and its framework.

use proto::v1::task_status::Reason;
use proto::v1::{Task, TaskState, TaskStatus};

/// What is known beside the task itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// The state of its agent in one word; none where the master does not list it.
    pub(super) agent: Option<&'a str>,
    /// The state of its framework in one word.
    pub(super) framework: Option<&'a str>,
}

/// Why, and what to do.
pub(super) fn why(task: &Task, around: Around<'_>) -> (String, Option<String>) {
    let last = task.statuses.last();
    let reason = last.filter(|status| status.reason.is_some()).map(TaskStatus::reason);
    if let Some((because, advice)) = reason.and_then(|reason| of_reason(task.state(), reason)) {
        return (because.to_owned(), Some(advice.to_owned()).filter(|advice| !advice.is_empty()));
    }
    let (because, advice) = of_state(task.state(), around, last);
    (because, advice.map(ToOwned::to_owned))
}

/// For reasons that say enough by themselves.
fn of_reason(state: TaskState, reason: Reason) -> Option<(&'static str, &'static str)> {
    use Reason as R;
    // A reason stays with a task whose health is told again and again.
    if matches!(state, TaskState::TaskRunning | TaskState::TaskStarting | TaskState::TaskFinished) {
        return None;
    }
    Some(match reason {
        R::ContainerLimitationMemory => (
            "It took more memory than it may, so the kernel killed it.",
            "Give it more memory (`mem`), a higher limit of it, or find out what it needs so much for.",
        ),
        R::ContainerLimitationDisk => (
            "Its sandbox grew larger than its disk resources allow.",
            "Give it more `disk`, or have it write less; `meseta task files` shows what lies there.",
        ),
        R::ContainerLimitation => {
            ("It went over a limit of its container.", "The message says which one; raise it.")
        }
        R::ContainerLaunchFailed => (
            "Its container could not be started: often a file that cannot be fetched, a user that does not exist, or an \
             image.",
            "The message says what; the agent's log says more.",
        ),
        R::ExecutorTerminated => (
            "Its executor ended before it had said what became of the task.",
            "`meseta task logs --stderr` may show why the executor ended.",
        ),
        R::ExecutorRegistrationTimeout => (
            "Its executor did not subscribe to the agent in time.",
            "Look at what the executor prints; a slow start needs a longer --executor_registration_timeout of the agent.",
        ),
        R::ExecutorReregistrationTimeout => (
            "Its executor did not come back after the agent was started anew.",
            "Look at what the executor prints; --executor_reregistration_timeout of the agent says how long it may take.",
        ),
        R::AgentRestarted => (
            "The agent was started anew, and nothing of the task was kept.",
            "Have the framework set `checkpoint`, so that its tasks outlive a restart of an agent.",
        ),
        R::AgentRemoved | R::AgentRemovedByOperator => (
            "Its agent is gone: it was removed, or an operator marked it gone.",
            "Start the task anew elsewhere; that is what its framework is there for.",
        ),
        R::AgentDraining => ("Its agent is being drained.", "`meseta agent activate` ends the draining."),
        R::AgentDisconnected => (
            "Its agent lost its connection before the task was with it.",
            "Start it anew; `meseta doctor` says what is wrong with the agent.",
        ),
        R::FrameworkRemoved => ("Its framework has ended.", ""),
        R::InvalidOffers => (
            "The offer that it was to be launched with was not valid any more.",
            "Its framework should answer offers sooner; it will get others.",
        ),
        R::TaskInvalid | R::TaskGroupInvalid => (
            "The master or the agent did not take it, because its description is wrong.",
            "The message says what is wrong; it is for the framework to mend.",
        ),
        R::TaskUnauthorized | R::TaskGroupUnauthorized => (
            "Its framework may not launch it: the master's permissions forbid it.",
            "Look at the principal of the framework, the user of the task, and --acls of the master.",
        ),
        R::MaxCompletionTimeReached => (
            "It ran for as long as it may at most (`max_completion_time`).",
            "Give it more time, or find out why it takes so long.",
        ),
        R::TaskKilledDuringLaunch => ("It was killed while it was being launched.", ""),
        R::TaskUnknown => (
            "The agent did not know the task when the master asked.",
            "Start it anew; the message may have been lost on its way.",
        ),
        R::ResourcesUnknown => (
            "The agent did not have the resources that it was to be launched with.",
            "Start it anew with a new offer.",
        ),
        R::CommandExecutorFailed => ("The executor of the command failed.", "The agent's log says why."),
        _ => return None,
    })
}

/// For what the state itself says.
fn of_state(
    state: TaskState,
    around: Around<'_>,
    last: Option<&TaskStatus>,
) -> (String, Option<&'static str>) {
    use TaskState as S;
    let (because, advice) = match state {
        S::TaskStaging => match around.agent {
            Some("disconnected") => (
                "It was sent to its agent, which is not connected now.",
                Some("`meseta doctor` says what is wrong with the agent."),
            ),
            None => ("It was sent to an agent that the master does not list any more.", None),
            Some(_) => (
                "It was sent to its agent, which fetches its files and prepares its container.",
                Some(
                    "If that takes long: what is fetched is large or slow, or the executor does not start; the agent's \
                      log says which.",
                ),
            ),
        },
        S::TaskStarting => ("Its container is there; its executor has not said yet that it runs.", None),
        S::TaskRunning if last.and_then(|status| status.healthy) == Some(false) => (
            "It runs, but its health check fails.",
            Some("`meseta task logs` shows what it prints; after enough failures it is killed."),
        ),
        S::TaskRunning if around.agent == Some("disconnected") => (
            "It ran when its agent was last heard of; the agent is not connected now.",
            Some("`meseta doctor` says what is wrong with the agent."),
        ),
        S::TaskRunning if matches!(around.framework, Some("disconnected" | "recovered")) => (
            "It runs, but its scheduler is away.",
            Some(
                "Start the scheduler of its framework anew, or end the framework with `meseta framework teardown`.",
            ),
        ),
        S::TaskRunning => ("It runs.", None),
        S::TaskKilling => ("It is being killed, and has its grace period to end.", None),
        S::TaskFinished => ("It ended by itself, with success.", None),
        S::TaskFailed => (
            "It ended by itself, without success.",
            Some("`meseta task logs` and `meseta task logs --stderr` show what it printed."),
        ),
        S::TaskKilled => ("It was killed, because its framework or an operator asked for it.", None),
        S::TaskError => ("Its description is wrong.", Some("It is for its framework to mend.")),
        S::TaskLost => (
            "Nobody knows what became of it; for frameworks that are not aware of partitions that means that its agent is \
             unreachable.",
            Some("Start it anew."),
        ),
        S::TaskDropped => ("It was never launched.", Some("Start it anew.")),
        S::TaskUnreachable => (
            "The master has lost sight of its agent; it may still run there.",
            Some("Bring the agent back, or say that it never will: `meseta agent gone`."),
        ),
        S::TaskGone => {
            ("It does not run any more: its agent has come back without it.", Some("Start it anew."))
        }
        S::TaskGoneByOperator => {
            ("An operator has said that its agent is gone.", Some("Start it anew elsewhere."))
        }
        S::TaskUnknown => ("The master does not know it.", None),
    };
    (because.to_owned(), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(state: TaskState, reason: Option<Reason>) -> Task {
        let status =
            TaskStatus { state: state.into(), reason: reason.map(Into::into), ..TaskStatus::default() };
        Task { state: state.into(), statuses: vec![status], ..Task::default() }
    }

    const FINE: Around<'static> = Around { agent: Some("active"), framework: Some("active") };

    #[test]
    fn the_reason_says_more_than_the_state() {
        let (because, advice) =
            why(&task(TaskState::TaskFailed, Some(Reason::ContainerLimitationMemory)), FINE);
        assert!(because.contains("more memory") && advice.is_some_and(|advice| advice.contains("`mem`")));
        let (because, _) = why(&task(TaskState::TaskFailed, None), FINE);
        assert_eq!(because, "It ended by itself, without success.");
    }

    #[test]
    fn what_is_around_it_counts() {
        let running = task(TaskState::TaskRunning, None);
        assert_eq!(why(&running, FINE), ("It runs.".into(), None));
        let away = Around { framework: Some("disconnected"), ..FINE };
        assert!(why(&running, away).0.contains("its scheduler is away"));
        let staging = task(TaskState::TaskStaging, None);
        assert!(why(&staging, Around { agent: Some("disconnected"), ..FINE }).0.contains("not connected"));
    }

    #[test]
    fn there_is_an_answer_for_every_state() {
        for number in 0..32 {
            let Ok(state) = TaskState::try_from(number) else { continue };
            assert!(why(&task(state, None), FINE).0.ends_with('.'), "{state:?}");
        }
    }
}
