//! Reservations and volumes: by schedulers, by the operator API and by the older endpoints.

mod support;

use std::net::SocketAddr;

use proto::internal::{AcknowledgeOperationStatusMessage, ApplyOperationMessage, RunTaskMessage};
use proto::v1;
use proto::v1::OperationState::{OperationFailed, OperationFinished};
use serde_json::{Value, json};
use support::{Answer, FakeAgent, Scheduler, Subscription, form, get, json as post};

/// An amount that is reserved for a role.
fn reserved(name: &str, amount: f64, role: &str) -> Value {
    json!({ "name": name, "type": "SCALAR", "scalar": { "value": amount },
        "reservations": [{ "type": "DYNAMIC", "role": role }] })
}

/// A persistent volume of a role.
fn volume(size: f64, role: &str, id: &str) -> Value {
    let mut volume = reserved("disk", size, role);
    volume["disk"] =
        json!({ "persistence": { "id": id }, "volume": { "mode": "RW", "container_path": "data" } });
    volume
}

/// Allocated, as schedulers have it.
fn allocated(mut resource: Value, role: &str) -> Value {
    resource["allocation_info"] = json!({ "role": role });
    resource
}

fn escape(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

async fn old(master: SocketAddr, path: &str, agent: &str, what: &str, resources: &Value) -> Answer {
    form(master, path, &format!("slaveId={agent}&{what}={}", escape(&resources.to_string()))).await
}

async fn call(master: SocketAddr, kind: &str, part: Value) -> Answer {
    let call = json!({ "type": kind, kind.to_lowercase(): part });
    post(master, "/api/v1", &call.to_string()).await
}

async fn operations(master: SocketAddr) -> Vec<Value> {
    let answer = post(master, "/api/v1", r#"{"type":"GET_OPERATIONS"}"#).await.json();
    answer["get_operations"]["operations"].as_array().cloned().unwrap_or_default()
}

/// Lets an agent carry out what it is asked for; what that was.
async fn carry_out(agent: &mut FakeAgent, number: u8) -> ApplyOperationMessage {
    let asked: ApplyOperationMessage = agent.wait_for().await;
    let status = agent.tell_of_operation(&asked, OperationFinished, number);
    let acknowledged: AcknowledgeOperationStatusMessage = agent.wait_for().await;
    assert_eq!((&acknowledged.status_uuid, &acknowledged.operation_uuid), (&status, &asked.operation_uuid));
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_reserve_and_create_and_undo_it() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let id = agent.id.clone();
    let agent_id = json!({ "value": id });

    let resources = json!([reserved("cpus", 4.0, "ads"), reserved("disk", 512.0, "ads")]);
    let reserve = json!({ "agent_id": agent_id, "resources": resources });
    let answer = call(address, "RESERVE_RESOURCES", reserve).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{answer:?}");
    let asked: ApplyOperationMessage = agent.wait_for().await;
    assert_eq!(asked.operation_info.r#type(), v1::offer::operation::Type::Reserve);
    assert_eq!(
        (asked.framework_id.as_ref(), asked.operation_info.reserve.as_ref().unwrap().resources.len()),
        (None, 2)
    );
    let pending = &operations(address).await[0];
    assert_eq!(pending["latest_status"]["state"], "OPERATION_PENDING");
    assert_eq!((&pending["agent_id"], &pending["info"]["type"]), (&agent_id, &json!("RESERVE")));
    agent.tell_of_operation(&asked, OperationFinished, 1);
    let _: AcknowledgeOperationStatusMessage = agent.wait_for().await;
    assert!(operations(address).await.is_empty());
    let slave = get(address, "/slaves").await.json()["slaves"][0].clone();
    assert_eq!(slave["reserved_resources"]["ads"]["cpus"], 4.0);
    assert_eq!(slave["unreserved_resources"]["disk"], 512.0);

    let volumes = json!([volume(128.0, "ads", "v")]);
    assert_eq!(old(address, "/create-volumes", &id, "volumes", &volumes).await.status, 202);
    carry_out(&mut agent, 2).await;
    let slave = get(address, "/slaves").await.json()["slaves"][0].clone();
    let full = slave["reserved_resources_full"]["ads"].as_array().unwrap();
    assert!(full.iter().any(|resource| resource["disk"]["persistence"]["id"] == "v"), "{full:?}");

    let grow = json!({ "agent_id": agent_id, "volume": volume(128.0, "ads", "v"),
        "addition": reserved("disk", 64.0, "ads") });
    assert_eq!(call(address, "GROW_VOLUME", grow).await.status, 202);
    carry_out(&mut agent, 3).await;
    let shrink =
        json!({ "agent_id": agent_id, "volume": volume(192.0, "ads", "v"), "subtract": { "value": 92.0 } });
    assert_eq!(call(address, "SHRINK_VOLUME", shrink).await.status, 202);
    carry_out(&mut agent, 4).await;

    let role = get(address, "/roles").await.json()["roles"][0].clone();
    assert_eq!((&role["name"], &role["reserved"]), (&json!("ads"), &json!({ "cpus": 4.0, "disk": 512.0 })));
    assert_eq!(role["quota"]["consumed"], role["reserved"]);
    let metrics = get(address, "/metrics/snapshot").await.json();
    for (name, value) in [
        ("master/operations/reserve/finished", 1.0),
        ("master/operations/create/finished", 1.0),
        ("master/operations/total", 4.0),
        ("allocator/mesos/quota/roles/ads/resources/cpus/consumed", 4.0),
        ("allocator/mesos/quota/roles//resources/disk/consumed", 512.0),
    ] {
        assert_eq!(metrics[name], value, "{name}");
    }

    assert_eq!(
        old(address, "/destroy-volumes", &id, "volumes", &json!([volume(100.0, "ads", "v")])).await.status,
        202
    );
    carry_out(&mut agent, 5).await;
    assert_eq!(old(address, "/unreserve", &id, "resources", &resources).await.status, 202);
    carry_out(&mut agent, 6).await;
    assert_eq!(get(address, "/slaves").await.json()["slaves"][0]["reserved_resources"], json!({}));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_as_mesos_refuses_it() {
    let master = support::master().await;
    let address = master.address();
    let agent = FakeAgent::register(address).await;
    let on = format!("on agent {} at slave(1)@{} (localhost)", agent.id, agent.address);
    let cpus = json!([{ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 } }]);
    let plenty = json!([reserved("cpus", 100.0, "ads")]);
    let volumes = json!([volume(128.0, "ads", "v")]);
    for (path, what, resources, status, text) in [
        (
            "/reserve",
            "resources",
            &cpus,
            400,
            format!("Invalid RESERVE operation {on}: Resource cpus:1 is not dynamically reserved"),
        ),
        (
            "/unreserve",
            "resources",
            &cpus,
            400,
            "Invalid UNRESERVE operation: Resource cpus:1 is not dynamically reserved".to_owned(),
        ),
        (
            "/create-volumes",
            "volumes",
            &cpus,
            400,
            format!(
                "Invalid CREATE operation {on}: Not a persistent volume: Resource cpus:1 does not have DiskInfo"
            ),
        ),
        ("/reserve", "resources", &plenty, 409, String::new()),
        (
            "/destroy-volumes",
            "volumes",
            &volumes,
            400,
            "Invalid DESTROY operation: Persistent volumes not found".to_owned(),
        ),
        (
            "/unreserve",
            "resources",
            &json!([{ "name": "cpus" }]),
            400,
            "Error in parsing 'resources' query parameter in the request body: Missing required fields: type"
                .to_owned(),
        ),
        (
            "/reserve",
            "resources",
            &json!([{ "name": "cpus" }]),
            400,
            "Error parsing 'resources' query parameter in the request body: Missing required fields: type"
                .to_owned(),
        ),
    ] {
        let answer = old(address, path, &agent.id, what, resources).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(text.is_empty() || answer.body == text, "{path}: {} instead of {text}", answer.body);
        let unknown = old(address, path, "nobody", what, resources).await;
        let parsed = !text.contains("parsing");
        assert_eq!(unknown.body == "No agent found with specified ID", parsed, "{unknown:?}");
    }
    let reserve = json!({ "agent_id": { "value": agent.id }, "resources": cpus });
    let answer = call(address, "RESERVE_RESOURCES", reserve).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.starts_with("Invalid RESERVE operation on agent "), "{answer:?}");
    assert!(operations(address).await.is_empty());
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_in_the_way_of_an_operator_are_withdrawn() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let resources = json!([reserved("cpus", 2.0, "ads")]);
    let answer = old(master.address(), "/reserve", &agent.id, "resources", &resources).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(scheduler.wait_for("RESCIND").await["rescind"]["offer_id"], offer["id"]);
    carry_out(&mut agent, 1).await;
    let rest = scheduler.offer().await;
    let cpus =
        rest["resources"].as_array().unwrap().iter().find(|resource| resource["name"] == "cpus").unwrap();
    assert_eq!(cpus["scalar"]["value"], 6.0);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_reserves_creates_and_launches_in_one_call() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let subscription = Subscription::default().with("roles", json!(["web"]));
    let mut scheduler = Scheduler::subscribe(master.address(), subscription).await;
    let offer = scheduler.offer().await;
    let volume = allocated(volume(64.0, "web", "v"), "web");
    let cpus = json!({ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 } });
    let task = json!({ "name": "t", "task_id": { "value": "t" }, "agent_id": offer["agent_id"],
        "resources": [cpus, volume], "command": { "value": "true" } });
    let operations = json!([
        { "type": "RESERVE", "id": { "value": "r" }, "reserve": { "resources": [allocated(reserved("disk", 64.0, "web"), "web")] } },
        { "type": "CREATE", "id": { "value": "c" }, "create": { "volumes": [volume] } },
        { "type": "LAUNCH", "launch": { "task_infos": [task] } },
    ]);
    let accept = json!({ "offer_ids": [offer["id"]], "operations": operations });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    let reserve: ApplyOperationMessage = agent.wait_for().await;
    let create: ApplyOperationMessage = agent.wait_for().await;
    let run: RunTaskMessage = agent.wait_for().await;
    assert!(run.task.resources.iter().any(|resource| resource.disk.is_some()), "{:?}", run.task.resources);
    for (number, asked, id) in [(1, &reserve, "r"), (2, &create, "c")] {
        assert_eq!(asked.framework_id.as_ref().unwrap().value, scheduler.framework_id);
        assert_eq!(asked.operation_info.id.as_ref().unwrap().value, id);
        let uuid = agent.tell_of_operation(asked, OperationFinished, number);
        let status =
            scheduler.wait_for("UPDATE_OPERATION_STATUS").await["update_operation_status"]["status"].clone();
        assert_eq!(status["state"], "OPERATION_FINISHED");
        assert_eq!((&status["operation_id"]["value"], &status["agent_id"]), (&json!(id), &offer["agent_id"]));
        let acknowledge = json!({ "agent_id": offer["agent_id"], "uuid": status["uuid"]["value"],
            "operation_id": { "value": id } });
        let answer =
            scheduler.call("ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status", acknowledge).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let acknowledged: AcknowledgeOperationStatusMessage = agent.wait_for().await;
        assert_eq!(acknowledged.status_uuid, uuid);
    }
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_fail_are_told_of() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let subscription = Subscription::default().with("roles", json!(["web"]));
    let mut scheduler = Scheduler::subscribe(master.address(), subscription).await;
    let offer = scheduler.offer().await;
    let reserve = |id: &str, role: &str| {
        json!({ "type": "RESERVE", "id": { "value": id },
            "reserve": { "resources": [allocated(reserved("cpus", 1.0, role), "web")] } })
    };
    let accept = json!({ "offer_ids": [offer["id"]], "operations": [reserve("bad", "other"), reserve("good", "web")] });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    let status =
        scheduler.wait_for("UPDATE_OPERATION_STATUS").await["update_operation_status"]["status"].clone();
    assert_eq!(
        (&status["operation_id"]["value"], &status["state"]),
        (&json!("bad"), &json!("OPERATION_ERROR"))
    );
    let asked: ApplyOperationMessage = agent.wait_for().await;
    agent.tell_of_operation(&asked, OperationFailed, 1);
    let status =
        scheduler.wait_for("UPDATE_OPERATION_STATUS").await["update_operation_status"]["status"].clone();
    assert_eq!(
        (&status["operation_id"]["value"], &status["state"]),
        (&json!("good"), &json!("OPERATION_FAILED"))
    );
    let question =
        json!({ "operations": [{ "operation_id": { "value": "good" }, "agent_id": offer["agent_id"] }] });
    assert_eq!(scheduler.call("RECONCILE_OPERATIONS", "reconcile_operations", question).await.status, 202);
    let status =
        scheduler.wait_for("UPDATE_OPERATION_STATUS").await["update_operation_status"]["status"].clone();
    assert_eq!(status["state"], "OPERATION_FAILED", "{status}");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn launches_have_no_operation_id() {
    let master = support::master().await;
    let _agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let cpus = json!({ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 } });
    let task = |id: &str| {
        json!({ "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"], "resources": [cpus],
            "command": { "value": "true" } })
    };
    let executor = json!({ "type": "DEFAULT", "executor_id": { "value": "e" }, "resources": [cpus] });
    let operations = json!([
        { "type": "LAUNCH", "id": { "value": "a" }, "launch": { "task_infos": [task("alone")] } },
        { "type": "LAUNCH_GROUP", "id": { "value": "b" },
            "launch_group": { "executor": executor, "task_group": { "tasks": [task("grouped")] } } },
    ]);
    let accept = json!({ "offer_ids": [offer["id"]], "operations": operations });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    for (id, reason, text) in [
        ("alone", "REASON_TASK_INVALID", "The `id` field cannot be set on LAUNCH operations"),
        ("grouped", "REASON_TASK_GROUP_INVALID", "The `id` field cannot be set on LAUNCH_GROUP operations"),
    ] {
        let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
        assert_eq!((&status["task_id"]["value"], &status["state"]), (&json!(id), &json!("TASK_ERROR")));
        assert_eq!((&status["reason"], &status["message"]), (&json!(reason), &json!(text)));
    }
    master.shutdown().await;
}
