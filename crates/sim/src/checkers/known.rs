//! A task that was accepted is known to someone who will report it.
//!
//! As long as the master lives that accepted it: the master itself, a message that is under way, or the agent, until the master
//! has told how it ended. Once it is on the agent's disk it stays there until its scheduler has seen its end. When the master
//! that accepted a task dies before the agent has it, its scheduler asks the next one; that it is answered belongs to the order
//! in which everything ends.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, FrameworkId, TaskId};
use master_core::AgentRecord;

use super::Checker;
use crate::cluster::Cluster;
use crate::happening::Happening;
use crate::net::Packet;
use crate::node::Node;

/// A task that was accepted.
#[derive(Debug)]
struct Accepted {
    agent_id: AgentId,
    master: (usize, u64),
    /// It was on the agent's disk.
    written: bool,
    /// A master has passed its end on.
    told: bool,
}

/// See above.
#[derive(Debug, Default)]
pub(super) struct AlwaysKnown {
    tasks: BTreeMap<(FrameworkId, TaskId), Accepted>,
    over: BTreeSet<FrameworkId>,
    /// Agents that were told to end for good: they forget everything, and come again as others.
    dismissed: BTreeSet<usize>,
    /// Which machine each agent is on.
    machines: BTreeMap<AgentId, usize>,
}

