//! One agent core with its clock, its containers and its master played by the test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    AgentCore, ContainerEvent, ContainerSpec, ExecutorCall, ExecutorInfo, ExecutorRequest, ExecutorUpdate,
    FrameworkInfo, FromMaster, Input, Options, Output, Pid, RequestId, RunTask, RunTaskGroup, StatusUpdate,
    StreamId, TaskInfo, TaskState, ToMaster,
};
use base::{ContainerId, Payload, Time, Uuid};

use super::{Lines, Memory, build};

/// An agent under test. Every input is followed by [`AgentCore::check`]; what was output waits to be expected.
#[derive(Debug)]
pub struct AgentEnv {
    /// The core.
    pub core: AgentCore,
    /// The clock; it moves only by [`AgentEnv::advance`].
    pub now: Time,
    /// Every container that was ordered, by short name.
    pub specs: BTreeMap<String, ContainerSpec>,
    /// Every update that was sent and is not yet acknowledged by [`AgentEnv::acknowledge`], oldest first.
    pub updates: VecDeque<StatusUpdate>,
    /// What was output and not yet expected, timers left out.
    pub outputs: Vec<Output>,
    /// What has been written down.
    pub memory: Memory,
    /// Writes so far.
    pub writes: usize,
    names: Lines,
    lines: Vec<String>,
    alarm: Option<Time>,
    requests: u64,
    uuids: u8,
}

