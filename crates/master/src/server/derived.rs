//! What follows from a master's options and its machine: who it is, and what its core begins with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::{Time, Uuid};
use master_core::Options;
use resources::Name;
use transport::Upid;

use crate::agents::MASTER;
use crate::context::Identity;
use crate::options::MasterOptions;

/// The shortest time between two of what comes back for ever: with none, there would be time for nothing else.
const SHORTEST: Duration = Duration::from_millis(1);

pub(super) fn identity(options: &MasterOptions, address: SocketAddr, id: Uuid) -> Identity {
    let hostname = options.hostname.clone().unwrap_or_else(|| address.ip().to_string());
    Identity {
        id: id.to_string(),
        upid: Upid::new(MASTER, address),
        flags: options.flags(address.port(), &hostname),
        hostname,
        cluster: options.cluster.clone(),
        domain: options.domain.clone(),
        start_time: system_time(),
        elected_time: Arc::default(),
        listed_roles: options.roles.clone(),
    }
}

pub(super) fn system_time() -> Time {
    Time::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn core_options(options: &MasterOptions, master_id: String, seed: u64) -> Options {
    Options {
        agent_ping_timeout: options.agent_ping_timeout.max(SHORTEST),
        max_agent_ping_timeouts: options.max_agent_ping_timeouts.max(1),
        agent_reregister_timeout: options.agent_reregister_timeout,
        allocation_interval: options.allocation_interval.max(SHORTEST),
        offer_timeout: options.offer_timeout,
        max_offered_share: options.max_offered_share,
        min_allocatable: options.min_allocatable_resources.clone(),
        fairness_excluded: options
            .fair_sharing_excluded_resource_names
            .iter()
            .map(|name| Name::from(name.as_str()))
            .collect(),
        filter_gpu_agents: options.filter_gpu_resources,
        region: options.domain.as_ref().map(|domain| domain.region.clone()),
        agent_removal_pause: options.agent_removal_rate_limit.map_or(Duration::ZERO, |rate| rate.pause()),
        recovery_agent_removal_limit: options.recovery_agent_removal_limit,
        registry_gc_interval: options.registry_gc_interval.max(SHORTEST),
        registry_max_agent_age: options.registry_max_agent_age,
        registry_max_agent_count: options.registry_max_agent_count,
        weights: options.weights.iter().map(|(role, weight)| (role.as_str().into(), *weight)).collect(),
        allocator_agent_recovery_factor: options.allocator_agent_recovery_factor,
        allocator_recovery_timeout: options.allocator_recovery_timeout,
        max_completed_frameworks: options.max_completed_frameworks,
        max_completed_tasks_per_framework: options.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework: options.max_unreachable_tasks_per_framework,
        root_submissions: options.root_submissions,
        ..Options::new(master_id, seed)
    }
}

/// A seed that nobody can guess: the hasher's keys come from the system.
pub(super) fn seed_of_the_system() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(SystemTime::now())
}
