//! ACCEPT: uses the resources of offers.

use std::sync::Arc;
use std::time::Duration;

use base::{FrameworkId, OfferId, Time};

use super::accepted::Accepted;
use super::remove::discard;
use super::validate::acceptable;
use crate::core::MasterCore;
use crate::operations;
use crate::output::Output;
use crate::tasks;
use crate::types::{AcceptOperation, Offer, Reason, TaskState};

pub(crate) fn accept(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    offer_ids: &[OfferId],
    operations: Vec<AcceptOperation>,
    refuse: Duration,
    out: &mut Vec<Output>,
) {
    count(core, &operations);
    let Some(framework) = core.frameworks.get(id) else { return };
    match acceptable(framework, offer_ids) {
        Ok(offers) => use_offers(core, now, id, &offers, operations, refuse, out),
        Err(why) => {
            for offer_id in offer_ids {
                discard(core, id, offer_id);
            }
            refuse_all(core, now, id, operations, &why, out);
        }
    }
}

fn count(core: &mut MasterCore, operations: &[AcceptOperation]) {
    for operation in operations {
        match operation {
            AcceptOperation::Launch(tasks) if tasks.is_empty() => core.metrics.messages_decline_offers += 1,
            AcceptOperation::Launch(_) => core.metrics.messages_launch_tasks += 1,
            AcceptOperation::LaunchGroup { .. } | AcceptOperation::Apply { .. } => {}
        }
    }
}

/// The offers cannot be used: nothing of what was wanted happens.
fn refuse_all(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    operations: Vec<AcceptOperation>,
    why: &str,
    out: &mut Vec<Output>,
) {
    let partition_aware = core.frameworks.get(id).is_some_and(|f| f.info.capabilities.partition_aware);
    let state = if partition_aware { TaskState::Dropped } else { TaskState::Lost };
    let message = format!("Task launched with invalid offers: {why}");
    for operation in operations {
        let tasks: Vec<_> = match operation {
            AcceptOperation::Launch(tasks) => tasks
                .into_iter()
                .map(|task| match task {
                    Ok(task) => (task.task_id.clone(), task.agent_id.clone()),
                    Err(refused) => (refused.task_id, refused.agent_id),
                })
                .collect(),
            AcceptOperation::LaunchGroup { tasks, .. } => {
                tasks.iter().map(|task| (task.task_id.clone(), task.agent_id.clone())).collect()
            }
            AcceptOperation::Apply { id: operation_id, kind, .. } => {
                let message = format!("Operation attempted with invalid offers: {why}");
                operations::refuse(core, id, operation_id, kind, message, out);
                continue;
            }
        };
        for (task_id, agent_id) in tasks {
            let refusal = tasks::Refusal { state, reason: Reason::INVALID_OFFERS, message: &message };
            tasks::refuse(core, now, id, task_id, agent_id, &refusal, out);
        }
    }
}

fn use_offers(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    offers: &[Arc<Offer>],
    operations: Vec<AcceptOperation>,
    refuse: Duration,
    out: &mut Vec<Output>,
) {
    let Some(mut accepted) = Accepted::take(core, id, offers) else { return };
    // What is wrong in itself is refused before anything happens, as in Mesos.
    let mut admitted = Vec::with_capacity(operations.len());
    for operation in operations {
        if operations::admit(core, id, &accepted.agent_id, &operation, out) {
            admitted.push(operation);
        }
    }
    for operation in admitted {
        match operation {
            AcceptOperation::Launch(tasks) => {
                for task in tasks {
                    tasks::launch(core, now, &mut accepted, task, out);
                }
            }
            AcceptOperation::LaunchGroup { executor, tasks, refused } => {
                tasks::launch_group(core, now, &mut accepted, executor, tasks, refused, out);
            }
            AcceptOperation::Apply { id, operation: Ok(operation), .. } => {
                operations::apply(core, &mut accepted, id, operation, out);
            }
            AcceptOperation::Apply { operation: Err(_), .. } => {}
        }
    }
    accepted.give_back(core, now, refuse);
}
