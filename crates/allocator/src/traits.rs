//! What frameworks may choose agents by.

use resources::{Ranges, Scalar, Set};

/// What is known of an agent beside its resources.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AgentTraits {
    /// Under which name others reach it.
    pub hostname: String,
    /// The region of its fault domain, if it has one.
    pub region: Option<String>,
    /// The zone of its fault domain, if it has one.
    pub zone: Option<String>,
    /// Its attributes, in its own order; a name may be there more than once.
    pub attributes: Vec<(String, AttributeValue)>,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttributeValue {
    /// A number.
    Scalar(Scalar),
    /// Ranges of numbers.
    Ranges(Ranges),
    /// A set of words.
    Set(Set),
    /// A text.
    Text(String),
}
