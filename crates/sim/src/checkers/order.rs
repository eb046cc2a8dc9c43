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

#[cfg(test)]
mod tests {
    use master_core::TaskState;

    use super::super::scene::{finds, framework, task, tell, uuid};
    use super::*;

    fn sent(number: u8, life: u64, written: bool) -> Happening {
        let (framework_id, task_id, uuid) = (framework(), task("T"), uuid(number));
        Happening::StatusSent { framework_id, task_id, uuid, agent: (0, life), written }
    }

    fn seen(number: u8, state: TaskState) -> Happening {
        Happening::StatusSeen {
            framework_id: framework(),
            task_id: task("T"),
            uuid: Some(uuid(number)),
            state,
        }
    }

    fn of_master(state: TaskState) -> Happening {
        Happening::StatusSeen { framework_id: framework(), task_id: task("T"), uuid: None, state }
    }

    fn acknowledged(number: u8) -> Happening {
        Happening::Acknowledged { framework_id: framework(), task_id: task("T"), uuid: uuid(number) }
    }

    fn came(number: u8) -> Happening {
        Happening::AcknowledgementCame { framework_id: framework(), task_id: task("T"), uuid: uuid(number) }
    }

    #[test]
    fn statuses_in_their_order_and_again_are_fine() {
        let happened = [
            sent(1, 1, true),
            seen(1, TaskState::Starting),
            sent(1, 1, true),
            seen(1, TaskState::Starting),
            acknowledged(1),
            came(1),
            sent(2, 1, true),
            // Who asks is answered by the master, without a number.
            of_master(TaskState::Lost),
            seen(2, TaskState::Finished),
            seen(2, TaskState::Finished),
        ];
        assert_eq!(tell(&mut Order::default(), &happened), Ok(()));
    }

    #[test]
    fn a_status_that_nobody_sent_is_found() {
        finds(tell(&mut Order::default(), &[seen(1, TaskState::Running)]), "nobody sent TASK_RUNNING");
    }

    #[test]
    fn a_status_that_was_passed_over_is_found() {
        let happened = [sent(1, 1, true), sent(2, 1, true), seen(2, TaskState::Running)];
        finds(tell(&mut Order::default(), &happened), "came before");
        // The agent that comes back knows it still.
        let happened = [sent(1, 1, true), sent(2, 2, true), seen(2, TaskState::Running)];
        finds(tell(&mut Order::default(), &happened), "came before");
        // Without a checkpoint it does not.
        let happened = [sent(1, 1, false), sent(2, 2, false), seen(2, TaskState::Running)];
        assert_eq!(tell(&mut Order::default(), &happened), Ok(()));
    }

    #[test]
    fn what_comes_after_the_end_is_found() {
        let ended = [sent(1, 1, true), seen(1, TaskState::Failed), sent(2, 1, true)];
        for state in [TaskState::Running, TaskState::Finished] {
            finds(
                tell(&mut Order::default(), &[&ended[..], &[seen(2, state)]].concat()),
                "came after its end",
            );
        }
        // A former status that says now that it is the end.
        let two = [sent(1, 1, true), seen(1, TaskState::Running), sent(2, 1, true)];
        let ended_twice = [&two[..], &[seen(2, TaskState::Finished), seen(1, TaskState::Failed)]].concat();
        finds(tell(&mut Order::default(), &ended_twice), "and again with");
    }

    #[test]
    fn an_acknowledgement_that_nobody_made_is_found() {
        finds(tell(&mut Order::default(), &[sent(1, 1, true), came(1)]), "nobody acknowledged");
        finds(
            tell(&mut Order::default(), &[sent(1, 1, true), acknowledged(1), came(2)]),
            "nobody acknowledged",
        );
    }
}
