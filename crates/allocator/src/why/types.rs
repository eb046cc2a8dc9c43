//! What is told: data without references into the allocator, easily written as JSON.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, FrameworkId, Time};
use resources::{Name, Quantities, Resources, Role, Scalar};

/// What stands between a framework in one of its roles and what an agent has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Obstacle {
    /// The agent is deactivated, or does not answer.
    AgentInactive,
    /// The agent is not in the whitelist.
    NotWhitelisted,
    /// The agent is of a version that cannot tell roles apart as the framework needs it.
    AgentTooOld,
    /// The agent has GPUs and the framework does not say that it can use them.
    KeptForGpus,
    /// The agent is in another region and the framework does not say that it knows regions.
    OtherRegion,
    /// The framework's constraints for the role leave the agent out.
    Constrained,
    /// All the agent has is offered or used.
    NothingFree,
    /// What is free is reserved for other roles.
    ReservedForOthers,
    /// What is free is of a kind that the framework does not say it can use.
    NotUnderstood,
    /// What is free is too little to be offered.
    TooLittle,
    /// The role, or one above it, has all that its limits allow.
    AtLimit,
    /// What is free is kept for what was guaranteed to other roles.
    HeldBack,
    /// The framework declined as much.
    Refused,
    /// What is free is shared, and was offered to the framework already.
    AlreadyOffered,
    /// The framework has as many offers that it has not answered as it may.
    OfferedEnough,
}

impl Obstacle {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 15] = [
        Self::AgentInactive,
        Self::NotWhitelisted,
        Self::AgentTooOld,
        Self::KeptForGpus,
        Self::OtherRegion,
        Self::Constrained,
        Self::NothingFree,
        Self::ReservedForOthers,
        Self::NotUnderstood,
        Self::TooLittle,
        Self::AtLimit,
        Self::HeldBack,
        Self::Refused,
        Self::AlreadyOffered,
        Self::OfferedEnough,
    ];

    /// A name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgentInactive => "agent_inactive",
            Self::NotWhitelisted => "not_whitelisted",
            Self::AgentTooOld => "agent_too_old",
            Self::KeptForGpus => "kept_for_gpus",
            Self::OtherRegion => "other_region",
            Self::Constrained => "constrained",
            Self::NothingFree => "nothing_free",
            Self::ReservedForOthers => "reserved_for_others",
            Self::NotUnderstood => "not_understood",
            Self::TooLittle => "too_little",
            Self::AtLimit => "at_limit",
            Self::HeldBack => "held_back",
            Self::Refused => "refused",
            Self::AlreadyOffered => "already_offered",
            Self::OfferedEnough => "offered_enough",
        }
    }
}

/// Why a framework gets no offers now.
#[derive(Clone, PartialEq, Debug)]
pub struct WhyFramework {
    /// The framework.
    pub framework: FrameworkId,
    /// When this was true.
    pub now: Time,
    /// Each of its roles, up to [`WhyFramework::MOST`].
    pub roles: Vec<WhyClient>,
    /// How many roles more it has.
    pub more: usize,
}

/// Why a framework gets no offers in one of its roles.
#[derive(Clone, PartialEq, Debug)]
pub struct WhyClient {
    /// The framework.
    pub framework: FrameworkId,
    /// The role.
    pub role: Role,
    /// Whether it wants any.
    pub state: ClientState,
    /// How many agents there are.
    pub agents: usize,
    /// Of how many of them nothing stands in its way: it is offered them next, unless those before it take them.
    pub unhindered: usize,
    /// What stands in its way; an agent may be behind several.
    pub findings: Vec<Finding>,
    /// Its place in the order of service, from the top of the hierarchy down to the frameworks of its role.
    pub order: Vec<Level>,
    /// What it holds, offered or used, in the role.
    pub holds: Quantities,
    /// What of that is offers that it has not answered.
    pub offered: Quantities,
    /// The smallest change after which it would be offered something: all of these together.
    pub help: Vec<Change>,
}

/// Whether a framework wants offers in a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientState {
    /// It is not connected, or was deactivated.
    Inactive,
    /// It wants none for this role now.
    Suppressed,
    /// It does.
    Wanting,
}

impl ClientState {
    /// A name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Suppressed => "suppressed",
            Self::Wanting => "wanting",
        }
    }
}

/// One obstacle, at how many agents, and more of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// The obstacle.
    pub obstacle: Obstacle,
    /// At how many agents.
    pub agents: usize,
    /// More of it.
    pub detail: Detail,
}

/// More of an obstacle.
#[derive(Clone, PartialEq, Debug)]
pub enum Detail {
    /// There is no more to say.
    None,
    /// Capabilities that the framework lacks, as they are called on the wire.
    Capabilities(BTreeSet<&'static str>),
    /// Conditions that do not hold, with the number of agents for which each does not.
    Conditions(Vec<(String, usize)>),
    /// For which roles the rest is reserved.
    Reserved(BTreeSet<Role>),
    /// What offers must have at least one of, and the most that an agent has free for the framework.
    Minimum {
        /// One of these is needed.
        least: Vec<Quantities>,
        /// On one agent, as much as is free.
        most_free: Quantities,
    },
    /// Limits without enough room.
    Limits(Vec<LimitReached>),
    /// Guarantees for which is held back.
    Guarantees(Vec<GuaranteeOpen>),
    /// Refusals in the way.
    Refusals {
        /// The one that ends first.
        first: Refusal,
        /// When the last of them ends.
        last_ends: Time,
    },
    /// How much of the cluster is offered to the framework, and how much may be: dominant shares.
    Offered {
        /// So much is.
        share: f64,
        /// So much may be.
        most: f64,
    },
}

/// A limit that leaves not enough room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitReached {
    /// Whose limit.
    pub role: Role,
    /// Of what.
    pub resource: Name,
    /// How much the role may have.
    pub limit: Scalar,
    /// How much it has, with what is reserved for it.
    pub consumed: Scalar,
}

