//! Tasks are launched: on their own, in groups, in executors; and wrongly.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, ExecutorId, Payload};
use master_core::{AcceptOperation, ExecutorInfo, ExecutorKind, Offer, SchedulerCall, TaskInfo};
use resources::{Name, Resource, Resources, Scalar, Value};

use crate::bodies::Plan;
use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::scheduler::{Known, Scheduler};

/// What a task takes at most of an offer: cpus in thousandths, mem in whole MB.
const LARGEST: (u64, u64) = (1_500, 300);

/// One of the offers at hand. It is used up with this.
pub(super) fn take_offer(scheduler: &mut Scheduler) -> Option<Arc<Offer>> {
    if !scheduler.subscribed() {
        return None;
    }
    let ids: Vec<_> = scheduler.offers.keys().cloned().collect();
    let id = scheduler.rng.pick(&ids)?.clone();
    scheduler.offers.remove(&id)
}

fn plan(scheduler: &mut Scheduler, fabric: &mut Fabric) -> Payload {
    let mean = fabric.options.task_life;
    let rng = &mut scheduler.rng;
    let plan = Plan {
        life: rng.chance(1, 2).then(|| rng.around(mean)),
        status: [0, 0, 0, 256, 9][rng.index(5)],
        polite: rng.chance(4, 5),
        grace: rng.chance(1, 3).then(|| Duration::from_secs(rng.below(8))),
        longest: rng.chance(1, 10).then(|| rng.around(mean)),
        check: rng.chance(1, 10).then(|| Duration::from_secs(rng.between(1, 30))),
        health_check: rng.chance(1, 10).then(|| {
            (Duration::from_secs(rng.between(1, 20)), u32::try_from(rng.between(1, 4)).unwrap_or(1))
        }),
        sick: [0, 10, 60][rng.index(3)],
    };
    fabric.bodies.plan(plan)
}

/// Takes a piece out of what is left: unreserved or reserved, as it comes.
fn piece(scheduler: &mut Scheduler, left: &mut Resources, most: (u64, u64)) -> Option<Resources> {
    let mut taken = Resources::new();
    for (name, least, most) in [(Name::Cpus, 50, most.0), (Name::Mem, 32_000, most.1 * 1_000)] {
        let candidates: Vec<Resource> = left
            .iter()
            .filter(|resource| resource.name == name && !resource.is_persistent_volume())
            .cloned()
            .collect();
        let resource = scheduler.rng.pick(&candidates)?.clone();
        let Value::Scalar(there) = resource.value else { return None };
        let there = u64::try_from(there.thousandths()).ok()?;
        if there < least {
            return None;
        }
        let amount = scheduler.rng.between(least, most.min(there));
        let amount = Scalar::from_thousandths(i64::try_from(amount).ok()?);
        let part = resource.with_value(Value::Scalar(amount));
        left.remove(&part);
        taken.add(part);
    }
    if scheduler.rng.chance(1, 4) {
        let volumes: Vec<Resource> =
            left.iter().filter(|resource| resource.is_persistent_volume()).cloned().collect();
        if let Some(volume) = scheduler.rng.pick(&volumes) {
            left.remove(volume);
            taken.add(volume.clone());
        }
    }
    Some(taken)
}

fn task(
    scheduler: &mut Scheduler,
    fabric: &mut Fabric,
    agent_id: &AgentId,
    resources: Resources,
) -> TaskInfo {
    let name = scheduler.name("t");
    TaskInfo {
        task_id: name.as_str().into(),
        name,
        agent_id: agent_id.clone(),
        resources: resources.unallocated(),
        limited: false,
        executor: None,
        body: plan(scheduler, fabric),
    }
}

fn remember(scheduler: &mut Scheduler, task: &TaskInfo, executor_id: Option<ExecutorId>) {
    let known = Known { agent_id: task.agent_id.clone(), executor_id, state: None };
    scheduler.tasks.insert(task.task_id.clone(), known);
}

fn accept(scheduler: &mut Scheduler, fabric: &mut Fabric, offer: &Offer, operations: Vec<AcceptOperation>) {
    let refuse = Duration::from_secs(scheduler.rng.below(10));
    let call = SchedulerCall::Accept { offer_ids: vec![offer.id.clone()], operations, refuse };
    scheduler.call(fabric, call);
}

