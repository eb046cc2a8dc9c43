//! The operator API of a master: what Mesos' `MasterAPITest` protects. Each call that reads is made in JSON and in protobuf.

mod support;

use std::net::SocketAddr;

use master::{FaultDomain, MasterServer};
use proto::v1::TaskState::{TaskFinished, TaskGoneByOperator, TaskRunning, TaskUnreachable};
use proto::v1::master::call::{self, Type};
use proto::v1::master::{Call, response};
use proto::{internal, v1};
use serde_json::{Value, json};
use support::api::{ask, change, of};
use support::{FakeAgent, Scheduler, Subscription, get, json as json_call, until};

fn domain(region: &str, zone: &str) -> FaultDomain {
    FaultDomain { region: region.into(), zone: zone.into() }
}

/// Region and zone, as they are told.
fn place(domain: Option<&v1::DomainInfo>) -> (&str, &str) {
    let fault_domain = domain.and_then(|domain| domain.fault_domain.as_ref()).expect("as it was told");
    (&fault_domain.region.name, &fault_domain.zone.name)
}

/// After `GetHealth`, `GetVersion`, `GetFlags`, `GetMetrics` and `GetMaster`.
#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_is() {
    let master = support::patient_master(|options| {
        options.domain = Some(domain("region-abc", "zone-123"));
        options.cluster = Some("test-cluster".into());
    })
    .await;
    let address = master.address();
    let health = ask(address, &of(Type::GetHealth)).await.get_health;
    assert!(health.is_some_and(|part| part.healthy));
    let version = ask(address, &of(Type::GetVersion)).await.get_version;
    assert_eq!(version.unwrap().version_info.version, "1.12.0");
    let flags = ask(address, &of(Type::GetFlags)).await.get_flags.unwrap().flags;
    let cluster = flags.iter().find(|flag| flag.name == "cluster").expect("a flag that is set");
    assert_eq!(cluster.value.as_deref(), Some("test-cluster"));
    let timeout = Some(v1::DurationInfo { nanoseconds: 5_000_000_000 });
    let get_metrics = Some(call::GetMetrics { timeout });
    let metrics = ask(address, &Call { get_metrics, ..of(Type::GetMetrics) }).await.get_metrics.unwrap();
    let elected = metrics.metrics.iter().find(|metric| metric.name == "master/elected");
    assert_eq!(elected.and_then(|metric| metric.value), Some(1.0));
    let shown = ask(address, &of(Type::GetMaster)).await.get_master.unwrap();
    let info = shown.master_info.unwrap();
    assert_eq!(place(info.domain.as_ref()), ("region-abc", "zone-123"));
    assert_eq!((info.id.as_str(), info.ip), (master.id(), u32::from_ne_bytes([127, 0, 0, 1])));
    assert_eq!(info.port, u32::from(address.port()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let (start, elected) = (shown.start_time.unwrap(), shown.elected_time.unwrap());
    assert!(now - 60.0 < start && start <= elected && elected <= now, "{start} {elected} {now}");
    master.shutdown().await;
}

/// After `GetLoggingLevel` and `SetLoggingLevel`; that the last one wins is shown in `http-api`.
#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_the_log_is_set_for_a_while() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let level =
        async || ask(address, &of(Type::GetLoggingLevel)).await.get_logging_level.expect("its part").level;
    let set = async |level, nanoseconds| {
        let set_logging_level =
            Some(call::SetLoggingLevel { level, duration: v1::DurationInfo { nanoseconds } });
        let call = Call { set_logging_level, ..of(Type::SetLoggingLevel) };
        assert_eq!(change(address, &call).await, (200, String::new()));
    };
    assert_eq!(level().await, 0);
    set(1, 60_000_000_000).await;
    assert_eq!(level().await, 1);
    set(2, 1).await;
    // It may change between two questions, so one is asked at a time.
    let question = r#"{"type":"GET_LOGGING_LEVEL"}"#;
    let back =
        async || json_call(address, "/api/v1", question).await.json()["get_logging_level"]["level"] == 0;
    until("the level is back", back).await;
    master.shutdown().await;
}

