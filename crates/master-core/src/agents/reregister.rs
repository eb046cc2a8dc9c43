//! Agents that come back: after a restart, after being lost, or because the master is another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, TaskId, Time};
use resources::Resources;

use super::drain::resume_drain;
use super::lost;
use super::register::{new_agent, refuse_down};
use super::registry::add;
use crate::core::{MasterCore, send, send_agent};
use crate::frameworks::{self, framework_ref};
use crate::output::{FrameworkRef, Output, SchedulerEvent, ToAgent};
use crate::registry::{Effect, Meanwhile, back, write};
use crate::types::{
    Agent, AgentRecord, ArchivedFramework, ExecutorInfo, FrameworkInfo, Pid, Reason, ReconciledTask,
    RegistryOperation, ReregisterAgent, Task, TaskState,
};
use crate::{maintenance, offers, operations, tasks};

pub(crate) fn reregister(
    core: &mut MasterCore,
    now: Time,
    from: Pid,
    message: Box<ReregisterAgent>,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_reregister_agent += 1;
    let id = &message.agent_id;
    if refuse_gone(core, &from, id, out) {
        return;
    }
    if let Some(meanwhile) = core.registry.reregistering.get_mut(id) {
        // It asks again while the registry is written, and is answered then.
        meanwhile.newest = Some((from, message));
        return;
    }
    if refuse_down(core, &from, &message.agent, out) {
        return;
    }
    if let Some(leaving) = core.registry.leaving.get(id) {
        core.drop("ReregisterSlaveMessage", &from, leaving.as_str(), out);
        return;
    }
    if refuse_other(core, &from, &message, out) {
        return;
    }
    let known = core.agents.get(id).map(|agent| &agent.info).or_else(|| core.agents.recovered.get(id));
    let unchanged = known.is_some_and(|known| *known == message.agent.info);
    let other = core.agents.by_pid.get(&from).filter(|other| *other != id).cloned();
    if unchanged && other.is_none() {
        come_back(core, now, from, message, out);
        return;
    }
    let operations = other.and_then(|other| lost::displace(core, &other)).into_iter().collect();
    core.registry.reregistering.insert(id.clone(), Meanwhile::default());
    admit(core, from, message, operations, out);
}

/// Has the registry hold that an agent belongs to the cluster, as it describes itself now.
fn admit(
    core: &mut MasterCore,
    from: Pid,
    message: Box<ReregisterAgent>,
    mut operations: Vec<RegistryOperation>,
    out: &mut Vec<Output>,
) {
    let id = &message.agent_id;
    let (drain, deactivated) = core.registry.agent(id).map(AgentRecord::treatment).unwrap_or_default();
    let record = AgentRecord::admitted(Arc::clone(&message.agent.info)).treated(drain, deactivated);
    operations.push(RegistryOperation::Agent(id.clone(), Some(record)));
    write(core, operations, Effect::Readmit { from, message }, out);
}

/// The registry holds it: the agent belongs to the cluster, as it described itself.
pub(crate) fn readmitted(
    core: &mut MasterCore,
    now: Time,
    from: Pid,
    message: Box<ReregisterAgent>,
    out: &mut Vec<Output>,
) {
    let id = message.agent_id.clone();
    let goes = core.agents.gone.contains_key(&id) || core.registry.leaving.contains_key(&id);
    let (from, message) = match newest(core, &id, out) {
        Some((from, newest)) if newest.agent.info != message.agent.info && !goes => {
            admit(core, from, newest, Vec::new(), out);
            return;
        }
        Some(newest) => newest,
        None => (from, message),
    };
    if let Some(operations) = lost::must_go_first(core, &from, &id) {
        write(core, operations, Effect::Readmit { from, message }, out);
        return;
    }
    let meanwhile = core.registry.reregistering.remove(&id).unwrap_or_default();
    if goes {
        // The registry has forgotten whoever had its address all the same.
        lost::clear_address(core, now, &from, &id, out);
    }
    if refuse_gone(core, &from, &id, out) {
        return;
    }
    if let Some(leaving) = core.registry.leaving.get(&id) {
        core.drop("ReregisterSlaveMessage", &from, leaving.as_str(), out);
        return;
    }
    come_back(core, now, from, message, out);
    for (framework_id, executor_id, status) in meanwhile.exits.iter().cloned() {
        tasks::executor_ended(core, id.clone(), &framework_id, executor_id, status, out);
    }
    maintenance::leave_if_down(core, &id, out);
}

