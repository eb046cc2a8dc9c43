//! What the allocator is told about the cluster, its frameworks and its agents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, Rng};
use resources::{Name, Quantities, Resources, Role, Scalar};

use crate::{AgentTraits, Constraints};

/// How the allocator behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides in which order agents are looked at.
    pub rng: Rng,
    /// Offers must have at least one of these; an empty list lets everything pass.
    pub min_allocatable: Vec<Quantities>,
    /// Agents with GPUs are offered only to frameworks that say they can use GPUs.
    pub filter_gpu_agents: bool,
    /// Resources that play no part in fairness.
    pub fairness_excluded: BTreeSet<Name>,
    /// A declined offer does not come back to the same framework before this time, even if it asked for no delay;
    /// without it a framework that declines everything would be offered the same again at once, for ever.
    pub min_refusal: Duration,
    /// How much of the cluster, as a dominant share, may be outstanding in offers to one framework while others want
    /// offers too: one that neither uses nor declines its offers would keep everybody else waiting. `None` bounds
    /// nobody, as in Mesos.
    pub max_offered_share: Option<f64>,
}

impl Options {
    /// Mesos' defaults: offers of at least 0.01 CPUs or 32 MB, agents with GPUs kept for those who can use them.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self {
            rng,
            min_allocatable: vec![
                Quantities::from_iter([(Name::Cpus, Scalar::from_thousandths(10))]),
                Quantities::from_iter([(Name::Mem, Scalar::whole(32))]),
            ],
            filter_gpu_agents: true,
            fairness_excluded: BTreeSet::new(),
            min_refusal: Duration::from_millis(250),
            max_offered_share: None,
        }
    }
}

/// What a framework can understand. Nobody is offered what it cannot.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of its own on the wire")]
pub struct Capabilities {
    /// `MULTI_ROLE`
    pub multi_role: bool,
    /// `GPU_RESOURCES`
    pub gpu_resources: bool,
    /// `REGION_AWARE`: may be offered agents of other regions than the master's.
    pub region_aware: bool,
    /// `REVOCABLE_RESOURCES`
    pub revocable_resources: bool,
    /// `SHARED_RESOURCES`
    pub shared_resources: bool,
    /// `RESERVATION_REFINEMENT`
    pub reservation_refinement: bool,
}

/// A framework as the allocator sees it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FrameworkSpec {
    /// The roles it is subscribed to.
    pub roles: BTreeSet<Role>,
    /// Those of them for which it wants no offers now.
    pub suppressed: BTreeSet<Role>,
    /// What it can understand.
    pub capabilities: Capabilities,
    /// For some roles, what offers must have at least one of instead of [`Options::min_allocatable`]; as there, an
    /// empty list lets everything pass.
    pub min_allocatable: BTreeMap<Role, Vec<Quantities>>,
    /// For some roles, of which agents it wants offers at all.
    pub constraints: BTreeMap<Role, Arc<Constraints>>,
}

/// An agent as the allocator sees it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AgentSpec {
    /// All it has, allocated to nobody.
    pub total: Resources,
    /// In another region than the master's.
    pub remote: bool,
    /// It does not say `MULTI_ROLE`: too old for frameworks that do.
    pub single_role: bool,
    /// It does not say `HIERARCHICAL_ROLE`: too old for roles below others.
    pub flat_roles: bool,
    /// What frameworks may choose it by.
    pub traits: Arc<AgentTraits>,
}

/// How much a role, with all roles below it, is kept for, and how much it may have. Names without an entry have no
/// guarantee or no limit.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Quota {
    /// So much is held back for it from those who have no claim to it.
    pub guarantees: BTreeMap<Name, Scalar>,
    /// It is offered no more.
    pub limits: BTreeMap<Name, Scalar>,
}

impl Quota {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guarantees.is_empty() && self.limits.is_empty()
    }
}

/// Resources that are now offered: taken from the agent until they are recovered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offerable {
    /// To whom.
    pub framework: FrameworkId,
    /// In which of its roles.
    pub role: Role,
    /// Of which agent.
    pub agent: AgentId,
    /// What, allocated to the role.
    pub resources: Resources,
}
