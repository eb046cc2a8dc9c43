//! The cluster in counts and sums: gathered when somebody asks, for all who ask within a second.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use allocator::RoleView;
use base::{FrameworkId, Time};
use http_api::ApiError;
use master_core::{Agent, DrainState, Framework, FrameworkInfo, InverseOffer, MasterCore, Offer, TaskState};
use resources::{Quantities, Role};

use crate::server::Master;
use crate::status::gone;

/// How long what was gathered is good enough.
const FRESH: Duration = Duration::from_secs(1);
/// A cluster for whose gathering so much is to be done is gathered less often: at most one part of this many of the time.
const EFFORT: u32 = 20;
/// Counting tasks holds all of them while it lasts, so that the core copies what it changes meanwhile: more seldom still.
const COUNTING_EFFORT: u32 = 100;

/// What the core's thread hands out: little for each framework, a reference for each agent and offer.
struct Seen {
    time: Time,
    frameworks: Vec<FrameworkSeen>,
    completed: Vec<Arc<Framework>>,
    agents: Vec<Arc<Agent>>,
    offers: Vec<Arc<Offer>>,
    inverse_offers: Vec<Arc<InverseOffer>>,
    unreachable: usize,
    recovered: usize,
    gone: usize,
    total: Quantities,
    roles: Vec<RoleView>,
}

/// A framework without its tasks.
#[derive(Clone, Debug)]
pub(super) struct FrameworkSeen {
    pub(super) id: FrameworkId,
    pub(super) info: Arc<FrameworkInfo>,
    pub(super) active: bool,
    pub(super) connected: bool,
    pub(super) recovered: bool,
    /// Whether it is over.
    pub(super) completed: bool,
    pub(super) suppressed_roles: Vec<Role>,
    pub(super) registered: Time,
    pub(super) reregistered: Option<Time>,
    pub(super) unregistered: Option<Time>,
    pub(super) tasks: usize,
    pub(super) unreachable_tasks: usize,
    pub(super) completed_tasks: usize,
    pub(super) offers: usize,
    pub(super) inverse_offers: usize,
    /// What its tasks and executors take.
    pub(super) used: Quantities,
    /// What it is offered.
    pub(super) offered: Quantities,
}

impl FrameworkSeen {
    pub(super) fn of(framework: &Framework, completed: bool) -> Self {
        Self {
            id: framework.id.clone(),
            info: Arc::clone(&framework.info),
            active: framework.active,
            connected: framework.connected(),
            recovered: framework.recovered,
            completed,
            suppressed_roles: framework.suppressed_roles.iter().cloned().collect(),
            registered: framework.registered_time,
            reregistered: framework.reregistered_time,
            unregistered: framework.unregistered_time.or(framework.disconnected_time),
            tasks: framework.tasks.len(),
            unreachable_tasks: framework.unreachable_tasks.len(),
            completed_tasks: framework.completed_tasks.len(),
            offers: framework.offers.len(),
            inverse_offers: framework.inverse_offers.len(),
            used: Quantities::new(),
            offered: Quantities::new(),
        }
    }
}

/// How many agents are in which state. One may be in several.
#[derive(Clone, Copy, Default, Debug, serde::Serialize)]
pub(super) struct AgentCounts {
    pub(super) registered: usize,
    pub(super) active: usize,
    pub(super) disconnected: usize,
    pub(super) deactivated: usize,
    pub(super) draining: usize,
    pub(super) drained: usize,
    pub(super) unreachable: usize,
    pub(super) recovered: usize,
    pub(super) gone: usize,
}

/// The cluster in counts and sums.
pub(super) struct Gathered {
    pub(super) time: Time,
    pub(super) agents: AgentCounts,
    pub(super) total: Quantities,
    pub(super) used: Quantities,
    pub(super) offered: Quantities,
    /// Those that are there, by id, then those that are over.
    pub(super) frameworks: Vec<FrameworkSeen>,
    pub(super) offers: Vec<Arc<Offer>>,
    /// Those that are not answered.
    pub(super) inverse_offers: Vec<Arc<InverseOffer>>,
    pub(super) roles: Vec<RoleView>,
}

/// Tasks by state, and when they were counted.
#[derive(Clone, Default)]
pub(super) struct TaskCounts {
    pub(super) time: Time,
    pub(super) by_state: BTreeMap<TaskState, usize>,
}

/// Something that was made, and how long it is good enough.
struct Kept<T> {
    value: Option<(T, Instant)>,
}

/// Gathers, and keeps what was gathered for a moment.
#[derive(Default)]
pub(super) struct Gatherer {
    cluster: Keeper<Arc<Gathered>>,
    tasks: Keeper<Arc<TaskCounts>>,
}

struct Keeper<T> {
    kept: Mutex<Kept<T>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Keeper<T> {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { value: None }), turn: tokio::sync::Mutex::default() }
    }
}

impl<T: Clone> Keeper<T> {
    fn fresh(&self) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.value.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(value, _)| value.clone())
    }

    /// What is kept is not good enough any more.
    fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).value = None;
    }

    /// What is kept, or what `make` makes; who asks meanwhile waits for it.
    async fn get<F>(&self, effort: u32, make: impl FnOnce() -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        if let Some(value) = self.fresh() {
            return Ok(value);
        }
        let _turn = self.turn.lock().await;
        if let Some(value) = self.fresh() {
            return Ok(value);
        }
        let began = Instant::now();
        let value = make().await?;
        let until = Instant::now() + FRESH.max(began.elapsed().saturating_mul(effort));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.value = Some((value.clone(), until));
        Ok(value)
    }
}

