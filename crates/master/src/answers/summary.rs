//! `/state-summary`: agents and frameworks with counts of their tasks.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, Weak};

use http_api::{Answer, Encoding, Piece, Pieces};
use master_core::{Agent, Framework, Snapshot};
use serde::Serialize;

use super::chunks::{Chunk, Found, piece, spread};
use super::lists::{Cut, Listed, Lists, write_list};
use super::tally::Tally;
use crate::context::Identity;
use crate::view::agent::AgentView;
use crate::view::executor::Executors;
use crate::view::framework::{self, FrameworkBase, write_members};
use crate::view::task::TaskCounts;

/// What is kept of it.
#[derive(Default)]
pub(super) struct Summaries {
    tally: Tally,
    /// Agents in encoded form, by the addresses of their chunks.
    agents: HashMap<usize, Kept>,
}

/// Agents as a summary shows them. That their chunk is remembered keeps its address from being another's.
struct Kept {
    _chunk: Weak<Chunk<Agent>>,
    /// When what it says of tasks was counted.
    turn: u64,
    piece: Piece,
}

/// What the summary begins with.
#[derive(Serialize)]
struct Head<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
}

/// A framework, up to the agents where it is.
#[derive(Serialize)]
struct FrameworkHead {
    #[serde(flatten)]
    base: FrameworkBase,
    #[serde(flatten)]
    tasks: TaskCounts,
}

/// `/state-summary`. What is left of frameworks that are over is not counted, as in Mesos.
pub(super) fn summary(identity: &Identity, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let listed = Listed::there(snapshot);
    // Others ask for the frameworks that are over: their chunks stay.
    let frameworks = lists.cut_some_tasks(&listed);
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    let Lists { summaries, numbers, .. } = lists;
    summaries.tally.update(&frameworks);
    summaries.tally.sweep(|id| snapshot.agents.binary_search_by(|agent| agent.id.cmp(id)).is_ok());

    let mut out = Pieces::default();
    out.write(b"{");
    write_members(&mut out, &Head { hostname: &identity.hostname, cluster: identity.cluster.as_deref() });
    out.write(b",\"slaves\":");
    write_list(&mut out, &summaries.agents(&cut, &snapshot.frameworks, numbers));
    out.write(b",\"frameworks\":[");
    let executors = Executors::new(&snapshot.agents);
    for (index, each) in frameworks.iter().enumerate() {
        out.write(if index > 0 { b",{" } else { b"{" });
        summaries.write_framework(&mut out, each, &executors, numbers);
        out.write(b"}");
    }
    out.write(b"]}");
    out.finish(Encoding::Json.media_type())
}

impl Summaries {
    fn write_framework(
        &mut self,
        out: &mut Pieces,
        cut: &Cut<'_>,
        executors: &Executors<'_>,
        numbers: &AtomicU64,
    ) {
        let framework = cut.framework;
        let (tasks, agents) = self.tally.of_framework(&framework.id, numbers);
        let used = cut.used(executors.of(&framework.id));
        let base = FrameworkBase::new(framework, &used, &framework::info(framework));
        write_members(out, &FrameworkHead { base, tasks });
        out.write(b",\"slave_ids\":");
        out.share(&agents);
    }

    /// The pieces of the list of agents. Those are written anew whose agents, or what is counted on them, changed.
    fn agents(
        &mut self,
        cut: &[Found<'_, Agent>],
        frameworks: &[Arc<Framework>],
        numbers: &AtomicU64,
    ) -> Vec<Piece> {
        let kept = std::mem::take(&mut self.agents);
        let each: Vec<(&Found<'_, Agent>, OnceLock<Piece>)> = cut
            .iter()
            .map(|found| {
                let kept = kept.get(&Arc::as_ptr(found.chunk()).addr());
                let current = kept.filter(|kept| self.tally.newest(found.members()) <= kept.turn);
                (found, current.map(|kept| kept.piece.clone()).map_or_else(OnceLock::new, OnceLock::from))
            })
            .collect();
        let missing: Vec<_> = each.iter().filter(|(_, written)| written.get().is_none()).collect();
        let tally = &self.tally;
        spread(&missing, |(found, written)| {
            written.get_or_init(|| piece(write_agents(found.members(), tally, frameworks), numbers));
        });
        let pieces = each.into_iter().filter_map(|(found, written)| {
            let piece = written.into_inner()?;
            let kept =
                Kept { _chunk: Arc::downgrade(found.chunk()), turn: self.tally.turn(), piece: piece.clone() };
            self.agents.insert(Arc::as_ptr(found.chunk()).addr(), kept);
            Some(piece)
        });
        pieces.collect()
    }
}

/// Some agents, as elements of a list.
fn write_agents(agents: &[&Arc<Agent>], tally: &Tally, frameworks: &[Arc<Framework>]) -> Vec<u8> {
    let nothing = Tally::nothing();
    let mut out = Vec::new();
    for agent in agents {
        if !out.is_empty() {
            out.push(b',');
        }
        // Views are made of what JSON can hold, and a vector grows.
        let _ = serde_json::to_writer(&mut out, &AgentView::new(agent, frameworks));
        out.pop();
        out.push(b',');
        out.extend_from_slice(tally.on_agent(&agent.id).unwrap_or(&nothing));
    }
    out
}
