//! A framework that checkpoints, on a real master and an agent that is killed: it launches a task of each kind, and sees
//! to it that what it is told is what has happened.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test binaries")]

pub mod executor;
pub mod truth;

use std::collections::BTreeMap;
use std::time::Duration;

use master::{MasterOptions, MasterServer};
use proto::v1::framework_info::capability;
use proto::v1::{Offer, TaskId, TaskInfo, TaskState, TaskStatus};
use sdk::build::{Framework, Quantities, Task, executor, group_executor};
use sdk::scheduler::{Calls, Event, Scheduler};
use sdk::{Address, Masters, Operator};
use tokio::time::Instant;

use crate::common::is_terminal;
use crate::life::failpoint::Failpoint;
use crate::life::{PATIENCE, Place, Process};

/// How often a framework repeats a kill that has not come to pass: the agent may have died of it.
const KILL_AGAIN: Duration = Duration::from_millis(300);

/// Counts writes that failed.
const COMMIT_ERRORS: &str = "meseta/checkpoint_errors";

/// What a task is, and how it is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command that ends well.
    Command,
    /// A command that is killed once it runs.
    Killed,
    /// One of two of a group, which end well.
    Grouped,
    /// Run by an executor of the framework's own, and ending well.
    Custom,
    /// A command that runs until its agent is drained.
    Drained,
}

pub struct Scene {
    pub agent: Process,
    pub master: MasterServer,
    pub place: Place,
    /// Where the next life of the agent is to end.
    pub next: Option<Failpoint>,
    pub deaths: u32,
    scheduler: Scheduler,
    offers: Vec<Offer>,
    /// All tasks so far.
    pub tasks: BTreeMap<String, Kind>,
    /// Every update of each, as it came.
    pub updates: BTreeMap<String, Vec<TaskStatus>>,
    killed_at: Instant,
    rounds: u32,
}

impl Kind {
    /// Those that end without an operator.
    pub const ALL: [Self; 4] = [Self::Command, Self::Killed, Self::Grouped, Self::Custom];
}

impl Scene {
    pub async fn start(place: Place) -> Self {
        let options =
            MasterOptions { allocation_interval: Duration::from_millis(50), ..MasterOptions::loopback() };
        let master = MasterServer::start(options).await.expect("a master");
        let agent = place.start(master.address()).await;
        let framework = Framework::new("survivor")
            .checkpoint(true)
            .failover_timeout(Duration::from_secs(3600))
            .capability(capability::Type::PartitionAware)
            .build();
        let scheduler = Scheduler::builder(framework)
            .masters(Masters::parse(&master.address().to_string()).expect("an address"))
            .start()
            .expect("a scheduler");
        Self {
            place,
            master,
            agent,
            next: None,
            deaths: 0,
            scheduler,
            offers: Vec::new(),
            tasks: BTreeMap::new(),
            updates: BTreeMap::new(),
            killed_at: Instant::now(),
            rounds: 0,
        }
    }

    fn calls(&self) -> Calls {
        self.scheduler.calls()
    }

