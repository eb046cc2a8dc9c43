//! How far a container may go beyond what is allocated to it (`TaskInfo.limits`).

use std::ops::AddAssign;

use resources::Scalar;

/// How far beyond its request something may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceLimit {
    /// So far.
    At(Scalar),
    /// As far as the machine goes.
    Unlimited,
}

impl AddAssign for ResourceLimit {
    fn add_assign(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::At(one), Self::At(another)) => Self::At(one + another),
            _ => Self::Unlimited,
        };
    }
}

/// The limits of a container. What is unset goes as far as the agent's flags let it: mostly its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// Of processors.
    pub cpus: Option<ResourceLimit>,
    /// Of megabytes of memory.
    pub mem: Option<ResourceLimit>,
}
