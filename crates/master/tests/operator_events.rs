//! What who watches a master is told: what Mesos protects with those of its `MasterAPITest` that subscribe.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use proto::v1::TaskState::TaskRunning;
use proto::{internal, v1};
use serde_json::{Value, json};
use support::{Events, FakeAgent, Scheduler, Subscription, form, get};

/// One who watches.
struct Watch(Events);

impl Watch {
    /// Watches from now on; the state at the beginning.
    async fn begin(master: SocketAddr) -> (Self, Value) {
        let mut events = Events::open(master, "/api/v1", r#"{"type":"SUBSCRIBE"}"#).await;
        let first = events.next().await.expect("the first event");
        assert_eq!(first["type"], "SUBSCRIBED");
        (Self(events), first["subscribed"].clone())
    }

    /// The part of the next event that is no heartbeat, which has to be of that type.
    async fn expect(&mut self, kind: &str) -> Value {
        let (found, part) = self.next().await;
        assert_eq!(found, kind, "{part}");
        part
    }

    /// The next event that is no heartbeat: its type and its part.
    async fn next(&mut self) -> (String, Value) {
        let next = async {
            loop {
                let event = self.0.next().await.expect("the stream goes on");
                let kind = event["type"].as_str().unwrap().to_owned();
                if kind != "HEARTBEAT" {
                    let part = event[kind.to_lowercase()].clone();
                    return (kind, part);
                }
            }
        };
        // Heartbeats come all the time.
        tokio::time::timeout(support::PATIENCE, next).await.expect("something happens in time")
    }
}

fn task(offer: &Value, id: &str) -> Value {
    let scalar =
        |name: &str, value: f64| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } });
    let health_check = json!({ "type": "COMMAND", "command": { "value": "exit 1" } });
    json!({
        "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"], "health_check": health_check,
        "resources": [scalar("cpus", 1.0), scalar("mem", 64.0)], "command": { "value": "sleep 1000" },
    })
}

/// How many frameworks, agents, tasks and executors there are at the beginning.
fn counts(subscribed: &Value) -> [usize; 4] {
    let count = |part: &str, list: &str| {
        subscribed["get_state"][part][list].as_array().unwrap_or_else(|| panic!("{subscribed}")).len()
    };
    [
        count("get_frameworks", "frameworks"),
        count("get_agents", "agents"),
        count("get_tasks", "tasks"),
        count("get_executors", "executors"),
    ]
}

/// After `SubscribeAgentEvents`.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_comes_and_leaves() {
    let master = support::patient_master(|_| ()).await;
    let (mut watch, first) = Watch::begin(master.address()).await;
    assert_eq!(counts(&first), [0; 4]);
    let mut agent = FakeAgent::register(master.address()).await;
    let added = watch.expect("AGENT_ADDED").await["agent"].clone();
    assert_eq!(added["agent_info"]["hostname"], "localhost");
    assert_eq!(added["agent_info"]["id"]["value"], agent.id.as_str());
    assert_eq!(
        (&added["pid"], &added["version"]),
        (&json!(format!("slave(1)@{}", agent.address)), &json!("1.12.0"))
    );
    assert_eq!(added["total_resources"].as_array().map(Vec::len), Some(3));
    agent.send(&internal::UnregisterSlaveMessage { slave_id: agent.id.as_str().into() });
    assert_eq!(watch.expect("AGENT_REMOVED").await["agent_id"]["value"], agent.id.as_str());
    master.shutdown().await;
}

