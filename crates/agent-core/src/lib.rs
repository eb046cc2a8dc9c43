//! The agent's state machine: registration with the master, frameworks and executors, tasks in the built-in executors
//! and in custom ones, status updates until they are acknowledged, and kills.
//!
//! `(state, now, input) -> outputs`: no clock, no file, no process and no socket is touched here. The server turns what
//! arrives into [`Input`]s, hands them to [`AgentCore::handle`] and does what the [`Output`]s say.

mod acknowledged;
mod allowance;
mod builtin;
mod check;
mod checkpoint;
mod checks;
mod containers;
mod core;
mod drain;
mod executor_api;
mod executors;
mod frameworks;
mod input;
mod kill;
mod operations;
mod options;
mod output;
mod past;
mod recover;
mod registration;
mod remember;
mod run;
mod shutdown;
mod specs;
mod state;
mod status;
mod text;
mod timers;
mod types;
mod updates;
mod views;
mod volumes;

pub use crate::core::AgentCore;
pub use checkpoint::{
    DrainRecord, ExecutorRecord, Found, HealthRecord, KillCause, KillOrder, KillRecord, KnownContainer, Past,
    PastTask, Place, Progress, Recovered, RecoveredExecutor, RecoveredFramework, RecoveryError, TaskRecord,
    Write,
};
pub use input::{
    ApplyOperation, ContainerEvent, ExecutorCall, ExecutorRequest, ExecutorUpdate, FromMaster, Input,
    Limitation, Pid, ReconcileOperations, Reconciliation, RequestId, RunTask, RunTaskGroup, StreamId,
};
pub use options::Options;
pub use output::{ExecutorEvent, ExecutorRefusal, Output, Reregister, ToMaster};
pub use types::{
    Check, CheckId, CheckOrder, CheckOutcome, CheckPlace, CheckStatus, CommandInfo, ContainerKind,
    ContainerSpec, ContainerStatus, ContainerView, Counts, Drain, ExecutorInfo, ExecutorKind, ExecutorState,
    ExecutorView, FrameworkInfo, FrameworkView, HealthCheck, Operation, OperationState, OperationUpdate,
    Probe, Reason, ResourceLimit, ResourceLimits, Snapshot, StatusSource, StatusUpdate, Task, TaskInfo,
    TaskState, TaskStatus, Uri, VolumeDirectory, VolumeLink,
};
pub use volumes::directory as volume_directory;
