//! Ends on a larger scale: an executor, a framework, the agent.

use base::{ContainerId, ExecutorId, FrameworkId};
use tracing::{info, warn};

use crate::checkpoint::{KillCause, Write};
use crate::core::{AgentCore, Step};
use crate::output::{ExecutorEvent, Output, ToMaster};
use crate::state::Executor;
use crate::timers::Timer;
use crate::types::{ExecutorKind, ExecutorState};
use crate::{executors, frameworks, kill, registration, remember, updates};

/// The framework wants one of its executors gone.
pub(crate) fn executor_by_message(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    let Some(found) = core.executor(framework_id, executor_id) else {
        warn!(framework = %framework_id, executor = %executor_id, "asked to shut down an unknown executor");
        return;
    };
    if found.state == ExecutorState::Terminating || found.state == ExecutorState::Terminated {
        info!(executor = %executor_id, "the executor is ending already");
        return;
    }
    executor(core, step, framework_id, executor_id);
}

/// Ends an executor: it is told, and destroyed when its time is over.
pub(crate) fn executor(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    let default_grace = core.options.executor_shutdown_grace;
    let Some(executor) = core.frameworks.get_mut(framework_id).and_then(|f| f.executors.get_mut(executor_id))
    else {
        return;
    };
    // One that is ending gets no more time, however often it gives a reason to be ended.
    if matches!(executor.state, ExecutorState::Terminating | ExecutorState::Terminated) {
        return;
    }
    info!(framework = %framework_id, executor = %executor_id, "shutting down an executor");
    executor.state = ExecutorState::Terminating;
    let grace = executor.info.shutdown_grace.unwrap_or(default_grace);
    core.timers.cancel(&mut executor.timer);
    let timer = Timer::ExecutorShutdown(executor.container_id.clone());
    executor.timer = Some(core.timers.set(step.now + grace, timer));
    remember::executor(core, step, framework_id, executor_id);
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    match (executor.kind(), executor.stream) {
        (ExecutorKind::Custom, Some(stream)) => {
            step.out.push(Output::ExecutorEvent { stream, event: ExecutorEvent::Shutdown });
        }
        (ExecutorKind::Custom, None) => executor.destroy(step.out), // there is nobody to tell
        (ExecutorKind::Command | ExecutorKind::Default, _) => {
            for container in runs(executor) {
                kill::kill_run(core, step, &container, Some(grace), KillCause::Requested);
            }
            executors::settle(core, step, framework_id, executor_id);
        }
    }
}

/// The executor has not ended in time.
pub(crate) fn executor_timeout(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId) {
    let Some(executor) = executors::by_container(core, container) else { return };
    executor.timer = None;
    if executor.state != ExecutorState::Terminating {
        return;
    }
    info!(executor = %executor.info.executor_id, "the executor has not ended in its grace period; destroying it");
    let runs = runs(executor);
    if runs.is_empty() {
        executor.destroy(step.out);
    }
    // A group's own container follows when those of its tasks are gone, so that their ends are reported as they were.
    step.out.extend(runs.into_iter().map(Output::DestroyContainer));
}

fn runs(executor: &Executor) -> Vec<ContainerId> {
    executor.tasks.values().filter_map(|entry| Some(entry.run.as_ref()?.container_id.clone())).collect()
}

/// The framework is gone: so is everything of it on this agent, and nobody waits for its updates.
pub(crate) fn framework(core: &mut AgentCore, step: &mut Step<'_>, id: &FrameworkId) {
    let Some(framework) = core.frameworks.get_mut(id) else {
        info!(framework = %id, "asked to shut down an unknown framework");
        // Of tasks that never started, or that nobody knew, updates may be on their way; nobody takes them any more.
        return updates::forget(core, id);
    };
    if framework.terminating {
        return;
    }
    info!(framework = %id, "shutting down a framework");
    framework.terminating = true;
    let executors: Vec<ExecutorId> = framework.executors.keys().cloned().collect();
    remember::framework(core, step, id);
    updates::forget(core, id);
    for executor_id in executors {
        match core.executor(id, &executor_id).map(|executor| executor.state) {
            Some(ExecutorState::Registering | ExecutorState::Running) => {
                executor(core, step, id, &executor_id)
            }
            Some(ExecutorState::Terminated) => executors::settle(core, step, id, &executor_id),
            Some(ExecutorState::Terminating) | None => {}
        }
    }
    frameworks::remove_if_idle(core, step, id);
}

/// The master has no use for this agent any more.
pub(crate) fn by_master(core: &mut AgentCore, step: &mut Step<'_>, message: String) {
    warn!(%message, "the master asks this agent to shut down");
    end(core, step, message);
}

/// The operator ends the agent for good.
pub(crate) fn by_operator(core: &mut AgentCore, step: &mut Step<'_>, reason: String) {
    info!(%reason, "shutting down");
    if let Some(agent_id) = core.registration.agent_id.clone() {
        registration::send(core, step, ToMaster::Unregister { agent_id });
    }
    end(core, step, reason);
}

fn end(core: &mut AgentCore, step: &mut Step<'_>, reason: String) {
    if core.ending.is_some() {
        return;
    }
    core.ending = Some(reason);
    let frameworks: Vec<FrameworkId> = core.frameworks.keys().cloned().collect();
    if frameworks.is_empty() {
        finish(core, step);
    }
    for id in &frameworks {
        framework(core, step, id);
    }
}

/// Terminates, if that is what the agent is about, and nothing is left.
pub(crate) fn finish(core: &mut AgentCore, step: &mut Step<'_>) {
    if let Some(reason) = core.ending.clone().filter(|_| core.frameworks.is_empty()) {
        // Its id goes with it, as in Mesos: who starts here next is a new agent, with the resources as they are.
        step.out.push(Output::checkpoint(Write::Agent(None)));
        step.out.push(Output::Terminate { reason });
    }
}

/// Terminates at once and with everything in place: the agent cannot go on in this process.
pub(crate) fn give_up(step: &mut Step<'_>, reason: &str) {
    warn!(reason, "giving up");
    step.out.push(Output::Terminate { reason: reason.to_owned() });
}