async fn agents(master: SocketAddr) -> response::GetAgents {
    ask(master, &of(Type::GetAgents)).await.get_agents.unwrap()
}

/// After `GetAgents`.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_shown_with_what_it_said() {
    let master = support::patient_master(|options| options.domain = Some(domain("r1", "z1"))).await;
    let mut agent = FakeAgent::listen(master.address()).await;
    let text = r#"{"fault_domain":{"region":{"name":"r2"},"zone":{"name":"z2"}}}"#;
    let domain = Some(proto::json::from_slice(text.as_bytes()).unwrap());
    agent.register_as(proto::v0::SlaveInfo { hostname: "host".into(), domain, ..agent.info() }).await;
    let found = agents(master.address()).await;
    assert_eq!((found.agents.len(), found.recovered_agents.len()), (1, 0));
    let shown = &found.agents[0];
    assert_eq!(shown.agent_info.id.as_ref(), Some(&v1::AgentId { value: agent.id.clone() }));
    assert_eq!((shown.agent_info.hostname.as_str(), shown.version.as_str()), ("host", "1.12.0"));
    assert_eq!(place(shown.agent_info.domain.as_ref()), ("r2", "z2"));
    assert_eq!(shown.pid, Some(format!("slave(1)@{}", agent.address)));
    assert!(shown.active && shown.registered_time.is_some() && shown.reregistered_time.is_none());
    assert_eq!((shown.total_resources.len(), shown.resource_providers.len()), (3, 0));
    assert_eq!(shown.allocated_resources, []);
    master.shutdown().await;
}

async fn master_in(directory: &std::path::Path) -> MasterServer {
    support::patient_master(|options| {
        options.work_dir = Some(directory.to_owned());
        options.agent_reregister_timeout = 10 * support::PATIENCE;
    })
    .await
}

/// After `GetRecoveredAgents`.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_has_not_come_to_the_next_master_is_shown_apart() {
    let directory = tempfile::tempdir().unwrap();
    let master = master_in(directory.path()).await;
    let agent = FakeAgent::register(master.address()).await;
    assert_eq!(agents(master.address()).await.agents.len(), 1);
    let id = agent.id.clone();
    agent.kill();
    master.shutdown().await;

    let master = master_in(directory.path()).await;
    let found = agents(master.address()).await;
    assert_eq!((found.agents.len(), found.recovered_agents.len()), (0, 1));
    let recovered = &found.recovered_agents[0];
    assert_eq!((recovered.id.as_ref().unwrap().value.as_str(), recovered.resources.len()), (&*id, 3));
    let state = ask(master.address(), &of(Type::GetState)).await.get_state.unwrap();
    assert_eq!(state.get_agents.unwrap(), found);

    let mut again = FakeAgent::listen(master.address()).await;
    again.id = id.clone();
    again.send(&again.reregistration());
    let _: internal::SlaveReregisteredMessage = again.wait_for().await;
    let found = agents(master.address()).await;
    assert_eq!((found.agents.len(), found.recovered_agents.len()), (1, 0));
    assert_eq!(found.agents[0].agent_info.id.as_ref().unwrap().value, id);
    assert!(found.agents[0].reregistered_time.is_some());
    master.shutdown().await;
}

async fn frameworks(master: SocketAddr) -> response::GetFrameworks {
    ask(master, &of(Type::GetFrameworks)).await.get_frameworks.unwrap()
}

fn teardown(framework_id: &str) -> Call {
    let teardown = Some(call::Teardown { framework_id: framework_id.into() });
    Call { teardown, ..of(Type::Teardown) }
}

