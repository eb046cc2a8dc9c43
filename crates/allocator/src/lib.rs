//! Who is offered what.
//!
//! The allocator shares agents' free resources among frameworks by dominant resource fairness (DRF): first among
//! roles, at each level of their hierarchy, then among the frameworks of a role. It is a plain data structure: no
//! clock, no thread, no lock. The same calls in the same order give the same offers.
//!
//! # What it keeps
//!
//! - **Agents** (`agents`, `free`, `holdings`). All resources of an agent are, at any time, *available*, *offered* to a
//!   framework or *used* by one. [`Allocator::allocate`] moves them one way, [`Allocator::decline`] and
//!   [`Allocator::recover`] and their kin the other. Shared resources are always available, whoever uses them.
//! - **Roles and clients** (`tree`). A role is a node of the hierarchy; a *client* is a framework in one of its roles. What
//!   they have is kept as dense sums (`amounts`), changed together with what they are of.
//! - **The order of service** (`order`): at each node, child roles and the node's own clients by weighted dominant share
//!   (`shares`), number of offers so far, name. Only who wants offers is in it.
//! - **Quotas** (`quota`): limits, guarantees, and the room that both leave to a role.
//! - **Refusals** (`refusals`), with the agents that they are of.
//!
//! # An allocation
//!
//! `cycle` goes through agents; `visit` offers one to those to whom it is due; `portion` is what it has for one of
//! them. What makes it incremental is one invariant: *after an allocation nothing that is free can be offered to anyone*.
//! So everything that can change this says so: an agent is marked, a client has news, a refusal has ended, a role has more
//! room than when its offers were cut. `work` gathers that, and an allocation looks at nothing else. Random histories test
//! the invariant: after [`Allocator::allocate`], [`Allocator::allocate_all`] finds nothing.
//!
//! # What must hold
//!
//! 1. For each agent and each kind of resource, free + offered + used = total; `check` verifies it together with all sums
//!    and indexes.
//! 2. No role is offered more than its limits and those above it leave.
//! 3. No offer uses up what is kept for a guarantee of somebody else.
//! 4. Nobody is offered what it refused, cannot understand, or does not want by its constraints.
//! 5. Costs follow what changed, not how large the cluster is: no id, name or message is looked at on the way to an offer,
//!    and going past one who refused costs some nanoseconds.

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
