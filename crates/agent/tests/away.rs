//! What happens while an agent is away comes to pass when it is back: kills, the end of a framework, another scheduler. A real
//! master, a real agent that is killed and started again, and tasks that go on meanwhile.

mod common;
mod life;

use std::time::Duration;

use common::json;
use life::{Place, Process, until};
use master::{MasterOptions, MasterServer};
use proto::v1::{FrameworkId, Offer, TaskState, TaskStatus};
use sdk::Masters;
use sdk::build::{Framework, Task};
use sdk::scheduler::{Event, Scheduler};

struct Scene {
    agent: Process,
    scheduler: Scheduler,
    master: MasterServer,
    // Last, since what is left there is looked at when the agent has gone.
    place: Place,
}

fn subscribe(master: &MasterServer, id: Option<FrameworkId>) -> Scheduler {
    let framework = Framework::new("away").checkpoint(true).failover_timeout(Duration::from_secs(3600));
    let framework = match id {
        Some(id) => framework.id(id),
        None => framework,
    };
    let masters = Masters::parse(&master.address().to_string()).expect("an address");
    Scheduler::builder(framework.build()).masters(masters).start().expect("a scheduler")
}

impl Scene {
    /// A task `t` runs, and its agent is away; the master knows.
    async fn start(line: &str) -> Self {
        let place = Place::new();
        let options =
            MasterOptions { allocation_interval: Duration::from_millis(50), ..MasterOptions::loopback() };
        let master = MasterServer::start(options).await.expect("a master");
        let agent = place.start(master.address()).await;
        let scheduler = subscribe(&master, None);
        let mut scene = Self { agent, scheduler, master, place };
        let offer = scene.offer().await;
        let task = Task::new("t").command(line).cpus(0.1).mem(32.0).on(&offer);
        scene.scheduler.calls().launch(&[offer], vec![task], Some(3600.0)).await.expect("subscribed");
        while scene.status().await.state() != TaskState::TaskRunning {}
        scene.agent_shows_it().await;
        scene.agent.kill();
        scene.agents(false).await;
        scene
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(life::PATIENCE, self.scheduler.next_event()).await;
        event.expect("an event in time").expect("it goes on")
    }

    async fn offer(&mut self) -> Offer {
        loop {
            if let Event::Offers(offers) = self.event().await {
                return offers.into_iter().next().expect("no empty lists");
            }
        }
    }

    async fn status(&mut self) -> TaskStatus {
        loop {
            if let Event::Update(status) = self.event().await {
                return status;
            }
        }
    }

    /// Waits until the agent says that the task runs.
    async fn agent_shows_it(&self) {
        let end = tokio::time::Instant::now() + life::PATIENCE;
        while json(self.place.agent(), "/state").await["frameworks"][0]["executors"][0]["tasks"][0]["state"]
            != "TASK_RUNNING"
        {
            assert!(tokio::time::Instant::now() < end, "the task runs, and its agent does not say so");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the master takes its agent for connected or not.
    async fn agents(&self, connected: bool) {
        let end = tokio::time::Instant::now() + life::PATIENCE;
        while json(self.master.address(), "/state").await["slaves"][0]["active"] != connected {
            assert!(tokio::time::Instant::now() < end, "the master does not know of its agent: {connected}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn back(&mut self) {
        self.agent = self.place.start(self.master.address()).await;
    }

    /// Waits until nothing is left of any container.
    async fn nothing_is_left(&self) {
        until("nothing is left", || self.place.leftovers().is_empty()).await;
    }
}

/// `ReconcileKillTask`.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_killed_meanwhile_is_killed() {
    let mut scene = Scene::start("exec sleep 1000").await;
    scene.scheduler.calls().kill("t".into(), None, None).await.expect("subscribed");
    scene.back().await;
    let mut last = scene.status().await;
    while last.state() == TaskState::TaskRunning {
        // An acknowledgement that did not get there before the end.
        last = scene.status().await;
    }
    assert_eq!(last.state(), TaskState::TaskKilled, "{last:?}");
    scene.nothing_is_left().await;
}

/// `ReconcileShutdownFramework`.
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_ended_meanwhile_leaves_nothing() {
    let mut scene = Scene::start("exec sleep 1000").await;
    scene.scheduler.calls().teardown().await.expect("subscribed");
    scene.back().await;
    scene.agents(true).await;
    scene.nothing_is_left().await;
}

/// `SchedulerFailover`.
#[tokio::test(flavor = "multi_thread")]
async fn who_took_the_framework_over_meanwhile_hears_of_its_tasks() {
    let mut scene = Scene::start("while ! test -e go; do sleep 0.01; done").await;
    let id = scene.scheduler.calls().framework_id().expect("subscribed");
    scene.scheduler = subscribe(&scene.master, Some(id));
    while !matches!(scene.event().await, Event::Subscribed(_)) {}
    scene.back().await;
    scene.agents(true).await;
    let sandbox = scene.place.work_dir().join("slaves");
    let go = std::process::Command::new("sh")
        .args(["-c", "for run in \"$0\"/*/frameworks/*/executors/t/runs/latest; do : > \"$run/go\"; done"])
        .arg(sandbox)
        .status();
    assert!(go.expect("a shell").success());
    let mut last = scene.status().await;
    while last.state() == TaskState::TaskRunning {
        last = scene.status().await;
    }
    assert_eq!(last.state(), TaskState::TaskFinished, "{last:?}");
    scene.nothing_is_left().await;
}
