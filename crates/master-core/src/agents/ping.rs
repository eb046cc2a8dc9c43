//! Whether agents are there: each is asked in intervals and has to answer some of the time.

use base::{AgentId, Time};

use crate::core::{MasterCore, send_agent};
use crate::input::Timer;
use crate::output::{Output, ToAgent};
use crate::registry::{self, Why};
use crate::types::{Agent, Pid};

/// What is known of an agent's answers.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    /// Of its timers.
    generation: u64,
    /// It was asked and has not answered yet.
    asked: bool,
    /// How many times in a row it has not answered.
    missed: u32,
}

/// Begins to ask an agent.
pub(super) fn observe(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    let generation = core.agents.next_generation();
    core.agents.observers.insert(id.clone(), Observer { generation, asked: false, missed: 0 });
    ask(core, now, id, out);
}

fn ask(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    let (Some(agent), Some(observer)) = (core.agents.registered.get(id), core.agents.observers.get_mut(id))
    else {
        return;
    };
    observer.asked = true;
    send_agent(agent, ping(agent), out);
    let at = now + core.options.agent_ping_timeout;
    out.push(Output::SetTimer { at, timer: Timer::Ping(id.clone(), observer.generation) });
}

/// An agent that is told that it is not connected reregisters.
fn ping(agent: &Agent) -> ToAgent {
    ToAgent::Ping { connected: agent.connected && !agent.outdated }
}

/// Asks an agent to reregister, now and with each ping until it does: this master does not know what it believes to have told.
pub(super) fn ask_to_reregister(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get_mut(id) else { return };
    agent.outdated = true;
    send_agent(agent, ping(agent), out);
}

pub(crate) fn ping_due(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    generation: u64,
    out: &mut Vec<Output>,
) {
    let Some(observer) = core.agents.observers.get_mut(id) else { return };
    if observer.generation != generation {
        return;
    }
    if observer.asked {
        observer.missed += 1;
        if observer.missed >= core.options.max_agent_ping_timeouts {
            registry::unreachable_due(core, now, id, Why::HealthCheck, out);
        }
    }
    ask(core, now, id, out);
}

/// Whether the timer belongs to the agent's present series.
pub(crate) fn awaits_ping(core: &MasterCore, id: &AgentId, generation: u64) -> bool {
    core.agents.observers.get(id).is_some_and(|observer| observer.generation == generation)
}

pub(crate) fn pong(core: &mut MasterCore, now: Time, from: &Pid, out: &mut Vec<Output>) {
    let Some(id) = core.agents.by_pid.get(from).cloned() else { return };
    if let Some(observer) = core.agents.observers.get_mut(&id) {
        observer.asked = false;
        observer.missed = 0;
    }
    registry::back(core, now, &id, true, out);
}
