//! What must always hold. Tests and the simulator ask after every step.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, FrameworkId};
use resources::Resources;

use crate::core::MasterCore;
use crate::tasks::holds_resources;
use crate::types::{Agent, Framework};

/// An invariant that does not hold, in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(pub String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// Shared resources once, however many have them.
fn once(resources: &Resources) -> Resources {
    let mut once = resources.non_shared();
    once.extend(resources.iter().filter(|resource| resource.is_shared()).cloned());
    once
}

pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(message())) }
}

impl MasterCore {
    /// Verifies the whole state; costs as much as the state is large.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    ///
    /// # Panics
    /// In a test build, if the allocator's own books are wrong.
    pub fn check(&self) -> Result<(), Broken> {
        for framework in self.frameworks.registered.values() {
            self.check_framework(framework)?;
        }
        let completed = self.frameworks.completed.iter().map(|framework| &framework.id);
        let known: BTreeSet<&FrameworkId> = self.frameworks.registered.keys().chain(completed).collect();
        ensure(self.frameworks.counts.keys().eq(known), || {
            "counts are not those of the frameworks that are known".to_owned()
        })?;
        for agent in self.agents.registered.values() {
            self.check_agent(agent)?;
        }
        self.check_indexes()?;
        self.check_registry()?;
        self.check_maintenance()?;
        self.allocation.inner().check();
        Ok(())
    }

    fn check_framework(&self, framework: &Framework) -> Result<(), Broken> {
        let id = &framework.id;
        ensure(!self.frameworks.is_completed(id), || format!("{id} is both registered and completed"))?;
        ensure(!framework.active || framework.connected(), || format!("{id} is active without a stream"))?;
        ensure(framework.active || framework.offers.is_empty(), || {
            format!("{id} has offers but is inactive")
        })?;
        ensure(
            framework.connected() != self.frameworks.away.contains_key(id) || framework.recovered,
            || format!("{id} is connected and away, or neither"),
        )?;
        if let Some((connection, _)) = framework.connection {
            ensure(self.frameworks.by_connection.get(&connection) == Some(id), || {
                format!("the stream of {id} leads elsewhere")
            })?;
        }
        for (task_id, task) in &framework.tasks {
            ensure(task.task_id == *task_id && task.framework_id == *id, || {
                format!("{task_id} is misfiled")
            })?;
            let on = self.agents.get(&task.agent_id);
            let listed = on.and_then(|a| a.tasks.get(id)).is_some_and(|tasks| tasks.contains(task_id));
            ensure(listed, || format!("{task_id} of {id} is not on its agent {}", task.agent_id))?;
            ensure(!framework.unreachable_tasks.contains_key(task_id), || {
                format!("{task_id} of {id} is both active and unreachable")
            })?;
        }
        for (offer_id, offer) in &framework.offers {
            let on = self.agents.get(&offer.agent_id);
            ensure(on.is_some_and(|a| a.active && a.offers.get(offer_id) == Some(id)), || {
                format!("offer {offer_id} is of an agent that does not offer it")
            })?;
        }
        for (uuid, agent_id) in &framework.operations {
            let operation = self.agents.get(agent_id).and_then(|agent| agent.operations.get(uuid));
            ensure(operation.is_some_and(|operation| operation.framework_id.as_ref() == Some(id)), || {
                format!("operation {uuid} of {id} is not on its agent {agent_id}")
            })?;
        }
        for (operation_id, uuid) in &framework.operation_ids {
            ensure(framework.operations.contains_key(uuid), || {
                format!("{operation_id} of {id} is the name of no operation")
            })?;
        }
        for task_id in framework.unreachable_tasks.keys() {
            ensure(framework.unreachable_order.contains(task_id), || {
                format!("{task_id} has no place in line")
            })?;
        }
        Ok(())
    }