/// A guarantee that is not yet fulfilled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuaranteeOpen {
    /// Whose guarantee.
    pub role: Role,
    /// Of what.
    pub resource: Name,
    /// How much is guaranteed.
    pub guarantee: Scalar,
    /// How much the role has of it.
    pub consumed: Scalar,
}

/// What a framework declined of an agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Refusal {
    /// Of which agent.
    pub agent: AgentId,
    /// No more than this is offered again.
    pub resources: Resources,
    /// Before this time.
    pub until: Time,
}

/// A level of the hierarchy on the way to a framework.
#[derive(Clone, PartialEq, Debug)]
pub struct Level {
    /// Who is in question here.
    pub who: Place,
    /// Who of those who want offers comes first, as far as they are before it; no more than [`Level::MOST`].
    pub ahead: Vec<Place>,
    /// How many are before it.
    pub behind: usize,
}

impl Level {
    /// How many of those before somebody are named.
    pub const MOST: usize = 5;
}

/// Somebody in the order of service.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// A role, or a framework.
    pub name: Who,
    /// Its dominant share divided by its weight; who has the least is served first.
    pub share: f64,
    /// Its weight.
    pub weight: f64,
}

/// A role or a framework.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// A role with all below it.
    Role(Role),
    /// The frameworks right in a role that has roles below it.
    Own(Role),
    /// A framework.
    Framework(FrameworkId),
}

/// A change after which there may be an offer.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// None is needed: the next allocation offers something, unless those before take all of it.
    Wait,
    /// The scheduler has to subscribe; its framework is not active.
    Subscribe,
    /// The scheduler has to revive the role; its refusals in it are forgotten then, too.
    Revive {
        /// The role.
        role: Role,
        /// When the refusals end by themselves, if only they are in the way: shorter ones would help, too.
        or_wait_until: Option<Time>,
    },
    /// The scheduler has to accept or decline offers that it has.
    AnswerOffers,
    /// The scheduler has to be able to use more, and to say so.
    AddCapability(&'static str),
    /// The scheduler has to do without a condition for the role.
    DropCondition {
        /// The role.
        role: Role,
        /// The condition.
        condition: String,
    },
    /// Offers have to be possible that have so little: by the framework's filters for the role or, without such, by
    /// `--min_allocatable_resources`.
    LowerMinimum {
        /// The role.
        role: Role,
        /// No more than this may be asked for.
        to: Quantities,
        /// It is the framework's own filter.
        own: bool,
    },
    /// The scheduler has to subscribe to a role as well, because the rest is reserved for it.
    JoinRole(Role),
    /// A limit has to be raised.
    RaiseLimit {
        /// Whose.
        role: Role,
        /// Of what.
        resource: Name,
        /// By so much at least.
        by: Scalar,
        /// To so much at least.
        to: Scalar,
    },
    /// A guarantee has to be lowered; or resources have to be added.
    LowerGuarantee {
        /// Whose.
        role: Role,
        /// Of what.
        resource: Name,
        /// By so much at least.
        by: Scalar,
        /// To so much at most.
        to: Scalar,
    },
    /// An agent has to be activated, or come back.
    ActivateAgent(AgentId),
    /// An agent has to be replaced by a newer version.
    UpgradeAgent(AgentId),
    /// An agent's host has to be put on the whitelist.
    Whitelist(String),
    /// There has to be more: tasks that end, offers that are answered by others, or more agents.
    MoreResources,
}

/// Why a role gets no offers now.
#[derive(Clone, PartialEq, Debug)]
pub struct WhyRole {
    /// The role.
    pub role: Role,
    /// When this was true.
    pub now: Time,
    /// How much it counts against its siblings.
    pub weight: f64,
    /// What it holds with the roles below: dominant share of the cluster, before its weight.
    pub share: f64,
    /// What is used or reserved in it and below, as its quota counts.
    pub consumed: Quantities,
    /// What is guaranteed to it.
    pub guarantees: BTreeMap<Name, Scalar>,
    /// What it may have.
    pub limits: BTreeMap<Name, Scalar>,
    /// Its frameworks, by id; of very many, those who want offers first.
    pub frameworks: Vec<WhyClient>,
    /// How many more frameworks it has.
    pub more: usize,
    /// Roles below it that have frameworks.
    pub below: Vec<Role>,
    /// The smallest change after which one of its frameworks would be offered something.
    pub help: Vec<Change>,
}

/// How the frameworks of a role stand, as counts for metrics: found without looking at any agent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RoleCounts {
    /// Frameworks with the role.
    pub frameworks: usize,
    /// Those that are not active.
    pub inactive: usize,
    /// Those that want no offers for it now.
    pub suppressed: usize,
    /// Those with refusals in force.
    pub refusing: usize,
    /// Refusals in force.
    pub refusals: usize,
    /// Those with constraints.
    pub constrained: usize,
    /// Limits, of it or of roles above, that leave no room.
    pub limits_reached: usize,
    /// Its guarantees that are not fulfilled.
    pub guarantees_open: usize,
}
