//! Checks and health checks of tasks, as schedulers ask for them, and what comes of them.

use std::sync::Arc;
use std::time::Duration;

use base::{ContainerId, TaskId};

use super::{CommandInfo, ContainerSpec};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A command is run in the task's container; its exit code counts.
    Command(CommandInfo),
    /// A `GET` to the task's own address; the status code counts, redirects are followed.
    Http {
        /// `https` instead of `http`. Nobody's certificate is verified.
        https: bool,
        /// As the scheduler wrote it; what is no port number fails.
        port: u32,
        /// Begins with `/`, or is empty.
        path: Arc<str>,
        /// Whether `::1` is asked instead of `127.0.0.1`.
        ipv6: bool,
    },
    /// A connection is made and closed.
    Tcp {
        /// As the scheduler wrote it.
        port: u32,
        /// Whether to `::1` instead of `127.0.0.1`.
        ipv6: bool,
    },
}

impl Probe {
    /// The status before there is a result, and after one that could not be had.
    #[must_use]
    pub fn unknown(&self) -> CheckStatus {
        match self {
            Self::Command(_) => CheckStatus::Command(None),
            Self::Http { .. } => CheckStatus::Http(None),
            Self::Tcp { .. } => CheckStatus::Tcp(None),
        }
    }
}

/// A check (`CheckInfo`), or the part of a health check that is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is looked at.
    pub probe: Probe,
    /// From the task's start to the first time.
    pub delay: Duration,
    /// From the end of one time to the next.
    pub interval: Duration,
    /// How long it may take; as long as it likes if unset.
    pub timeout: Option<Duration>,
}

/// A health check (`HealthCheck`): a check whose result is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is looked at, and when.
    pub check: Check,
    /// For so long after the task's start failures do not count, unless it was healthy before.
    pub grace: Duration,
    /// A task that fails so often in a row is killed.
    pub consecutive_failures: u32,
}

/// What was found (`CheckStatusInfo`); nothing inside while that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// The command's exit code.
    Command(Option<i32>),
    /// The HTTP status code.
    Http(Option<u32>),
    /// Whether a connection was made.
    Tcp(Option<bool>),
}

/// How one check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// With a result.
    Found(CheckStatus),
    /// Without, and that is the task's affair: it took too long, or was ended by a signal. Why, in one line.
    Failed(String),
    /// Without, and that says nothing about the task: its container is ending, or the agent lacks what it needs. Why, in
    /// one line.
    Unavailable(String),
}

/// Names one check that is performed; never used twice in an agent's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u64);

/// A check to be performed now.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOrder {
    /// Names the answer.
    pub id: CheckId,
    /// The container of the task.
    pub container_id: ContainerId,
    /// The task, for the log.
    pub task_id: TaskId,
    /// What is looked at.
    pub probe: Probe,
    /// After so long it has failed.
    pub timeout: Option<Duration>,
    /// What a command finds itself in; unset for what is no command.
    pub place: Option<CheckPlace>,
}

/// What a command that checks a task finds itself in.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPlace {
    /// The task's container, as if it were to be launched with the check's command, and with what the check adds to the
    /// environment.
    pub spec: Box<ContainerSpec>,
    /// The sandbox in whose `stderr` its output goes: the executor's, as in Mesos.
    pub output: Arc<str>,
}
