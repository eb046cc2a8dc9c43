//! Status updates on their way to the master: per task in order, one at a time, again and again until acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{FrameworkId, TaskId, Uuid};
use tracing::{info, warn};

use crate::core::{AgentCore, Step};
use crate::output::ToMaster;
use crate::timers::{Timer, TimerKey};
use crate::types::{StatusUpdate, TaskStatus};
use crate::{executors, registration, remember};

/// Pause before an update is sent again; doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(10);

/// The longest pause.
const LONGEST_RETRY: Duration = Duration::from_secs(10 * 60);

/// Updates of a task that are known when they are repeated. An executor repeats only what the agent has not told it to
/// have, which is little.
const MAX_RECEIVED: usize = 256;

/// Updates of a task that wait for their acknowledgement. Beyond that, of two in the same state only the newer is kept.
const MAX_PENDING: usize = 256;

/// The updates of all tasks.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: BTreeMap<FrameworkId, BTreeMap<TaskId, Stream>>,
}

/// The updates of one task.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Not yet acknowledged, oldest first; the first may have been sent.
    pub(crate) pending: VecDeque<Arc<TaskStatus>>,
    /// The last updates that came, so that a repeated one is known.
    received: VecDeque<Uuid>,
    /// The first of them was sent in this life of the agent.
    sent: bool,
    /// A terminal update is among them: nothing may follow.
    ended: bool,
    pause: Duration,
    pub(crate) timer: Option<TimerKey>,
}

impl Stream {
    fn new() -> Self {
        Self {
            pending: VecDeque::new(),
            received: VecDeque::new(),
            sent: false,
            ended: false,
            pause: FIRST_RETRY,
            timer: None,
        }
    }

    /// Makes room: leaves out the oldest update that has not been sent and is followed by a newer one in its state. So
    /// the framework sees every state that the task was in, the newest of what is known in each, all in order, and the
    /// end. Where all states differ nothing is left out; there are few states.
    fn make_room(&mut self) -> Option<Arc<TaskStatus>> {
        if self.pending.len() <= MAX_PENDING {
            return None;
        }
        let superseded = |at: &usize| {
            let state = self.pending[*at].state;
            self.pending.iter().skip(at + 1).any(|later| later.state == state)
        };
        let at = (1..self.pending.len()).find(superseded)?;
        self.pending.remove(at)
    }
}

impl Streams {
    fn get_mut(&mut self, framework: &FrameworkId, task: &TaskId) -> Option<&mut Stream> {
        self.streams.get_mut(framework)?.get_mut(task)
    }

    /// What is to be remembered of a task: updates that are not acknowledged, and the last that came.
    pub(crate) fn remembered(
        &self,
        framework: &FrameworkId,
        task: &TaskId,
    ) -> (Vec<Arc<TaskStatus>>, Vec<Uuid>) {
        let stream = self.streams.get(framework).and_then(|tasks| tasks.get(task));
        let lists = |stream: &Stream| {
            (stream.pending.iter().cloned().collect(), stream.received.iter().copied().collect())
        };
        stream.map(lists).unwrap_or_default()
    }

    /// Takes up what an earlier life of the agent had of a task.
    pub(crate) fn recover(
        &mut self,
        framework: &FrameworkId,
        task: &TaskId,
        pending: Vec<Arc<TaskStatus>>,
        received: Vec<Uuid>,
    ) {
        let mut stream = Stream::new();
        stream.ended = pending.last().is_some_and(|status| status.state.is_terminal());
        stream.pending = pending.into();
        stream.received = received.into();
        self.streams.entry(framework.clone()).or_default().insert(task.clone(), stream);
    }

    fn remove(&mut self, framework: &FrameworkId, task: &TaskId) {
        if let Some(tasks) = self.streams.get_mut(framework) {
            tasks.remove(task);
            if tasks.is_empty() {
                self.streams.remove(framework);
            }
        }
    }

    /// Whether there is something to tell of a task.
    pub(crate) fn has(&self, framework: &FrameworkId, task: &TaskId) -> bool {
        self.streams.get(framework).is_some_and(|tasks| tasks.contains_key(task))
    }