impl AgentEnv {
    /// An agent that knows of no master.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with(AgentCore::new(options), Memory::default())
    }

    fn with(core: AgentCore, memory: Memory) -> Self {
        Self {
            core,
            now: Time::from_secs_f64(1_000.0),
            specs: BTreeMap::new(),
            updates: VecDeque::new(),
            outputs: Vec::new(),
            memory,
            writes: 0,
            names: Lines::default(),
            lines: Vec::new(),
            alarm: None,
            requests: 0,
            uuids: 0,
        }
    }

    /// The next life of an agent that left that.
    ///
    /// # Errors
    /// If the agent cannot go on.
    pub fn recover(
        options: Options,
        memory: Memory,
        recovered: agent_core::Recovered,
    ) -> Result<Self, agent_core::RecoveryError> {
        let mut out = Vec::new();
        let now = Time::from_secs_f64(2_000.0);
        let core = AgentCore::recover(options, recovered, now, &mut out)?;
        let mut env = Self { now, ..Self::with(core, memory) };
        env.core.check();
        env.take(out);
        Ok(env)
    }

    /// Calls containers as an earlier life did.
    pub fn name_containers(&mut self, earlier: &Self) {
        self.names.clone_from(&earlier.names);
        self.uuids = earlier.uuids;
        for (name, spec) in &earlier.specs {
            self.specs.entry(name.clone()).or_insert_with(|| spec.clone());
        }
        self.lines = self.outputs.iter().filter_map(|output| self.names.line(output)).collect();
    }

    /// An agent that is registered as `S0` with [`AgentEnv::master`]; what that output is forgotten.
    #[must_use]
    pub fn registered() -> Self {
        Self::registered_with(build::options(1))
    }

    /// The same with settings of its own.
    #[must_use]
    pub fn registered_with(options: Options) -> Self {
        let mut env = Self::new(options);
        env.input(Input::MasterDetected(Some(Self::master())));
        env.from_master(FromMaster::Registered { agent_id: "S0".into(), total_ping_timeout: None });
        env.forget();
        env
    }

    /// The master's address.
    #[must_use]
    pub fn master() -> Pid {
        "master@127.0.0.1:5050".into()
    }

    /// Hands the core an input, verifies its state and takes its outputs in.
    pub fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.core.handle(self.now, input, &mut out);
        self.core.check();
        self.take(out);
    }

    /// Hands the core its last input: the agent dies before anything of what came of it is carried out; whether what was
    /// to be written down was is `committed`.
    pub fn die(&mut self, input: Input, committed: bool) {
        let mut out = Vec::new();
        self.core.handle(self.now, input, &mut out);
        for output in out {
            if let (Output::Checkpoint(write), true) = (output, committed) {
                self.memory.apply(*write);
            }
        }
    }

    fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match &output {
                Output::SetTimer(at) => {
                    self.alarm = Some(*at);
                    continue;
                }
                Output::Checkpoint(write) => {
                    self.memory.apply((**write).clone());
                    self.writes += 1;
                    continue;
                }
                Output::LaunchContainer(spec) => {
                    let name = self.names.name(&spec.container_id);
                    let earlier = self.specs.insert(name, (**spec).clone());
                    assert!(earlier.is_none(), "{} was ordered twice", spec.container_id);
                }
                Output::Send { message: ToMaster::StatusUpdate(update), .. } => {
                    let uuid = update.status.uuid;
                    self.updates.retain(|earlier| earlier.status.uuid != uuid);
                    self.updates.push_back(update.clone());
                }
                _ => {}
            }
            self.lines.extend(self.names.line(&output));
            self.outputs.push(output);
        }
    }

    /// A message of the master.
    pub fn from_master(&mut self, message: FromMaster) {
        self.input(Input::FromMaster { from: Self::master(), message });
    }

    /// Lets time pass; timers fire when they are due.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.alarm.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.alarm = None;
            self.input(Input::TimerFired);
        }
        self.now = end;
    }

    /// Launches a task, its executor with it if there is none.
    pub fn run(&mut self, framework: &FrameworkInfo, task: TaskInfo) {
        self.from_master(FromMaster::RunTask(Box::new(RunTask {
            framework: Arc::new(framework.clone()),
            task: Arc::new(task),
            resource_version: None,
            launch_executor: None,
        })));
    }

    /// Launches a group of tasks.
    pub fn run_group(&mut self, framework: &FrameworkInfo, executor: &Arc<ExecutorInfo>, tasks: &[&str]) {
        self.from_master(FromMaster::RunTaskGroup(Box::new(RunTaskGroup {
            framework: Arc::new(framework.clone()),
            executor: executor.clone(),
            tasks: tasks.iter().map(|id| Arc::new(build::group_task(id, executor))).collect(),
            resource_version: None,
            launch_executor: None,
        })));
    }

    /// The framework wants a task gone.
    pub fn kill(&mut self, framework: &FrameworkInfo, task: &str) {
        self.from_master(FromMaster::KillTask {
            framework_id: framework.id.clone(),
            task_id: task.into(),
            grace: None,
        });
    }

    /// The id behind a short name.
    ///
    /// # Panics
    /// If no such container was ordered.
    #[must_use]
    pub fn container(&self, name: &str) -> ContainerId {
        self.specs.get(name).unwrap_or_else(|| panic!("no container {name} was ordered")).container_id.clone()
    }

    /// The container is up, with the pid 100.
    pub fn launched(&mut self, name: &str) {
        self.container_event(name, ContainerEvent::Launched { pid: Some(100) });
    }

    /// The container is gone.
    pub fn exited(&mut self, name: &str, status: i32) {
        self.container_event(name, ContainerEvent::Exited { status: Some(status), limitation: None });
    }

    /// The container never ran.
    pub fn launch_failed(&mut self, name: &str, message: &str) {
        self.container_event(name, ContainerEvent::LaunchFailed { message: message.to_owned() });
    }

    /// The container could not be given a sandbox.
    pub fn no_sandbox(&mut self, name: &str, message: &str) {
        self.container_event(name, ContainerEvent::NoSandbox { message: message.to_owned() });
    }

    fn container_event(&mut self, name: &str, event: ContainerEvent) {
        let container_id = self.container(name);
        self.input(Input::Container { container_id, event });
    }

    /// A custom executor calls.
    pub fn executor_call(&mut self, framework: &FrameworkInfo, executor: &str, call: ExecutorCall) {
        self.requests += 1;
        self.input(Input::ExecutorCall(ExecutorRequest {
            request: RequestId(self.requests),
            framework_id: framework.id.clone(),
            executor_id: executor.into(),
            call,
        }));
    }

    /// A custom executor subscribes for the first time.
    pub fn subscribe(&mut self, framework: &FrameworkInfo, executor: &str, stream: u64) {
        let call = ExecutorCall::Subscribe {
            stream: StreamId(stream),
            unacknowledged_tasks: Vec::new(),
            unacknowledged_updates: Vec::new(),
        };
        self.executor_call(framework, executor, call);
    }

    /// A task with a custom executor of its own, which is the container `c1` and subscribed on stream 1.
    pub fn run_subscribed(&mut self, framework: &FrameworkInfo, executor: &Arc<ExecutorInfo>, task: &str) {
        self.run(framework, build::custom_task(task, executor));
        self.launched("c1");
        self.subscribe(framework, executor.executor_id.as_ref(), 1);
    }

    /// The same; the task runs, and everything is acknowledged.
    pub fn run_reported(&mut self, framework: &FrameworkInfo, executor: &Arc<ExecutorInfo>, task: &str) {
        self.run_subscribed(framework, executor, task);
        self.report(framework, executor.executor_id.as_ref(), task, TaskState::Running);
        self.acknowledge_all();
    }

    /// A custom executor reports a state.
    pub fn report(&mut self, framework: &FrameworkInfo, executor: &str, task: &str, state: TaskState) {
        let update = self.executor_update(task, state);
        self.executor_call(framework, executor, ExecutorCall::Update(Box::new(update)));
    }

    /// An update as an executor makes it, with an id of its own.
    pub fn executor_update(&mut self, task: &str, state: TaskState) -> ExecutorUpdate {
        self.uuids += 1;
        ExecutorUpdate {
            task_id: task.into(),
            state,
            uuid: Uuid::from_bytes([self.uuids; 16]),
            timestamp: None,
            has_addresses: false,
            container_id: None,
            body: Payload::default(),
        }
    }

    /// Acknowledges the oldest update that was sent.
    ///
    /// # Panics
    /// If nothing waits for an acknowledgement.
    pub fn acknowledge(&mut self) {
        let update = self.updates.pop_front().expect("an update waits for its acknowledgement");
        self.from_master(FromMaster::AcknowledgeStatus {
            framework_id: update.framework_id,
            task_id: update.status.task_id.clone(),
            uuid: Some(update.status.uuid),
        });
    }

    /// Acknowledges until nothing is left to acknowledge.
    pub fn acknowledge_all(&mut self) {
        while !self.updates.is_empty() {
            self.acknowledge();
        }
    }

    /// Expects exactly these outputs since the last time.
    ///
    /// # Panics
    /// If there were others.
    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        self.outputs.clear();
        let lines = std::mem::take(&mut self.lines);
        assert_eq!(lines, expected);
    }

    /// Forgets what was output.
    pub fn forget(&mut self) {
        self.outputs.clear();
        self.lines.clear();
    }
}
