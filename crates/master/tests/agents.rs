//! What agents say, what they are told, and what becomes of what they bring along.

mod support;

use proto::v1::TaskState;
use proto::{internal, v1};
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, json as post, scalar};

fn task(offer: &Value, id: &str) -> Value {
    json!({
        "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"],
        "resources": [scalar("cpus", 1.0), scalar("mem", 32.0)], "command": { "value": "sleep 100" },
    })
}

fn custom_executor() -> Value {
    json!({
        "type": "CUSTOM", "executor_id": { "value": "e" }, "command": { "value": "./executor" },
        "resources": [scalar("cpus", 0.5), scalar("mem", 32.0)],
    })
}

/// A framework with a task in an executor of its own, on an agent.
async fn with_executor(master: &master::MasterServer) -> (FakeAgent, Scheduler, Value) {
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let mut task = task(&offer, "t");
    task.as_object_mut().unwrap().remove("command");
    task["executor"] = custom_executor();
    scheduler.launch(&offer, task).await;
    let run: internal::RunTaskMessage = agent.wait_for().await;
    let executor = run.task.executor.unwrap();
    assert_eq!(executor.framework_id.unwrap().value, scheduler.framework_id, "filled in");
    assert_eq!(executor.command.unwrap().value.as_deref(), Some("./executor"));
    assert_eq!(executor.resources[0].allocation_info.as_ref().unwrap().role(), "*");
    assert_eq!((executor.resources.len(), run.task.resources.len()), (2, 2));
    (agent, scheduler, offer)
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_both_ways_and_an_executor_ends() {
    let master = support::master().await;
    let (mut agent, mut scheduler, offer) = with_executor(&master).await;
    agent.send(&internal::ExecutorToFrameworkMessage {
        slave_id: agent.id.as_str().into(),
        framework_id: scheduler.framework_id.as_str().into(),
        executor_id: "e".into(),
        data: vec![0, 0xff].into(),
    });
    let event = scheduler.wait_for("MESSAGE").await;
    assert_eq!(event["message"]["data"], "AP8=");
    assert_eq!(event["message"]["executor_id"]["value"], "e");

    let message = json!({ "agent_id": offer["agent_id"], "executor_id": { "value": "e" }, "data": "AQI=" });
    assert_eq!(scheduler.call("MESSAGE", "message", message).await.status, 202);
    let received: internal::FrameworkToExecutorMessage = agent.wait_for().await;
    assert_eq!((&received.data[..], received.executor_id.value.as_str()), (&[1, 2][..], "e"));

    let shutdown = json!({ "agent_id": offer["agent_id"], "executor_id": { "value": "e" } });
    assert_eq!(scheduler.call("SHUTDOWN", "shutdown", shutdown).await.status, 202);
    let asked: internal::ShutdownExecutorMessage = agent.wait_for().await;
    assert_eq!(asked.executor_id.unwrap().value, "e");

    agent.send(&internal::ExitedExecutorMessage {
        slave_id: agent.id.as_str().into(),
        framework_id: scheduler.framework_id.as_str().into(),
        executor_id: "e".into(),
        status: -256,
    });
    let failure = scheduler.wait_for("FAILURE").await["failure"].clone();
    assert_eq!(
        (failure["executor_id"]["value"].as_str(), failure["status"].as_i64()),
        (Some("e"), Some(-256))
    );
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_group_come_together_with_their_executor() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let executor = json!({
        "type": "DEFAULT", "executor_id": { "value": "pod" },
        "resources": [scalar("cpus", 0.1), scalar("mem", 32.0), scalar("disk", 16.0)],
    });
    let group =
        json!({ "executor": executor, "task_group": { "tasks": [task(&offer, "a"), task(&offer, "b")] } });
    let operation = json!({ "type": "LAUNCH_GROUP", "launch_group": group });
    let accept = json!({ "offer_ids": [offer["id"]], "operations": [operation] });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    let run: internal::RunTaskGroupMessage = agent.wait_for().await;
    let tasks: Vec<&str> = run.task_group.tasks.iter().map(|task| task.task_id.value.as_str()).collect();
    assert_eq!(tasks, ["a", "b"]);
    assert_eq!(run.executor.executor_id.value, "pod");
    assert_eq!(run.executor.resources.len(), 3);
    for task in &run.task_group.tasks {
        assert_eq!(task.executor.as_ref(), Some(&run.executor), "agents look for it in each task");
    }
    master.shutdown().await;
}

/// What an agent says when it comes back with a running task of a framework.
fn reregistration(agent: &FakeAgent, framework_id: &str) -> internal::ReregisterSlaveMessage {
    let allocated = |name: &str, value: f64| v1::Resource {
        name: name.into(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        allocation_info: Some(v1::resource::AllocationInfo { role: Some("*".into()) }),
        ..Default::default()
    };
    let status = v1::TaskStatus {
        task_id: "t".into(),
        state: TaskState::TaskRunning.into(),
        timestamp: Some(1.0),
        uuid: Some(vec![0x44; 16].into()),
        ..Default::default()
    };
    let task = v1::Task {
        name: "kept".into(),
        task_id: "t".into(),
        framework_id: framework_id.into(),
        agent_id: agent.id.as_str().into(),
        state: TaskState::TaskRunning.into(),
        resources: vec![allocated("cpus", 1.0), allocated("mem", 32.0)],
        statuses: vec![status],
        status_update_state: Some(TaskState::TaskRunning.into()),
        status_update_uuid: Some(vec![0x44; 16].into()),
        labels: Some(v1::Labels { labels: vec![v1::Label { key: "k".into(), value: Some("v".into()) }] }),
        ..Default::default()
    };
    let framework = v1::FrameworkInfo {
        user: "root".into(),
        name: "test".into(),
        id: Some(framework_id.into()),
        roles: vec!["*".into()],
        capabilities: [6, 7].map(|kind| v1::framework_info::Capability { r#type: Some(kind) }).to_vec(),
        checkpoint: Some(true),
        failover_timeout: Some(60.0),
        ..Default::default()
    };
    internal::ReregisterSlaveMessage {
        tasks: vec![task],
        frameworks: vec![framework],
        ..agent.reregistration()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_learns_from_its_agents() {
    let master = support::master().await;
    let mut agent = FakeAgent::listen(master.address()).await;
    agent.id = "former-master-S3".into();
    agent.send(&reregistration(&agent, "former-master-0007"));
    let known: internal::SlaveReregisteredMessage = agent.wait_for().await;
    assert_eq!(known.slave_id.value, "former-master-S3", "the id stays");
    assert!(known.connection.unwrap().total_ping_timeout_seconds.unwrap() > 0.0);

    let state = get(master.address(), "/state").await.json();
    let framework = &state["frameworks"][0];
    assert_eq!(
        (framework["id"].as_str(), &framework["recovered"]),
        (Some("former-master-0007"), &json!(true))
    );
    let times = ["registered_time", "reregistered_time", "unregistered_time"];
    assert_eq!(times.map(|time| framework[time].as_f64()), [Some(0.0), None, Some(0.0)]);
    let v1 = post(master.address(), "/api/v1", r#"{"type":"GET_FRAMEWORKS"}"#).await.json();
    let shown = v1["get_frameworks"]["frameworks"][0].as_object().unwrap();
    assert!(times.iter().all(|time| !shown.contains_key(*time)), "{v1}");
    let task = &framework["tasks"][0];
    assert_eq!((task["state"].as_str(), task["name"].as_str()), (Some("TASK_RUNNING"), Some("kept")));
    assert_eq!(task["labels"], json!([{ "key": "k", "value": "v" }]));
    assert_eq!(task["resources"]["cpus"], 1.0);
    let tasks = post(master.address(), "/api/v1", r#"{"type":"GET_TASKS"}"#).await.json();
    let shown = &tasks["get_tasks"]["tasks"][0];
    assert_eq!(shown["statuses"][0]["state"], "TASK_RUNNING");
    assert_eq!(shown["status_update_uuid"], "RERERERERERERERERERERA==");

    // Its scheduler comes back, and can ask.
    let info = Subscription::default().with("failover_timeout", json!(60)).with("checkpoint", json!(true));
    let info = info.with("id", json!({ "value": "former-master-0007" }));
    let mut scheduler = Scheduler::subscribe(master.address(), info).await;
    let updated: internal::UpdateFrameworkMessage = agent.wait_for().await;
    assert_eq!(updated.framework_id.value, "former-master-0007");
    let framework = get(master.address(), "/state").await.json()["frameworks"][0].clone();
    assert_eq!((&framework["recovered"], &framework["active"]), (&json!(false), &json!(true)));
    assert!(framework["registered_time"].as_f64() > Some(0.0));
    assert_eq!(
        times[1..].iter().map(|time| framework[*time].as_f64()).collect::<Vec<_>>(),
        [None, Some(0.0)]
    );
    assert_eq!(scheduler.call("RECONCILE", "reconcile", json!({ "tasks": [] })).await.status, 202);
    let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
    assert_eq!(
        (status["state"].as_str(), status["reason"].as_str()),
        (Some("TASK_RUNNING"), Some("REASON_RECONCILIATION"))
    );
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_make_no_sense_disturb_nothing() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    // No id where one must be, resources below zero, and bytes that are no message.
    let mut nameless = reregistration(&agent, "f");
    nameless.slave.id = None;
    agent.send(&nameless);
    let mut impossible = internal::RegisterSlaveMessage { slave: agent.info(), ..Default::default() };
    impossible.slave.resources[0].scalar = Some(v1::value::Scalar { value: -1.0 });
    agent.send(&impossible);
    agent.send(&internal::ExitedExecutorMessage {
        framework_id: "nope".into(),
        executor_id: "e".into(),
        ..Default::default()
    });
    agent.update("nope", "t", TaskState::TaskRunning, 1);
    agent.send(&internal::UnregisterSlaveMessage { slave_id: "nope".into() });
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    assert_eq!(scheduler.offer().await["agent_id"]["value"], agent.id.as_str());
    assert_eq!(get(master.address(), "/slaves").await.json()["slaves"].as_array().unwrap().len(), 1);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_takes_its_leave_is_forgotten_at_once() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    agent.send(&internal::UnregisterSlaveMessage { slave_id: agent.id.as_str().into() });
    assert_eq!(scheduler.wait_for("RESCIND").await["rescind"]["offer_id"], offer["id"]);
    assert_eq!(scheduler.wait_for("FAILURE").await["failure"]["agent_id"]["value"], agent.id.as_str());
    assert_eq!(get(master.address(), "/slaves").await.json()["slaves"], json!([]));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_drains_an_agent_and_declares_it_gone() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let call = |kind: &str, more: Value| {
        let mut part = json!({ "agent_id": { "value": agent.id } });
        part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "type": kind, kind.to_lowercase(): part }).to_string()
    };
    let drain = call("DRAIN_AGENT", json!({ "max_grace_period": { "seconds": 3 } }));
    let deactivate = call("DEACTIVATE_AGENT", json!({}));
    let reactivate = call("REACTIVATE_AGENT", json!({}));
    let gone = call("MARK_AGENT_GONE", json!({}));
    assert_eq!(post(master.address(), "/api/v1", &drain).await.status, 200);
    let asked: internal::DrainSlaveMessage = agent.wait_for().await;
    assert_eq!(asked.config.max_grace_period.unwrap().nanoseconds, 3_000_000_000);
    let shown = get(master.address(), "/slaves").await.json()["slaves"][0].clone();
    assert_eq!(shown["drain_info"]["config"]["max_grace_period"]["nanoseconds"], 3_000_000_000_u64);
    assert_eq!(shown["deactivated"], true);
    assert_eq!(post(master.address(), "/api/v1", &reactivate).await.status, 200);
    assert_eq!(post(master.address(), "/api/v1", &deactivate).await.status, 200);
    assert_eq!(post(master.address(), "/api/v1", &gone).await.status, 200);
    let ended: internal::ShutdownMessage = agent.wait_for().await;
    assert_eq!(ended.message(), "Agent has been marked gone");
    assert_eq!(get(master.address(), "/slaves").await.json()["slaves"], json!([]));
    master.shutdown().await;
}

/// An agent that says in which region it is.
async fn agent_in(master: std::net::SocketAddr, region: Option<&str>) -> FakeAgent {
    let mut agent = FakeAgent::listen(master).await;
    let mut slave = agent.info();
    slave.domain = region.map(|region| {
        let text = format!(r#"{{"fault_domain":{{"region":{{"name":"{region}"}},"zone":{{"name":"z"}}}}}}"#);
        proto::json::from_slice(text.as_bytes()).unwrap()
    });
    agent.send(&FakeAgent::registration(slave));
    agent
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_come_with_a_domain_if_the_master_has_one() {
    let master = support::master().await;
    let _ignored = agent_in(master.address(), Some("r1")).await;
    let mut taken = agent_in(master.address(), None).await;
    let _: internal::SlaveRegisteredMessage = taken.wait_for().await;
    let slaves = get(master.address(), "/slaves").await.json();
    assert_eq!(slaves["slaves"].as_array().unwrap().len(), 1, "{slaves}");
    master.shutdown().await;

    let domain = master::FaultDomain { region: "r1".into(), zone: "z1".into() };
    let master = support::master_with(|options| {
        options.domain = Some(domain);
        options.require_agent_domain = true;
    })
    .await;
    let _ignored = agent_in(master.address(), None).await;
    let mut far = agent_in(master.address(), Some("r2")).await;
    let _: internal::SlaveRegisteredMessage = far.wait_for().await;
    let state = get(master.address(), "/state").await.json();
    assert_eq!(state["slaves"].as_array().unwrap().len(), 1, "{state}");
    assert_eq!(state["slaves"][0]["domain"]["fault_domain"]["region"]["name"], "r2");
    for shown in [&state["domain"], &state["leader_info"]["domain"]] {
        assert_eq!(shown["fault_domain"]["zone"]["name"], "z1");
    }
    // Agents of other regions are only for those who know about regions.
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let why =
        get(master.address(), &format!("/explain/framework?id={}", scheduler.framework_id)).await.json();
    assert_eq!(why["roles"][0]["obstacles"][0]["obstacle"], "other_region", "{why}");
    let mut info = Subscription::default().info;
    info["id"] = json!({ "value": scheduler.framework_id });
    info["capabilities"].as_array_mut().unwrap().push(json!({ "type": "REGION_AWARE" }));
    let update = json!({ "framework_info": info });
    assert_eq!(scheduler.call("UPDATE_FRAMEWORK", "update_framework", update).await.status, 200);
    assert_eq!(scheduler.offer().await["domain"]["fault_domain"]["region"]["name"], "r2");
    master.shutdown().await;
}
