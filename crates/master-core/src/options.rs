//! What can be set.

use std::collections::BTreeSet;
use std::time::Duration;

use resources::{Name, Quantities, Role, Scalar};

/// What can be set; the names are those of Mesos' flags.
#[derive(Clone, Debug)]
pub struct Options {
    /// The master's id, random for each start; other ids are made from it.
    pub master_id: String,
    /// From which all random choices follow.
    pub seed: u64,
    /// How often agents are asked whether they are there, and how long they may take to answer.
    pub agent_ping_timeout: Duration,
    /// How many answers in a row may be missing.
    pub max_agent_ping_timeouts: u32,
    /// How long an agent whose connection broke may take to reregister.
    pub agent_reregister_timeout: Duration,
    /// The shortest time between two agents that are marked unreachable; zero without limit.
    pub agent_removal_pause: Duration,
    /// The largest share of the agents in the registry that may fail to come to a new master before it gives up, between 0
    /// and 1.
    pub recovery_agent_removal_limit: f64,
    /// How often agents are forgotten that were unreachable or gone for long.
    pub registry_gc_interval: Duration,
    /// How long unreachable and gone agents are remembered.
    pub registry_max_agent_age: Duration,
    /// How many unreachable agents, and how many gone ones, are remembered.
    pub registry_max_agent_count: usize,
    /// Weights of roles, for a registry without any.
    pub weights: Vec<(Role, f64)>,
    /// The share of the agents in the registry that have to come to a new master before it makes offers, between 0 and 1,
    /// where there are quotas: the first agents alone could not keep them.
    pub allocator_agent_recovery_factor: f64,
    /// How long offers wait for that.
    pub allocator_recovery_timeout: Duration,
    /// How often everything free is looked at, for filters that have run out.
    pub allocation_interval: Duration,
    /// How long resources that became free are gathered before they are offered. New agents, new frameworks and
    /// revived ones do not wait for it.
    pub allocation_delay: Duration,
    /// How long an offer stands; `None` for ever.
    pub offer_timeout: Option<Duration>,
    /// The largest share of the cluster on offer to one framework while others want it; `None` without limit.
    pub max_offered_share: Option<f64>,
    /// What an offer has at least: one of these; anything if there are none.
    pub min_allocatable: Vec<Quantities>,
    /// Resources that do not count in shares.
    pub fairness_excluded: BTreeSet<Name>,
    /// Whether agents with GPUs are kept for frameworks that say that they can use them.
    pub filter_gpu_agents: bool,
    /// The master's region. Agents of other regions are kept for frameworks that say that they know regions.
    pub region: Option<String>,
    /// How many ended frameworks are kept.
    pub max_completed_frameworks: usize,
    /// How many ended tasks of each framework are kept.
    pub max_completed_tasks_per_framework: usize,
    /// How many tasks of each framework on lost agents are kept.
    pub max_unreachable_tasks_per_framework: usize,
    /// Whether frameworks may run as `root`.
    pub root_submissions: bool,
}

impl Options {
    /// Mesos' defaults, but that offers do not stand for ever.
    #[must_use]
    pub fn new(master_id: String, seed: u64) -> Self {
        Self {
            master_id,
            seed,
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(600),
            agent_removal_pause: Duration::ZERO,
            recovery_agent_removal_limit: 1.0,
            registry_gc_interval: Duration::from_secs(15 * 60),
            registry_max_agent_age: Duration::from_secs(14 * 24 * 3600),
            registry_max_agent_count: 100 * 1024,
            weights: Vec::new(),
            allocator_agent_recovery_factor: 0.8,
            allocator_recovery_timeout: Duration::from_secs(600),
            allocation_interval: Duration::from_secs(1),
            allocation_delay: Duration::from_millis(50),
            offer_timeout: Some(Duration::from_secs(300)),
            max_offered_share: None,
            min_allocatable: vec![
                Quantities::from_iter([(Name::Cpus, Scalar::from_thousandths(10))]),
                Quantities::from_iter([(Name::Mem, Scalar::whole(32))]),
            ],
            fairness_excluded: BTreeSet::new(),
            filter_gpu_agents: true,
            region: None,
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            max_unreachable_tasks_per_framework: 1000,
            root_submissions: true,
        }
    }

    /// How long an agent hears nothing before it takes the master for lost, told to it at registration.
    #[must_use]
    pub fn total_ping_timeout(&self) -> Duration {
        self.agent_ping_timeout.saturating_mul(self.max_agent_ping_timeouts)
    }
}
