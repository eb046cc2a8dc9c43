//! Why a task is in its state, in words.

use master::reasons::{Around, Explained, TasksAgent, explain};
use proto::v1::task_status::Reason;
use proto::v1::{TaskState, TaskStatus};

const FINE: Around = Around { agent: TasksAgent::Fine, scheduler_is_away: false, is_unacknowledged: false };

fn explained(state: TaskState, reason: Option<Reason>, around: Around) -> Explained {
    let status = TaskStatus { state: state.into(), reason: reason.map(Into::into), ..TaskStatus::default() };
    explain(state, &[status], around)
}

#[test]
fn the_reason_says_more_than_the_state() {
    let told = explained(TaskState::TaskFailed, Some(Reason::ContainerLimitationMemory), FINE);
    assert!(told.why[1].contains("more memory") && told.help[0].contains("more memory"), "{told:?}");
    let told = explained(TaskState::TaskFailed, None, FINE);
    assert_eq!(told.why, ["It ended by itself, without success."]);
    assert_eq!(told.help, ["Look into stdout and stderr of its sandbox."]);
}

#[test]
fn what_is_around_it_counts_while_it_is_not_over() {
    let around = |agent, scheduler_is_away| Around { agent, scheduler_is_away, ..FINE };
    assert_eq!(explained(TaskState::TaskRunning, None, FINE).why, ["It runs."]);
    let told = explained(TaskState::TaskRunning, None, around(TasksAgent::Fine, true));
    assert!(told.why[1].contains("scheduler is away") && told.help[0].contains("teardown"), "{told:?}");
    let told = explained(TaskState::TaskStaging, None, around(TasksAgent::Disconnected, false));
    assert!(told.why[1].contains("is broken"), "{told:?}");
    let told = explained(TaskState::TaskFinished, None, around(TasksAgent::Unknown, true));
    assert_eq!(told.why.len(), 1, "{told:?}");
}

#[test]
fn there_is_an_answer_for_every_state_and_reason() {
    let states = (0..64).filter_map(|number| TaskState::try_from(number).ok());
    assert!(states.map(|state| explained(state, None, FINE)).all(|told| told.why[0].ends_with('.')));
    let reasons = (0..128).filter_map(|number| Reason::try_from(number).ok());
    let told = |reason| explained(TaskState::TaskLost, Some(reason), FINE);
    assert!(reasons.map(told).all(|told| told.why[1].ends_with('.')));
}
