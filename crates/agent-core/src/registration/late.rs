//! What attempts to register have told, or have not, and is not so any more when they are answered: ends of executors and of
//! tasks.
//!
//! Nothing says which attempt an answer is to. An attempt names all executors that there are; the master that hears it counts on
//! no others, and may launch one of the same name again. So an end is told if it came after the last attempt; what came before
//! is told only if that attempt was never answered.

use std::sync::Arc;

use base::{FrameworkId, Ring, Uuid};

use super::send;
use crate::core::{AgentCore, Step};
use crate::output::ToMaster;
use crate::types::{ExecutorState, TaskStatus};
use crate::updates;

/// So many ends of executors, and of tasks, are kept for the master.
const MAX_LATE: usize = 1_000;

/// See above.
#[derive(Debug)]
pub(super) struct Late {
    /// Executors that have ended since the last attempt. Told when the registration is confirmed.
    exits: Ring<ToMaster>,
    /// Executors that the last attempt does not name, and on which the master may count until it hears that attempt.
    superseded: Ring<ToMaster>,
    /// How tasks have ended whose end was acknowledged.
    ends: Ring<(FrameworkId, Arc<TaskStatus>)>,
}

impl Default for Late {
    fn default() -> Self {
        Self { exits: Ring::new(MAX_LATE), superseded: Ring::new(MAX_LATE), ends: Ring::new(MAX_LATE) }
    }
}

impl Late {
    /// Another master leads, which has heard nothing yet.
    pub(super) fn forget_attempts(&mut self) {
        self.superseded = Ring::new(MAX_LATE);
        self.forget_ends();
    }

    /// Nobody takes for true any more that these ends are still to be acknowledged.
    pub(super) fn forget_ends(&mut self) {
        self.ends = Ring::new(MAX_LATE);
    }

    /// An attempt is made.
    pub(super) fn supersede(&mut self) {
        for exit in take(&mut self.exits).iter() {
            let _ = self.superseded.push(exit.clone());
        }
    }
}

fn take(exits: &mut Ring<ToMaster>) -> Ring<ToMaster> {
    std::mem::replace(exits, Ring::new(MAX_LATE))
}

/// Tells the master that an executor has ended, as soon as there is one. It takes an executor of which it is not told for one
/// that lives.
pub(crate) fn send_exit(core: &mut AgentCore, step: &mut Step<'_>, exit: ToMaster) {
    if core.registration.registered {
        // Not told again: by then the master may have launched another executor of that name.
        send(core, step, exit);
    } else {
        // The oldest gives way: the master asks about the tasks of executors that it wrongly counts on.
        let _ = core.registration.late.exits.push(exit);
    }
}

/// A launch that was to start an executor was dropped because it names a former version of the resources. If the master that
/// sent it had heard the last attempt, it counts on the executor; if it had not, it does so until then.
pub(crate) fn launch_outdated(core: &mut AgentCore, step: &mut Step<'_>, version: Uuid, exit: ToMaster) {
    let registration = &mut core.registration;
    if registration.attempted_version == Some(version) {
        send_exit(core, step, exit);
    } else if registration.unanswered > 0 {
        let _ = registration.late.superseded.push(exit);
    }
}

/// Tells of the executors that have ended since the last attempt.
pub(super) fn tell_exits(core: &mut AgentCore, step: &mut Step<'_>) {
    let exits = take(&mut core.registration.late.exits);
    tell_those_not_here(core, step, &exits);
}

/// Tells the rest, if the last attempt was not answered: it may never have been heard.
pub(super) fn tell_superseded(core: &mut AgentCore, step: &mut Step<'_>) {
    if !core.registration.awaits_answers(step.now) {
        let exits = take(&mut core.registration.late.superseded);
        tell_those_not_here(core, step, &exits);
    }
}

fn tell_those_not_here(core: &AgentCore, step: &mut Step<'_>, exits: &Ring<ToMaster>) {
    for exit in exits.iter().filter(|exit| !is_outdated(core, exit)) {
        send(core, step, exit.clone());
    }
}

/// Whether another executor of the same name runs by now.
fn is_outdated(core: &AgentCore, exit: &ToMaster) -> bool {
    let ToMaster::ExitedExecutor { framework_id, executor_id, .. } = exit else { return false };
    let executor = core.frameworks.get(framework_id).and_then(|f| f.executors.get(executor_id));
    executor.is_some_and(|executor| executor.state != ExecutorState::Terminated)
}

/// Tells how tasks have ended of which attempts may have told that this was still to be acknowledged.
pub(super) fn tell_ends(core: &mut AgentCore, step: &mut Step<'_>) {
    let ends: Vec<_> = core.registration.late.ends.iter().cloned().collect();
    for (framework_id, end) in ends {
        let framework = core.frameworks.get(&framework_id);
        // Nobody waits for the ends of a framework that is ending; and another task may have the same name by now.
        if !framework.is_some_and(|f| f.terminating || f.tasks.contains_key(&end.task_id)) {
            updates::add(core, step, &framework_id, end);
        }
    }
    if core.registration.unanswered == 0 {
        core.registration.late = Late::default();
    }
}

/// The end of a task was acknowledged. An attempt that is still to be answered may have told of the task.
pub(crate) fn note_end(core: &mut AgentCore, step: &Step<'_>, framework: &FrameworkId, end: Arc<TaskStatus>) {
    if core.registration.awaits_answers(step.now) {
        // The oldest gives way: it stays with the master until the agent registers anew.
        let _ = core.registration.late.ends.push((framework.clone(), end));
    }
}
