//! What is fixed for an agent's life.

use std::sync::Arc;
use std::time::Duration;

use base::Uuid;
use resources::Resources;

use crate::input::Pid;

/// The agent's settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides every random choice.
    pub seed: u64,
    /// The agent's own address, `slave(1)@ip:port`.
    pub pid: Pid,
    /// Where sandboxes are, an absolute path.
    pub work_dir: Arc<str>,
    /// Everything the agent offers, unreserved and statically reserved.
    pub resources: Resources,
    /// Longest pause before the first attempt to register again; doubles up to one minute
    /// (`registration_backoff_factor`).
    pub registration_backoff: Duration,
    /// How long a custom executor may take to subscribe.
    pub executor_registration_timeout: Duration,
    /// How long a custom executor may take to subscribe again with an agent that was started anew.
    pub executor_reregistration_timeout: Duration,
    /// How long an executor may take to shut down before it is destroyed.
    pub executor_shutdown_grace: Duration,
    /// Written into the environment of checkpointing executors.
    pub recovery_timeout: Duration,
    /// Whether a container gets no more processors than it requested, also where there are some
    /// (`cgroups_enable_cfs`).
    pub cpus_are_limited: bool,
    /// Whether the tasks' users are theirs or the agent's (`switch_user`).
    pub switch_user: bool,
    /// Whom the agent itself runs as.
    pub own_user: Arc<str>,
    /// Completed executors that are remembered for each framework.
    pub max_completed_executors: usize,
    /// Variables that every custom executor and command task gets in place of the agent's own
    /// (`executor_environment_variables`).
    pub environment: Vec<(Arc<str>, Arc<str>)>,
    /// Names the resources as they are at the start; drawn from `seed` if unset.
    pub resource_version: Option<Uuid>,
}

impl Options {
    /// Mesos' defaults.
    #[must_use]
    pub fn new(seed: u64, pid: Pid, work_dir: &str, resources: Resources) -> Self {
        Self {
            seed,
            pid,
            work_dir: work_dir.trim_end_matches('/').into(),
            resources,
            registration_backoff: Duration::from_secs(1),
            executor_registration_timeout: Duration::from_secs(60),
            executor_reregistration_timeout: Duration::from_secs(2),
            executor_shutdown_grace: Duration::from_secs(5),
            recovery_timeout: Duration::from_secs(15 * 60),
            cpus_are_limited: false,
            switch_user: true,
            own_user: "root".into(),
            max_completed_executors: 150,
            environment: Vec::new(),
            resource_version: None,
        }
    }
}
