//! What is still not in order, once nothing goes wrong any more.

use std::collections::BTreeMap;

use base::{AgentId, FrameworkId, TaskId};
use master_core::{Agent, Framework, MasterCore, OperatorCall, TaskState};
use resources::{Name, Resources, Scalar};

use crate::border::state;
use crate::cluster::Cluster;
use crate::hosts::AgentHost;
use crate::scheduler::Scheduler;
use crate::workloads;

/// The tasks of a framework that have not ended, and their states.
type Tasks = BTreeMap<TaskId, TaskState>;

impl Cluster {
    /// Operators tidy up: what they took out of service comes back, quotas go, and frameworks whose schedulers are no more are
    /// ended.
    pub(crate) fn tidy_up(&mut self) -> Result<(), String> {
        let ids: Vec<FrameworkId> =
            self.schedulers.iter().filter_map(|scheduler| scheduler.id.clone()).collect();
        for master in &mut self.masters {
            let Some(process) = &master.process else { continue };
            let snapshot = process.core.snapshot(self.fabric.now);
            let mut calls = workloads::undo(process.core.registry());
            for agent in snapshot.agents.iter().filter(|agent| agent.deactivated) {
                calls.push(OperatorCall::ReactivateAgent(agent.id.clone()));
            }
            // Their machines have come back as other agents.
            let known: Vec<&AgentId> = self.agents.iter().filter_map(AgentHost::id).collect();
            for id in snapshot.unreachable.iter().map(|(id, _)| id).filter(|id| !known.contains(id)) {
                calls.push(OperatorCall::MarkAgentGone(id.clone()));
            }
            for framework in snapshot.frameworks.iter().filter(|framework| !ids.contains(&framework.id)) {
                calls.push(OperatorCall::Teardown(framework.id.clone()));
            }
            for call in calls {
                master.operator(&mut self.fabric, call)?;
            }
        }
        Ok(())
    }

    /// The first thing that is not in order, in one line.
    pub(crate) fn pending(&self) -> Option<String> {
        let leader = self
            .masters
            .iter()
            .find(|master| master.session().is_some_and(|session| self.fabric.service.leads(session)));
        let core = match leader.and_then(|master| master.process.as_ref()) {
            Some(process) => &process.core,
            None => return Some("no master leads".to_owned()),
        };
        if let Some(call) = workloads::undo(core.registry()).first() {
            return Some(format!("operators have still to do this: {call:?}"));
        }
        let agents = (0..self.agents.len()).find_map(|index| self.agent_pending(core, index));
        agents
            .or_else(|| self.schedulers.iter().find_map(|scheduler| self.scheduler_pending(core, scheduler)))
            .or_else(|| self.strangers(core))
            .or_else(|| self.not_offered(core))
    }

    fn agent_pending(&self, core: &MasterCore, index: usize) -> Option<String> {
        let host = &self.agents[index];
        let name = host.node();
        let Some(process) = &host.process else { return Some(format!("{name} does not run")) };
        if !process.core.is_registered() {
            return Some(format!("{name} is not registered"));
        }
        let Some(agent) = process.core.id().and_then(|id| core.agent(id)) else {
            return Some(format!("the master does not know {name}"));
        };
        let snapshot = process.core.snapshot();
        if !agent.connected || !agent.active {
            return Some(format!("{name}: connected {}, active {}", agent.connected, agent.active));
        }
        if agent.total != snapshot.total {
            return Some(format!("{name} has {} but the master says {}", snapshot.total, agent.total));
        }
        if !agent.operations.is_empty() || !snapshot.operations.is_empty() {
            let (there, here) = (agent.operations.len(), snapshot.operations.len());
            return Some(format!("{name}: {here} operations are not over, says the master {there}"));
        }
        executors_differ(agent, &snapshot).map(|why| format!("{name}: {why}"))
    }

    fn scheduler_pending(&self, core: &MasterCore, scheduler: &Scheduler) -> Option<String> {
        let name = scheduler.node();
        let Some(id) = scheduler.id.as_ref().filter(|_| scheduler.subscribed()) else {
            return Some(format!("{name} is not subscribed"));
        };
        let Some(framework) = core.framework(id) else {
            return Some(format!("the master does not know {id} of {name}"));
        };
        if let Some(task) = framework.unreachable_tasks.keys().next() {
            return Some(format!("{task} of {id} is unreachable"));
        }
        let known = scheduler.tasks.iter().filter(|(_, task)| !task.is_over());
        let known: Tasks =
            known.map(|(id, task)| (id.clone(), task.state.unwrap_or(TaskState::Staging))).collect();
        let at_master: Tasks = framework.tasks.iter().map(|(id, task)| (id.clone(), task.state)).collect();
        if known != at_master {
            return Some(format!("{name} knows {known:?} but the master {at_master:?}"));
        }
        let at_agents = self.tasks_at_agents(id);
        (at_master != at_agents)
            .then(|| format!("of {id} the master knows {at_master:?} but agents {at_agents:?}"))
    }

