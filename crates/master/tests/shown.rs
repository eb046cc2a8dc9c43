//! What operators and tools read of a cluster: that what frameworks, agents and operators said is there, whole and where Mesos has
//! it.

mod support;

use proto::{internal, v1};
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, json as post, scalar};

fn label(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": value })
}

/// Three labels, of which two have the same key.
fn labels() -> Value {
    json!([label("foo", "bar"), label("bar", "baz"), label("bar", "qux")])
}

/// A task with all that it can say for itself, in an executor of its own.
fn eloquent_task(offer: &Value) -> Value {
    let ports = json!([
        { "number": 8888, "name": "myport1", "protocol": "tcp" },
        { "number": 9999, "name": "myport2", "protocol": "udp", "visibility": "CLUSTER" },
    ]);
    let discovery = json!({
        "visibility": "EXTERNAL", "name": "mytask", "environment": "mytest", "location": "mylocation",
        "version": "v0.1.1", "ports": { "ports": ports }, "labels": { "labels": [label("RPC", "yes")] },
    });
    let executor = json!({
        "type": "CUSTOM", "executor_id": { "value": "e" }, "command": { "value": "./executor" },
        "resources": [scalar("cpus", 0.5), scalar("mem", 32.0)], "labels": { "labels": labels() },
    });
    json!({
        "name": "testtask", "task_id": { "value": "t" }, "agent_id": offer["agent_id"], "executor": executor,
        "resources": [scalar("cpus", 0.1), scalar("mem", 12.0)], "labels": { "labels": labels() },
        "limits": { "cpus": { "value": 0.5 }, "mem": { "value": "Infinity" } }, "discovery": discovery,
    })
}

/// After `MasterTest.FrameworkInfoLabels`, `ExecutorLabels`, `TaskLabels`, `TaskStatusLabels`, `TaskStatusContainerStatus`,
/// `TaskDiscoveryInfo`, `StateEndpointFrameworkInfo`, `StateEndpointAllocationRole` and `TasksEndpoint`.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_framework_says_is_shown_whole() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let kinds = [
        "REVOCABLE_RESOURCES",
        "TASK_KILLING_STATE",
        "GPU_RESOURCES",
        "PARTITION_AWARE",
        "MULTI_ROLE",
        "RESERVATION_REFINEMENT",
    ];
    let capabilities: Vec<Value> = kinds.iter().map(|kind| json!({ "type": kind })).collect();
    let subscription = Subscription::default()
        .with("roles", json!(["foo"]))
        .with("capabilities", json!(capabilities))
        .with("webui_url", json!("http://localhost:8080/"))
        .with("labels", json!({ "labels": labels() }));
    let mut scheduler = Scheduler::subscribe(address, subscription).await;
    let offer = scheduler.offer().await;
    let url = json!({
        "scheme": "http", "path": "/slave(1)",
        "address": { "hostname": "localhost", "ip": "127.0.0.1", "port": agent.address.port() },
    });
    assert_eq!((&offer["hostname"], &offer["url"]), (&json!("localhost"), &url));
    let framework = get(address, "/state").await.json()["frameworks"][0].clone();
    assert_eq!(framework["offers"][0]["allocation_info"], json!({ "role": "foo" }));
    assert_eq!(framework["capabilities"], json!(kinds));
    assert_eq!(framework["webui_url"], "http://localhost:8080/");
    assert_eq!(framework["labels"], labels());

    let task = eloquent_task(&offer);
    assert_eq!(scheduler.launch(&offer, task.clone()).await.status, 202);
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let network = json!({ "ip_addresses": [{ "protocol": "IPv4", "ip_address": "127.0.0.1" }] });
    let said = json!({
        "task_id": { "value": "t" }, "state": "TASK_RUNNING", "timestamp": 1.0,
        "labels": { "labels": labels() }, "container_status": { "network_infos": [network] },
    });
    let status: v1::TaskStatus = proto::json::from_slice(said.to_string().as_bytes()).unwrap();
    agent.report(&scheduler.framework_id, status, 1);
    scheduler.wait_for("UPDATE").await;

    let framework = get(address, "/state").await.json()["frameworks"][0].clone();
    let executor = &framework["executors"][0];
    assert_eq!((&executor["labels"], &executor["role"]), (&labels(), &json!("foo")));
    let shown = &framework["tasks"][0];
    assert_eq!((&shown["name"], &shown["role"]), (&json!("testtask"), &json!("foo")));
    assert_eq!((&shown["labels"], &shown["discovery"]), (&labels(), &task["discovery"]));
    let status = &shown["statuses"][0];
    assert_eq!(
        (&status["labels"], &status["container_status"]["network_infos"]),
        (&labels(), &json!([network]))
    );

    // A part of the list, as clients of libprocess ask for it, and what is in it.
    let path = format!("/tasks?task_id=t;framework_id={}", scheduler.framework_id);
    let tasks = get(address, &path).await.json();
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1, "{tasks}");
    let shown = &tasks["tasks"][0];
    assert_eq!((&shown["executor_id"], &shown["state"]), (&json!("e"), &json!("TASK_RUNNING")));
    assert_eq!(shown["limits"], json!({ "cpus": 0.5, "mem": "Infinity" }));

    // Whoever asks is told the same again.
    for tasks in [json!([{ "task_id": { "value": "t" } }]), json!([])] {
        scheduler.call("RECONCILE", "reconcile", json!({ "tasks": tasks })).await;
        let told = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
        assert_eq!(told["reason"], "REASON_RECONCILIATION");
        assert_eq!(told["container_status"]["network_infos"], json!([network]));
    }
    master.shutdown().await;
}

