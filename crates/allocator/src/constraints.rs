//! Of which agents a framework wants offers in a role.

mod choice;
mod pattern;
mod syntax;

use std::fmt;

use crate::{AgentTraits, AttributeValue};

pub(crate) use choice::Choice;
pub use pattern::{Pattern, PatternError, RegexLimits};

/// Of which agents a framework wants offers: those for which all conditions of at least one group hold. Without groups,
/// all agents.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Constraints {
    /// Alternatives.
    pub any_of: Vec<Vec<Condition>>,
}

/// What must be true of an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// What is looked at.
    pub selector: Selector,
    /// What must be true of it.
    pub predicate: Predicate,
}

/// What of an agent a condition is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// Its name in the network.
    Hostname,
    /// The region of its fault domain.
    Region,
    /// The zone of its fault domain.
    Zone,
    /// The first of its attributes of this name.
    Attribute(String),
}

/// What must be true of what is looked at. A predicate about text holds for attributes that are no text, too: whether
/// such an agent will do is left to the framework.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Predicate {
    /// It is there.
    Exists,
    /// It is not there.
    NotExists,
    /// It is there, and is this text.
    TextEquals(String),
    /// It is not there, or is another text.
    TextNotEquals(String),
    /// It is there, and all of the text matches.
    TextMatches(Pattern),
    /// It is not there, or the text does not match as a whole.
    TextNotMatches(Pattern),
}

/// What a selector finds.
enum Found<'a> {
    Nothing,
    Text(&'a str),
    /// An attribute that is a number, ranges or a set.
    NoText,
}

impl Constraints {
    /// Whether a framework wants offers of an agent.
    #[must_use]
    pub fn permits(&self, agent: &AgentTraits) -> bool {
        self.any_of.is_empty() || self.any_of.iter().any(|all| all.iter().all(|c| c.holds(agent)))
    }
}

impl Condition {
    /// Whether it is true of an agent.
    #[must_use]
    pub fn holds(&self, agent: &AgentTraits) -> bool {
        let found = self.selector.find(agent);
        match (&self.predicate, found) {
            (Predicate::Exists, Found::Nothing) => false,
            (Predicate::Exists, _) => true,
            (Predicate::NotExists, Found::Nothing) => true,
            (Predicate::NotExists, _) => false,
            (Predicate::TextEquals(_) | Predicate::TextMatches(_), Found::Nothing) => false,
            (Predicate::TextNotEquals(_) | Predicate::TextNotMatches(_), Found::Nothing) => true,
            (_, Found::NoText) => true,
            (Predicate::TextEquals(value), Found::Text(text)) => text == value,
            (Predicate::TextNotEquals(value), Found::Text(text)) => text != value,
            (Predicate::TextMatches(pattern), Found::Text(text)) => pattern.matches(text),
            (Predicate::TextNotMatches(pattern), Found::Text(text)) => !pattern.matches(text),
        }
    }
}

impl Selector {
    fn find<'a>(&self, agent: &'a AgentTraits) -> Found<'a> {
        let text = |text: Option<&'a String>| text.map_or(Found::Nothing, |text| Found::Text(text));
        match self {
            Self::Hostname => Found::Text(&agent.hostname),
            Self::Region => text(agent.region.as_ref()),
            Self::Zone => text(agent.zone.as_ref()),
            Self::Attribute(wanted) => match agent.attributes.iter().find(|(name, _)| name == wanted) {
                None => Found::Nothing,
                Some((_, AttributeValue::Text(text))) => Found::Text(text),
                Some(_) => Found::NoText,
            },
        }
    }
}

impl fmt::Display for Constraints {
    /// `rack is 'a' and gpu exists, or hostname matches 'big-.*'`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.any_of.iter().enumerate() {
            f.write_str(if i > 0 { ", or " } else { "" })?;
            for (j, condition) in group.iter().enumerate() {
                f.write_str(if j > 0 { " and " } else { "" })?;
                condition.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selector = &self.selector;
        match &self.predicate {
            Predicate::Exists => write!(f, "{selector} exists"),
            Predicate::NotExists => write!(f, "{selector} does not exist"),
            Predicate::TextEquals(value) => write!(f, "{selector} is '{value}'"),
            Predicate::TextNotEquals(value) => write!(f, "{selector} is not '{value}'"),
            Predicate::TextMatches(pattern) => write!(f, "{selector} matches '{}'", pattern.text()),
            Predicate::TextNotMatches(pattern) => write!(f, "{selector} does not match '{}'", pattern.text()),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hostname => f.write_str("the hostname"),
            Self::Region => f.write_str("the region"),
            Self::Zone => f.write_str("the zone"),
            Self::Attribute(name) => write!(f, "attribute '{name}'"),
        }
    }
}

#[cfg(test)]
mod tests;
