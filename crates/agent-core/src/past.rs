//! Tasks, executors and frameworks that are over, remembered over the agent's own death for those who look.
//!
//! Each is written once, when it is over, under a number of its own; when there are too many the oldest are forgotten.
//! Nothing is decided by what is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{ContainerId, ExecutorId, FrameworkId, Ring};

use crate::Output;
use crate::checkpoint::{ExecutorRecord, Past, PastTask, Recovered, Write};
use crate::core::{AgentCore, Step};
use crate::specs;
use crate::state::{Executor, Framework};
use crate::types::{ExecutorState, ExecutorView, FrameworkInfo, FrameworkView, Task};
use crate::views;

/// How much of what is over is remembered. A command task and its executor are two.
const MAX_PAST: u64 = 2_000;

/// The numbers of what is remembered.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    first: u64,
    next: u64,
}

fn write(core: &mut AgentCore, step: &mut Step<'_>, past: Past) {
    let numbers = &mut core.past;
    step.out.push(Output::checkpoint(Write::Past(numbers.next, Box::new(past))));
    numbers.next += 1;
    while numbers.next - numbers.first > MAX_PAST {
        step.out.push(Output::checkpoint(Write::ForgetPast(numbers.first)));
        numbers.first += 1;
    }
}

fn checkpoints(core: &AgentCore, framework_id: &FrameworkId) -> bool {
    core.frameworks.get(framework_id).is_some_and(|framework| framework.info.checkpoint)
}

/// A task is over; its executor may not be.
pub(crate) fn task(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    task: &Arc<Task>,
) {
    if !checkpoints(core, framework_id) {
        return;
    }
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let container_id = executor.container_id.clone();
    write(core, step, Past::Task(PastTask { container_id, task: task.clone() }));
}

/// An executor is over.
pub(crate) fn executor(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor: &Executor,
) {
    if checkpoints(core, framework_id) {
        write(core, step, Past::Executor(Box::new(ExecutorRecord::of(framework_id, executor))));
    }
}

/// A framework has nothing here any more.
pub(crate) fn framework(core: &mut AgentCore, step: &mut Step<'_>, info: &Arc<FrameworkInfo>) {
    if info.checkpoint {
        write(core, step, Past::Framework(info.clone()));
    }
}

/// What is over of one framework.
#[derive(Default)]
struct History {
    /// Its tasks by the container of their executor.
    tasks: BTreeMap<ContainerId, Vec<Arc<Task>>>,
    executors: Vec<Arc<ExecutorView>>,
    /// As it was when it had nothing here any more for the last time, and when that was.
    info: Option<(u64, Arc<FrameworkInfo>)>,
}

/// Takes up what was over in earlier lives. What lives must have been taken up before.
pub(crate) fn recover(core: &mut AgentCore, past: Vec<(u64, Past)>) {
    core.past.first = past.first().map_or(0, |(number, _)| *number);
    core.past.next = past.last().map_or(0, |(number, _)| number + 1);
    let mut histories: BTreeMap<FrameworkId, History> = BTreeMap::new();
    for (number, past) in past {
        match past {
            Past::Task(PastTask { container_id, task }) => {
                let history = histories.entry(task.framework_id.clone()).or_default();
                history.tasks.entry(container_id).or_default().push(task);
            }
            Past::Executor(record) => {
                let history = histories.entry(record.framework_id.clone()).or_default();
                let tasks = history.tasks.remove(&record.container_id).unwrap_or_default();
                let view = completed_executor(core, *record, tasks);
                history.executors.push(Arc::new(view));
            }
            Past::Framework(info) => {
                let history = histories.entry(info.id.clone()).or_default();
                history.info = Some((number, info));
            }
        }
    }
    let mut completed = Vec::new();
    for (id, history) in histories {
        match (core.frameworks.get_mut(&id), &history.info) {
            (Some(framework), _) => take_up(framework, history),
            (None, Some((number, info))) => {
                completed.push((*number, completed_framework(core, info, &history)))
            }
            // What lived is damaged.
            (None, None) => {}
        }
    }
    completed.sort_by_key(|(number, _)| *number);
    for (_, view) in completed {
        core.completed_frameworks.push(Arc::new(view));
    }
}

/// A framework that lives gets its history back.
fn take_up(framework: &mut Framework, mut history: History) {
    for executor in framework.executors.values_mut() {
        for task in history.tasks.remove(&executor.container_id).into_iter().flatten() {
            executor.completed.push(task);
        }
    }
    for view in history.executors {
        framework.completed_executors.push(view);
    }
}

fn completed_executor(core: &AgentCore, record: ExecutorRecord, tasks: Vec<Arc<Task>>) -> ExecutorView {
    let ExecutorRecord { framework_id, info, container_id, .. } = record;
    let directory = specs::directory(core, &framework_id, &info.executor_id, &container_id);
    let mut executor = Executor::new(info, container_id, directory);
    executor.state = ExecutorState::Terminated;
    for task in tasks {
        executor.completed.push(task);
    }
    views::executor(&executor)
}

fn completed_framework(core: &AgentCore, info: &Arc<FrameworkInfo>, history: &History) -> FrameworkView {
    let mut completed = Ring::new(core.options.max_completed_executors);
    for view in &history.executors {
        completed.push(view.clone());
    }
    FrameworkView {
        info: info.clone(),
        executors: Vec::new(),
        completed_executors: completed.iter().cloned().collect(),
    }
}

impl Recovered {
    /// Forgets executors that are over and whose sandbox is no longer there, as `exists` says of its path: what they did is
    /// shown as long as it can be looked at. What is to be forgotten.
    pub fn prune_past(&mut self, work_dir: &str, exists: impl Fn(&str) -> bool) -> Vec<Write> {
        let Some(agent) = self.agent_id.clone() else { return Vec::new() };
        let mut writes = Vec::new();
        self.past.retain(|(number, past)| {
            let Past::Executor(record) = past else { return true };
            let (executor, container) = (&record.info.executor_id, &record.container_id);
            let here = exists(&specs::path(work_dir, &agent, &record.framework_id, executor, container));
            if !here {
                writes.push(Write::ForgetPast(*number));
            }
            here
        });
        writes
    }
}
