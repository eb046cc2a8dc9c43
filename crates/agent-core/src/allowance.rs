//! What an executor's container may use: it changes while tasks come and go.

use base::{ExecutorId, FrameworkId};
use resources::{Resources, Scalar};

use crate::core::{AgentCore, Step};
use crate::output::Output;
use crate::types::{ExecutorKind, ExecutorState, ResourceLimit, ResourceLimits, TaskInfo};
use crate::volumes;

/// What a container may use, as it was last ordered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Allowance {
    pub(crate) resources: Resources,
    pub(crate) limits: ResourceLimits,
}

/// A task has been given to an executor, or one of its tasks has ended: its container gets what it may use now. A command
/// task's container has what it has for all its life.
pub(crate) fn adjust(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    volumes::relink(core, step, framework_id, executor_id);
    let quota = core.options.cpus_are_limited;
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let ending = matches!(executor.state, ExecutorState::Terminating | ExecutorState::Terminated);
    if executor.kind() == ExecutorKind::Command || ending || executor.destroying {
        return;
    }
    let now = executor.allowance(quota);
    if executor.allowed.as_ref() == Some(&now) {
        return;
    }
    executor.allowed = Some(now.clone());
    let Allowance { resources, limits } = now;
    let container_id = executor.container_id.clone();
    step.out.push(Output::UpdateContainer { container_id, resources, limits });
}

/// How far all tasks of an executor may go together: if one may go beyond its request, the others count with theirs. `quota`
/// says whether who asks for no limit of processors gets its request; if it gets what is idle, all do.
pub(crate) fn limits<'a>(
    executor: &Resources,
    tasks: impl Iterator<Item = &'a TaskInfo>,
    quota: bool,
) -> ResourceLimits {
    let (mut cpus, mut mem) = (Sum::default(), Sum::default());
    for task in tasks {
        cpus.add(task.limits.cpus, task.resources.cpus());
        mem.add(task.limits.mem, task.resources.mem());
    }
    let held = quota || cpus.requested == Scalar::default();
    ResourceLimits { cpus: cpus.with(executor.cpus()).filter(|_| held), mem: mem.with(executor.mem()) }
}

#[derive(Default)]
struct Sum {
    limit: Option<ResourceLimit>,
    /// By those without a limit.
    requested: Scalar,
}

impl Sum {
    fn add(&mut self, limit: Option<ResourceLimit>, request: Option<Scalar>) {
        match (limit, &mut self.limit) {
            (Some(limit), Some(sum)) => *sum += limit,
            (Some(limit), none) => *none = Some(limit),
            (None, _) => self.requested += request.unwrap_or_default(),
        }
    }

    /// With what the executor itself has; nothing if nobody has a limit.
    fn with(&self, own: Option<Scalar>) -> Option<ResourceLimit> {
        let mut limit = self.limit?;
        limit += ResourceLimit::At(self.requested + own.unwrap_or_default());
        Some(limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn task(resources: &str, cpus: Option<ResourceLimit>, mem: Option<ResourceLimit>) -> TaskInfo {
        TaskInfo {
            task_id: "t".into(),
            name: Arc::from("t"),
            resources: Resources::parse(resources).expect("well formed"),
            limits: ResourceLimits { cpus, mem },
            executor: None,
            command: None,
            kill_grace: None,
            max_completion_time: None,
            check: None,
            health_check: None,
            unsupported: None,
            body: base::Payload::default(),
        }
    }

    fn at(amount: f64) -> Option<ResourceLimit> {
        Some(ResourceLimit::At(Scalar::from_f64(amount)))
    }

    fn of(tasks: &[TaskInfo], quota: bool) -> ResourceLimits {
        limits(&Resources::parse("cpus:0.5;mem:32").expect("well formed"), tasks.iter(), quota)
    }

    #[test]
    fn the_limits_of_tasks_and_the_requests_of_others_add_up() {
        let plain = || task("cpus:1;mem:64", None, None);
        assert_eq!(of(&[plain()], true), ResourceLimits::default(), "nobody goes beyond");
        let beyond = || task("cpus:1;mem:64", at(2.0), at(128.0));
        let both = ResourceLimits { cpus: at(2.5), mem: at(160.0) };
        assert_eq!(of(&[beyond()], false), both, "the executor's own counts, too");
        assert_eq!(of(&[beyond(), plain()], true), ResourceLimits { cpus: at(3.5), mem: at(224.0) });
        let unlimited = ResourceLimits { cpus: None, mem: at(224.0) };
        assert_eq!(of(&[beyond(), plain()], false), unlimited, "who has no limit takes what is idle");
        let all = task("cpus:1;mem:64", None, Some(ResourceLimit::Unlimited));
        assert_eq!(of(&[beyond(), all], true).mem, Some(ResourceLimit::Unlimited));
    }
}
