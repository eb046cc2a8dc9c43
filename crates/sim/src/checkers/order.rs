//! A scheduler sees the statuses of a task in their order, and one end; and an agent is told that it has acknowledged only what it
//! has.

use std::collections::{BTreeMap, BTreeSet};

use base::{FrameworkId, TaskId, Uuid};

use super::Checker;
use crate::happening::Happening;

/// The statuses of one task.
#[derive(Debug, Default)]
struct History {
    /// As the agent sent them first, and whether that was in a life of which it knows nothing any more: then they may be under
    /// way, or lost for ever.
    sent: Vec<(Uuid, bool)>,
    /// The agent that sent the last, and its life.
    by: Option<(usize, u64)>,
    /// How many of them the scheduler has seen.
    seen: usize,
    /// The one that ended the task, as the scheduler saw it.
    end: Option<Uuid>,
    /// Those that the scheduler has acknowledged.
    acknowledged: BTreeSet<Uuid>,
}

/// See above.
#[derive(Debug, Default)]
pub(super) struct Order {
    tasks: BTreeMap<(FrameworkId, TaskId), History>,
}

impl Checker for Order {
    fn promise(&self) -> &'static str {
        "a scheduler sees a task's statuses in their order, and one end, and what it acknowledges is acknowledged"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::StatusSent { framework_id, task_id, uuid, agent, written } => {
                let history = self.tasks.entry((framework_id.clone(), task_id.clone())).or_default();
                if history.by.replace(*agent).is_some_and(|by| by != *agent) && !written {
                    // An agent that was started anew knows nothing of what frameworks without checkpoints had.
                    for (_, forgotten) in &mut history.sent {
                        *forgotten = true;
                    }
                }
                if !history.sent.iter().any(|(sent, _)| sent == uuid) {
                    history.sent.push((*uuid, false));
                }
            }
            Happening::StatusSeen { framework_id, task_id, uuid: Some(uuid), state } => {
                let history = self.tasks.entry((framework_id.clone(), task_id.clone())).or_default();
                let Some(place) = history.sent.iter().position(|(sent, _)| sent == uuid) else {
                    return Err(format!("{task_id} of {framework_id}: nobody sent {state} ({uuid})"));
                };
                let mut passed = history.sent.iter().take(place).skip(history.seen);
                if let Some((missed, _)) = passed.find(|(_, forgotten)| !forgotten) {
                    return Err(format!(
                        "{task_id} of {framework_id}: {state} ({uuid}) came before {missed}"
                    ));
                }
                if place >= history.seen && history.end.is_some() {
                    return Err(format!("{task_id} of {framework_id}: {state} ({uuid}) came after its end"));
                }
                history.seen = history.seen.max(place + 1);
                if state.is_terminal() {
                    let end = *history.end.get_or_insert(*uuid);
                    if end != *uuid {
                        return Err(format!(
                            "{task_id} of {framework_id} ended with {end} and again with {uuid}"
                        ));
                    }
                }
            }
            Happening::Acknowledged { framework_id, task_id, uuid } => {
                let history = self.tasks.entry((framework_id.clone(), task_id.clone())).or_default();
                history.acknowledged.insert(*uuid);
            }
            Happening::AcknowledgementCame { framework_id, task_id, uuid } => {
                let history = self.tasks.get(&(framework_id.clone(), task_id.clone()));
                if !history.is_some_and(|history| history.acknowledged.contains(uuid)) {
                    return Err(format!("{task_id} of {framework_id}: nobody acknowledged {uuid}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
