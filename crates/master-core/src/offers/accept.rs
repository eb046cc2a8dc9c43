//! ACCEPT: uses the resources of offers.

use std::sync::Arc;
use std::time::Duration;

use base::{FrameworkId, OfferId, Time};
use resources::Resources;

use super::remove::{discard, take};
use super::validate::acceptable;
use crate::core::MasterCore;
use crate::operations;
use crate::output::Output;
use crate::tasks::{self, Launch};
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
            AcceptOperation::Apply { id: operation_id, .. } => {
                let message = format!("Operation attempted with invalid offers: {why}");
                operations::refuse(core, id, operation_id, message, out);
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
    let Some(first) = offers.first() else { return };
    let (agent_id, role) = (first.agent_id.clone(), first.role.clone());
    let mut remaining = Resources::new();
    for offer in offers {
        take(core, id, &offer.id);
        remaining += &offer.resources;
    }
    let mut launch = Launch { framework_id: id, agent_id: &agent_id, role: &role, remaining };
    for operation in operations {
        match operation {
            AcceptOperation::Launch(tasks) => {
                for task in tasks {
                    tasks::launch(core, now, &mut launch, task, out);
                }
            }
            AcceptOperation::LaunchGroup { executor, tasks, refused } => {
                tasks::launch_group(core, now, &mut launch, executor, tasks, refused, out);
            }
            AcceptOperation::Apply { id: operation_id, kind, .. } => {
                let message = format!("{} operations are not supported by this master", kind.as_str());
                operations::refuse(core, id, operation_id, message, out);
            }
        }
    }
    let remaining = launch.remaining;
    core.allocation.recover_leftover(now, id, &agent_id, &remaining, refuse);
}