/// What an agent has said last while the registry was written. What it said before may not be so any more, and it does not ask
/// again when that is answered.
fn newest(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) -> Option<(Pid, Box<ReregisterAgent>)> {
    let (from, newest) = core.registry.reregistering.get_mut(id)?.newest.take()?;
    (!refuse_other(core, &from, &newest, out)).then_some((from, newest))
}

/// An agent that was declared gone is told to end.
fn refuse_gone(core: &MasterCore, from: &Pid, id: &AgentId, out: &mut Vec<Output>) -> bool {
    let gone = core.agents.gone.contains_key(id);
    if gone {
        let message = ToAgent::Shutdown("Agent has been marked gone".to_owned());
        out.push(Output::ToAgent { to: from.clone(), message });
    }
    gone
}

/// One that uses the id of an agent that is registered, on another machine, is told to end.
fn refuse_other(core: &MasterCore, from: &Pid, message: &ReregisterAgent, out: &mut Vec<Output>) -> bool {
    let other = core.agents.get(&message.agent_id).is_some_and(|agent| !is_same(agent, from, message));
    if other {
        let why = "Agent attempted to reregister with different IP / hostname".to_owned();
        out.push(Output::ToAgent { to: from.clone(), message: ToAgent::Shutdown(why) });
    }
    other
}

fn is_same(agent: &Agent, from: &Pid, message: &ReregisterAgent) -> bool {
    same_machine(&agent.pid, from) && agent.info.hostname == message.agent.info.hostname
}

fn come_back(
    core: &mut MasterCore,
    now: Time,
    from: Pid,
    message: Box<ReregisterAgent>,
    out: &mut Vec<Output>,
) {
    let id = message.agent_id.clone();
    core.metrics.agent_reregistrations += 1;
    lost::clear_address(core, now, &from, &id, out);
    back(core, now, &id, false, out);
    if core.agents.registered.contains_key(&id) {
        reconnect(core, now, from, *message, out);
    } else {
        readmit(core, now, from, *message, out);
    }
}

/// Whether two addresses are of one IP; the port may change with a restart.
fn same_machine(a: &Pid, b: &Pid) -> bool {
    a.ip() == b.ip()
}

/// An agent that was lost, or that registered with another master: what it brings is all that is known.
fn readmit(core: &mut MasterCore, now: Time, from: Pid, message: ReregisterAgent, out: &mut Vec<Output>) {
    let id = message.agent_id;
    // Schedulers have not been told by this master that such an agent was lost.
    let awaited = core.agents.recovered.remove(&id).is_some();
    let was_lost = core.agents.unreachable.remove(&id).is_some();
    end_unreachable_tasks(core, now, &id, &message.tasks, out);
    // Of frameworks that nobody knew, and of their tasks, operators hear behind the agent, as in Mesos.
    let mut behind = Vec::new();
    let recovered = recover_frameworks(core, now, &message.frameworks, &mut behind);

    let mut agent = new_agent(now, id.clone(), from, message.agent);
    agent.reregistered_time = Some(now);
    let executors: Vec<_> =
        message.executors.into_iter().filter(|(id, _)| core.frameworks.get(id).is_some()).collect();
    for (framework_id, executor) in executors {
        tasks::recover_executor(&mut agent, &framework_id, executor);
    }
    let why = if was_lost { "Unreachable agent re-reregistered" } else { "Unknown agent reregistered" };
    let mut doubles = Vec::new();
    for task in message.tasks {
        // The scheduler was told that the task is lost and has used its id again, on another agent.
        if core.frameworks.get(&task.framework_id).is_some_and(|f| f.tasks.contains_key(&task.task_id)) {
            doubles.push(task);
            continue;
        }
        if !awaited {
            tell_recovered(core, now, &task, why, out);
        }
        let told = if recovered.contains(&task.framework_id) { &mut behind } else { &mut *out };
        tasks::recover_task(core, &mut agent, task, told);
    }
    add(core, now, agent, out);
    out.append(&mut behind);
    recover_completed(core, message.completed_frameworks);
    resume_drain(core, now, &id, out);
    let Some(agent) = core.agents.get(&id) else { return };
    let reregistered = ToAgent::Reregistered { agent_id: id.clone(), reconciliations: Vec::new() };
    send_agent(agent, reregistered, out);
    kill_unknown(core, &id, &doubles, out);
    shut_completed_down(core, &id, message.frameworks.iter().map(|(framework, _)| framework), out);
    tell_frameworks(core, &id, &message.frameworks, out);
}