impl Checker for AlwaysKnown {
    fn promise(&self) -> &'static str {
        "a task that was accepted is known to someone who will report it"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::TaskSent { master, framework_id, task_id, agent_id } => {
                let accepted =
                    Accepted { agent_id: agent_id.clone(), master: *master, written: false, told: false };
                self.tasks.insert((framework_id.clone(), task_id.clone()), accepted);
            }
            Happening::EndTold { framework_id, task_id, by_agent: false } => {
                self.tasks.remove(&(framework_id.clone(), task_id.clone()));
            }
            Happening::EndTold { framework_id, task_id, by_agent: true } => {
                if let Some(task) = self.tasks.get_mut(&(framework_id.clone(), task_id.clone())) {
                    task.told = true;
                }
            }
            Happening::StatusSeen { framework_id, task_id, state, .. } if state.is_terminal() => {
                self.tasks.remove(&(framework_id.clone(), task_id.clone()));
            }
            Happening::Dismissed(agent) => {
                self.dismissed.insert(*agent);
            }
            Happening::FrameworkOver(id) => {
                self.over.insert(id.clone());
                self.tasks.retain(|(framework, _), _| framework != id);
            }
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, cluster: &Cluster, touched: Node) -> Result<(), String> {
        if matches!(touched, Node::Scheduler(_)) {
            return Ok(());
        }
        for agent in &cluster.agents {
            if let Some(id) = agent.id().filter(|id| !self.machines.contains_key(*id)) {
                self.machines.insert(id.clone(), agent.index);
            }
        }
        for ((framework_id, task_id), accepted) in &mut self.tasks {
            let agent = cluster.agents.iter().find(|agent| agent.id() == Some(&accepted.agent_id));
            let on_disk = agent.is_some_and(|agent| agent.has_written(framework_id, task_id));
            accepted.written |= on_disk;
            let (index, life) = accepted.master;
            let lives = cluster.masters[index].process.is_some() && cluster.masters[index].life == life;
            if !lives && !accepted.written {
                continue;
            }
            let process = agent.and_then(|agent| agent.process.as_ref());
            let machine = self.machines.get(&accepted.agent_id);
            let dismissed = machine.is_some_and(|machine| self.dismissed.contains(machine));
            let known = if accepted.written && agent.is_some() && !dismissed {
                on_disk
            } else {
                // One that was dismissed may not have heard of it yet. If the master that did so is no more either, the
                // scheduler asks the next. Who asks about a task on an agent that is gone is told so.
                on_disk
                    || (dismissed && !lives)
                    || is_gone(cluster, &accepted.agent_id)
                    || accepted.told
                    || process.is_some_and(|process| process.core.knows_task(framework_id, task_id))
                    || knows(cluster, framework_id, task_id)
                    || under_way(cluster, framework_id, task_id)
            };
            if !known {
                let Accepted { agent_id, written, told, .. } = accepted;
                let on = agent.map_or_else(|| "nobody".to_owned(), |agent| agent.node().to_string());
                return Err(format!(
                    "nobody knows of {task_id} of {framework_id} any more, which was sent to {agent_id}, which is {on}: \
                     written {written}, end told {told}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether the registry says that an agent is gone.
fn is_gone(cluster: &Cluster, agent_id: &AgentId) -> bool {
    matches!(cluster.fabric.service.content.agents.get(agent_id), Some(AgentRecord::Gone { .. }))
}

/// Whether a master knows the task.
fn knows(cluster: &Cluster, framework_id: &FrameworkId, task_id: &TaskId) -> bool {
    let masters = cluster.masters.iter().filter_map(|master| master.process.as_ref());
    masters.filter_map(|process| process.core.framework(framework_id)).any(|framework| {
        framework.tasks.contains_key(task_id) || framework.unreachable_tasks.contains_key(task_id)
    })
}

/// Whether the order to run the task, or the news of its end, is under way.
fn under_way(cluster: &Cluster, framework_id: &FrameworkId, task_id: &TaskId) -> bool {
    use agent_core::FromMaster;
    use master_core::SchedulerEvent;
    cluster.fabric.net.under_way().any(|(_, packet)| match packet {
        Packet::ToAgent { message: FromMaster::RunTask(run), .. } => {
            run.task.task_id == *task_id && run.framework.id == *framework_id
        }
        Packet::ToAgent { message: FromMaster::RunTaskGroup(run), .. } => {
            run.framework.id == *framework_id && run.tasks.iter().any(|task| task.task_id == *task_id)
        }
        Packet::Event(SchedulerEvent::Update(status)) => {
            status.task_id == *task_id && status.state.is_terminal()
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use agent_core::{Place, TaskRecord};
    use master_core::TaskState;
    use testkit::agent::command_task;

    use super::super::scene::{finds, framework, task, tell, with_agent};
    use super::*;

    const LOST: &str = "nobody knows of T of F any more";

    /// A cluster in which the task is nowhere, and what says that the master sent it to the agent.
    fn sent() -> (Cluster, Happening) {
        let cluster = with_agent();
        let agent_id = cluster.agents[0].id().expect("it is registered").clone();
        let master = (0, cluster.masters[0].life);
        let happening =
            Happening::TaskSent { master, framework_id: framework(), task_id: task("T"), agent_id };
        (cluster, happening)
    }

    fn write(cluster: &mut Cluster) {
        let record = TaskRecord {
            framework_id: framework(),
            executor_id: "T".into(),
            info: command_task("T", "true").into(),
            place: Place::Queued { order: 0, group: false },
        };
        cluster.agents[0].disk.memory.tasks.insert((framework(), task("T")), record);
    }

    fn end_told(by_agent: bool) -> Happening {
        Happening::EndTold { framework_id: framework(), task_id: task("T"), by_agent }
    }

    fn seen(state: TaskState) -> Happening {
        Happening::StatusSeen { framework_id: framework(), task_id: task("T"), uuid: None, state }
    }

    /// What is found after all that.
    fn look(cluster: &Cluster, happened: &[Happening]) -> Result<(), String> {
        let mut known = AlwaysKnown::default();
        tell(&mut known, happened)?;
        known.look(cluster, Node::Master(0))
    }

    #[test]
    fn a_task_that_nobody_knows_is_found() {
        let (cluster, sent) = sent();
        finds(look(&cluster, std::slice::from_ref(&sent)), LOST);
        finds(look(&cluster, &[sent.clone(), seen(TaskState::Running)]), LOST);
        finds(look(&cluster, &[sent, Happening::FrameworkOver("G".into())]), LOST);
    }

    #[test]
    fn one_that_has_ended_or_has_nobody_who_asks_may_be_forgotten() {
        let (cluster, sent) = sent();
        for last in [
            end_told(true),
            end_told(false),
            seen(TaskState::Finished),
            Happening::FrameworkOver(framework()),
        ] {
            assert_eq!(look(&cluster, &[sent.clone(), last.clone()]), Ok(()), "{last:?}");
        }
    }

    #[test]
    fn one_whose_master_died_before_it_came_may_be_forgotten() {
        let (mut cluster, sent) = sent();
        cluster.masters[0].life += 1;
        assert_eq!(look(&cluster, &[sent]), Ok(()));
    }

    #[test]
    fn one_that_was_on_the_disk_stays_there_until_its_end_is_seen() {
        let (mut cluster, sent) = sent();
        let mut known = AlwaysKnown::default();
        write(&mut cluster);
        assert_eq!(tell(&mut known, &[sent]), Ok(()));
        assert_eq!(known.look(&cluster, Node::Agent(0)), Ok(()));
        // The end that was told is not enough: the agent has to repeat it until it is seen.
        assert_eq!(tell(&mut known, &[end_told(true)]), Ok(()));
        assert_eq!(known.look(&cluster, Node::Agent(0)), Ok(()));
        cluster.agents[0].disk.memory.tasks.clear();
        cluster.masters[0].life += 1;
        finds(known.look(&cluster, Node::Agent(0)), LOST);
        assert_eq!(known.look(&cluster, Node::Scheduler(0)), Ok(()), "neither master nor agent did anything");
        assert_eq!(tell(&mut known, &[seen(TaskState::Failed)]), Ok(()));
        assert_eq!(known.look(&cluster, Node::Agent(0)), Ok(()));
    }

    #[test]
    fn who_asks_about_one_on_an_agent_that_is_gone_is_told() {
        let (mut cluster, sent) = sent();
        let Happening::TaskSent { agent_id, .. } = &sent else { panic!("it was sent") };
        let gone = AgentRecord::Gone { since: cluster.fabric.now, hostname: "agent-0".into() };
        cluster.fabric.service.content.agents.insert(agent_id.clone(), gone);
        assert_eq!(look(&cluster, &[sent]), Ok(()));
    }
}
