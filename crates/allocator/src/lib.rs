//! Who is offered what.
//!
//! The allocator shares agents' free resources among frameworks by dominant resource fairness (DRF): first among
//! roles, at each level of their hierarchy, then among the frameworks of a role. It is a plain data structure: no
//! clock, no thread, no lock. The same calls in the same order give the same offers.
//!
//! All resources of an agent are, at any time, either *available* or *used* (offered or allocated) by a framework;
//! [`Allocator::allocate`] moves them one way and [`Allocator::recover`] and its kin the other.
//!
//! It is incremental: whatever may lead to a new offer marks the agents where it may (resources that came back, a
//! refusal that ended) or all of them (a framework that wants offers again), and an allocation looks at those.

mod agents;
mod amounts;
mod bits;
mod check;
mod constraints;
mod cycle;
mod frameworks;
mod free;
mod holdings;
mod options;
mod order;
mod portion;
mod quota;
mod ranks;
mod recover;
mod refusals;
mod shares;
mod slab;
mod state;
mod traits;
mod tree;
mod view;
mod visit;
mod why;
mod work;

pub use constraints::{Condition, Constraints, Pattern, PatternError, Predicate, RegexLimits, Selector};
pub use options::{AgentSpec, Capabilities, FrameworkSpec, Offerable, Options, Quota};
pub use state::Allocator;
pub use traits::{AgentTraits, AttributeValue};
pub use view::RoleView;
pub use why::{
    Change, ClientState, Detail, Finding, GuaranteeOpen, Level, LimitReached, Obstacle, Place, Refusal,
    RoleCounts, Who, WhyClient, WhyFramework, WhyRole,
};
