//! The registry: what must outlive this master because nobody could tell it to the next one. Which agents are admitted,
//! unreachable or gone, which of them are to be drained or not offered, quotas, weights.
//!
//! A change is written first and made then. Who decides upon one hands it over with its [`Effect`]; when the registry holds
//! it, the effect is handled like an input, which looks at the state afresh. Until then nobody is told, and the decision
//! shows only in [`Registry::content`], which is ahead of the master's state: what is decided next builds upon it.
//!
//! Writes are made in their order. One that fails ends this master's leading: the next leader knows what is true.

mod check;
mod effect;
mod gc;
mod recover;
mod removals;

use std::collections::{BTreeMap, VecDeque};

use base::{AgentId, ExecutorId, FrameworkId, Ring, Time};

pub(crate) use effect::Effect;
pub(crate) use gc::gc_due;
pub(crate) use recover::{recovered, recovered_agents_due};
pub(crate) use removals::{Removals, Why, back, held, removal_due, unreachable_due};

use crate::core::MasterCore;
use crate::input::FromRegistry;
use crate::output::Output;
use crate::types::{
    AgentRecord, Pid, RegisterAgent, RegistryContent, RegistryOperation, RegistryWrite, ReregisterAgent,
};

/// Ends of executors that are kept of an agent that is being admitted again. As many as an agent of ours keeps for its master.
const MAX_EXITS: usize = 1_000;

/// Why an agent is about to be taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leaving {
    /// It does not answer.
    Unreachable,
    /// An operator declared it gone.
    Gone,
    /// It left, or another came to its address.
    Removed,
}

impl Leaving {
    /// What is being done to the agent.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "it is being marked unreachable",
            Self::Gone => "it is being marked gone",
            Self::Removed => "it is being removed",
        }
    }
}

/// What an agent has said while the registry is written so that it is admitted again.
#[derive(Debug)]
pub(crate) struct Meanwhile {
    /// It asked again, from there: what it said then is what there is.
    pub(crate) newest: Option<(Pid, Box<ReregisterAgent>)>,
    /// Executors that have ended, and how. It does not say so again.
    pub(crate) exits: Ring<(FrameworkId, ExecutorId, i32)>,
}

impl Default for Meanwhile {
    fn default() -> Self {
        Self { newest: None, exits: Ring::new(MAX_EXITS) }
    }
}

/// Whether this master may act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// It does not know yet what the registry holds.
    Recovering,
    /// It leads.
    Leading,
    /// It leads no more.
    Resigned,
}

/// What the master knows of the registry, and what it is about to write.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) phase: Phase,
    /// What it holds as soon as all that was handed over is written.
    pub(crate) content: RegistryContent,
    pending: VecDeque<(u64, Effect)>,
    written: u64,
    /// Addresses of agents that are being admitted, and what is said there since that is being written.
    pub(crate) registering: BTreeMap<Pid, Option<Box<RegisterAgent>>>,
    /// Agents that are being admitted again, or with another description.
    pub(crate) reregistering: BTreeMap<AgentId, Meanwhile>,
    /// Agents that are about to be taken out.
    pub(crate) leaving: BTreeMap<AgentId, Leaving>,
    /// How many agents the registry held as admitted when this master began to lead.
    pub(crate) agents_at_start: usize,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Recovering,
            content: RegistryContent::default(),
            pending: VecDeque::new(),
            written: 0,
            registering: BTreeMap::new(),
            reregistering: BTreeMap::new(),
            leaving: BTreeMap::new(),
            agents_at_start: 0,
        }
    }

    /// How many writes are under way.
    pub(crate) fn queued(&self) -> usize {
        self.pending.len()
    }

    /// What is said of an agent, the writes that are under way included.
    pub(crate) fn agent(&self, id: &AgentId) -> Option<&AgentRecord> {
        self.content.agents.get(id)
    }
}

/// Hands changes over; the effect follows when the registry holds them.
pub(crate) fn write(
    core: &mut MasterCore,
    operations: Vec<RegistryOperation>,
    effect: Effect,
    out: &mut Vec<Output>,
) {
    let registry = &mut core.registry;
    registry.written += 1;
    for operation in &operations {
        registry.content.apply(operation.clone());
    }
    registry.pending.push_back((registry.written, effect));
    out.push(Output::Registry(RegistryWrite { number: registry.written, operations }));
}

/// Something came from the registry.
pub(crate) fn told(core: &mut MasterCore, now: Time, message: FromRegistry, out: &mut Vec<Output>) {
    match message {
        FromRegistry::Recovered(content) => {
            if core.registry.phase == Phase::Recovering {
                recovered(core, now, *content, out);
            }
        }
        FromRegistry::Written(number) => {
            while core.registry.pending.front().is_some_and(|(front, _)| *front <= number) {
                if let Some((_, effect)) = core.registry.pending.pop_front() {
                    effect.take(core, now, out);
                }
            }
        }
        FromRegistry::Lost(why) => resign(core, why, out),
    }
}

/// Ends this master's leading: from now on it does nothing, and answers nothing.
pub(crate) fn resign(core: &mut MasterCore, why: String, out: &mut Vec<Output>) {
    if core.registry.phase != Phase::Resigned {
        core.registry.phase = Phase::Resigned;
        out.push(Output::Resign(why));
    }
}