    /// Launches tasks of these kinds, as heavy to write down as `data` is long; their names.
    pub async fn launch(&mut self, kinds: &[Kind], data: usize) -> Vec<String> {
        let enough = Quantities { cpus: 1.0, mem: 320.0, disk: 160.0, ..Quantities::default() };
        let all = |scene: &Self| {
            let resources: Vec<_> = scene.offers.iter().flat_map(|offer| offer.resources.clone()).collect();
            Quantities::of(&resources)
        };
        self.until("enough is offered", |scene| enough.fits(&all(scene))).await;
        let offers = std::mem::take(&mut self.offers);
        let offer = offers[0].clone();
        self.rounds += 1;
        let round = self.rounds;
        let framework = self.calls().framework_id().expect("subscribed");
        let small = Quantities { cpus: 0.1, mem: 32.0, disk: 16.0, ..Quantities::default() };
        let (mut plain, mut group, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let mut command = |kind: Kind, name: &str, then: &str| {
            let line = format!("echo x >> {}/{name}{round}; {then}", self.place.marks().display());
            let task = Task::new(format!("{name}{round}")).command(line).quantities(small);
            names.push((format!("{name}{round}"), kind));
            task.data(vec![0; data]).on(&offer)
        };
        for kind in kinds {
            match kind {
                Kind::Command => plain.push(command(*kind, "command", "sleep 0.02")),
                Kind::Killed => plain.push(command(*kind, "killed", "exec sleep 1000")),
                Kind::Drained => plain.push(command(*kind, "drained", "exec sleep 1000")),
                Kind::Grouped => {
                    group.push(command(*kind, "a", "sleep 0.01"));
                    group.push(command(*kind, "b", "sleep 0.05"));
                }
                Kind::Custom => {
                    let id = format!("executor{round}");
                    let mut custom = executor(id, framework.clone(), executor::command(), small);
                    executor::set_up(&mut custom, &self.place.marks());
                    let task = TaskInfo { executor: Some(custom), ..command(*kind, "custom", "") };
                    plain.push(TaskInfo { command: None, ..task });
                }
            }
        }
        let pod = group_executor(format!("pod{round}"), framework, small);
        self.accept(offers, plain, Some((pod, group))).await;
        for (name, kind) in &names {
            self.tasks.insert(name.clone(), *kind);
            self.updates.insert(name.clone(), Vec::new());
        }
        names.into_iter().map(|(name, _)| name).collect()
    }

    async fn accept(
        &self,
        offers: Vec<Offer>,
        tasks: Vec<TaskInfo>,
        group: Option<(proto::v1::ExecutorInfo, Vec<TaskInfo>)>,
    ) {
        use proto::v1::offer::Operation;
        use proto::v1::offer::operation::{Launch, LaunchGroup, Type};
        let launch = Operation {
            r#type: Some(Type::Launch.into()),
            launch: Some(Launch { task_infos: tasks }),
            ..Operation::default()
        };
        let group = group.filter(|(_, tasks)| !tasks.is_empty()).map(|(executor, tasks)| Operation {
            r#type: Some(Type::LaunchGroup.into()),
            launch_group: Some(LaunchGroup { executor, task_group: proto::v1::TaskGroupInfo { tasks } }),
            ..Operation::default()
        });
        let operations = std::iter::once(launch).chain(group).collect();
        let filters = proto::v1::Filters { refuse_seconds: Some(0.0) };
        let ids = offers.into_iter().map(|offer| offer.id).collect();
        self.calls().accept(ids, operations, Some(filters)).await.expect("subscribed");
    }

    /// Takes what comes, and starts the agent anew when it was killed, until something is so.
    pub async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while !done(self) {
            assert!(Instant::now() < end, "it did not come to that in time: {what}; {:#?}", self.brief());
            tokio::select! {
                event = self.scheduler.next_event() => self.take(event.expect("it goes on")).await,
                _ = tick.tick() => self.look_after().await,
            }
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Offers(offers) => self.offers.extend(offers),
            Event::Rescind(id) => self.offers.retain(|offer| offer.id != id),
            Event::Update(status) => {
                let task = status.task_id.value.clone();
                let running = status.state() == TaskState::TaskRunning;
                self.updates.get_mut(&task).expect("a task of ours").push(status);
                if running && self.tasks[&task] == Kind::Killed {
                    self.kill(&task).await;
                }
            }
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }

    async fn kill(&mut self, task: &str) {
        self.killed_at = Instant::now();
        let id = TaskId { value: task.to_owned() };
        self.calls().kill(id, None, None).await.expect("subscribed");
    }

    async fn look_after(&mut self) {
        if self.agent.is_dead() {
            self.deaths += 1;
            if let Some(failpoint) = self.next.take() {
                self.place.arm(failpoint);
            }
            self.agent = self.place.start(self.master.address()).await;
        }
        if self.killed_at.elapsed() > KILL_AGAIN {
            let last = |task: &String| self.updates[task].last().map(TaskStatus::state);
            let kinds = self.tasks.iter().filter(|(_, kind)| **kind == Kind::Killed);
            let living = kinds.filter(|(task, _)| last(task) == Some(TaskState::TaskRunning));
            let living: Vec<String> = living.map(|(task, _)| task.clone()).collect();
            for task in living {
                self.kill(&task).await;
            }
            self.shut_down_idle().await;
        }
    }

    /// An executor whose task never came to it waits for another.
    async fn shut_down_idle(&mut self) {
        let task = format!("custom{}", self.rounds);
        let last = self.updates.get(&task).and_then(|updates| updates.last());
        let Some(last) = last.filter(|last| is_terminal(last.state())) else { return };
        if let (Some(agent), 0) = (last.agent_id.clone(), self.runs(&task)) {
            self.killed_at = Instant::now();
            let executor = proto::v1::ExecutorId { value: format!("executor{}", self.rounds) };
            self.calls().shutdown(executor, agent).await.expect("subscribed");
        }
    }

    /// What was told of the tasks of this round.
    pub fn brief(&self) -> BTreeMap<&String, Vec<String>> {
        let round = self.rounds.to_string();
        let now = self.updates.iter().filter(|(task, _)| task.ends_with(&round));
        now.map(|(task, updates)| (task, truth::brief(updates))).collect()
    }

    pub fn last(&self, task: &str) -> Option<&TaskStatus> {
        self.updates[task].last()
    }

    /// Waits until the agent has told that it cannot write.
    pub async fn until_a_commit_fails(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.commit_errors().await == 0.0 {
            assert!(Instant::now() < end, "the agent can write");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn commit_errors(&self) -> f64 {
        let metrics = self.ask_agent("/metrics/snapshot").await.expect("the agent answers");
        metrics[COMMIT_ERRORS].as_f64().expect("a number")
    }

    /// Kills the agent; the next life begins while the framework waits for something.
    pub async fn kill_agent(&mut self) {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(self.agent.id().cast_signed()).expect("a process"),
            rustix::process::Signal::KILL,
        )
        .expect("our child");
        while !self.agent.is_dead() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until every task has ended, as far as the framework knows.
    pub async fn until_ended(&mut self) {
        self.until("every task has ended", |scene| {
            scene.tasks.keys().all(|task| scene.last(task).is_some_and(|last| is_terminal(last.state())))
        })
        .await;
    }

    /// Waits until the agent has nothing more to tell and nothing of its containers is left.
    pub async fn until_nothing_is_left(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let here = self.frameworks_on_agent().await;
            let left = self.place.leftovers();
            if here == Some(0) && left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "of {here:?} frameworks the agent has left {left:#?}");
            self.attend().await;
        }
    }

    /// Takes what has come, starts the agent anew when it was killed, and pauses.
    pub async fn attend(&mut self) {
        self.look_after().await;
        while let Some(event) = self.scheduler.try_next_event() {
            self.take(event).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    /// `None` if it does not answer.
    async fn frameworks_on_agent(&self) -> Option<usize> {
        self.ask_agent("/state").await?["frameworks"].as_array().map(Vec::len)
    }

    pub async fn ask_agent(&self, path: &str) -> Option<serde_json::Value> {
        let address = Address::parse(&self.place.agent().to_string(), 0).expect("an address");
        Operator::agent(address).get(path).await.ok()
    }

    /// Ends the framework and everything else.
    pub async fn end(mut self) {
        self.scheduler.teardown().await.expect("the master takes it");
        self.agent.kill();
        self.master.shutdown().await;
    }
}
