//! What `/state-summary` counts: the tasks of each framework and on each agent, by state. The counts are kept, and changed by
//! what the chunks of tasks say that has changed: to count all tasks for every reader takes longer than to send the answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use base::{AgentId, FrameworkId};
use http_api::Piece;
use master_core::{Agent, Task, TaskState};
use serde::Serialize;

use super::chunks::{Chunk, Found, piece};
use super::lists::Cut;
use crate::view::task::TaskCounts;

/// The counts.
#[derive(Default)]
pub(super) struct Tally {
    /// The chunks that are counted, by their addresses.
    chunks: HashMap<usize, Counted>,
    frameworks: HashMap<FrameworkId, OfFramework>,
    agents: HashMap<AgentId, OnAgent>,
    /// How often it was brought up to date.
    turn: u64,
}

/// A chunk as it was counted. That it is remembered keeps its address from being another's.
struct Counted {
    _chunk: Weak<Chunk<Task>>,
    framework: FrameworkId,
    tasks: Box<[(AgentId, TaskState)]>,
    turn: u64,
}

/// What is counted of a framework.
#[derive(Default)]
struct OfFramework {
    tasks: TaskCounts,
    /// How many of its tasks are known on each agent.
    agents: BTreeMap<AgentId, usize>,
    /// The ids of these agents as a list in JSON, unless there came or went one since.
    ids: Option<Piece>,
}

/// What is counted on an agent.
#[derive(Default)]
struct OnAgent {
    tasks: TaskCounts,
    /// How many tasks of each framework are known there.
    frameworks: BTreeMap<FrameworkId, usize>,
    /// All of it as the last members of an object in JSON.
    shown: Vec<u8>,
    /// Since when it reads so.
    changed: u64,
}

/// What a summary says of the tasks on an agent.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    tasks: TaskCounts,
    framework_ids: Vec<&'a str>,
}

impl OnAgent {
    fn show(&self) -> Vec<u8> {
        let framework_ids = self.frameworks.keys().map(FrameworkId::as_str).collect();
        // Counts and ids are what JSON can hold.
        let text = serde_json::to_vec(&Shown { tasks: self.tasks, framework_ids }).unwrap_or_default();
        text.strip_prefix(b"{").unwrap_or_default().to_vec()
    }
}

impl Tally {
    /// Counts the tasks of some frameworks, and no others any more.
    pub(super) fn update(&mut self, frameworks: &[Cut<'_>]) {
        self.turn += 1;
        let mut touched = HashSet::new();
        for cut in frameworks {
            for found in cut.chunks() {
                self.count_chunk(&cut.framework.id, found, &mut touched);
            }
        }
        let turn = self.turn;
        let gone: Vec<Counted> =
            self.chunks.extract_if(|_, counted| counted.turn != turn).map(|(_, counted)| counted).collect();
        for Counted { framework, tasks, .. } in gone {
            for (agent, state) in tasks {
                self.count(&framework, &agent, state, false);
                touched.insert(agent);
            }
        }
        let there: HashSet<&FrameworkId> = frameworks.iter().map(|cut| &cut.framework.id).collect();
        self.frameworks.retain(|id, _| there.contains(id));
        for id in touched {
            let Some(agent) = self.agents.get_mut(&id) else { continue };
            let shown = agent.show();
            if shown != agent.shown {
                agent.shown = shown;
                agent.changed = turn;
            }
        }
    }

    /// Forgets agents on which nothing is. Those that `is_there` says stay, so that it is known when that began.
    pub(super) fn sweep(&mut self, is_there: impl Fn(&AgentId) -> bool) {
        self.agents.retain(|id, agent| !agent.frameworks.is_empty() || is_there(id));
    }

    fn count_chunk(
        &mut self,
        framework: &FrameworkId,
        found: &Found<'_, Task>,
        touched: &mut HashSet<AgentId>,
    ) {
        let address = Arc::as_ptr(found.chunk()).addr();
        if let Some(counted) = self.chunks.get_mut(&address) {
            counted.turn = self.turn;
            return;
        }
        let tasks: Box<[_]> =
            found.members().iter().map(|task| (task.agent_id.clone(), task.state)).collect();
        for (agent, state) in &tasks {
            self.count(framework, agent, *state, true);
            if !touched.contains(agent) {
                touched.insert(agent.clone());
            }
        }
        let counted = Counted {
            _chunk: Arc::downgrade(found.chunk()),
            framework: framework.clone(),
            tasks,
            turn: self.turn,
        };
        self.chunks.insert(address, counted);
    }

    /// Counts a task, or counts it no more.
    fn count(&mut self, framework_id: &FrameworkId, agent_id: &AgentId, state: TaskState, is_there: bool) {
        let framework = self.frameworks.entry(framework_id.clone()).or_default();
        framework.tasks.change(state, is_there);
        if changes_keys(&mut framework.agents, agent_id, is_there) {
            framework.ids = None;
        }
        let agent = self.agents.entry(agent_id.clone()).or_default();
        agent.tasks.change(state, is_there);
        changes_keys(&mut agent.frameworks, framework_id, is_there);
    }

    /// The tasks of a framework by state, and the ids of the agents on which they are or were, as a list in JSON.
    pub(super) fn of_framework(&mut self, id: &FrameworkId, numbers: &AtomicU64) -> (TaskCounts, Piece) {
        let framework = self.frameworks.entry(id.clone()).or_default();
        let OfFramework { tasks, agents, ids } = framework;
        let ids = ids.get_or_insert_with(|| {
            let ids: Vec<&str> = agents.keys().map(AgentId::as_str).collect();
            piece(serde_json::to_vec(&ids).unwrap_or_default(), numbers)
        });
        (*tasks, ids.clone())
    }

    /// What a summary says of the tasks on an agent, as the last members of an object in JSON with its brace.
    pub(super) fn on_agent(&self, id: &AgentId) -> Option<&[u8]> {
        self.agents.get(id).map(|agent| &*agent.shown)
    }

    /// When something of this changed last, of some agents.
    pub(super) fn newest(&self, agents: &[&Arc<Agent>]) -> u64 {
        let changed = agents.iter().filter_map(|agent| Some(self.agents.get(&agent.id)?.changed));
        changed.max().unwrap_or_default()
    }

    /// How often it was brought up to date.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// What is said of an agent on which nothing is known.
    pub(super) fn nothing() -> Vec<u8> {
        OnAgent::default().show()
    }
}

/// Counts one more or one less of what has this key; whether the key came or went.
fn changes_keys<K: Clone + Ord>(counts: &mut BTreeMap<K, usize>, key: &K, is_there: bool) -> bool {
    match (counts.get_mut(key), is_there) {
        (Some(count), true) => {
            *count += 1;
            false
        }
        (Some(count), false) if *count > 1 => {
            *count -= 1;
            false
        }
        (Some(_), false) => counts.remove(key).is_some(),
        (None, true) => counts.insert(key.clone(), 1).is_none(),
        (None, false) => false,
    }
}
