//! The frameworks that the master knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base::{FrameworkId, Ring, Time};

use super::FrameworkCounts;
use crate::core::MasterCore;
use crate::input::Timer;
use crate::operations;
use crate::options::Options;
use crate::output::{Directory, FrameworkRef, Observation, Output};
use crate::types::{CompletedTasks, ConnectionId, Framework, FrameworkInfo};

/// The frameworks that the master knows.
#[derive(Debug)]
pub(crate) struct Frameworks {
    /// Those that are not over.
    pub(crate) registered: BTreeMap<FrameworkId, Arc<Framework>>,
    /// Those that are over.
    pub(crate) completed: Ring<Arc<Framework>>,
    /// Whose each stream is.
    pub(crate) by_connection: BTreeMap<ConnectionId, FrameworkId>,
    /// The timer that ends a framework without a stream.
    pub(crate) away: BTreeMap<FrameworkId, u64>,
    /// What is counted of each, also of those that are over.
    pub(crate) counts: BTreeMap<FrameworkId, Arc<FrameworkCounts>>,
    next: u64,
    next_away: u64,
}

impl Frameworks {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            registered: BTreeMap::new(),
            completed: Ring::new(options.max_completed_frameworks),
            by_connection: BTreeMap::new(),
            away: BTreeMap::new(),
            counts: BTreeMap::new(),
            next: 0,
            next_away: 0,
        }
    }

    pub(crate) fn get(&self, id: &FrameworkId) -> Option<&Arc<Framework>> {
        self.registered.get(id)
    }

    /// The framework, to be changed; readers keep what they have.
    pub(crate) fn get_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.registered.get_mut(id).map(Arc::make_mut)
    }

    /// Enters a framework.
    pub(crate) fn add(&mut self, framework: Arc<Framework>) {
        self.counts.insert(framework.id.clone(), Arc::default());
        self.registered.insert(framework.id.clone(), framework);
    }

    pub(crate) fn is_completed(&self, id: &FrameworkId) -> bool {
        self.completed.iter().any(|framework| framework.id == *id)
    }

    /// A number for the next timer of a framework that goes away.
    pub(crate) fn next_away(&mut self) -> u64 {
        self.next_away += 1;
        self.next_away
    }

    pub(crate) fn new_id(&mut self, options: &Options) -> FrameworkId {
        let id = FrameworkId::from(format!("{}-{:04}", options.master_id, self.next));
        self.next += 1;
        id
    }
}

/// A framework without anything yet.
pub(crate) fn new_framework(
    core: &MasterCore,
    now: Time,
    id: FrameworkId,
    info: Arc<FrameworkInfo>,
) -> Framework {
    Framework {
        id,
        info,
        connection: None,
        active: false,
        recovered: false,
        suppressed_roles: BTreeSet::new(),
        offer_constraints: Arc::default(),
        registered_time: now,
        reregistered_time: None,
        disconnected_time: None,
        unregistered_time: None,
        tasks: BTreeMap::new(),
        unreachable_tasks: BTreeMap::new(),
        unreachable_order: VecDeque::new(),
        completed_tasks: CompletedTasks::new(core.options.max_completed_tasks_per_framework),
        operations: BTreeMap::new(),
        operation_ids: BTreeMap::new(),
        offers: BTreeMap::new(),
        inverse_offers: BTreeMap::new(),
    }
}

/// Takes note of a framework of which only agents, or a scheduler that remembers its id, have told: the master that
/// knew it is gone. It gets no offers before its scheduler comes, and ends if that takes too long.
pub(crate) fn recover(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    info: &Arc<FrameworkInfo>,
    out: &mut Vec<Output>,
) {
    // It counts as registered when its scheduler comes.
    let mut framework = new_framework(core, Time::EPOCH, id.clone(), Arc::clone(info));
    framework.recovered = true;
    core.allocation.add_framework(&framework);
    core.frameworks.add(Arc::new(framework));
    operations::adopt(core, id);
    let generation = core.frameworks.next_away();
    core.frameworks.away.insert(id.clone(), generation);
    // Its scheduler may not have noticed yet that the master is another one.
    let patience = info.failover_timeout.max(core.options.agent_reregister_timeout);
    out.push(Output::SetTimer { at: now + patience, timer: Timer::Failover(id.clone(), generation) });
    out.push(Output::Directory(Directory::Disconnected(id.clone())));
    core.observe(out, || Observation::FrameworkAdded(Arc::clone(&core.frameworks.registered[id])));
}

/// What messages to agents say of a framework.
pub(crate) fn framework_ref(framework: &Framework) -> FrameworkRef {
    FrameworkRef { id: framework.id.clone(), info: Arc::clone(&framework.info) }
}
