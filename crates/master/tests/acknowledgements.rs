//! What a scheduler may count on when its acknowledgement is answered.

mod support;

use std::sync::Arc;
use std::time::Duration;

use master::MasterServer;
use proto::internal;
use proto::v1::TaskState;
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, Taking};

/// A task on an agent that takes its time for each acknowledgement.
struct Scene {
    master: MasterServer,
    agent: FakeAgent,
    taking: Arc<Taking>,
    scheduler: Scheduler,
    offer: Value,
}

impl Scene {
    async fn start(takes: Duration) -> Self {
        let master = support::master().await;
        let (mut agent, taking) = FakeAgent::register_taking(master.address(), takes).await;
        let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
        let offer = scheduler.offer().await;
        let scalar = |name, value| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } });
        let task = json!({
            "name": "t", "task_id": { "value": "t" }, "agent_id": offer["agent_id"],
            "resources": [scalar("cpus", 1.0), scalar("mem", 32.0)], "command": { "value": "sleep 100" },
        });
        scheduler.launch(&offer, task).await;
        let _: internal::RunTaskMessage = agent.wait_for().await;
        Self { master, agent, taking, scheduler, offer }
    }

    /// The agent tells a status, and the scheduler acknowledges it; returns when that is answered.
    async fn acknowledged(&mut self, number: u8) {
        self.agent.update(&self.scheduler.framework_id, "t", TaskState::TaskRunning, number);
        let status = self.scheduler.wait_for("UPDATE").await["update"]["status"].clone();
        let acknowledge = json!({ "agent_id": self.offer["agent_id"], "task_id": { "value": "t" }, "uuid": status["uuid"] });
        assert_eq!(self.scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await.status, 202);
    }
}

/// Whoever kills the master or the agent as soon as the answer is there is not told the status again.
#[tokio::test(flavor = "multi_thread")]
async fn the_agent_has_taken_an_acknowledgement_when_it_is_answered() {
    const ROUNDS: usize = 50;
    let mut scene = Scene::start(Duration::from_millis(10)).await;
    let mut late = 0;
    for round in 1..=ROUNDS {
        scene.acknowledged(u8::try_from(round).unwrap()).await;
        late += usize::from(scene.taking.taken() < round);
        let _: internal::StatusUpdateAcknowledgementMessage = scene.agent.wait_for().await;
    }
    // A processor that is taken away for a tenth of a second in just that instant is no fault of the master.
    assert!(late <= ROUNDS / 10, "{late} of {ROUNDS} were answered before they were taken");
    scene.master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_takes_its_time_keeps_no_answer_for_long() {
    let mut scene = Scene::start(support::PATIENCE).await;
    for number in 1..4 {
        scene.acknowledged(number).await;
    }
    assert_eq!(scene.taking.taken(), 0);
    scene.master.shutdown().await;
}

/// An agent that is not there any more keeps no answer for long, and none from other schedulers' calls.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_answered_also_where_nobody_can_be_told() {
    let master = support::master().await;
    let scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let acknowledge = json!({
        "agent_id": { "value": "gone" }, "task_id": { "value": "t" }, "uuid": "AAAAAAAAQAAAAAAAAAAAAA==",
    });
    assert_eq!(scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await.status, 202);
    master.shutdown().await;
}