/// An agent that the master still holds registered: it restarted, or its connection broke.
fn reconnect(core: &mut MasterCore, now: Time, from: Pid, message: ReregisterAgent, out: &mut Vec<Output>) {
    let id = message.agent_id;
    let Some(agent) = core.agents.get_mut(&id) else { return };
    let former = std::mem::replace(&mut agent.pid, from.clone());
    agent.info = message.agent.info;
    agent.version = message.agent.version;
    let could = std::mem::replace(&mut agent.capabilities, message.agent.capabilities);
    let is_older = could.agent_operation_feedback && !agent.capabilities.agent_operation_feedback;
    agent.capabilities_body = message.agent.capabilities_body;
    let former_version = std::mem::replace(&mut agent.resource_version, message.agent.resource_version);
    agent.outdated = false;
    let former_total = agent.total.clone();
    let told = total_of(agent, message.agent.total);
    operations::told(agent, former_version, told);
    let resized = agent.total != former_total;
    agent.reregistered_time = Some(now);
    let was_connected = std::mem::replace(&mut agent.connected, true);
    if !was_connected {
        agent.state_time = now;
    }
    if former != from {
        core.agents.by_pid.remove(&former);
        core.agents.by_pid.insert(from.clone(), id.clone());
        out.push(Output::Unlink(former));
    }
    out.push(Output::Link(from));
    core.agents.reregistration.remove(&id);
    if is_older {
        operations::forget_unacknowledged(core, &id);
    }
    if resized {
        offers::rescind_of_agent(core, &id, out);
    }
    if let Some(agent) = core.agents.get(&id) {
        core.allocation.update_agent(agent);
    }
    recover_frameworks(core, now, &message.frameworks, out);
    settle_ended_tasks(core, now, &id, &message.tasks, out);
    reconcile_tasks(core, &id, &message.tasks, out);
    drop_unknown_executors(core, &id, &message.executors);
    shut_unknown_executors_down(core, &id, &message.executors, out);
    repeat_kills(core, &id, &message.tasks, out);
    kill_unknown(core, &id, &message.tasks, out);
    // Of some only executors are left, of others only tasks are told.
    let frameworks = message.frameworks.iter().map(|(framework, _)| framework);
    let of_tasks = message.tasks.iter().map(|task| &task.framework_id);
    shut_completed_down(core, &id, frameworks.chain(of_tasks), out);
    if !was_connected && !core.agents.deactivated.contains(&id) {
        if let Some(agent) = core.agents.get_mut(&id) {
            agent.active = true;
        }
        core.allocation.activate_agent(&id);
    }
    resume_drain(core, now, &id, out);
    tell_frameworks(core, &id, &message.frameworks, out);
    if let Some(agent) = core.agents.get(&id).filter(|agent| !agent.capabilities.resource_provider) {
        operations::checkpoint(agent, out);
    }
}

/// What an agent that comes back has. One that takes no operations learns its reservations and volumes from the master,
/// and may have missed some.
fn total_of(agent: &Agent, told: Resources) -> Resources {
    if agent.capabilities.resource_provider {
        return told;
    }
    agent.info.resources.with_checkpointed(&agent.total.checkpointed()).unwrap_or(told)
}

/// Takes note of frameworks of which an agent tells; those that were not known are returned.
fn recover_frameworks<'a>(
    core: &mut MasterCore,
    now: Time,
    frameworks: &'a [(FrameworkId, Arc<FrameworkInfo>)],
    out: &mut Vec<Output>,
) -> BTreeSet<&'a FrameworkId> {
    let mut recovered = BTreeSet::new();
    for (id, info) in frameworks {
        if core.frameworks.get(id).is_none() && !core.frameworks.is_completed(id) {
            frameworks::recover(core, now, id, info, out);
            recovered.insert(id);
        }
    }
    recovered
}