    fn check_agent(&self, agent: &Agent) -> Result<(), Broken> {
        let id = &agent.id;
        ensure(!agent.active || (agent.connected && !agent.deactivated), || {
            format!("{id} is active although it should not be")
        })?;
        let mut expected: BTreeMap<&FrameworkId, Resources> = BTreeMap::new();
        for (framework_id, task_ids) in &agent.tasks {
            ensure(!task_ids.is_empty(), || format!("{id} keeps no task for {framework_id}"))?;
            for task_id in task_ids {
                let task = self.frameworks.get(framework_id).and_then(|f| f.tasks.get(task_id));
                let Some(task) = task.filter(|task| task.agent_id == *id) else {
                    return Err(Broken(format!("{id} has the unknown task {task_id} of {framework_id}")));
                };
                if holds_resources(task.state) {
                    *expected.entry(framework_id).or_default() += &task.resources;
                }
            }
        }
        for (framework_id, executors) in &agent.executors {
            ensure(self.frameworks.get(framework_id).is_some(), || format!("{framework_id} is unknown"))?;
            for executor in executors.values() {
                *expected.entry(framework_id).or_default() += &executor.resources;
            }
        }
        expected.retain(|_, used| !used.is_empty());
        ensure(agent.used.keys().eq(expected.keys().copied()), || {
            format!("{id}: others use it than are counted")
        })?;
        for (framework_id, used) in &agent.used {
            let expected = expected.get(framework_id);
            ensure(expected == Some(used), || {
                let expected = expected.map(ToString::to_string).unwrap_or_default();
                format!("{id}: {framework_id} is said to use {used} but uses {expected}")
            })?;
        }
        self.check_operations(agent)?;
        self.check_allocation(agent)
    }

    /// What is offered and used fits into the agent, and the allocator counts the same.
    fn check_allocation(&self, agent: &Agent) -> Result<(), Broken> {
        let id = &agent.id;
        let mut by_framework: BTreeMap<&FrameworkId, Resources> =
            agent.used.iter().map(|(framework, used)| (framework, used.clone())).collect();
        for (offer_id, framework_id) in &agent.offers {
            let offer = self.frameworks.get(framework_id).and_then(|f| f.offers.get(offer_id));
            let Some(offer) = offer else {
                return Err(Broken(format!("{id} has the unknown offer {offer_id}")));
            };
            *by_framework.entry(framework_id).or_default() += &offer.resources;
        }
        let mut sum = Resources::new();
        for (framework_id, taken) in &by_framework {
            let counted = self.allocation.inner().used(framework_id, id);
            ensure(counted.as_ref() == Some(taken), || {
                format!("{framework_id} holds {taken} of {id} but the allocator counts {counted:?}")
            })?;
            sum += taken.clone().unallocated();
        }
        // An agent may come back smaller than what runs on it, or lose a reservation; nothing is offered of what there is
        // too little of.
        let mut rest = agent.total.clone();
        for used in agent.used.values() {
            rest -= &used.non_shared().unallocated();
        }
        let mut offered = sum.clone();
        for used in agent.used.values() {
            offered -= &used.clone().unallocated();
        }
        ensure(rest.contains(&once(&offered)), || {
            format!("{offered} of {id} is offered and {sum} taken in all, but it has {}", agent.total)
        })?;
        let mut rest = rest.non_shared();
        rest -= &offered.non_shared();
        let available = self.allocation.inner().available(id).map(Resources::non_shared);
        ensure(available.as_ref() == Some(&rest), || {
            format!("the rest of {id} is not {rest} but {available:?}")
        })
    }

    fn check_indexes(&self) -> Result<(), Broken> {
        let agents: BTreeMap<_, &AgentId> =
            self.agents.registered.values().map(|agent| (&agent.pid, &agent.id)).collect();
        ensure(self.agents.by_pid.iter().eq(agents), || "addresses lead to the wrong agents".to_owned())?;
        ensure(self.agents.observers.keys().eq(self.agents.registered.keys()), || {
            "other agents are observed than are registered".to_owned()
        })?;
        for id in self.agents.unreachable.keys() {
            ensure(!self.agents.registered.contains_key(id), || format!("{id} is both registered and lost"))?;
        }
        for (connection, id) in &self.frameworks.by_connection {
            let framework = self.frameworks.get(id).and_then(|framework| framework.connection);
            ensure(framework.is_some_and(|(of, _)| of == *connection), || {
                format!("{connection:?} is not the stream of {id}")
            })?;
        }
        Ok(())
    }
}
