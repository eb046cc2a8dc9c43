//! Who is offered what.
//!
//! The allocator shares agents' free resources among frameworks by dominant resource fairness (DRF): first among
//! roles, at each level of their hierarchy, then among the frameworks of a role. It is a plain data structure: no
//! clock, no thread, no lock. The same calls in the same order give the same offers.
//!
//! All resources of an agent are, at any time, either *available* or *used* (offered or allocated) by a framework;
//! [`Allocator::allocate`] moves them one way and [`Allocator::recover`] and its kin the other.

mod options;

pub use options::{AgentSpec, Capabilities, FrameworkSpec, Offerable, Options};

// The calls on `Allocator`; frameworks and agents are named by their ids, unknown ones change nothing:
//
// new(Options)
// add_framework(&FrameworkId, FrameworkSpec, active)   update_framework(&FrameworkId, FrameworkSpec)
// activate_framework(&id)  deactivate_framework(&id)   remove_framework(&id)
// suppress(&id, roles)     revive(&id, roles)          (roles: empty = all of the framework's)
// add_agent(&AgentId, AgentSpec, used: &[(FrameworkId, Resources)])
// update_agent(&AgentId, AgentSpec)    remove_agent(&AgentId)   (forgets what was used there)
// activate_agent(&id)      deactivate_agent(&id)
// allocate(now) -> Vec<Offerable>      allocate_all(now) -> Vec<Offerable>
// needs_allocation() -> bool           next_filter_expiry() -> Option<Time>
// recover(&framework, &agent, &Resources)                      used -> available, no filter
// decline(now, &framework, &agent, &Resources, refuse: Duration)   ... and a filter of at least min_refusal
// recover_leftover(now, &framework, &agent, &Resources, refuse)    ... and a filter unless refuse is zero
// add_used(&framework, &agent, &Resources)                     what an agent reports as used
// convert(&framework, &agent, from: &Resources, to: &Resources)    an operation changed what is used
// set_weight(&Role, f64)   set_limits(&Role, Quantities)   clear_limits(&Role)
// roles() -> Vec<RoleView>   available(&AgentId) -> Option<&Resources>   used(...)   check()
