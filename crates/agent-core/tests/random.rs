//! Random lives: whatever comes, in whatever order, the state stays sound, and in the end nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_core::{
    ContainerEvent, ExecutorCall, Found, FrameworkInfo, FromMaster, Input, Output, StreamId, TaskInfo,
    TaskState, ToMaster,
};
use base::{ContainerId, Rng, Uuid};
use testkit::agent::{
    AgentEnv, command_task, custom_executor, custom_task, default_executor, framework, options,
};

/// What the world knows of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Launching,
    Running,
    Gone,
}

struct World {
    rng: Rng,
    env: AgentEnv,
    containers: BTreeMap<ContainerId, Container>,
    destroyed: Vec<ContainerId>,
    /// Ended, and the agent has yet to hear of it.
    ended: Vec<ContainerId>,
    /// Of frameworks that checkpoint.
    surviving: BTreeSet<ContainerId>,
    lives: u64,
    streams: u64,
    names: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let (rng, env) = (Rng::new(seed), AgentEnv::registered());
        Self {
            rng,
            env,
            containers: BTreeMap::new(),
            destroyed: Vec::new(),
            ended: Vec::new(),
            surviving: BTreeSet::new(),
            lives: 0,
            streams: 0,
            names: 0,
        }
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let index = usize::try_from(self.rng.below(items.len() as u64)).unwrap_or(0);
        items.get(index).cloned()
    }

    fn framework(&mut self) -> FrameworkInfo {
        let mut info = framework(["f", "g", "h"][usize::try_from(self.rng.below(3)).unwrap_or(0)]);
        info.task_killing = info.id.as_str() == "g";
        info.partition_aware = info.id.as_str() == "h";
        info.checkpoint = info.id.as_str() != "g";
        info
    }

    fn task_name(&mut self) -> String {
        self.names += self.rng.below(2); // now and then the same name twice
        format!("t{}", self.names)
    }

    fn some_task(&mut self) -> String {
        let back = self.rng.below(6);
        format!("t{}", self.names.saturating_sub(back))
    }

    fn launch(&mut self) {
        let framework = self.framework();
        let name = self.task_name();
        match self.rng.below(3) {
            0 => {
                let longest = (self.rng.below(3) == 0).then(|| Duration::from_secs(7));
                let task = TaskInfo { max_completion_time: longest, ..command_task(&name, "sleep 60") };
                self.env.run(&framework, task);
            }
            1 => {
                let other = format!("{name}b");
                self.env.run_group(&framework, &default_executor("pod"), &[&name, &other]);
            }
            _ => {
                let executor = custom_executor(["e1", "e2"][usize::try_from(self.rng.below(2)).unwrap_or(0)]);
                self.env.run(&framework, custom_task(&name, &executor));
            }
        }
    }

    fn container_event(&mut self) {
        let alive: Vec<_> = self
            .containers
            .iter()
            .filter(|(_, c)| **c != Container::Gone)
            .map(|(id, c)| (id.clone(), *c))
            .collect();
        let Some((id, container)) = self.pick(&alive) else { return };
        let launched = container == Container::Launching && self.rng.below(4) != 0;
        let (next, event) = if launched {
            (Container::Running, ContainerEvent::Launched { pid: Some(7) })
        } else if container == Container::Launching && self.rng.below(2) == 0 {
            let message = "no".to_owned();
            let made = self.rng.below(2) == 0;
            let failed = ContainerEvent::LaunchFailed { message: message.clone() };
            (Container::Gone, if made { failed } else { ContainerEvent::NoSandbox { message } })
        } else {
            let status = [Some(0), Some(256), Some(9), None][usize::try_from(self.rng.below(4)).unwrap_or(0)];
            (Container::Gone, ContainerEvent::Exited { status, limitation: None })
        };
        self.containers.insert(id.clone(), next);
        self.env.input(Input::Container { container_id: id, event });
    }

    fn executor_call(&mut self) {
        let framework = self.framework();
        let executor = ["e1", "e2", "pod"][usize::try_from(self.rng.below(3)).unwrap_or(0)];
        if executor == "pod" {
            return; // the built-in executor has no process that could call
        }
        if self.rng.below(2) == 0 {
            self.streams += 1;
            self.env.subscribe(&framework, executor, self.streams);
        } else {
            let states = [TaskState::Running, TaskState::Finished, TaskState::Failed, TaskState::Staging];
            let state = self.pick(&states).unwrap_or(TaskState::Running);
            let task = self.some_task();
            let mut update = self.env.executor_update(&task, state);
            update.uuid = self.rng.uuid();
            self.env.executor_call(&framework, executor, ExecutorCall::Update(Box::new(update)));
        }
    }

    fn master(&mut self) {
        match self.rng.below(12) {
            0 => self.env.input(Input::PeerLost(AgentEnv::master())),
            1 => self.env.input(Input::MasterDetected(Some(AgentEnv::master()))),
            2..=4 => self.env.from_master(FromMaster::Reregistered {
                agent_id: "S0".into(),
                total_ping_timeout: None,
                reconciliations: Vec::new(),
            }),
            5 => {
                let id = self.framework().id;
                self.env.from_master(FromMaster::ShutdownFramework(id));
            }
            6 => {
                let framework_id = self.framework().id;
                let executor = self.pick(&["e1", "e2", "pod"]).unwrap_or("pod");
                self.env
                    .from_master(FromMaster::ShutdownExecutor { framework_id, executor_id: executor.into() });
            }
            7 => {
                let (framework_id, task_id) = (self.framework().id, self.some_task().into());
                let uuid = Some(Uuid::from_bytes([1; 16]));
                self.env.from_master(FromMaster::AcknowledgeStatus { framework_id, task_id, uuid });
            }
            8 if self.rng.below(10) == 0 => {
                self.env.from_master(FromMaster::Drain {
                    max_grace: None,
                    mark_gone: self.names.is_multiple_of(2),
                });
            }
            _ => {
                let (framework, task) = (self.framework(), self.some_task());
                self.env.kill(&framework, &task);
            }
        }
    }

    /// The agent dies, at times in the middle of something, and comes again. Containers of frameworks that checkpoint go on
    /// or end meanwhile.
    fn crash(&mut self) {
        self.observe();
        self.end_some(usize::MAX);
        match self.rng.below(4) {
            0 => {
                let (framework, task) = (self.framework(), self.some_task());
                let kill = FromMaster::KillTask {
                    framework_id: framework.id,
                    task_id: task.as_str().into(),
                    grace: None,
                };
                let committed = self.rng.below(2) == 0;
                self.env.die(Input::FromMaster { from: AgentEnv::master(), message: kill }, committed);
            }
            1 => {
                let alive = |container: &&ContainerId| self.containers[*container] == Container::Running;
                let container = self.containers.keys().find(alive).cloned();
                if let Some(container_id) = container {
                    self.containers.insert(container_id.clone(), Container::Gone);
                    let event = ContainerEvent::Exited { status: Some(0), limitation: None };
                    let committed = self.rng.below(2) == 0;
                    self.env.die(Input::Container { container_id, event }, committed);
                }
            }
            _ => {}
        }
        let mut started = BTreeSet::new();
        for id in self.containers.keys().cloned().collect::<Vec<_>>() {
            if self.containers[&id] != Container::Launching {
                started.insert(id.clone());
            }
            let survives = self.surviving.contains(&id) && self.rng.below(4) != 0;
            let next = match self.containers[&id] {
                Container::Running | Container::Launching if survives => Container::Running,
                _ => Container::Gone,
            };
            self.containers.insert(id, next);
        }
        let mut recovered = self.env.memory.recovered(|_| Err("there are none".to_owned()));
        assert_eq!(recovered.prune(), [], "what was written down is whole");
        let known = recovered.containers(&options(1));
        for known in &known {
            let found = match self.containers.get(&known.container_id) {
                Some(Container::Running) => Found::Running((!known.group).then_some(7)),
                _ if known.awaited && !started.contains(&known.container_id) => Found::Unstarted,
                Some(_) if self.rng.below(2) == 0 => Found::Ended,
                _ => Found::Lost,
            };
            if matches!(found, Found::Ended | Found::Lost) {
                self.containers.insert(known.container_id.clone(), Container::Running);
                self.ended.push(known.container_id.clone());
            }
            recovered.found.insert(known.container_id.clone(), found);
        }
        // What nobody knows is removed.
        for (id, container) in &mut self.containers {
            if !known.iter().any(|known| known.container_id == *id) {
                *container = Container::Gone;
            }
        }
        self.lives += 1;
        let next = AgentEnv::recover(options(100 + self.lives), self.env.memory.clone(), recovered)
            .expect("it goes on");
        let earlier = std::mem::replace(&mut self.env, next);
        self.env.now = earlier.now;
        self.env.name_containers(&earlier);
        self.destroyed.clear();
        self.observe();
        self.env.input(Input::MasterDetected(Some(AgentEnv::master())));
        if self.rng.below(2) == 0 {
            self.end_some(usize::MAX);
        }
    }

    /// The agent hears of containers that ended while it was away.
    fn end_some(&mut self, most: usize) {
        for _ in 0..most.min(self.ended.len()) {
            let id = self.ended.remove(0);
            if self.containers.insert(id.clone(), Container::Gone) != Some(Container::Gone) {
                let event = ContainerEvent::Exited { status: None, limitation: None };
                self.env.input(Input::Container { container_id: id, event });
                self.observe();
            }
        }
    }

    fn step(&mut self) {
        self.end_some(1);
        if self.rng.below(40) == 0 {
            return self.crash();
        }
        match self.rng.below(10) {
            0 | 1 => self.launch(),
            2..=4 => self.container_event(),
            5 => self.executor_call(),
            6 => self.master(),
            7 => {
                let millis = self.rng.below(8_000);
                self.env.advance(Duration::from_millis(millis));
            }
            8 if self.streams > 0 => {
                let stream = StreamId(1 + self.rng.below(self.streams));
                self.env.input(Input::ExecutorStreamClosed(stream));
            }
            _ if !self.env.updates.is_empty() => self.env.acknowledge(),
            _ => {}
        }
        self.observe();
    }

    /// Takes in what was ordered.
    fn observe(&mut self) {
        for output in std::mem::take(&mut self.env.outputs) {
            match output {
                Output::LaunchContainer(spec) => {
                    if spec.survives {
                        self.surviving.insert(spec.container_id.clone());
                    }
                    self.containers.insert(spec.container_id, Container::Launching);
                }
                Output::DestroyContainer(id) => {
                    assert!(self.containers.contains_key(&id), "{id} was never ordered");
                    self.destroyed.push(id);
                }
                _ => {}
            }
        }
    }

    /// The master answers everything, containers die when they are destroyed: the agent has to come to rest.
    fn finish(&mut self) {
        self.end_some(usize::MAX);
        self.env.input(Input::PeerLost(AgentEnv::master()));
        self.env.advance(Duration::from_secs(61));
        self.env.from_master(FromMaster::Reregistered {
            agent_id: "S0".into(),
            total_ping_timeout: None,
            reconciliations: Vec::new(),
        });
        for id in ["f", "g", "h"] {
            self.env.from_master(FromMaster::ShutdownFramework(id.into()));
        }
        for _ in 0..20 {
            self.observe();
            for id in std::mem::take(&mut self.destroyed) {
                if self.containers.insert(id.clone(), Container::Gone) != Some(Container::Gone) {
                    let event = ContainerEvent::Exited { status: Some(9), limitation: None };
                    self.env.input(Input::Container { container_id: id, event });
                }
            }
            self.env.acknowledge_all();
            self.env.advance(Duration::from_secs(5));
        }
        assert!(self.env.core.snapshot().frameworks.is_empty(), "something is left behind");
        let memory = &self.env.memory;
        assert!(memory.frameworks.is_empty() && memory.executors.is_empty(), "something is remembered");
        assert!(memory.tasks.is_empty() && memory.progress.is_empty(), "something is remembered");
        assert!(
            self.containers.values().all(|container| *container == Container::Gone),
            "a container is left behind"
        );
    }
}

