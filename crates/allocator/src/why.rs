//! Why a framework or a role gets no offers: reasons as data, for logs, metrics and people, and the smallest change
//! that would help.
//!
//! Nothing is kept for it: whoever asks has all agents looked at, once. For a framework and an agent all obstacles are
//! found, not only the first one, because the smallest change is that after which none is left at some agent.

mod counts;
mod find;
mod help;
mod order;
mod probe;
mod quota;
mod text;
mod types;

pub use types::{
    Change, ClientState, Detail, Finding, GuaranteeOpen, Level, LimitReached, Obstacle, Place, Refusal,
    RoleCounts, Who, WhyClient, WhyFramework, WhyRole,
};
