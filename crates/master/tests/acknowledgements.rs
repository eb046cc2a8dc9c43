//! What a scheduler may count on when its acknowledgement is answered.

mod support;

use proto::internal::StatusUpdateAcknowledgementMessage;
use proto::v1::TaskState;
use proto::{FullName, internal};
use serde_json::json;
use support::{FakeAgent, Scheduler, Subscription};

/// Whoever kills the master as soon as the answer is there is not told the status again by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_on_its_way_to_the_agent_when_it_is_answered() {
    const ROUNDS: usize = 50;
    let master = support::master().await;
    let (mut agent, tap) = FakeAgent::register_behind_tap(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let scalar = |name, value| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } });
    let task = json!({
        "name": "t", "task_id": { "value": "t" }, "agent_id": offer["agent_id"],
        "resources": [scalar("cpus", 1.0), scalar("mem", 32.0)], "command": { "value": "sleep 100" },
    });
    scheduler.launch(&offer, task).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let mut late = 0;
    for round in 1..=ROUNDS {
        let number = u8::try_from(round).unwrap();
        agent.update(&scheduler.framework_id, "t", TaskState::TaskRunning, number);
        let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
        let acknowledge =
            json!({ "agent_id": offer["agent_id"], "task_id": { "value": "t" }, "uuid": status["uuid"] });
        assert_eq!(scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await.status, 202);
        late += usize::from(tap.sent(StatusUpdateAcknowledgementMessage::FULL_NAME) < round);
        let _: StatusUpdateAcknowledgementMessage = agent.wait_for().await;
    }
    // A processor that is taken away for a tenth of a second in just that instant is no fault of the master.
    assert!(late <= ROUNDS / 10, "{late} of {ROUNDS} were answered before they were passed on");
    master.shutdown().await;
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
