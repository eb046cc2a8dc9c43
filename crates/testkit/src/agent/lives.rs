//! One life of an agent after the other.

use std::time::Duration;

use agent_core::{
    ExecutorCall, ExecutorUpdate, Found, FrameworkInfo, FromMaster, Input, KnownContainer, Options, Output,
    StreamId, ToMaster,
};

use super::{AgentEnv, build};

/// A framework without capabilities whose tasks outlive the agent.
#[must_use]
pub fn checkpointing(id: &str) -> FrameworkInfo {
    FrameworkInfo { checkpoint: true, ..build::framework(id) }
}

/// For [`AgentEnv::again`]: the container runs, with the pid 100 if it has a process.
#[must_use]
pub fn still_running(known: &KnownContainer) -> Found {
    Found::Running((!known.group).then_some(100))
}

impl AgentEnv {
    /// The next life of an agent whose checkpoint is whole; `found` says what has become of a container.
    ///
    /// # Panics
    /// If it is not whole, or the agent cannot go on.
    #[must_use]
    pub fn again(&self, found: impl Fn(&KnownContainer) -> Found) -> Self {
        self.again_with(build::options(2), found)
    }

    /// The same with settings of its own.
    ///
    /// # Panics
    /// As [`AgentEnv::again`].
    #[must_use]
    pub fn again_with(&self, options: Options, found: impl Fn(&KnownContainer) -> Found) -> Self {
        let mut recovered = self.memory.recovered(|_| Err("not needed".to_owned()));
        assert_eq!(recovered.prune(), []);
        let containers = recovered.containers(&build::options(1));
        recovered.found = containers.iter().map(|known| (known.container_id.clone(), found(known))).collect();
        let mut next = Self::recover(options, self.memory.clone(), recovered).expect("it goes on");
        next.name_containers(self);
        for known in &containers {
            assert_eq!(self.specs.values().filter(|spec| spec.directory == known.directory).count(), 1);
        }
        next
    }

    /// Lets the agent find its master, which takes it in again.
    pub fn reregister(&mut self) {
        self.input(Input::MasterDetected(Some(Self::master())));
        let asked = |output: &Output| matches!(output, Output::Send { message: ToMaster::Reregister(_), .. });
        while !self.outputs.iter().any(asked) {
            self.advance(Duration::from_millis(10));
        }
        self.from_master(FromMaster::Reregistered {
            agent_id: "S0".into(),
            total_ping_timeout: None,
            reconciliations: Vec::new(),
        });
    }

    /// A custom executor subscribes again, and says what it has had no answer to.
    pub fn resubscribe(
        &mut self,
        framework: &FrameworkInfo,
        executor: &str,
        stream: u64,
        tasks: &[&str],
        updates: Vec<ExecutorUpdate>,
    ) {
        let call = ExecutorCall::Subscribe {
            stream: StreamId(stream),
            unacknowledged_tasks: tasks.iter().map(|task| (*task).into()).collect(),
            unacknowledged_updates: updates,
        };
        self.executor_call(framework, executor, call);
    }
}