/// The cluster in counts and sums, as it was a moment ago.
pub(super) async fn gathered(master: &Master) -> Result<Arc<Gathered>, ApiError> {
    let make = || async {
        let seen = master.core.ask(see).await.map_err(gone)?;
        master.blocking(move || Arc::new(sum(seen))).await
    };
    master.insight.gathered.cluster.get(EFFORT, make).await
}

/// The same, but never without a framework that is there now.
pub(super) async fn gathered_with(
    master: &Master,
    framework: &FrameworkId,
) -> Result<Arc<Gathered>, ApiError> {
    let cluster = gathered(master).await?;
    if cluster.framework(framework).is_some() {
        return Ok(cluster);
    }
    let id = framework.clone();
    if !master.core.ask(move |core, _| core.framework(&id).is_some()).await.map_err(gone)? {
        return Ok(cluster);
    }
    master.insight.gathered.cluster.forget();
    gathered(master).await
}

/// How many tasks there are in each state. In a large cluster that is some seconds old.
pub(super) async fn task_counts(master: &Master) -> Result<Arc<TaskCounts>, ApiError> {
    let make = || async {
        let snapshot = master.snapshot().await?;
        let count = move || {
            let mut counts = TaskCounts { time: snapshot.time, ..TaskCounts::default() };
            for framework in crate::view::state::every_framework(&snapshot) {
                for task in crate::view::framework::all_tasks(framework) {
                    *counts.by_state.entry(task.state).or_default() += 1;
                }
            }
            Arc::new(counts)
        };
        master.blocking(count).await
    };
    master.insight.gathered.tasks.get(COUNTING_EFFORT, make).await
}

/// In the core's thread.
fn see(core: &MasterCore, now: Time) -> Seen {
    let snapshot = core.snapshot(now);
    Seen {
        time: snapshot.time,
        frameworks: snapshot.frameworks.iter().map(|each| FrameworkSeen::of(each, false)).collect(),
        offers: snapshot.frameworks.iter().flat_map(|each| each.offers.values().cloned()).collect(),
        inverse_offers: snapshot
            .frameworks
            .iter()
            .flat_map(|each| each.inverse_offers.values().cloned())
            .collect(),
        completed: snapshot.completed_frameworks,
        agents: snapshot.agents,
        unreachable: snapshot.unreachable.len(),
        recovered: snapshot.recovered.len(),
        gone: snapshot.gone.len(),
        total: core.allocator().cluster_total(),
        roles: core.allocator().roles(),
    }
}

/// Where it holds up nobody. Agents are let go of afterwards: the core copies those that somebody holds before it changes them.
fn sum(seen: Seen) -> Gathered {
    let mut used: HashMap<&FrameworkId, Quantities> = HashMap::new();
    let mut agents = AgentCounts {
        registered: seen.agents.len(),
        unreachable: seen.unreachable,
        recovered: seen.recovered,
        gone: seen.gone,
        ..AgentCounts::default()
    };
    for agent in &seen.agents {
        count(agent, &mut agents);
        for (framework, resources) in &agent.used {
            *used.entry(framework).or_default() += &resources.counts();
        }
    }
    let mut offered: HashMap<&FrameworkId, Quantities> = HashMap::new();
    for offer in &seen.offers {
        *offered.entry(&offer.framework_id).or_default() += &offer.resources.counts();
    }
    let all = |sums: &HashMap<&FrameworkId, Quantities>| {
        sums.values().fold(Quantities::new(), |mut all, one| {
            all += one;
            all
        })
    };
    let (all_used, all_offered) = (all(&used), all(&offered));
    let mut frameworks = seen.frameworks;
    for framework in &mut frameworks {
        framework.used = used.remove(&framework.id).unwrap_or_default();
        framework.offered = offered.remove(&framework.id).unwrap_or_default();
    }
    drop((used, offered));
    frameworks.extend(seen.completed.iter().map(|each| FrameworkSeen::of(each, true)));
    Gathered {
        time: seen.time,
        agents,
        total: seen.total,
        used: all_used,
        offered: all_offered,
        frameworks,
        offers: seen.offers,
        inverse_offers: seen.inverse_offers,
        roles: seen.roles,
    }
}

fn count(agent: &Agent, counts: &mut AgentCounts) {
    counts.active += usize::from(agent.active);
    counts.disconnected += usize::from(!agent.connected);
    counts.deactivated += usize::from(agent.deactivated);
    match agent.drain.map(|drain| drain.state) {
        Some(DrainState::Draining) => counts.draining += 1,
        Some(DrainState::Drained) => counts.drained += 1,
        None => {}
    }
}

impl Gathered {
    /// A framework, also one that is over.
    pub(super) fn framework(&self, id: &FrameworkId) -> Option<&FrameworkSeen> {
        self.frameworks.iter().find(|framework| framework.id == *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_made_is_kept_for_a_moment_and_made_once_for_all() {
        let keeper = Keeper::default();
        let made = std::cell::Cell::new(0);
        let make = || async {
            made.set(made.get() + 1);
            tokio::task::yield_now().await;
            Ok(made.get())
        };
        let (one, other) = tokio::join!(keeper.get(1, make), keeper.get(1, make));
        assert_eq!((one.unwrap(), other.unwrap(), made.get()), (1, 1, 1));
        assert_eq!(keeper.get(1, make).await.unwrap(), 1);
        keeper.forget();
        assert_eq!(keeper.get(1, make).await.unwrap(), 2);
        let refused: Result<u32, ApiError> =
            Keeper::default().get(1, || async { Err(ApiError::not_found("none")) }).await;
        assert!(refused.is_err(), "an error is not kept");
    }
}