/// After `GetFrameworks` and `Teardown`.
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_is_shown_until_an_operator_ends_it_and_then_as_completed() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let info = Subscription::default().with("failover_timeout", json!(600)).with("name", json!("default"));
    let mut scheduler = Scheduler::subscribe(address, info).await;
    let id = scheduler.framework_id.clone();
    let offer = scheduler.offer().await;
    launch(&scheduler, &offer, task(&offer, "t", json!({}))).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let found = frameworks(address).await;
    let shown = &found.frameworks[0];
    assert_eq!(
        (shown.framework_info.name.as_str(), &*shown.framework_info.roles),
        ("default", &["*".into()][..])
    );
    assert_eq!(shown.framework_info.checkpoint, None);
    assert_eq!((shown.active, shown.connected, shown.recovered), (true, true, false));

    drop(scheduler);
    let away =
        async || get(address, "/frameworks").await.json()["frameworks"][0]["connected"] == json!(false);
    until("it is away", away).await;
    assert!(!frameworks(address).await.frameworks[0].active);
    let unknown = change(address, &teardown("nope")).await;
    assert_eq!(unknown, (400, "No framework found with specified ID".to_owned()));
    assert_eq!(frameworks(address).await.frameworks.len(), 1);
    assert_eq!(change(address, &teardown(&id)).await, (200, String::new()));
    let _: internal::ShutdownFrameworkMessage = agent.wait_for().await;
    let found = frameworks(address).await;
    assert_eq!((found.frameworks.len(), found.completed_frameworks.len()), (0, 1));
    assert_eq!(found.completed_frameworks[0].framework_info.id.as_ref().unwrap().value, id);
    assert!(found.completed_frameworks[0].unregistered_time.is_some());
    assert_eq!(change(address, &teardown(&id)).await.0, 400, "it is over");
    master.shutdown().await;
}

/// A scheduler that launches a task, and wants nothing more: what is offered does not change while one looks.
async fn launch(scheduler: &Scheduler, offer: &Value, task: Value) {
    assert_eq!(scheduler.call("SUPPRESS", "suppress", json!({})).await.status, 202);
    assert_eq!(scheduler.launch(offer, task).await.status, 202);
}

/// A command task with more fields.
fn task(offer: &Value, id: &str, more: Value) -> Value {
    let scalar =
        |name: &str, value: f64| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } });
    let mut task = json!({
        "name": "test", "task_id": { "value": id }, "agent_id": offer["agent_id"],
        "resources": [scalar("cpus", 1.0), scalar("mem", 64.0)], "command": { "value": "sleep 1000" },
    });
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

/// Every list of tasks in one state, which says the same as the calls by themselves.
async fn tasks(master: SocketAddr) -> response::GetTasks {
    let state = ask(master, &of(Type::GetState)).await.get_state.unwrap();
    let tasks = ask(master, &of(Type::GetTasks)).await.get_tasks.unwrap();
    assert_eq!(state.get_tasks.as_ref(), Some(&tasks));
    let executors = ask(master, &of(Type::GetExecutors)).await.get_executors.unwrap();
    assert_eq!(state.get_executors.as_ref(), Some(&executors));
    assert_eq!(state.get_frameworks.unwrap(), frameworks(master).await);
    assert_eq!((tasks.pending_tasks.len(), tasks.orphan_tasks.len()), (0, 0), "as in Mesos");
    tasks
}

/// How many run, have ended, and are unreachable.
fn counts(tasks: &response::GetTasks) -> (usize, usize, usize) {
    (tasks.tasks.len(), tasks.completed_tasks.len(), tasks.unreachable_tasks.len())
}