/// After `FrameworksEvent`.
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_comes_comes_back_and_is_torn_down() {
    let master = support::patient_master(|_| ()).await;
    let (mut watch, _) = Watch::begin(master.address()).await;
    let info =
        || Subscription::default().with("failover_timeout", json!(600.0)).with("checkpoint", json!(false));
    let scheduler = Scheduler::subscribe(master.address(), info()).await;
    let id = scheduler.framework_id.clone();
    let added = watch.expect("FRAMEWORK_ADDED").await["framework"].clone();
    let mut expected = info().info;
    expected["id"] = json!({ "value": id });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&added["framework_info"][field], value, "{field}");
    }
    assert_eq!((&added["active"], &added["connected"]), (&json!(true), &json!(true)));
    drop(scheduler);
    // That it is away is not told, as in Mesos.
    support::until("the framework is away", async || {
        support::get(master.address(), "/frameworks").await.json()["frameworks"][0]["connected"] == false
    })
    .await;
    let again = info().with("id", json!({ "value": id })).with("name", json!("renamed"));
    let _again = Scheduler::subscribe(master.address(), again).await;
    let back = watch.expect("FRAMEWORK_UPDATED").await["framework"].clone();
    assert_eq!((&back["active"], &back["connected"]), (&json!(true), &json!(true)));
    assert_eq!(back["framework_info"]["name"], "renamed");
    let at = |framework: &Value, which: &str| framework[which]["nanoseconds"].as_i64();
    assert_eq!(at(&back, "registered_time"), at(&added, "registered_time"));
    assert!(at(&back, "reregistered_time") > at(&added, "registered_time"), "{back}");
    assert_eq!(form(master.address(), "/teardown", &format!("frameworkId={id}")).await.status, 200);
    let removed = watch.expect("FRAMEWORK_REMOVED").await["framework_info"].clone();
    assert_eq!(removed["id"]["value"], id.as_str());
    master.shutdown().await;
}

/// A framework whose task `t` runs, and what its agent told of it.
async fn running(
    master: SocketAddr,
    watch: &mut Watch,
) -> (FakeAgent, Scheduler, internal::StatusUpdateMessage) {
    let mut agent = FakeAgent::register(master).await;
    watch.expect("AGENT_ADDED").await;
    let mut scheduler = Scheduler::subscribe(master, Subscription::default()).await;
    watch.expect("FRAMEWORK_ADDED").await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, task(&offer, "t")).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    let added = watch.expect("TASK_ADDED").await["task"].clone();
    assert_eq!((&added["task_id"]["value"], &added["state"]), (&json!("t"), &json!("TASK_STAGING")));
    assert_eq!(added["health_check"]["command"]["value"], "exit 1");
    let update = status(&agent, &scheduler, 1, None);
    agent.send(&update);
    let told = watch.expect("TASK_UPDATED").await;
    assert_eq!((&told["state"], &told["status"]["state"]), (&json!("TASK_RUNNING"), &json!("TASK_RUNNING")));
    assert_eq!(told["status"]["task_id"]["value"], "t");
    assert_eq!(told["framework_id"]["value"], scheduler.framework_id.as_str());
    scheduler.wait_for("UPDATE").await;
    (agent, scheduler, update)
}

/// That the task runs, and how it is.
fn status(
    agent: &FakeAgent,
    scheduler: &Scheduler,
    number: u8,
    healthy: Option<bool>,
) -> internal::StatusUpdateMessage {
    let mut uuid = [number; 16];
    uuid[6] = 0x40 | (number & 0xf);
    let status = v1::TaskStatus {
        task_id: "t".into(),
        state: TaskRunning.into(),
        agent_id: Some(agent.id.as_str().into()),
        timestamp: Some(1.0),
        uuid: Some(uuid.to_vec().into()),
        reason: healthy.map(|_| v1::task_status::Reason::TaskHealthCheckStatusUpdated.into()),
        healthy,
        ..Default::default()
    };
    let update = internal::StatusUpdate {
        framework_id: scheduler.framework_id.as_str().into(),
        slave_id: Some(agent.id.as_str().into()),
        status,
        timestamp: 1.0,
        uuid: Some(uuid.to_vec().into()),
        latest_state: Some(TaskRunning.into()),
        ..Default::default()
    };
    internal::StatusUpdateMessage { update, pid: Some(format!("slave(1)@{}", agent.address)) }
}

/// After `Subscribe` and `SubscribersReceiveHealthUpdates`.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_repeated_is_told_once_and_a_change_of_health_is_told() {
    let master = support::patient_master(|_| ()).await;
    let (mut watch, _) = Watch::begin(master.address()).await;
    let (mut agent, mut scheduler, update) = running(master.address(), &mut watch).await;
    // Nobody has acknowledged it, so its agent repeats it.
    agent.send(&update);
    scheduler.wait_for("UPDATE").await;
    let unhealthy = status(&agent, &scheduler, 2, Some(false));
    agent.send(&unhealthy);
    let told = watch.expect("TASK_UPDATED").await;
    assert_eq!((&told["state"], &told["status"]["healthy"]), (&json!("TASK_RUNNING"), &json!(false)));
    // Who comes now sees all of it at once.
    let (_, first) = Watch::begin(master.address()).await;
    assert_eq!(counts(&first), [1, 1, 1, 0]);
    master.shutdown().await;
}

