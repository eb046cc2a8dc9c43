//! Records of which Mesos has no message: what only this agent knows of frameworks, executors and tasks. Numbers of fields
//! are for ever.

/// A framework that checkpoints.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Framework {
    /// `FrameworkInfo`.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) info: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub(super) terminating: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Executor {
    #[prost(string, tag = "1")]
    pub(super) framework_id: String,
    #[prost(string, tag = "2")]
    pub(super) executor_id: String,
    /// `ExecutorInfo`; empty for the agent's own for a command task.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) info: Vec<u8>,
    #[prost(string, tag = "4")]
    pub(super) container_id: String,
    #[prost(enumeration = "State", tag = "5")]
    pub(super) state: i32,
    #[prost(bool, tag = "6")]
    pub(super) subscribed: bool,
    #[prost(bool, tag = "7")]
    pub(super) ever_sent_task: bool,
    #[prost(uint32, tag = "8")]
    pub(super) groups: u32,
}

/// Of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum State {
    Registering = 0,
    Running = 1,
    Terminating = 2,
    Terminated = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Task {
    #[prost(string, tag = "1")]
    pub(super) framework_id: String,
    #[prost(string, tag = "2")]
    pub(super) executor_id: String,
    /// `TaskInfo`.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) info: Vec<u8>,
    #[prost(oneof = "Place", tags = "4, 5, 6")]
    pub(super) place: Option<Place>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Place {
    #[prost(message, tag = "4")]
    Queued(Queued),
    #[prost(bool, tag = "5")]
    Sent(bool),
    #[prost(message, tag = "6")]
    Run(Run),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Queued {
    #[prost(uint32, tag = "1")]
    pub(super) order: u32,
    #[prost(bool, tag = "2")]
    pub(super) group: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Run {
    #[prost(string, tag = "1")]
    pub(super) container_id: String,
    #[prost(uint32, tag = "2")]
    pub(super) group: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Progress {
    #[prost(string, tag = "1")]
    pub(super) framework_id: String,
    #[prost(string, tag = "2")]
    pub(super) task_id: String,
    /// `TaskStatus`, each.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) statuses: Vec<Vec<u8>>,
    /// `TaskStatus`, each.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(super) pending: Vec<Vec<u8>>,
    /// UUIDs.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(super) received: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "6")]
    pub(super) kill: Option<Kill>,
    /// Seconds since the epoch.
    #[prost(double, optional, tag = "7")]
    pub(super) completion: Option<f64>,
    #[prost(message, optional, tag = "8")]
    pub(super) order: Option<KillOrder>,
    #[prost(message, optional, tag = "9")]
    pub(super) health: Option<Health>,
}

/// To a custom executor.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KillOrder {
    #[prost(uint64, optional, tag = "1")]
    pub(super) grace_nanos: Option<u64>,
}

/// What is over.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Past {
    #[prost(oneof = "Over", tags = "1, 2, 3")]
    pub(super) over: Option<Over>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Over {
    #[prost(message, tag = "1")]
    Task(PastTask),
    #[prost(message, tag = "2")]
    Executor(Executor),
    #[prost(message, tag = "3")]
    Framework(Framework),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PastTask {
    #[prost(string, tag = "1")]
    pub(super) framework_id: String,
    #[prost(string, tag = "2")]
    pub(super) container_id: String,
    /// `TaskInfo`.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) info: Vec<u8>,
    /// `TaskStatus`, each.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(super) statuses: Vec<Vec<u8>>,
}

/// How a task's checks stand.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Health {
    /// Seconds since the epoch.
    #[prost(double, tag = "1")]
    pub(super) since: f64,
    #[prost(bool, tag = "2")]
    pub(super) passed: bool,
    #[prost(uint32, tag = "3")]
    pub(super) failures: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Kill {
    /// Seconds since the epoch.
    #[prost(double, tag = "1")]
    pub(super) deadline: f64,
    #[prost(bool, tag = "2")]
    pub(super) ran_too_long: bool,
    #[prost(bool, tag = "3")]
    pub(super) unhealthy: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Drain {
    #[prost(uint64, optional, tag = "1")]
    pub(super) max_grace_nanos: Option<u64>,
    #[prost(bool, tag = "2")]
    pub(super) mark_gone: bool,
}