/// After `GetState`, `GetTasksNoRunningTask`, `GetTasks` and `GetExecutors`.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_comes_and_goes_in_all_lists() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    assert_eq!(counts(&tasks(address).await), (0, 0, 0));
    let mut agent = FakeAgent::register(address).await;
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    let offer = scheduler.offer().await;
    let health_check = json!({ "type": "COMMAND", "command": { "value": "exit 0" }, "delay_seconds": 1,
        "interval_seconds": 2, "timeout_seconds": 3, "consecutive_failures": 4, "grace_period_seconds": 5 });
    let executor = json!({ "type": "CUSTOM", "executor_id": { "value": "e" }, "command": { "value": "x" } });
    let mut launched = task(&offer, "1", json!({ "health_check": health_check, "executor": executor }));
    launched.as_object_mut().unwrap().remove("command");
    launch(&scheduler, &offer, launched).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let id = scheduler.framework_id.clone();
    agent.update(&id, "1", TaskRunning, 1);
    acknowledge(&mut scheduler, &mut agent).await;

    let shown = tasks(address).await;
    assert_eq!(counts(&shown), (1, 0, 0));
    let shown = &shown.tasks[0];
    assert_eq!(
        (shown.task_id.value.as_str(), shown.name.as_str(), shown.state()),
        ("1", "test", TaskRunning)
    );
    assert_eq!(shown.executor_id.as_ref().unwrap().value, "e");
    let wanted: v1::HealthCheck = proto::json::from_slice(health_check.to_string().as_bytes()).unwrap();
    assert_eq!(shown.health_check.as_ref(), Some(&wanted));
    let executors = ask(address, &of(Type::GetExecutors)).await.get_executors.unwrap().executors;
    assert_eq!(executors.len(), 1);
    assert_eq!(
        (executors[0].agent_id.value.as_str(), executors[0].executor_info.executor_id.value.as_str()),
        (agent.id.as_str(), "e")
    );

    agent.update(&id, "1", TaskFinished, 2);
    acknowledge(&mut scheduler, &mut agent).await;
    let shown = tasks(address).await;
    assert_eq!(counts(&shown), (0, 1, 0));
    assert_eq!(
        (shown.completed_tasks[0].name.as_str(), shown.completed_tasks[0].state()),
        ("test", TaskFinished)
    );
    master.shutdown().await;
}

/// The scheduler acknowledges the next status, and the agent hears of it.
async fn acknowledge(scheduler: &mut Scheduler, agent: &mut FakeAgent) {
    let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
    let acknowledge =
        json!({ "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"] });
    assert_eq!(scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await.status, 202);
    let _: internal::StatusUpdateAcknowledgementMessage = agent.wait_for().await;
}

fn aware() -> Subscription {
    let capabilities = json!([{ "type": "MULTI_ROLE" }, { "type": "PARTITION_AWARE" }]);
    Subscription::default().with("capabilities", capabilities).with("checkpoint", json!(true))
}

fn gone(agent_id: &str) -> Call {
    let mark_agent_gone = Some(call::MarkAgentGone { agent_id: agent_id.into() });
    Call { mark_agent_gone, ..of(Type::MarkAgentGone) }
}

/// After `UnreachableAgentMarkedGone` and `TaskUpdatesUponAgentGone`.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_an_unreachable_agent_that_is_declared_gone_are_completed() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let mut scheduler = Scheduler::subscribe(address, aware()).await;
    let offer = scheduler.offer().await;
    launch(&scheduler, &offer, task(&offer, "t", json!({}))).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let agent_id = agent.id.clone();
    agent.kill();
    let state = async |scheduler: &mut Scheduler| {
        scheduler.wait_for("UPDATE").await["update"]["status"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&mut scheduler).await, "TASK_UNREACHABLE");
    let shown = tasks(address).await;
    assert_eq!((counts(&shown), shown.unreachable_tasks[0].state()), ((0, 0, 1), TaskUnreachable));

    assert_eq!(change(address, &gone(&agent_id)).await, (200, String::new()));
    assert_eq!(state(&mut scheduler).await, "TASK_GONE_BY_OPERATOR");
    let shown = tasks(address).await;
    assert_eq!((counts(&shown), shown.completed_tasks[0].state()), ((0, 1, 0), TaskGoneByOperator));
    // So is a task that nobody knows there.
    let unknown = json!({ "tasks": [{ "task_id": { "value": "x" }, "agent_id": { "value": agent_id } }] });
    assert_eq!(scheduler.call("RECONCILE", "reconcile", unknown).await.status, 202);
    assert_eq!(state(&mut scheduler).await, "TASK_GONE_BY_OPERATOR");
    assert_eq!(change(address, &gone("nope")).await, (404, "Agent 'nope' not found".to_owned()));
    master.shutdown().await;
}