    /// Whether a task has ended and that is still to be told.
    pub(crate) fn has_ended(&self, framework: &FrameworkId, task: &TaskId) -> bool {
        let stream = self.streams.get(framework).and_then(|tasks| tasks.get(task));
        stream.is_some_and(|stream| stream.ended && !stream.pending.is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&FrameworkId, &TaskId, &Stream)> {
        self.streams
            .iter()
            .flat_map(|(framework, tasks)| tasks.iter().map(move |(task, s)| (framework, task, s)))
    }
}

/// How a task has ended whose end was acknowledged, as long as that is remembered.
pub(crate) fn acknowledged_end(
    core: &AgentCore,
    framework: &FrameworkId,
    task: &TaskId,
) -> Option<Arc<TaskStatus>> {
    let living = core.frameworks.get(framework);
    let completed = core.completed_frameworks.iter().rev().find(|view| view.info.id == *framework);
    let of_living = living.into_iter().flat_map(|framework| {
        let of_executors = framework.executors.values().flat_map(|executor| executor.completed.iter());
        let executors = framework.completed_executors.iter();
        of_executors.chain(executors.flat_map(|executor| &executor.completed))
    });
    let executors = completed.into_iter().flat_map(|view| &view.completed_executors);
    let mut ended = of_living.chain(executors.flat_map(|executor| &executor.completed));
    ended.find(|ended| ended.info.task_id == *task)?.statuses.last().cloned()
}

/// Takes an update in. A repeated one, and one after the end, is dropped.
pub(crate) fn add(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework: &FrameworkId,
    status: Arc<TaskStatus>,
) {
    let task = status.task_id.clone();
    let tasks = core.updates.streams.entry(framework.clone()).or_default();
    let stream = tasks.entry(task.clone()).or_insert_with(Stream::new);
    if stream.ended || stream.received.contains(&status.uuid) {
        info!(%framework, %task, uuid = %status.uuid, "dropping an update that is repeated or comes after the end");
        return;
    }
    if stream.received.len() == MAX_RECEIVED {
        stream.received.pop_front();
    }
    stream.received.push_back(status.uuid);
    stream.ended = status.state.is_terminal();
    stream.pending.push_back(status);
    if let Some(left_out) = stream.make_room() {
        let state = left_out.state;
        warn!(%framework, %task, ?state, "too many updates wait for acknowledgement; leaving out one that is superseded");
    }
    let alone = stream.pending.len() == 1;
    remember::progress(core, step, framework, &task);
    if alone {
        forward(core, step, framework, &task);
    }
}

/// Sends a task's oldest update, if the agent is registered, and plans to send it again.
fn forward(core: &mut AgentCore, step: &mut Step<'_>, framework: &FrameworkId, task: &TaskId) {
    if !core.registration.registered {
        return;
    }
    let Some(stream) = core.updates.get_mut(framework, task) else { return };
    let Some(status) = stream.pending.front().cloned() else { return };
    let again = std::mem::replace(&mut stream.sent, true);
    core.timers.cancel(&mut stream.timer);
    let timer = Timer::UpdateRetry(framework.clone(), task.clone());
    stream.timer = Some(core.timers.set(step.now + stream.pause, timer));
    let mut latest_state = status.state;
    if let Some(entry) = core.frameworks.get_mut(framework).and_then(|f| f.entry(task)) {
        latest_state = entry.task.state;
        let sent = Some((status.state, status.uuid));
        if entry.task.last_sent != sent {
            Arc::make_mut(&mut entry.task).last_sent = sent;
        }
    }
    let update = StatusUpdate { framework_id: framework.clone(), status, latest_state, again };
    registration::send(core, step, ToMaster::StatusUpdate(update));
}

/// The time to send an update again has come.
pub(crate) fn retry(core: &mut AgentCore, step: &mut Step<'_>, framework: &FrameworkId, task: &TaskId) {
    let Some(stream) = core.updates.get_mut(framework, task) else { return };
    stream.timer = None;
    stream.pause = (stream.pause * 2).min(LONGEST_RETRY);
    info!(%framework, %task, "no acknowledgement yet; sending the update again");
    forward(core, step, framework, task);
}

/// A master is there (again): it hears the oldest update of every task.
pub(crate) fn resend_all(core: &mut AgentCore, step: &mut Step<'_>) {
    resend(core, step, |_| true);
}

/// A scheduler is there (again): it hears the oldest update of each of its tasks now, however long it was away.
pub(crate) fn resend_of(core: &mut AgentCore, step: &mut Step<'_>, framework: &FrameworkId) {
    resend(core, step, |of| of == framework);
}

fn resend(core: &mut AgentCore, step: &mut Step<'_>, wanted: impl Fn(&FrameworkId) -> bool) {
    let waiting: Vec<_> = core
        .updates
        .iter()
        .filter(|(framework, _, stream)| wanted(framework) && !stream.pending.is_empty())
        .map(|(framework, task, _)| (framework.clone(), task.clone()))
        .collect();
    for (framework, task) in waiting {
        if let Some(stream) = core.updates.get_mut(&framework, &task) {
            stream.pause = FIRST_RETRY;
        }
        forward(core, step, &framework, &task);
    }
}

/// The framework (or the master in its place) has taken an update.
pub(crate) fn acknowledge(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework: &FrameworkId,
    task: &TaskId,
    uuid: Option<Uuid>,
) {
    let Some(stream) = core.updates.get_mut(framework, task) else {
        warn!(%framework, %task, "ignoring an acknowledgement: no update waits for one");
        return;
    };
    if stream.pending.front().map(|status| status.uuid) != uuid || uuid.is_none() {
        warn!(%framework, %task, ?uuid, "ignoring an acknowledgement that is not for the update that was sent");
        return;
    }
    let terminal = stream.pending.front().is_some_and(|status| status.state.is_terminal());
    if terminal && !core.registration.registered {
        // It was sent before the master takes the agent in again, and with it the task, of which the agent is just telling.
        // The end is repeated then; forgotten now, it would never be acknowledged to that master.
        return info!(%framework, %task, "ignoring an acknowledgement that came before the registration");
    }
    let acknowledged = stream.pending.pop_front();
    stream.pause = FIRST_RETRY;
    stream.sent = false;
    core.timers.cancel(&mut stream.timer);
    if terminal {
        core.updates.remove(framework, task);
        if let Some(end) = acknowledged {
            registration::note_end(core, step, framework, end);
        }
        executors::complete_task(core, step, framework, task);
    } else {
        remember::progress(core, step, framework, task);
        forward(core, step, framework, task);
    }
}

/// Nobody waits for a framework's updates any more.
pub(crate) fn forget(core: &mut AgentCore, framework: &FrameworkId) {
    for mut stream in core.updates.streams.remove(framework).into_iter().flat_map(BTreeMap::into_values) {
        core.timers.cancel(&mut stream.timer);
    }
}

/// A task begins; what an earlier one of the same name (dropped, or unknown when it was killed) left is of no interest.
pub(crate) fn begin(core: &mut AgentCore, framework: &FrameworkId, task: &TaskId) {
    if let Some(stream) = core.updates.get_mut(framework, task) {
        core.timers.cancel(&mut stream.timer);
        core.updates.remove(framework, task);
    }
}
