//! The agent's own types: what it decides upon in typed form, everything else carried as encoded bytes.

mod check;
mod command;
mod container;
mod executor;
mod framework;
mod limits;
mod operation;
mod status;
mod task;
mod view;
mod volume;

pub use check::{Check, CheckId, CheckOrder, CheckOutcome, CheckPlace, CheckStatus, HealthCheck, Probe};
pub use command::{CommandInfo, Uri};
pub use container::{ContainerKind, ContainerSpec};
pub use executor::{ExecutorInfo, ExecutorKind};
pub use framework::FrameworkInfo;
pub use limits::{ResourceLimit, ResourceLimits};
pub use operation::{Operation, OperationState, OperationUpdate};
pub use status::{ContainerStatus, Reason, StatusSource, StatusUpdate, TaskStatus};
pub use task::{Task, TaskInfo, TaskState};
pub use view::{ContainerView, Counts, Drain, ExecutorState, ExecutorView, FrameworkView, Snapshot};
pub use volume::{VolumeDirectory, VolumeLink};