/// Some command tasks out of one offer.
pub(super) fn commands(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some(offer) = take_offer(scheduler) else { return };
    let mut left = offer.resources.clone();
    let mut tasks = Vec::new();
    for _ in 0..=scheduler.rng.below(4) {
        let Some(resources) = piece(scheduler, &mut left, LARGEST) else { break };
        let task = task(scheduler, fabric, &offer.agent_id, resources);
        remember(scheduler, &task, None);
        tasks.push(Ok(Arc::new(task)));
    }
    accept(scheduler, fabric, &offer, vec![AcceptOperation::Launch(tasks)]);
}

/// The executor of that name, the same each time, and whether it is a new one.
fn executor(
    scheduler: &mut Scheduler,
    fabric: &mut Fabric,
    offer: &Offer,
    kind: ExecutorKind,
    left: &mut Resources,
) -> Option<Arc<ExecutorInfo>> {
    let name = match kind {
        ExecutorKind::Default => "pod",
        ExecutorKind::Custom | ExecutorKind::Unknown => "custom",
    };
    let executor_id: ExecutorId = format!("{name}-{}", scheduler.rng.below(3)).into();
    let key = (offer.agent_id.clone(), executor_id.clone());
    let known = scheduler.executors.get(&key).cloned();
    let resources = match &known {
        // Its share is only taken when it starts, but has to be there.
        Some(known) => {
            let mut share = known.resources.clone();
            share.allocate(&offer.role);
            if !left.contains(&share) {
                return None;
            }
            *left -= &share;
            known.resources.clone()
        }
        None => piece(scheduler, left, (100, 40))?.unallocated(),
    };
    if let Some(known) = known {
        return Some(known);
    }
    let polite = scheduler.rng.chance(4, 5);
    let plan = Plan { polite, ..Plan::default() };
    let info = Arc::new(ExecutorInfo {
        executor_id,
        framework_id: scheduler.id.clone(),
        kind,
        resources,
        body: fabric.bodies.plan(plan),
    });
    scheduler.executors.insert(key, Arc::clone(&info));
    Some(info)
}

/// A group of tasks that live and die together.
pub(super) fn group(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some(offer) = take_offer(scheduler) else { return };
    let mut left = offer.resources.clone();
    let mut operations = Vec::new();
    if let Some(executor) = executor(scheduler, fabric, &offer, ExecutorKind::Default, &mut left) {
        let mut tasks = Vec::new();
        for _ in 0..=scheduler.rng.below(3) {
            let Some(resources) = piece(scheduler, &mut left, LARGEST) else { break };
            let task = task(scheduler, fabric, &offer.agent_id, resources);
            remember(scheduler, &task, Some(executor.executor_id.clone()));
            tasks.push(Arc::new(task));
        }
        if !tasks.is_empty() {
            operations.push(AcceptOperation::LaunchGroup { executor, tasks, refused: None });
        }
    }
    accept(scheduler, fabric, &offer, operations);
}

/// Tasks in an executor of the framework's own.
pub(super) fn in_executor(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some(offer) = take_offer(scheduler) else { return };
    let mut left = offer.resources.clone();
    let mut tasks = Vec::new();
    if let Some(executor) = executor(scheduler, fabric, &offer, ExecutorKind::Custom, &mut left) {
        for _ in 0..=scheduler.rng.below(3) {
            let Some(resources) = piece(scheduler, &mut left, LARGEST) else { break };
            let mut task = task(scheduler, fabric, &offer.agent_id, resources);
            task.executor = Some(Arc::clone(&executor));
            remember(scheduler, &task, Some(executor.executor_id.clone()));
            tasks.push(Ok(Arc::new(task)));
        }
    }
    accept(scheduler, fabric, &offer, vec![AcceptOperation::Launch(tasks)]);
}

/// An offer is used that is used already, or a task asks for more than there is.
pub(super) fn wrongly(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some(offer) = take_offer(scheduler) else { return };
    let too_much = Resources::parse("cpus:1000;mem:32").unwrap_or_default();
    let large = task(scheduler, fabric, &offer.agent_id, too_much);
    remember(scheduler, &large, None);
    accept(scheduler, fabric, &offer, vec![AcceptOperation::Launch(vec![Ok(Arc::new(large))])]);
    let mut left = offer.resources.clone();
    let Some(resources) = piece(scheduler, &mut left, LARGEST) else { return };
    let late = task(scheduler, fabric, &offer.agent_id, resources);
    remember(scheduler, &late, None);
    accept(scheduler, fabric, &offer, vec![AcceptOperation::Launch(vec![Ok(Arc::new(late))])]);
}