fn live(seed: u64, steps: u32) -> Vec<String> {
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    world.finish();
    let snapshot = world.env.core.snapshot();
    let history = snapshot.completed_frameworks.iter().flat_map(|f| &f.completed_executors);
    history.flat_map(|e| e.completed.iter().map(|t| format!("{} {:?}", t.info.task_id, t.state))).collect()
}

#[test]
fn the_state_stays_sound_and_nothing_is_left_behind() {
    for seed in 0..120 {
        live(seed, 250);
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..10 {
        assert_eq!(live(seed, 200), live(seed, 200));
    }
}

/// A master that acknowledges only what was sent last sees each task go forward, end once, and nothing after the end.
#[test]
fn the_master_sees_each_task_go_forward() {
    for seed in 0..100 {
        let mut world = World::new(1_000 + seed);
        let mut ended = BTreeMap::new();
        for _ in 0..300 {
            match world.rng.below(6) {
                0 => {
                    world.names += 1;
                    world.launch();
                }
                1..=3 => world.container_event(),
                4 if !world.env.updates.is_empty() => {
                    let update = world.env.updates[0].clone();
                    world.env.acknowledge();
                    if update.status.state.is_terminal() {
                        let key = (update.framework_id, update.status.task_id.clone());
                        assert_eq!(
                            ended.insert(key, update.status.state),
                            None,
                            "{} ended twice",
                            update.status.task_id
                        );
                    }
                }
                _ => world.env.advance(Duration::from_secs(1)),
            }
            for output in &world.env.outputs {
                if let Output::Send { message: ToMaster::StatusUpdate(update), .. } = output {
                    let key = (update.framework_id.clone(), update.status.task_id.clone());
                    assert!(!ended.contains_key(&key), "{} lives after its end", update.status.task_id);
                }
            }
            world.observe();
        }
    }
}
