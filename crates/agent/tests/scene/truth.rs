//! Whether what a framework was told of its tasks is what has happened.

use proto::v1::{TaskState, TaskStatus};

use super::{Kind, Scene};
use crate::common::is_terminal;

impl Scene {
    /// How often a task has run.
    pub fn runs(&self, task: &str) -> usize {
        let marks = std::fs::read_to_string(self.place.marks().join(task)).unwrap_or_default();
        marks.lines().count()
    }

    /// Checks all that was told of these tasks; how many of them have run.
    pub fn check(&self, tasks: &[String]) -> usize {
        for task in tasks {
            check_order(task, &self.updates[task]);
            self.check_end(task);
        }
        tasks.iter().filter(|task| self.runs(task) == 1).count()
    }

    fn check_end(&self, task: &str) {
        let (kind, runs) = (self.tasks[task], self.runs(task));
        let last = self.last(task).expect("it has ended");
        let state = last.state();
        assert!(runs <= 1, "{task} ran {runs} times");
        let lost = matches!(
            state,
            TaskState::TaskFailed | TaskState::TaskLost | TaskState::TaskDropped | TaskState::TaskGone
        );
        let is_true = match (kind, runs) {
            (Kind::Command | Kind::Custom, 1) => state == TaskState::TaskFinished,
            (Kind::Killed | Kind::Drained, 1) => state == TaskState::TaskKilled,
            // One that lost its companion is killed.
            (Kind::Grouped, 1) => state == TaskState::TaskFinished || state == TaskState::TaskKilled,
            (Kind::Killed | Kind::Drained | Kind::Grouped, _) => lost || state == TaskState::TaskKilled,
            (Kind::Command | Kind::Custom, _) => lost,
        };
        assert!(is_true, "{task} ran {runs} times: {last:?}");
    }
}

/// What was told, in short.
pub fn brief(updates: &[TaskStatus]) -> Vec<String> {
    updates
        .iter()
        .map(|update| format!("{:?} {:?} {:?}", update.state(), update.uuid, update.message))
        .collect()
}

/// Updates come in order, each until it is acknowledged: one may come again, but none after one that follows it; and
/// nothing comes after the end.
fn check_order(task: &str, updates: &[TaskStatus]) {
    let mut distinct: Vec<&TaskStatus> = updates.iter().collect();
    distinct.dedup_by_key(|status| status.uuid.clone());
    let states: Vec<TaskState> = distinct.iter().map(|status| status.state()).collect();
    // The master's own, of an agent that it gave up, have none.
    let mut uuids: Vec<_> = distinct.iter().map(|status| status.uuid.clone()).collect();
    uuids.sort();
    uuids.dedup();
    assert_eq!(
        uuids.len(),
        distinct.len(),
        "{task}: an update came again after another: {:#?}",
        brief(updates)
    );
    let ends = states.iter().filter(|state| is_terminal(**state)).count();
    assert!(ends == 1 && states.last().is_some_and(|last| is_terminal(*last)), "{task}: {states:?}");
    let order = [TaskState::TaskStarting, TaskState::TaskRunning];
    let began: Vec<_> = states.iter().filter(|state| !is_terminal(**state)).collect();
    let expected: Vec<_> = order.iter().filter(|state| began.contains(state)).collect();
    assert_eq!(began, expected, "{task}");
}
