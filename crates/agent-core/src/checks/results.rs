//! What comes of checks: updates where something has changed, and the end of tasks that fail too often.

use base::{ContainerId, TaskId};
use tracing::{debug, info, warn};

use super::{Kind, orders};
use crate::checkpoint::KillCause;
use crate::core::{AgentCore, Step};
use crate::state::Owner;
use crate::types::{CheckId, CheckOutcome, ContainerStatus, Reason};
use crate::{builtin, kill, status};

/// A check has ended. One that was called off meanwhile is of no interest.
pub(crate) fn ended(core: &mut AgentCore, step: &mut Step<'_>, id: CheckId, outcome: &CheckOutcome) {
    let Some((container, kind)) = core.checks.performing.remove(&id) else {
        debug!(check = id.0, "ignoring the result of a check that was called off");
        return;
    };
    let Some(owner) = core.containers.get(&container).cloned() else { return };
    let Some(task_id) = owner.task_id.clone() else { return };
    log(&task_id, kind, outcome);
    let Some(framework) = core.frameworks.get_mut(&owner.framework_id) else { return };
    let Some(entry) = framework.entry(&task_id) else { return };
    let (Some(check), Some(run)) = (orders::of(&entry.task.info, kind), entry.run.as_mut()) else { return };
    orders::plan_next(&mut core.timers, step.now, check, kind, run);
    match kind {
        Kind::Check => {
            let unknown = check.probe.unknown();
            let found = match outcome {
                CheckOutcome::Found(status) => *status,
                CheckOutcome::Failed(_) => unknown,
                CheckOutcome::Unavailable(_) => return,
            };
            if run.checked.status.replace(found).unwrap_or(unknown) != found {
                tell(core, step, &owner, &task_id, &container, Reason::TaskCheckStatusUpdated);
            }
        }
        Kind::Health => {
            let Some(health) = &entry.task.info.health_check else { return };
            let since = run.checked.since;
            let Some(verdict) = run.checked.health.judge(health, since, step.now, outcome) else { return };
            run.checked.healthy = Some(verdict.healthy);
            tell(core, step, &owner, &task_id, &container, Reason::TaskHealthCheckStatusUpdated);
            if verdict.kill {
                warn!(task = %task_id, "killing a task that was found unhealthy too often");
                kill::kill_run(core, step, &container, None, KillCause::Unhealthy);
            }
        }
    }
}

fn log(task: &TaskId, kind: Kind, outcome: &CheckOutcome) {
    match outcome {
        CheckOutcome::Found(status) => debug!(%task, ?kind, ?status, "checked"),
        CheckOutcome::Failed(why) => info!(%task, ?kind, why, "a check has failed"),
        CheckOutcome::Unavailable(why) => info!(%task, ?kind, why, "a check could not be performed"),
    }
}

/// Reports the task's state once more, with everything that is known of its checks.
fn tell(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    owner: &Owner,
    task_id: &TaskId,
    container: &ContainerId,
    reason: Reason,
) {
    let Some(framework) = core.frameworks.get_mut(&owner.framework_id) else { return };
    let Some(entry) = framework.entry(task_id) else { return };
    let Some(run) = &entry.run else { return };
    let (state, pid) = (entry.task.state, run.pid);
    let (healthy, found) = (run.checked.healthy, run.checked.status);
    let mut news = builtin::by_executor(core, step, owner, task_id, state);
    news.reason = Some(reason);
    news.healthy = healthy;
    news.check_status = found.or(news.check_status);
    news.container_status =
        Some(ContainerStatus { container_id: container.clone(), pid, agent_address: true });
    status::report(core, step, &owner.framework_id, news);
}