/// After `MasterTest.StateEndpoint`, `SlavesEndpointWithoutSlaves`, `FrameworksEndpointWithoutFrameworks` and `MasterInfo`.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_has_nothing_yet_says_who_it_is() {
    let domain = master::FaultDomain { region: "region-abc".into(), zone: "zone-123".into() };
    let master = support::master_with(|options| {
        options.hostname = Some("localhost".into());
        options.cluster = Some("test-cluster".into());
        options.domain = Some(domain);
    })
    .await;
    let address = master.address();
    let state = get(address, "/state").await.json();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    for moment in ["start_time", "elected_time"] {
        assert!((now - state[moment].as_f64().unwrap()).abs() < 60.0, "{moment}: {}", state[moment]);
    }
    assert_eq!((&state["hostname"], &state["cluster"]), (&json!("localhost"), &json!("test-cluster")));
    assert_eq!((&state["id"], &state["pid"]), (&json!(master.id()), &json!(format!("master@{address}"))));
    assert_eq!(state["leader_info"]["hostname"], "localhost");
    assert_eq!(state["leader_info"]["port"], address.port());
    for name in ["activated_slaves", "deactivated_slaves", "unreachable_slaves"] {
        assert_eq!(state[name], 0.0, "{name}");
    }
    for name in [
        "slaves",
        "recovered_slaves",
        "frameworks",
        "completed_frameworks",
        "orphan_tasks",
        "unregistered_frameworks",
    ] {
        assert_eq!(state[name], json!([]), "{name}");
    }
    assert_eq!(state["capabilities"], json!(["AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2"]));
    assert_eq!(state["flags"]["cluster"], "test-cluster");
    assert_eq!(get(address, "/slaves").await.json(), json!({ "slaves": [], "recovered_slaves": [] }));
    let none = json!({ "frameworks": [], "completed_frameworks": [], "unregistered_frameworks": [] });
    assert_eq!(get(address, "/frameworks").await.json(), none);

    let mut scheduler = Scheduler::open(address, Subscription::default()).await;
    let info = scheduler.wait_for("SUBSCRIBED").await["subscribed"]["master_info"].clone();
    assert_eq!((&info["hostname"], &info["port"]), (&json!("localhost"), &json!(address.port())));
    assert_eq!(
        info["address"],
        json!({ "hostname": "localhost", "ip": "127.0.0.1", "port": address.port() })
    );
    // The older form of the address: its bytes as a number of the machine.
    assert_eq!(info["ip"], u32::from_le_bytes([127, 0, 0, 1]));
    assert_eq!(info["version"], state["version"]);
    assert_eq!(info["domain"]["fault_domain"]["zone"]["name"], "zone-123");
    master.shutdown().await;
}