/// The agent is back, and with it what it brings. What it does not bring has not come over the agent's absence; Mesos keeps
/// silent about such tasks until their scheduler asks.
fn end_unreachable_tasks(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    brought: &[Arc<Task>],
    out: &mut Vec<Output>,
) {
    const MESSAGE: &str = "Agent came back without the task";
    let brought: BTreeSet<(&FrameworkId, &TaskId)> =
        brought.iter().map(|task| (&task.framework_id, &task.task_id)).collect();
    for (framework_id, task_ids) in core.agents.unreachable_tasks.remove(id).unwrap_or_default() {
        for task_id in task_ids {
            if brought.contains(&(&framework_id, &task_id)) {
                if let Some(framework) = core.frameworks.get_mut(&framework_id) {
                    framework.unreachable_tasks.remove(&task_id);
                    framework.unreachable_order.retain(|kept| *kept != task_id);
                }
            } else {
                let end = (TaskState::Gone, Reason::AGENT_REREGISTERED, MESSAGE);
                tasks::unreachable_task_ends(core, now, &framework_id, &task_id, end, out);
            }
        }
    }
}

/// Tells a scheduler that a task which it may hold for lost is there.
fn tell_recovered(core: &mut MasterCore, now: Time, task: &Task, why: &str, out: &mut Vec<Output>) {
    let Some(framework) = core.frameworks.get(&task.framework_id) else { return };
    let mut status = tasks::master_status(task, now, task.state, why.to_owned(), Reason::AGENT_REREGISTERED);
    status.repeats = task.statuses.last().cloned();
    send(framework, SchedulerEvent::Update(Arc::new(status)), out);
}

fn recover_completed(core: &mut MasterCore, completed: Vec<ArchivedFramework>) {
    for archived in completed {
        let Some(framework) = core.frameworks.get_mut(&archived.id) else { continue };
        for task in archived.tasks {
            if !framework.completed_tasks.contains(&task.task_id) {
                framework.completed_tasks.push(task);
            }
        }
    }
}

/// Tasks that have ended and that the agent does not mention any more: their end was acknowledged, by way of a message that
/// was overtaken or of another master, or the agent has forgotten it. Their schedulers are told once more how they ended; the
/// agent, if it were asked, would say that they are lost.
fn settle_ended_tasks(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    tasks: &[Arc<Task>],
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(id) else { return };
    let mentioned: BTreeSet<(&FrameworkId, &TaskId)> =
        tasks.iter().map(|task| (&task.framework_id, &task.task_id)).collect();
    let of_agent = agent.tasks.iter().flat_map(|(of, tasks)| tasks.iter().map(move |task| (of, task)));
    let ended: Vec<(FrameworkId, TaskId)> = of_agent
        .filter(|key| !mentioned.contains(key))
        .filter(|(of, task_id)| {
            let task = core.frameworks.get(of).and_then(|framework| framework.tasks.get(*task_id));
            task.is_some_and(|task| task.state.is_terminal())
        })
        .map(|(of, task_id)| (of.clone(), task_id.clone()))
        .collect();
    for (framework_id, task_id) in ended {
        let Some(framework) = core.frameworks.get(&framework_id) else { continue };
        let Some(task) = framework.tasks.get(&task_id) else { continue };
        let message = "Reconciliation: Latest task state".to_owned();
        let mut status = tasks::master_status(task, now, task.state, message, Reason::RECONCILIATION);
        status.repeats = task.statuses.last().cloned();
        lost::tell_end(core, &framework_id, Arc::new(status), out);
        tasks::remove_task(core, &framework_id, &task_id, false);
    }
}

/// Asks the agent about tasks that it did not mention: a launch may have been lost, or be still on its way.
fn reconcile_tasks(core: &mut MasterCore, id: &AgentId, tasks: &[Arc<Task>], out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get(id) else { return };
    let mentioned: BTreeSet<(&FrameworkId, &TaskId)> =
        tasks.iter().map(|task| (&task.framework_id, &task.task_id)).collect();
    let mut reconciliations: Vec<(FrameworkRef, Vec<ReconciledTask>)> = Vec::new();
    for (framework_id, task_ids) in &agent.tasks {
        let Some(framework) = core.frameworks.get(framework_id) else { continue };
        let missing: Vec<ReconciledTask> = task_ids
            .iter()
            .filter(|task_id| !mentioned.contains(&(framework_id, *task_id)))
            .filter_map(|task_id| framework.tasks.get(task_id))
            .map(|task| ReconciledTask {
                task_id: task.task_id.clone(),
                state: task.status_update_state.unwrap_or(task.state),
                executor_id: task.executor_id.clone(),
            })
            .collect();
        if !missing.is_empty() {
            reconciliations.push((framework_ref(framework), missing));
        }
    }
    send_agent(agent, ToAgent::Reregistered { agent_id: id.clone(), reconciliations }, out);
}