/// After `MasterFailover` (MESOS-8601, MESOS-9785).
#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_brings_to_the_next_master() {
    let master = support::patient_master(|_| ()).await;
    let (mut watch, first) = Watch::begin(master.address()).await;
    assert_eq!(counts(&first), [0; 4]);
    let mut agent = FakeAgent::listen(master.address()).await;
    agent.id = "former-master-S3".into();
    let framework_id: v1::FrameworkId = "former-master-0007".into();
    let framework = v1::FrameworkInfo {
        id: Some(framework_id.clone()),
        user: "root".into(),
        name: "test".into(),
        failover_timeout: Some(60.0),
        checkpoint: Some(true),
        roles: vec!["*".into()],
        ..Default::default()
    };
    let kept = v1::Task {
        name: "kept".into(),
        task_id: "kept".into(),
        framework_id,
        agent_id: agent.id.as_str().into(),
        state: TaskRunning.into(),
        ..Default::default()
    };
    agent.send(&internal::ReregisterSlaveMessage {
        tasks: vec![kept],
        frameworks: vec![framework],
        ..agent.reregistration()
    });
    let agent_added = watch.expect("AGENT_ADDED").await;
    let framework_added = watch.expect("FRAMEWORK_ADDED").await;
    let task_added = watch.expect("TASK_ADDED").await;
    assert_eq!(agent_added["agent"]["agent_info"]["id"]["value"], "former-master-S3");
    let framework = &framework_added["framework"];
    assert_eq!(framework["framework_info"]["id"]["value"], "former-master-0007");
    let flags = ["active", "connected", "recovered"].map(|flag| framework[flag].clone());
    assert_eq!(flags, [json!(false), json!(false), json!(true)]);
    assert_eq!(task_added["task"]["task_id"]["value"], "kept");
    master.shutdown().await;
}

/// After `Heartbeat`.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_comes_at_once_and_then_every_interval() {
    const INTERVAL: Duration = Duration::from_millis(200);
    let master = support::patient_master(|options| options.http_heartbeat_interval = INTERVAL).await;
    let begun = tokio::time::Instant::now();
    let (mut watch, first) = Watch::begin(master.address()).await;
    assert_eq!(first["heartbeat_interval_seconds"], INTERVAL.as_secs_f64());
    for beat in 0..4 {
        assert_eq!(watch.0.next().await.unwrap()["type"], "HEARTBEAT");
        assert!(begun.elapsed() >= INTERVAL * beat, "beat {beat} comes after {:?}", begun.elapsed());
    }
    master.shutdown().await;
}

/// After `MaxEventStreamSubscribers`.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_watched_longest_makes_room_for_one_more() {
    let master = support::patient_master(|options| {
        options.max_operator_event_stream_subscribers = 2;
        options.http_heartbeat_interval = Duration::from_millis(20);
    })
    .await;
    let address = master.address();
    let watching = async |count: f64| {
        support::until("so many watch", async || {
            let metrics = get(address, "/metrics/snapshot").await.json();
            metrics["master/operator_event_stream_subscribers"] == count
        })
        .await;
    };
    let (mut first, _) = Watch::begin(address).await;
    let (mut second, _) = Watch::begin(address).await;
    watching(2.0).await;
    let (third, _) = Watch::begin(address).await;
    while first.0.next().await.is_some() {}
    watching(2.0).await;
    // One that goes by itself makes room, too.
    drop(third);
    watching(1.0).await;
    let (mut fourth, _) = Watch::begin(address).await;
    let _scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    for watch in [&mut second, &mut fourth] {
        watch.expect("FRAMEWORK_ADDED").await;
    }
    let metrics = get(address, "/metrics/snapshot").await.json();
    assert_eq!(metrics["master/operator_event_streams_too_slow"], 0.0, "they read");
    master.shutdown().await;
}