    fn tasks_at_agents(&self, id: &FrameworkId) -> Tasks {
        let mut tasks = Tasks::new();
        for process in self.agents.iter().filter_map(|agent| agent.process.as_ref()) {
            let snapshot = process.core.snapshot();
            let Some(framework) = snapshot.frameworks.iter().find(|framework| framework.info.id == *id)
            else {
                continue;
            };
            for executor in &framework.executors {
                tasks.extend(executor.queued.iter().map(|task| (task.task_id.clone(), TaskState::Staging)));
                let given = executor.launched.iter().chain(&executor.terminated);
                tasks.extend(given.map(|task| (task.info.task_id.clone(), state(task.state))));
            }
        }
        tasks
    }

    /// Frameworks that no scheduler has, at the master or at an agent.
    fn strangers(&self, core: &MasterCore) -> Option<String> {
        let own =
            |id: &FrameworkId| self.schedulers.iter().any(|scheduler| scheduler.id.as_ref() == Some(id));
        let snapshot = core.snapshot(self.fabric.now);
        if let Some(stranger) = snapshot.frameworks.iter().find(|framework| !own(&framework.id)) {
            return Some(format!("the master knows {}, which nobody else does", stranger.id));
        }
        for (index, process) in
            self.agents.iter().enumerate().filter_map(|(i, a)| Some((i, a.process.as_ref()?)))
        {
            let snapshot = process.core.snapshot();
            if let Some(stranger) = snapshot.frameworks.iter().find(|framework| !own(&framework.info.id)) {
                return Some(format!("agent-{index} has {}, which nobody else knows", stranger.info.id));
            }
        }
        None
    }

    /// What could be offered and is not. Everybody keeps what is offered.
    fn not_offered(&self, core: &MasterCore) -> Option<String> {
        let snapshot = core.snapshot(self.fabric.now);
        for agent in &snapshot.agents {
            let Some(rest) = core.allocator().available(&agent.id) else {
                return Some(format!("the allocator does not know {}", agent.id));
            };
            let wanted = |framework: &Framework, rest: &Resources| {
                framework.info.roles.iter().any(|role| is_worth_offering(&rest.allocatable_to(role)))
            };
            if let Some(framework) = snapshot.frameworks.iter().find(|framework| wanted(framework, rest)) {
                return Some(format!(
                    "{rest} of {} is not offered, not to {} either",
                    agent.id, framework.id
                ));
            }
            if let Some(why) = self.offers_differ(&agent.id, core) {
                return Some(why);
            }
        }
        None
    }

    /// Whether schedulers hold the offers of an agent that the master says they hold.
    fn offers_differ(&self, id: &AgentId, core: &MasterCore) -> Option<String> {
        let agent = core.agent(id)?;
        let held = self.schedulers.iter().flat_map(|scheduler| scheduler.offers.values());
        let held = held.filter(|offer| offer.agent_id == *id).count();
        (held != agent.offers.len())
            .then(|| format!("{} offers of {id} are out but schedulers hold {held}", agent.offers.len()))
    }
}

/// The default of `--min_allocatable_resources`.
fn is_worth_offering(resources: &Resources) -> bool {
    let amounts = resources.quantities();
    amounts.get(&Name::Cpus) >= Scalar::from_thousandths(10) || amounts.get(&Name::Mem) >= Scalar::whole(32)
}

fn executors_differ(agent: &Agent, snapshot: &agent_core::Snapshot) -> Option<String> {
    let here = snapshot.frameworks.iter().flat_map(|framework| {
        let living = |executor: &&std::sync::Arc<agent_core::ExecutorView>| {
            executor.kind != agent_core::ExecutorKind::Command
                && executor.state != agent_core::ExecutorState::Terminated
        };
        let of = framework.executors.iter().filter(living);
        of.map(|executor| (framework.info.id.clone(), executor.info.executor_id.clone()))
    });
    let here: Vec<_> = here.collect();
    let there: Vec<_> = agent
        .executors
        .iter()
        .flat_map(|(framework, known)| known.keys().map(|executor| (framework.clone(), executor.clone())))
        .collect();
    (here != there).then(|| format!("it has the executors {here:?} but the master says {there:?}"))
}
