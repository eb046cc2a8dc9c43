//! What can be wrong with resources. The texts are those that clients of Mesos see.

use thiserror::Error;

use crate::Resources;

/// Why a role's name is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum RoleError {
    #[error("Role '{0}' cannot start with a slash")]
    LeadingSlash(String),
    #[error("Role '{0}' cannot end with a slash")]
    TrailingSlash(String),
    #[error("Role '{0}' cannot contain two adjacent slashes")]
    AdjacentSlashes(String),
    #[error("Role names cannot be the empty string")]
    Empty,
    #[error("Role '{role}' cannot include '{component}' as a component")]
    Reserved { role: String, component: String },
    #[error("Role component '{0}' is invalid because it starts with a dash")]
    LeadingDash(String),
    #[error("Role component '{0}' is invalid because it contains backspace or whitespace")]
    Whitespace(String),
}

/// Why a resource is not valid.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum ResourceError {
    #[error("Empty resource name")]
    EmptyName,
    #[error("Invalid scalar resource: value <= 0")]
    NegativeScalar,
    #[error("Invalid ranges resource: begin > end")]
    InvertedRange,
    #[error("DiskInfo should not be set for {0} resource")]
    DiskOnOther(String),
    #[error("Mount should not be set for {0} disk source")]
    MountOnSource(&'static str),
    #[error("Path should not be set for {0} disk source")]
    PathOnSource(&'static str),
    #[error("Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'")]
    UnknownDiskKind,
    #[error("Invalid reservation: role \"*\" cannot be reserved")]
    StarReserved,
    #[error("Invalid refined reservation: A refined reservation cannot be STATIC")]
    StaticRefinement,
    #[error("Invalid refined reservation: role '{role}' is not a refinement of '{ancestor}'")]
    NotARefinement { role: String, ancestor: String },
    #[error("Resource {0} cannot be shared")]
    CannotBeShared(String),
    #[error("Only persistent volumes can be shared")]
    OnlyVolumesShared,
    #[error(transparent)]
    Role(#[from] RoleError),
}

/// Why a text is not one of resources.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum ParseError {
    #[error("Bad value for resources, missing or extra ':' in {0}")]
    Colon(String),
    #[error("Bad value for resources, mismatched parentheses in {0}")]
    Parentheses(String),
    #[error("Failed to parse resource {name} value {value} error {reason}")]
    Value { name: String, value: String, reason: String },
    #[error("Bad type for resource {name} value {value} type TEXT")]
    Text { name: String, value: String },
    #[error("Resources with the same name ('{0}') but different types are not allowed")]
    MixedTypes(String),
    #[error(transparent)]
    Invalid(#[from] ResourceError),
}

/// Why something could not be taken away.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{have} does not contain {wanted}")]
pub struct NotContained {
    /// What there is.
    pub have: Resources,
    /// What should have been in it.
    pub wanted: Resources,
}
