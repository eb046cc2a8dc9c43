//! The lists of all entities, cut into chunks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http_api::{Piece, Pieces};
use master_core::{Agent, Framework, Snapshot, Task};
use resources::{Resources, Role};

use super::chunks::{Chunks, Entity, Found, write_missing};
use super::entities::{AgentForm, TaskForm, write_agent, write_task};
use super::summary::Summaries;
use crate::view::executor::OnAgent;
use crate::view::roles::{OnAgents, RoleInfo, roles_of};

/// What is kept of the lists.
#[derive(Default)]
pub(super) struct Lists {
    tasks: Chunks<Task>,
    agents: Chunks<Agent>,
    /// What only `/state-summary` says.
    pub(super) summaries: Summaries,
    /// The newest number of a piece.
    pub(super) numbers: AtomicU64,
}

/// One of the lists of tasks that a framework has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Tasks,
    Unreachable,
    Completed,
}

impl Of {
    pub(super) const ALL: [Self; 3] = [Self::Tasks, Self::Unreachable, Self::Completed];

    /// Its name in the answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Unreachable => "unreachable_tasks",
            Self::Completed => "completed_tasks",
        }
    }

    /// Its field in `GetTasks`.
    fn field(self) -> u32 {
        match self {
            Self::Tasks => 2,
            Self::Unreachable => 5,
            Self::Completed => 3,
        }
    }

    fn index(self) -> u8 {
        match self {
            Self::Tasks => 0,
            Self::Unreachable => 1,
            Self::Completed => 2,
        }
    }
}

/// A framework with its tasks as lists.
pub(super) struct Listed<'a> {
    pub(super) framework: &'a Arc<Framework>,
    tasks: Vec<&'a Arc<Task>>,
    unreachable: Vec<&'a Arc<Task>>,
    completed: Vec<&'a Arc<Task>>,
}

impl<'a> Listed<'a> {
    /// All frameworks: those that are there, then those that ended.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        Self::some(snapshot.frameworks.iter().chain(&snapshot.completed_frameworks))
    }

    /// Those that are there.
    pub(super) fn there(snapshot: &'a Snapshot) -> Vec<Self> {
        Self::some(&snapshot.frameworks)
    }

    /// Some frameworks.
    pub(super) fn some(frameworks: impl IntoIterator<Item = &'a Arc<Framework>>) -> Vec<Self> {
        frameworks
            .into_iter()
            .map(|framework| Self {
                framework,
                tasks: framework.tasks.values().collect(),
                unreachable: framework.unreachable_tasks.values().collect(),
                completed: framework.completed_tasks.iter().collect(),
            })
            .collect()
    }

    fn list(&'a self, of: Of) -> &'a [&'a Arc<Task>] {
        match of {
            Of::Tasks => &self.tasks,
            Of::Unreachable => &self.unreachable,
            Of::Completed => &self.completed,
        }
    }
}

/// A framework with its tasks in chunks.
pub(super) struct Cut<'a> {
    pub(super) framework: &'a Arc<Framework>,
    lists: [Vec<Found<'a, Task>>; 3],
}

impl Cut<'_> {
    fn list(&self, of: Of) -> &[Found<'_, Task>] {
        self.lists.get(usize::from(of.index())).map_or(&[], Vec::as_slice)
    }

    /// All chunks of all its lists.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Found<'_, Task>> {
        self.lists.iter().flatten()
    }

    /// What its tasks and the given executors of it take.
    pub(super) fn used(&self, executors: &[OnAgent<'_>]) -> Resources {
        let tasks = self.list(Of::Tasks).iter().flat_map(|found| found.sum().iter());
        tasks.chain(executors.iter().flat_map(|(_, executor)| executor.resources.iter())).cloned().collect()
    }
}

impl Lists {
    /// Cuts the tasks of all frameworks. Chunks that they do not need are forgotten.
    pub(super) fn cut_tasks<'a>(&mut self, listed: &'a [Listed<'a>]) -> Vec<Cut<'a>> {
        let cut = self.cut_each(listed);
        self.tasks.sweep();
        cut
    }

    /// Cuts the tasks of some frameworks.
    pub(super) fn cut_some_tasks<'a>(&mut self, listed: &'a [Listed<'a>]) -> Vec<Cut<'a>> {
        let cut = self.cut_each(listed);
        self.tasks.gather();
        cut
    }

    fn cut_each<'a>(&mut self, listed: &'a [Listed<'a>]) -> Vec<Cut<'a>> {
        let cut = |each: &'a Listed<'a>| Cut {
            framework: each.framework,
            lists: Of::ALL.map(|of| self.tasks.cut(of.index(), each.list(of))),
        };
        listed.iter().map(cut).collect()
    }

    /// Cuts all agents.
    pub(super) fn cut_agents<'a>(&mut self, agents: &'a [&'a Arc<Agent>]) -> Vec<Found<'a, Agent>> {
        let cut = self.agents.cut(0, agents);
        self.agents.sweep();
        cut
    }

    /// All roles, or those of the whitelist.
    pub(super) fn roles(&mut self, snapshot: &Snapshot, whitelist: &[String]) -> BTreeMap<Role, RoleInfo> {
        let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
        let cut = self.cut_agents(&agents);
        let sums =
            cut.iter().map(|found| found.sum().get_or_init(|| OnAgents::of(found.members().iter().copied())));
        roles_of(snapshot, whitelist, sums)
    }

    /// The pieces of a list of tasks.
    pub(super) fn tasks<'a>(&self, cut: &'a Cut<'_>, of: Of, form: TaskForm) -> Vec<&'a Piece> {
        let write = |task: &Task, out: &mut Vec<u8>| write_task(task, form, of.field(), out);
        pieces(cut.list(of), form, &self.numbers, write)
    }

    /// The pieces of a list of agents, or of their executors.
    pub(super) fn agents<'a>(
        &self,
        cut: &'a [Found<'_, Agent>],
        form: AgentForm,
        frameworks: &[Arc<Framework>],
    ) -> Vec<&'a Piece> {
        let write = |agent: &Agent, out: &mut Vec<u8>| write_agent(agent, form, frameworks, out);
        pieces(cut, form, &self.numbers, write)
    }
}

/// The pieces of some chunks; those that are not kept are written.
fn pieces<'a, T>(
    found: &'a [Found<'_, T>],
    form: T::Form,
    numbers: &AtomicU64,
    write: impl Fn(&T, &mut Vec<u8>) + Sync,
) -> Vec<&'a Piece>
where
    T: Entity<Form: Sync, Sum: Send + Sync> + Send + Sync,
{
    write_missing(found, form, numbers, &write);
    found.iter().filter_map(|found| found.piece(form, numbers, &write)).collect()
}

/// Writes pieces, each of which has elements of a JSON list, as one list.
pub(super) fn write_list<'a>(out: &mut Pieces, pieces: impl IntoIterator<Item = &'a Piece>) {
    out.write(b"[");
    let filled = pieces.into_iter().filter(|piece| !piece.bytes.is_empty());
    for (index, piece) in filled.enumerate() {
        if index > 0 {
            out.write(b",");
        }
        out.share(piece);
    }
    out.write(b"]");
}
