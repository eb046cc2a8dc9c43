//! Of which agents a framework wants offers in a role.

use crate::AgentTraits;

/// Of which agents a framework wants offers: those for which all conditions of at least one group hold. Without groups,
/// all agents.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Constraints {
    /// Alternatives.
    pub any_of: Vec<Vec<Condition>>,
}

/// What must be true of an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// It is the one of this name.
    Hostname(String),
    /// It is in this region.
    Region(String),
    /// It is in this zone.
    Zone(String),
}

impl Constraints {
    /// Whether a framework wants offers of an agent.
    #[must_use]
    pub fn permits(&self, agent: &AgentTraits) -> bool {
        self.any_of.is_empty() || self.any_of.iter().any(|all| all.iter().all(|c| c.holds(agent)))
    }
}

impl Condition {
    fn holds(&self, agent: &AgentTraits) -> bool {
        match self {
            Self::Hostname(name) => agent.hostname == *name,
            Self::Region(name) => agent.region.as_ref() == Some(name),
            Self::Zone(name) => agent.zone.as_ref() == Some(name),
        }
    }
}
