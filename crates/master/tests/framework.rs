//! A framework and an agent on a master, over real sockets: what each of them sees.

mod support;

use std::time::Duration;

use proto::{internal, v1};
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, json as post};

fn task(offer: &Value, id: &str) -> Value {
    let resources = json!([
        { "name": "cpus", "type": "SCALAR", "scalar": { "value": 0.1 } },
        { "name": "mem", "type": "SCALAR", "scalar": { "value": 32 } },
    ]);
    json!({
        "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"], "resources": resources,
        "command": { "value": "true" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn from_subscription_to_the_end_of_a_task() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    assert_eq!(scheduler.framework_id, format!("{}-0000", master.id()));
    let offer = scheduler.offer().await;
    assert_eq!(offer["agent_id"]["value"], agent.id.as_str());
    assert_eq!(offer["url"]["address"]["port"], agent.address.port());
    assert_eq!(offer["allocation_info"]["role"], "*");
    assert_eq!(scheduler.launch(&offer, task(&offer, "t")).await.status, 202);

    let run: internal::RunTaskMessage = agent.wait_for().await;
    assert_eq!(run.framework.id.as_ref().unwrap().value, scheduler.framework_id);
    assert_eq!(run.task.command.as_ref().unwrap().value.as_deref(), Some("true"));
    assert_eq!(run.task.resources[0].allocation_info.as_ref().unwrap().role(), "*");
    assert_eq!((run.launch_executor, run.pid.as_deref()), (Some(true), Some("@0.0.0.0:0")));

    let states =
        [(v1::TaskState::TaskRunning, "TASK_RUNNING", 1), (v1::TaskState::TaskFinished, "TASK_FINISHED", 2)];
    for (state, name, number) in states {
        let uuid = agent.update(&scheduler.framework_id, "t", state, number);
        let event = scheduler.wait_for("UPDATE").await;
        let status = &event["update"]["status"];
        assert_eq!((status["state"].as_str(), status["task_id"]["value"].as_str()), (Some(name), Some("t")));
        let acknowledge =
            json!({ "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"] });
        assert_eq!(scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await.status, 202);
        let acknowledged: internal::StatusUpdateAcknowledgementMessage = agent.wait_for().await;
        assert_eq!(&acknowledged.uuid[..], uuid);
    }
    // What the task took is free again: it is part of the next offer.
    let next = scheduler.offer().await;
    assert_eq!(next["agent_id"], offer["agent_id"]);
    assert_eq!(scheduler.call("TEARDOWN", "teardown", json!({})).await.status, 202);
    let ended: internal::ShutdownFrameworkMessage = agent.wait_for().await;
    assert_eq!(ended.framework_id.value, scheduler.framework_id);
    while scheduler.next().await.is_some() {}
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_can_be_limited_to_a_list() {
    let master = support::master_with(|options| options.roles = vec!["web".into()]).await;
    let with_role = |role: &str| Subscription::default().with("roles", json!([role]));
    let scheduler = Scheduler::subscribe(master.address(), with_role("web")).await;
    let mut update = with_role("ads").info;
    update["id"] = json!({ "value": scheduler.framework_id });
    let answer =
        scheduler.call("UPDATE_FRAMEWORK", "update_framework", json!({ "framework_info": update })).await;
    let message =
        "Supplied FrameworkInfo is not valid: Roles { ads } are not among those of the master's --roles";
    assert_eq!((answer.status, answer.body.as_str()), (400, message));
    let mut refused = Scheduler::open(master.address(), with_role("ads")).await;
    let message = refused.wait_for("ERROR").await["error"]["message"].clone();
    assert_eq!(message, "Roles { ads } are not among those of the master's --roles");
    assert_eq!(refused.next().await, None);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_killed() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, task(&offer, "t")).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    agent.update(&scheduler.framework_id, "t", v1::TaskState::TaskRunning, 1);
    scheduler.wait_for("UPDATE").await;
    let policy = json!({ "grace_period": { "nanoseconds": 5 } });
    let kill = json!({ "task_id": { "value": "t" }, "kill_policy": policy });
    assert_eq!(scheduler.call("KILL", "kill", kill).await.status, 202);
    let killed: internal::KillTaskMessage = agent.wait_for().await;
    assert_eq!(killed.task_id.value, "t");
    assert_eq!(killed.kill_policy.unwrap().grace_period.unwrap().nanoseconds, 5);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_comes_back_and_the_former_scheduler_is_told() {
    let master = support::master().await;
    let info = || Subscription::default().with("failover_timeout", json!(60));
    let mut first = Scheduler::subscribe(master.address(), info()).await;
    let id = json!({ "value": first.framework_id });
    let second = Scheduler::subscribe(master.address(), info().with("id", id)).await;
    assert_eq!(second.framework_id, first.framework_id);
    assert_eq!(first.wait_for("ERROR").await["error"]["message"], "Framework failed over");
    assert_eq!(first.next().await, None, "the former stream is over");
    let revive = json!({ "type": "REVIVE", "framework_id": { "value": first.framework_id } });
    let stale = second.send(&first.stream_id, &revive).await;
    assert_eq!(stale.status, 400);
    assert!(stale.body.contains("didn't match the stream ID"), "{}", stale.body);
    assert_eq!(second.send(&second.stream_id, &revive).await.status, 202);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_is_noticed() {
    let master = support::master().await;
    let info = Subscription::default().with("failover_timeout", json!(60));
    let scheduler = Scheduler::subscribe(master.address(), info).await;
    let (id, stream_id) = (scheduler.framework_id.clone(), scheduler.stream_id.clone());
    drop(scheduler);
    wait_until(|| async {
        let answer = get(master.address(), &format!("/frameworks?framework_id={id}")).await.json();
        answer["frameworks"][0]["connected"] == false
    })
    .await;
    let other = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let revive = json!({ "type": "REVIVE", "framework_id": { "value": id } });
    let refused = other.send(&stream_id, &revive).await;
    assert_eq!((refused.status, refused.body.as_str()), (403, "Framework is not subscribed"));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_without_failover_timeout_ends_with_its_stream() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, task(&offer, "t")).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    drop(scheduler);
    let _: internal::ShutdownFrameworkMessage = agent.wait_for().await;
    let state = get(master.address(), "/state").await.json();
    assert_eq!(state["completed_frameworks"].as_array().unwrap().len(), 1);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_agent_takes_its_offers_and_tasks_along() {
    let master = support::master_with(|options| {
        options.agent_ping_timeout = Duration::from_millis(500);
        options.max_agent_ping_timeouts = 6;
    })
    .await;
    let mut agent = FakeAgent::register(master.address()).await;
    let aware = json!([{ "type": "MULTI_ROLE" }, { "type": "PARTITION_AWARE" }]);
    // Without checkpoints the tasks would be lost as soon as the connection is.
    let info = Subscription::default().with("capabilities", aware).with("checkpoint", json!(true));
    let mut scheduler = Scheduler::subscribe(master.address(), info).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, task(&offer, "t")).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let second = scheduler.offer().await;
    agent.kill();
    let rescinded = scheduler.wait_for("RESCIND").await;
    assert_eq!(rescinded["rescind"]["offer_id"], second["id"]);
    let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
    assert_eq!(
        (status["state"].as_str(), status["task_id"]["value"].as_str()),
        (Some("TASK_UNREACHABLE"), Some("t"))
    );
    assert!(status["unreachable_time"]["nanoseconds"].is_number());
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_answers_pings_stays() {
    let master = support::master_with(|options| {
        options.agent_ping_timeout = Duration::from_millis(100);
        options.max_agent_ping_timeouts = 20;
    })
    .await;
    let mut agent = FakeAgent::register(master.address()).await;
    for _ in 0..25 {
        let ping: internal::PingSlaveMessage = agent.wait_for().await;
        assert!(ping.connected);
    }
    assert_eq!(get(master.address(), "/slaves").await.json()["slaves"][0]["active"], true);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_tasks_are_statuses() {
    let master = support::master().await;
    let agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let mut wrong = task(&offer, "t");
    wrong["resources"][0]["scalar"]["value"] = json!(-1);
    scheduler.launch(&offer, wrong).await;
    let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
    assert_eq!(
        (status["state"].as_str(), status["reason"].as_str()),
        (Some("TASK_ERROR"), Some("REASON_TASK_INVALID"))
    );
    assert_eq!(status["source"], "SOURCE_MASTER");
    assert!(status.get("uuid").is_none(), "nobody has to acknowledge it");
    // The offer is used up; one that is gone loses the task.
    scheduler.launch(&offer, task(&offer, "late")).await;
    let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
    assert_eq!(
        (status["state"].as_str(), status["reason"].as_str()),
        (Some("TASK_LOST"), Some("REASON_INVALID_OFFERS"))
    );
    drop(agent);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_get_heartbeats_and_slow_readers_are_cut_off() {
    let master = support::master_with(|options| {
        options.http_heartbeat_interval = Duration::from_millis(10);
        options.event_queue = 4;
    })
    .await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    for _ in 0..3 {
        scheduler.wait_for("HEARTBEAT").await;
    }
    // It does not read from now on, and asks for more answers than any socket holds.
    let tasks: Vec<Value> =
        (0..500).map(|n| json!({ "task_id": { "value": format!("{n}-{}", "x".repeat(200)) } })).collect();
    let id = scheduler.framework_id.clone();
    wait_until(|| async {
        scheduler.call("RECONCILE", "reconcile", json!({ "tasks": tasks })).await;
        let frameworks = get(master.address(), "/frameworks").await.json();
        let known = frameworks["frameworks"].as_array().unwrap().iter().any(|each| each["id"] == id.as_str());
        !known
    })
    .await;
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_heartbeat_comes_at_once_behind_subscribed() {
    let master =
        support::master_with(|options| options.http_heartbeat_interval = Duration::from_hours(1)).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    assert_eq!(scheduler.next().await.unwrap()["type"], "HEARTBEAT");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_written_as_the_framework_understands_them_since_its_update() {
    let master = support::master().await;
    let agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let knows_roles = |offer: &Value| {
        let each = offer["resources"].as_array().unwrap().iter();
        each.chain([offer]).map(|shown| shown.get("allocation_info").is_some()).collect::<Vec<_>>()
    };
    let offer = scheduler.offer().await;
    assert!(knows_roles(&offer).iter().all(|knows| *knows), "{offer}");
    let mut info = Subscription::default().info;
    info["id"] = json!({ "value": scheduler.framework_id });
    let object = info.as_object_mut().unwrap();
    object.remove("roles");
    object.remove("capabilities");
    let answer =
        scheduler.call("UPDATE_FRAMEWORK", "update_framework", json!({ "framework_info": info })).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let decline = json!({ "offer_ids": [offer["id"]], "filters": { "refuse_seconds": 0 } });
    assert_eq!(scheduler.call("DECLINE", "decline", decline).await.status, 202);
    let offer = scheduler.offer().await;
    assert!(knows_roles(&offer).iter().all(|knows| !knows), "{offer}");
    drop(agent);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_watches() {
    let master = support::master().await;
    let agent = FakeAgent::register(master.address()).await;
    let watching = post(master.address(), "/api/v1", r#"{"type":"SUBSCRIBE"}"#).await;
    assert_eq!(watching.status, 200);
    let agents = post(master.address(), "/api/v1", r#"{"type":"GET_AGENTS"}"#).await.json();
    assert_eq!(agents["get_agents"]["agents"][0]["agent_info"]["id"]["value"], agent.id.as_str());
    assert_eq!(agents["get_agents"]["recovered_agents"], json!([]));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_dropped_frees_its_port() {
    let master = support::master().await;
    let address = master.address();
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    drop(master);
    while scheduler.next().await.is_some() {}
    wait_until(|| async { tokio::net::TcpListener::bind(address).await.is_ok() }).await;
}

/// Asks again and again until it is so.
async fn wait_until<F: Future<Output = bool>>(ask: impl Fn() -> F) {
    let asked = async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, asked).await.expect("it becomes so");
}