/// After `MasterTest.StateEndpointAgentCapabilities`, `SlaveActiveEndpoint` and `DomainEndpoints`.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_shown_alike_everywhere_and_inactive_when_its_connection_broke() {
    let domain = |zone: &str| master::FaultDomain { region: "r".into(), zone: zone.into() };
    let master = support::master_with(|options| options.domain = Some(domain("of-the-master"))).await;
    let mut agent = FakeAgent::listen(master.address()).await;
    let mut slave = agent.info();
    let text = r#"{"fault_domain":{"region":{"name":"far"},"zone":{"name":"z"}}}"#;
    slave.domain = Some(proto::json::from_slice(text.as_bytes()).unwrap());
    agent.register_as(slave).await;
    let said = FakeAgent::capabilities();
    let all: Vec<&str> = said.iter().map(|capability| capability.r#type().as_str_name()).collect();
    assert_eq!(all.len(), 8);
    for path in ["/state", "/state-summary", "/slaves"] {
        let shown = get(master.address(), path).await.json()["slaves"][0].clone();
        assert_eq!(shown["domain"]["fault_domain"]["region"]["name"], "far", "{path}");
        assert_eq!(shown["domain"]["fault_domain"]["zone"]["name"], "z", "{path}");
        let capabilities = shown["capabilities"].as_array().unwrap();
        assert!(all.iter().all(|name| capabilities.contains(&json!(name))), "{path}: {capabilities:?}");
        assert_eq!((&shown["active"], &shown["deactivated"]), (&json!(true), &json!(false)), "{path}");
    }
    agent.kill();
    support::until("the agent is shown as inactive", async || {
        get(master.address(), "/state").await.json()["slaves"][0]["active"] == false
    })
    .await;
    master.shutdown().await;
}

/// After `MasterTest.RecoveredSlaves`, `SlavesEndpointQuerySlave` and `SlavesEndpointTwoSlaves`.
#[tokio::test(flavor = "multi_thread")]
async fn agents_that_have_not_come_to_the_next_master_are_shown_apart() {
    let directory = tempfile::tempdir().unwrap();
    let start = || support::master_with(|options| options.work_dir = Some(directory.path().to_owned()));
    let master = start().await;
    let (first, second) =
        (FakeAgent::register(master.address()).await, FakeAgent::register(master.address()).await);
    let ids = |list: &Value| -> Vec<String> {
        let each = list.as_array().unwrap().iter();
        each.map(|agent| agent["id"].as_str().unwrap().to_owned()).collect()
    };
    let shown = get(master.address(), &format!("/slaves?slave_id={}", first.id)).await.json();
    assert_eq!(ids(&shown["slaves"]), [first.id.as_str()]);
    assert_eq!(ids(&get(master.address(), "/slaves").await.json()["slaves"]).len(), 2);
    master.shutdown().await;

    let master = start().await;
    for path in ["/state", "/slaves"] {
        let shown = get(master.address(), path).await.json();
        assert_eq!((ids(&shown["slaves"]).len(), ids(&shown["recovered_slaves"]).len()), (0, 2), "{path}");
    }
    let shown = get(master.address(), &format!("/slaves?slave_id={}", second.id)).await.json();
    assert_eq!(ids(&shown["recovered_slaves"]), [second.id.as_str()]);
    // One comes back, from where it was.
    let mut back = FakeAgent::listen(master.address()).await;
    back.id = second.id.clone();
    back.send(&back.reregistration());
    let _: internal::SlaveReregisteredMessage = back.wait_for().await;
    for path in ["/state", "/slaves"] {
        let shown = get(master.address(), path).await.json();
        assert_eq!(ids(&shown["slaves"]), [second.id.as_str()], "{path}");
        assert_eq!(ids(&shown["recovered_slaves"]), [first.id.as_str()], "{path}");
    }
    master.shutdown().await;
}

