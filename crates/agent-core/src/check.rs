//! Invariants of the whole state, verified by tests after each step.

use std::collections::BTreeSet;

use base::{ExecutorId, FrameworkId};

use crate::core::AgentCore;
use crate::state::{Executor, Framework};
use crate::timers::TimerKey;
use crate::types::{ExecutorKind, ExecutorState};

impl AgentCore {
    /// Verifies the state.
    ///
    /// # Panics
    /// If an invariant is broken; the message says which.
    pub fn check(&self) {
        let mut timers = BTreeSet::new();
        let mut containers = 0;
        let mut streams = 0;
        for (id, framework) in &self.frameworks {
            assert_eq!(*id, framework.info.id);
            assert!(self.registration.agent_id.is_some(), "frameworks come with the registration");
            assert!(!framework.executors.is_empty(), "{id}: an idle framework is removed");
            for (task, executor) in &framework.tasks {
                let executor = &framework.executors[executor];
                let queued =
                    executor.queued.iter().flat_map(|q| &q.tasks).filter(|t| t.task_id == *task).count();
                let admitted = usize::from(executor.tasks.contains_key(task));
                assert_eq!(queued + admitted, 1, "{task} waits once or is admitted once");
            }
            for (executor_id, executor) in &framework.executors {
                assert_eq!(*executor_id, executor.info.executor_id);
                self.check_executor(framework, executor);
                timers.extend(executor_timers(executor));
                containers += self.check_containers(id, executor_id, executor);
                streams += usize::from(executor.stream.is_some());
            }
        }
        assert_eq!(containers, self.containers.len(), "every container has its executor");
        assert_eq!(streams, self.streams.len(), "every stream has its executor");
        self.check_checks();
        self.check_updates(&mut timers);
        self.operations.check();
        timers.extend(self.operations.timers());
        timers.extend(self.registration.timers());
        for (key, timer) in self.timers.iter() {
            assert!(timers.contains(&key), "{timer:?} is set and nobody knows");
        }
        for key in timers {
            assert!(self.timers.is_set(key), "{key:?} is remembered and not set");
        }
    }

    fn check_executor(&self, framework: &Framework, executor: &Executor) {
        let id = &executor.info.executor_id;
        let all =
            executor.queued.iter().flat_map(|q| &q.tasks).map(|t| &t.task_id).chain(executor.tasks.keys());
        for task in all {
            assert_eq!(framework.tasks.get(task), Some(id), "{task} is found by its id");
        }
        if executor.state == ExecutorState::Terminated {
            assert!(
                !executor.is_through() && !framework.terminating,
                "{id}: a terminated executor is removed"
            );
            assert!(executor.stream.is_none() && executor.timer.is_none() && executor.queued.is_empty());
        }
        assert!(executor.kind() == ExecutorKind::Custom || executor.stream.is_none(), "{id} needs no stream");
        if executor.kind() == ExecutorKind::Command {
            assert_eq!(executor.tasks.len(), 1, "{id}: a command executor has its one task");
        }
        if executor.kind() == ExecutorKind::Default && executor.state == ExecutorState::Running {
            let waits = executor.has_active_task() || executor.timer.is_some();
            assert!(
                waits,
                "{id}: a group's executor that has nothing to do waits for acknowledgements or ends"
            );
        }
        for entry in executor.tasks.values() {
            let task = &entry.task;
            let last = task.statuses.last().map(|status| status.state);
            assert!(last.is_none_or(|last| last == task.state), "{}: {last:?}", task.info.task_id);
            assert!(
                entry.run.is_none() || !task.state.is_terminal(),
                "{} runs after its end",
                task.info.task_id
            );
            assert!(
                task.state.is_terminal() || executor.state != ExecutorState::Terminated,
                "{} outlives its executor",
                task.info.task_id
            );
            if task.state.is_terminal() && !framework.terminating {
                let stream =
                    self.updates.iter().any(|(f, t, _)| *f == task.framework_id && *t == task.info.task_id);
                assert!(stream, "{} waits for an acknowledgement of nothing", task.info.task_id);
            }
        }
    }

    fn check_containers(&self, framework: &FrameworkId, id: &ExecutorId, executor: &Executor) -> usize {
        let own = executor.state != ExecutorState::Terminated;
        assert_eq!(self.containers.contains_key(&executor.container_id), own, "{id}: its container");
        let mut count = usize::from(own);
        for (task, entry) in &executor.tasks {
            let Some(run) = &entry.run else { continue };
            let owner = &self.containers[&run.container_id];
            assert_eq!(
                (&owner.framework_id, &owner.executor_id, owner.task_id.as_ref()),
                (framework, id, Some(task))
            );
            count += usize::from(run.container_id != executor.container_id);
        }
        count
    }

    /// What is being performed is known by whom it is for, and nothing is for a task that is being killed.
    fn check_checks(&self) {
        let mut performing = 0;
        for entry in
            self.frameworks.values().flat_map(|f| f.executors.values()).flat_map(|e| e.tasks.values())
        {
            let Some(run) = &entry.run else { continue };
            let task = &entry.task.info.task_id;
            for id in run.checked.performing() {
                let found = self.checks.performing.get(&id).map(|(container, _)| container);
                assert_eq!(found, Some(&run.container_id), "{task}: {id:?}");
                performing += 1;
            }
            let checked = run.checked.timers().count() + run.checked.performing().count();
            assert!(
                checked == 0 || (run.launched && run.kill.is_none()),
                "{task} is checked and does not run"
            );
        }
        assert_eq!(performing, self.checks.performing.len(), "every check that is performed has its task");
    }

    fn check_updates(&self, timers: &mut BTreeSet<TimerKey>) {
        for (framework, task, stream) in self.updates.iter() {
            timers.extend(stream.timer);
            let ends = stream.pending.iter().filter(|status| status.state.is_terminal()).count();
            assert!(ends <= 1, "{task}: one end");
            if ends == 1 {
                assert!(
                    stream.pending.back().is_some_and(|s| s.state.is_terminal()),
                    "{task}: nothing after the end"
                );
            }
            assert!(stream.timer.is_none() || !stream.pending.is_empty(), "{task}: nothing to send again");
            if self.registration.registered && !stream.pending.is_empty() {
                assert!(stream.timer.is_some(), "{framework} {task}: an update that is never sent again");
            }
            assert!(self.frameworks.get(framework).is_none_or(|framework| !framework.terminating));
        }
    }
}

fn executor_timers(executor: &Executor) -> impl Iterator<Item = TimerKey> {
    let runs = executor.tasks.values().filter_map(|entry| entry.run.as_ref());
    let of_runs = runs.flat_map(|run| {
        let kill = run.kill.as_ref().and_then(|kill| kill.escalation);
        run.completion.into_iter().chain(kill).chain(run.checked.timers())
    });
    of_runs.chain(executor.timer)
}