/// Executors that the agent does not have any more take nothing any more.
fn drop_unknown_executors(
    core: &mut MasterCore,
    id: &AgentId,
    executors: &[(FrameworkId, Arc<ExecutorInfo>)],
) {
    let Some(agent) = core.agents.get(id) else { return };
    let there: BTreeMap<&FrameworkId, BTreeSet<&ExecutorId>> =
        executors.iter().fold(BTreeMap::new(), |mut there, (framework, executor)| {
            there.entry(framework).or_default().insert(&executor.executor_id);
            there
        });
    let missing: Vec<(FrameworkId, ExecutorId)> = agent
        .executors
        .iter()
        .flat_map(|(framework, known)| known.keys().map(move |executor| (framework, executor)))
        .filter(|(framework, executor)| !there.get(framework).is_some_and(|there| there.contains(executor)))
        .map(|(framework, executor)| (framework.clone(), executor.clone()))
        .collect();
    for (framework_id, executor_id) in missing {
        tasks::remove_executor(core, id, &framework_id, &executor_id);
    }
}

/// Executors that the master does not count as this agent's were taken off its books when the agent's connection broke: what
/// they take is given to others, and their tasks are killed.
fn shut_unknown_executors_down(
    core: &MasterCore,
    id: &AgentId,
    executors: &[(FrameworkId, Arc<ExecutorInfo>)],
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(id) else { return };
    for (framework_id, executor) in executors {
        let counted =
            agent.executors.get(framework_id).is_some_and(|known| known.contains_key(&executor.executor_id));
        if !counted && core.frameworks.get(framework_id).is_some() {
            let (framework_id, executor_id) = (framework_id.clone(), executor.executor_id.clone());
            send_agent(agent, ToAgent::ShutdownExecutor { framework_id, executor_id }, out);
        }
    }
}

/// Tasks that were to be killed while the agent was away are killed now.
fn repeat_kills(core: &MasterCore, id: &AgentId, tasks: &[Arc<Task>], out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get(id) else { return };
    for task in tasks {
        let key = (task.framework_id.clone(), task.task_id.clone());
        if !task.state.is_terminal() && agent.killed_tasks.contains(&key) {
            let (framework_id, task_id) = key;
            send_agent(agent, ToAgent::KillTask { framework_id, task_id, kill_policy: None }, out);
        }
    }
}

/// Tasks that the master does not count as this agent's were declared lost, and what they take is given to others: they
/// must not go on.
fn kill_unknown(core: &MasterCore, id: &AgentId, tasks: &[Arc<Task>], out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get(id) else { return };
    for task in tasks {
        let Some(framework) = core.frameworks.get(&task.framework_id) else { continue };
        let known = framework.tasks.get(&task.task_id).is_some_and(|known| known.agent_id == *id);
        if !known && !task.state.is_terminal() {
            let (framework_id, task_id) = (task.framework_id.clone(), task.task_id.clone());
            send_agent(agent, ToAgent::KillTask { framework_id, task_id, kill_policy: None }, out);
        }
    }
}

/// Frameworks that ended while the agent was away end on it too.
fn shut_completed_down<'a>(
    core: &MasterCore,
    id: &AgentId,
    frameworks: impl Iterator<Item = &'a FrameworkId>,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(id) else { return };
    let frameworks: BTreeSet<&FrameworkId> = frameworks.collect();
    for framework in frameworks {
        if core.frameworks.is_completed(framework) {
            send_agent(agent, ToAgent::ShutdownFramework(framework.clone()), out);
        }
    }
}

fn tell_frameworks(
    core: &MasterCore,
    id: &AgentId,
    frameworks: &[(FrameworkId, Arc<FrameworkInfo>)],
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(id) else { return };
    for (framework_id, _) in frameworks {
        if let Some(framework) = core.frameworks.get(framework_id) {
            send_agent(agent, ToAgent::UpdateFramework(framework_ref(framework)), out);
        }
    }
}