/// After `MasterTest.FrameworkSubscribeEmptyId`, `FrameworksEndpointMultipleFrameworks`, `UnregisteredFrameworksAfterTearDown`, `ShutdownFrameworkWhileTaskRunning`
/// and `StateSummaryEndpoint`.
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_ended_is_found_among_those_that_did_with_its_tasks_killed() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    // Without an id, which Mesos' drivers write as an empty one.
    let unnamed = Subscription::default().with("id", json!({ "value": "" }));
    let other = Scheduler::subscribe(address, unnamed).await;
    assert!(other.framework_id.starts_with(master.id()), "{}", other.framework_id);
    let with_id = Subscription::default().with("id", json!({ "value": "framework1" }));
    let mut scheduler = Scheduler::subscribe(address, with_id).await;
    assert_eq!(scheduler.framework_id, "framework1");
    let frameworks = get(address, "/frameworks").await.json();
    assert_eq!(frameworks["frameworks"].as_array().unwrap().len(), 2);
    // The other one may hold the offer, and gives it back at its end.
    drop(other);
    let offer = scheduler.offer().await;
    let task = json!({
        "name": "", "task_id": { "value": "t" }, "agent_id": offer["agent_id"],
        "resources": [scalar("cpus", 1.0), scalar("mem", 32.0)], "command": { "value": "sleep 100" },
    });
    scheduler.launch(&offer, task).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    agent.update("framework1", "t", v1::TaskState::TaskRunning, 1);
    scheduler.wait_for("UPDATE").await;
    let summary = get(address, "/state-summary").await.json();
    assert_eq!(
        (&summary["slaves"][0]["TASK_RUNNING"], &summary["slaves"][0]["TASK_KILLED"]),
        (&json!(1), &json!(0))
    );
    scheduler.call("TEARDOWN", "teardown", json!({})).await;
    let _: internal::ShutdownFrameworkMessage = agent.wait_for().await;

    let shown = get(address, "/frameworks?framework_id=framework1").await.json();
    assert_eq!((&shown["frameworks"], &shown["unregistered_frameworks"]), (&json!([]), &json!([])));
    let ended = &shown["completed_frameworks"][0];
    assert_eq!((&ended["id"], &ended["name"]), (&json!("framework1"), &json!("test")));
    assert_eq!(ended["completed_tasks"][0]["state"], "TASK_KILLED");
    let state = get(address, "/state").await.json();
    assert_eq!(state["unregistered_frameworks"], json!([]));
    let summary = get(address, "/state-summary").await.json();
    assert_eq!(
        (&summary["slaves"][0]["TASK_RUNNING"], &summary["slaves"][0]["TASK_KILLED"]),
        (&json!(0), &json!(0)),
        "summaries have no frameworks that are over"
    );
    master.shutdown().await;
}

/// After `MasterAlreadyDrainedTest.DrainAgent` and `MasterDrainingTest.DrainAgent`: what operators see of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_drained_is_shown_so_everywhere() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let agent_id = json!({ "value": agent.id });
    let call = async |kind: &str, part: Value| {
        post(address, "/api/v1", &json!({ "type": kind, kind.to_lowercase(): part }).to_string()).await
    };
    let drain = json!({ "agent_id": agent_id, "max_grace_period": { "seconds": 10 } });
    assert_eq!(call("DRAIN_AGENT", drain).await.status, 200);
    let _: internal::DrainSlaveMessage = agent.wait_for().await;
    let info = json!({
        "state": "DRAINED",
        "config": { "max_grace_period": { "nanoseconds": 10_000_000_000_u64 }, "mark_gone": false },
    });
    let agents = post(address, "/api/v1", r#"{"type":"GET_AGENTS"}"#).await.json();
    let shown = &agents["get_agents"]["agents"][0];
    assert_eq!((&shown["deactivated"], &shown["drain_info"]), (&json!(true), &info));
    assert!(shown["estimated_drain_start_time"]["nanoseconds"].as_u64() > Some(0), "{shown}");
    for path in ["/state", "/state-summary", "/slaves"] {
        let shown = get(address, path).await.json()["slaves"][0].clone();
        assert_eq!((&shown["deactivated"], &shown["drain_info"]), (&json!(true), &info), "{path}");
        assert!(shown["estimated_drain_start_time_seconds"].as_f64() > Some(0.0), "{path}: {shown}");
    }
    assert_eq!(call("REACTIVATE_AGENT", json!({ "agent_id": agent_id })).await.status, 200);
    let shown = get(address, "/state").await.json()["slaves"][0].clone();
    assert!(shown.get("drain_info").is_none() && shown.get("estimated_drain_start_time_seconds").is_none());
    let again = call("REACTIVATE_AGENT", json!({ "agent_id": agent_id })).await;
    assert_eq!((again.status, again.body.as_str()), (400, "Agent is not deactivated"));
    master.shutdown().await;
}

