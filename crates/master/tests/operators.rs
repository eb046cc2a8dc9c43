//! What operators read and change, by the v1 API and by the older endpoints.

mod support;

use proto::v1::master::{Response, response};
use proto::{internal, v1};
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, form, get, json as post, request};

fn task(offer: &Value, id: &str) -> Value {
    let scalar =
        |name: &str, value: f64| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } });
    json!({
        "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"],
        "resources": [scalar("cpus", 1.0), scalar("mem", 64.0)], "command": { "value": "true", "user": "nobody" },
    })
}

/// A cluster with a task that runs and one that has ended.
async fn busy(master: &master::MasterServer) -> (FakeAgent, Scheduler) {
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    for (number, id) in [(1, "ended"), (3, "running")] {
        let offer = scheduler.offer().await;
        scheduler.launch(&offer, task(&offer, id)).await;
        let _: internal::RunTaskMessage = agent.wait_for().await;
        agent.update(&scheduler.framework_id, id, v1::TaskState::TaskRunning, number);
        scheduler.wait_for("UPDATE").await;
        if id == "ended" {
            agent.update(&scheduler.framework_id, id, v1::TaskState::TaskFinished, number + 1);
            let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
            let acknowledge = json!({ "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"] });
            scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await;
            let _: internal::StatusUpdateAcknowledgementMessage = agent.wait_for().await;
        }
    }
    (agent, scheduler)
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_shown_everywhere() {
    let master = support::master().await;
    let (agent, scheduler) = busy(&master).await;
    let address = master.address();
    let state = get(address, "/master/state").await.json();
    let framework = &state["frameworks"][0];
    assert_eq!(framework["tasks"][0]["id"], "running");
    assert_eq!(framework["tasks"][0]["user"], "nobody");
    assert_eq!(framework["completed_tasks"][0]["state"], "TASK_FINISHED");
    assert_eq!(framework["used_resources"]["cpus"], 1.0);
    assert_eq!(state["slaves"][0]["used_resources"]["mem"], 64.0);
    assert_eq!(state["leader"], format!("master@{address}"));

    let summary = get(address, "/state-summary").await.json();
    assert_eq!(
        (&summary["slaves"][0]["TASK_RUNNING"], &summary["slaves"][0]["TASK_FINISHED"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(summary["slaves"][0]["framework_ids"][0], scheduler.framework_id.as_str());
    assert_eq!(summary["frameworks"][0]["slave_ids"][0], agent.id.as_str());

    let ids = |answer: Value| -> Vec<String> {
        answer["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(get(address, "/tasks?limit=1").await.json()).len(), 1);
    assert_eq!(ids(get(address, "/tasks?task_id=ended").await.json()), ["ended"]);
    assert_eq!(ids(get(address, "/tasks?framework_id=other").await.json()).len(), 0);
    assert_eq!(ids(get(address, "/tasks?offset=2").await.json()).len(), 0);
    assert_eq!(get(address, "/tasks?limit=x").await.status, 400);

    let metrics = get(address, "/metrics/snapshot").await.json();
    let figures =
        ["master/tasks_running", "master/tasks_finished", "master/frameworks_active", "master/slaves_active"];
    for name in figures {
        assert_eq!(metrics[name], 1.0, "{name}");
    }
    assert_eq!(metrics["master/cpus_percent"], 0.125);
    assert_eq!(metrics["allocator/mesos/quota/roles/*/resources/mem/consumed"], 64.0);
    let roles = get(address, "/roles").await.json();
    assert_eq!(roles["roles"][0]["allocated"], json!({ "cpus": 1.0, "mem": 64.0 }));
    assert_eq!(roles["roles"][0]["frameworks"][0], scheduler.framework_id.as_str());
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answers_in_protobuf() {
    let master = support::master().await;
    let (agent, scheduler) = busy(&master).await;
    let call = proto::v1::master::Call {
        r#type: Some(proto::v1::master::call::Type::GetState.into()),
        ..Default::default()
    };
    let headers = [("Content-Type", "application/x-protobuf"), ("Accept", "application/x-protobuf")];
    let bytes = support::raw(master.address(), "POST", "/api/v1", &headers, &proto::encode(&call)).await;
    let answer: Response = proto::decode(&bytes).unwrap();
    assert_eq!(answer.r#type(), response::Type::GetState);
    let state = answer.get_state.unwrap();
    assert_eq!(state.get_agents.unwrap().agents[0].agent_info.id.as_ref().unwrap().value, agent.id);
    let tasks = state.get_tasks.unwrap();
    assert_eq!((tasks.tasks[0].task_id.value.as_str(), tasks.completed_tasks.len()), ("running", 1));
    let framework = &state.get_frameworks.unwrap().frameworks[0];
    assert_eq!(framework.framework_info.id.as_ref().unwrap().value, scheduler.framework_id);
    assert_eq!(framework.allocated_resources[0].allocation_info.as_ref().unwrap().role(), "*");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_and_limits_stay() {
    let master = support::master().await;
    let address = master.address();
    let put = request(address, "PUT", "/weights", &[], br#"[{"role":"ads","weight":2.5}]"#).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(get(address, "/weights").await.json(), json!([{ "weight": 2.5, "role": "ads" }]));
    let quota = json!({ "type": "UPDATE_QUOTA", "update_quota": { "quota_configs": [{
        "role": "ads", "limits": { "cpus": { "value": 4 } } }] } });
    assert_eq!(post(address, "/api/v1", &quota.to_string()).await.status, 200);
    let shown = post(address, "/api/v1", r#"{"type":"GET_QUOTA"}"#).await.json();
    assert_eq!(shown["get_quota"]["status"]["configs"][0]["limits"]["cpus"]["value"], 4.0);
    let roles = get(address, "/roles").await.json();
    assert_eq!(
        (&roles["roles"][0]["weight"], &roles["roles"][0]["quota"]["limit"]["cpus"]),
        (&json!(2.5), &json!(4.0))
    );
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_and_a_framework_are_ended_from_outside() {
    let master = support::master().await;
    let (mut agent, mut scheduler) = busy(&master).await;
    let id = scheduler.framework_id.clone();
    let kill = |task: &str| format!("frameworkId={id}&taskId={task}");
    assert_eq!(form(master.address(), "/tasks/kill", &kill("running")).await.status, 200);
    let killed: internal::KillTaskMessage = agent.wait_for().await;
    assert_eq!(killed.task_id.value, "running");
    let unknown = form(master.address(), "/tasks/kill", &kill("nope")).await;
    assert!((400..500).contains(&unknown.status) && !unknown.body.is_empty(), "{unknown:?}");
    assert_eq!(form(master.address(), "/teardown", &format!("frameworkId={id}")).await.status, 200);
    let _: internal::ShutdownFrameworkMessage = agent.wait_for().await;
    while scheduler.next().await.is_some() {}
    let frameworks = get(master.address(), "/frameworks").await.json();
    assert_eq!(
        (
            frameworks["frameworks"].as_array().unwrap().len(),
            frameworks["completed_frameworks"][0]["id"].as_str()
        ),
        (0, Some(id.as_str()))
    );
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_changes_what_it_says_of_itself() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, task(&offer, "t")).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let mut info = Subscription::default().with("name", json!("renamed")).info;
    info["id"] = json!({ "value": scheduler.framework_id });
    let answer =
        scheduler.call("UPDATE_FRAMEWORK", "update_framework", json!({ "framework_info": info })).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let told: internal::UpdateFrameworkMessage = agent.wait_for().await;
    assert_eq!(told.framework_info.unwrap().name, "renamed");
    info["user"] = json!("another");
    let refused =
        scheduler.call("UPDATE_FRAMEWORK", "update_framework", json!({ "framework_info": info })).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_changes_as_they_happen() {
    let master = support::master().await;
    let mut watch = support::Events::open(master.address(), "/api/v1", r#"{"type":"SUBSCRIBE"}"#).await;
    let first = watch.next().await.unwrap();
    assert_eq!(first["type"], "SUBSCRIBED");
    let (agent, scheduler) = busy(&master).await;
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("TASK_UPDATED running TASK_RUNNING") {
        let event = watch.next().await.unwrap();
        match event["type"].as_str().unwrap() {
            "HEARTBEAT" => {}
            "AGENT_ADDED" => {
                assert_eq!(event["agent_added"]["agent"]["agent_info"]["id"]["value"], agent.id.as_str());
                seen.push("AGENT_ADDED".to_owned());
            }
            "FRAMEWORK_ADDED" => {
                let info = &event["framework_added"]["framework"]["framework_info"];
                assert_eq!(info["id"]["value"], scheduler.framework_id.as_str());
                seen.push("FRAMEWORK_ADDED".to_owned());
            }
            "TASK_ADDED" => {
                seen.push(format!(
                    "TASK_ADDED {}",
                    event["task_added"]["task"]["task_id"]["value"].as_str().unwrap()
                ));
            }
            "TASK_UPDATED" => {
                let status = &event["task_updated"]["status"];
                let (id, state) =
                    (status["task_id"]["value"].as_str().unwrap(), status["state"].as_str().unwrap());
                seen.push(format!("TASK_UPDATED {id} {state}"));
            }
            other => panic!("{other}"),
        }
    }
    let expected = [
        "AGENT_ADDED",
        "FRAMEWORK_ADDED",
        "TASK_ADDED ended",
        "TASK_UPDATED ended TASK_RUNNING",
        "TASK_UPDATED ended TASK_FINISHED",
        "TASK_ADDED running",
        "TASK_UPDATED running TASK_RUNNING",
    ];
    assert_eq!(seen, expected);
    master.shutdown().await;
}

/// After Mesos' `ConsumptionMetricsTest.Launch`.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_consumes_of_its_quota_what_its_tasks_have_and_not_what_is_offered() {
    let master = support::master().await;
    let address = master.address();
    let consumed = || async move {
        let metrics = get(address, "/metrics/snapshot").await.json();
        metrics.get("allocator/mesos/quota/roles/*/resources/cpus/consumed").cloned()
    };
    let mut agent = FakeAgent::register(address).await;
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    let offer = scheduler.offer().await;
    assert_eq!(consumed().await, None);
    scheduler.launch(&offer, task(&offer, "t")).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    agent.update(&scheduler.framework_id, "t", v1::TaskState::TaskRunning, 1);
    scheduler.wait_for("UPDATE").await;
    assert_eq!(consumed().await, Some(json!(1.0)));
    agent.update(&scheduler.framework_id, "t", v1::TaskState::TaskFinished, 2);
    scheduler.wait_for("UPDATE").await;
    assert_eq!(consumed().await, None);
    master.shutdown().await;
}