/// The metrics of the only framework, without what all of their names begin with.
async fn figures(address: std::net::SocketAddr, scheduler: &Scheduler) -> impl Fn(&str) -> f64 {
    let metrics = get(address, "/metrics/snapshot").await.json();
    let prefix = format!("master/frameworks/test/{}/", scheduler.framework_id);
    move |name: &str| {
        metrics[format!("{prefix}{name}")].as_f64().unwrap_or_else(|| panic!("no {prefix}{name}"))
    }
}

/// What `MasterTest.StatusUpdateAck`, `TaskStateMetrics`, `MultiRoleSchedulerUnsubscribeFromRole` and `OfferTimeout` say of metrics.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_framework_does_is_counted() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    let offer = scheduler.offer().await;
    let tasks = ["runs", "ends"].map(|id| {
        json!({
            "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"],
            "resources": [scalar("cpus", 0.1), scalar("mem", 32.0)], "command": { "value": "sleep 100" },
        })
    });
    let launch = json!({ "type": "LAUNCH", "launch": { "task_infos": tasks } });
    let accept =
        json!({ "offer_ids": [offer["id"]], "operations": [launch], "filters": { "refuse_seconds": 600 } });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    let states = [("runs", v1::TaskState::TaskRunning, 1), ("ends", v1::TaskState::TaskFinished, 2)];
    for (id, state, number) in states {
        agent.update(&scheduler.framework_id, id, state, number);
        let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
        let acknowledge =
            json!({ "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"] });
        scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await;
        let _: internal::StatusUpdateAcknowledgementMessage = agent.wait_for().await;
    }
    scheduler.call("SUPPRESS", "suppress", json!({})).await;
    support::until("the framework is suppressed", async || {
        figures(address, &scheduler).await("roles/*/suppressed") == 1.0
    })
    .await;
    let figure = figures(address, &scheduler).await;
    for (name, value) in [
        ("subscribed", 1.0),
        ("calls/accept", 1.0),
        ("calls/acknowledge", 2.0),
        ("calls/suppress", 1.0),
        ("offers/accepted", 1.0),
        ("offers/rescinded", 0.0),
        ("operations/launch", 2.0),
        ("events/update", 2.0),
        ("tasks/active/task_running", 1.0),
        ("tasks/active/task_staging", 0.0),
        ("tasks/terminal/task_finished", 1.0),
        ("tasks/terminal/task_lost", 0.0),
    ] {
        assert_eq!(figure(name), value, "{name}");
    }
    master.shutdown().await;

    let timeout = std::time::Duration::from_millis(50);
    let master = support::master_with(|options| options.offer_timeout = Some(timeout)).await;
    let _agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    scheduler.wait_for("RESCIND").await;
    scheduler.wait_for("OFFERS").await;
    let figure = figures(master.address(), &scheduler).await;
    assert!(figure("offers/sent") >= 2.0 && figure("offers/rescinded") >= 1.0);
    assert_eq!((figure("offers/accepted"), figure("offers/declined")), (0.0, 0.0));
    master.shutdown().await;
}
