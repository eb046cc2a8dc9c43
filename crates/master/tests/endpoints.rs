//! Endpoints and calls where they are asked for what is seldom asked: methods, parts that are missing, entities that are over.

mod support;

use master::{FaultDomain, MasterOptions, MasterServer};
use proto::v1::domain_info;
use proto::v1::domain_info::fault_domain::{RegionInfo, ZoneInfo};
use proto::{internal, v0, v1};
use serde_json::{Value, json};
use support::{Events, FakeAgent, Scheduler, Subscription, form, get, json as post, request, until};

fn task(offer: &Value, id: &str) -> Value {
    let cpus = json!({ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 } });
    json!({
        "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"], "resources": [cpus],
        "command": { "value": "true" },
    })
}

/// A framework with a task that the agent was given.
async fn with_task(master: &MasterServer, agent: &mut FakeAgent, id: &str) -> Scheduler {
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, task(&offer, id)).await;
    let _: internal::RunTaskMessage = agent.wait_for().await;
    scheduler
}

/// After Mesos' `TaskStateSummaries` and `SlaveFrameworkMapping`.
#[tokio::test(flavor = "multi_thread")]
async fn the_summary_counts_nothing_of_frameworks_that_are_over() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let ended = with_task(&master, &mut agent, "over").await;
    let over = ended.framework_id.as_str();
    let summary = || async { get(master.address(), "/state-summary").await.json()["slaves"][0].clone() };
    assert_eq!(summary().await["framework_ids"], json!([over]));
    assert_eq!(form(master.address(), "/teardown", &format!("frameworkId={over}")).await.status, 200);
    let agent_now = summary().await;
    assert_eq!(agent_now["framework_ids"], json!([]));
    let states = agent_now.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("TASK_"));
    let counted: Vec<_> = states.filter(|(_, count)| **count != 0).collect();
    assert!(counted.is_empty(), "{counted:?}");
    let stays = with_task(&master, &mut agent, "stays").await;
    assert_eq!(summary().await["framework_ids"], json!([stays.framework_id]));
    assert_eq!(summary().await["TASK_STAGING"], 1);
    master.shutdown().await;
}

/// As `sendFrameworkUpdates` in Mesos' master.
#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_that_a_framework_is_back_or_another_and_not_that_it_is_away() {
    let master = support::master().await;
    let address = master.address();
    let info = || Subscription::default().with("failover_timeout", json!(600));
    let scheduler = Scheduler::subscribe(address, info()).await;
    let id = json!({ "value": scheduler.framework_id });
    let mut watch = Events::open(address, "/api/v1", r#"{"type":"SUBSCRIBE"}"#).await;
    assert_eq!(watch.next().await.unwrap()["type"], "SUBSCRIBED");
    let renamed = info().with("id", id.clone()).with("name", json!("renamed")).info;
    let update = json!({ "framework_info": renamed });
    assert_eq!(scheduler.call("UPDATE_FRAMEWORK", "update_framework", update).await.status, 200);
    drop(scheduler);
    until("the framework is away", async || {
        get(address, "/frameworks").await.json()["frameworks"][0]["connected"] == false
    })
    .await;
    let again = info().with("id", id).with("name", json!("back"));
    let _again = Scheduler::subscribe(address, again).await;
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("back") {
        let event = watch.next().await.unwrap();
        if event["type"] != "HEARTBEAT" {
            assert_eq!(event["type"], "FRAMEWORK_UPDATED");
            let framework = &event["framework_updated"]["framework"];
            assert_eq!(framework["connected"], true, "{framework}");
            seen.push(framework["framework_info"]["name"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen, ["renamed", "back"]);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_paths_that_are_wrong_are_told_as_in_mesos() {
    let master = support::master().await;
    let address = master.address();
    for path in ["/maintenance/status", "/master/maintenance/status"] {
        assert_eq!(get(address, path).await.status, 200);
        let refused = request(address, "POST", path, &[], b"").await;
        assert_eq!(refused.status, 405);
        assert!(refused.body.contains("Expecting one of { 'GET' }, but received 'POST'"), "{refused:?}");
    }
    let missing = request(address, "DELETE", "/quota", &[], b"").await;
    assert_eq!(missing.status, 400);
    assert!(missing.body.contains("expected 3 tokens, found 2 tokens"), "{missing:?}");
    assert_eq!(request(address, "PUT", "/quota", &[], b"").await.status, 405);
    let unknown = post(address, "/api/v1", r#"{"type":"UNKNOWN"}"#).await;
    assert_eq!((unknown.status, unknown.body.lines().count()), (501, 1), "{unknown:?}");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_set_by_the_older_call() {
    let master = support::master().await;
    let address = master.address();
    let _agent = FakeAgent::register(address).await;
    let cpus = json!({ "name": "cpus", "type": "SCALAR", "scalar": { "value": 2.0 } });
    let request = json!({ "role": "ads", "guarantee": [cpus] });
    let call = json!({ "type": "SET_QUOTA", "set_quota": { "quota_request": request } });
    let set = post(address, "/api/v1", &call.to_string()).await;
    assert_eq!((set.status, set.body.as_str()), (200, ""));
    let shown = post(address, "/api/v1", r#"{"type":"GET_QUOTA"}"#).await.json();
    let config = &shown["get_quota"]["status"]["configs"][0];
    // What was guaranteed by the older call was a limit as well.
    for part in ["guarantees", "limits"] {
        assert_eq!(config[part]["cpus"]["value"], 2.0, "{shown}");
    }
    assert_eq!(config["role"], "ads");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_have_not_come_back_are_shown_with_their_domain() {
    let work_dir = tempfile::tempdir().unwrap();
    let in_directory = |options: &mut MasterOptions| {
        options.work_dir = Some(work_dir.path().to_owned());
        options.registry = master::RegistryKind::Embedded;
        // Without one it would take no agents that have one.
        options.domain = Some(FaultDomain { region: "r".into(), zone: "other".into() });
    };
    let first = support::master_with(in_directory).await;
    let mut agent = FakeAgent::listen(first.address()).await;
    let (region, zone) = (RegionInfo { name: "r".into() }, ZoneInfo { name: "z".into() });
    let domain = v1::DomainInfo { fault_domain: Some(domain_info::FaultDomain { region, zone }) };
    agent.register_as(v0::SlaveInfo { domain: Some(domain), ..agent.info() }).await;
    first.shutdown().await;
    let second = support::master_with(in_directory).await;
    for path in ["/state", "/slaves"] {
        let recovered = get(second.address(), path).await.json()["recovered_slaves"][0].clone();
        assert_eq!(recovered["id"], agent.id.as_str(), "{path}");
        let named = |part: &str| recovered["domain"]["fault_domain"][part]["name"].clone();
        assert_eq!((named("region"), named("zone")), (json!("r"), json!("z")), "{path}");
    }
    second.shutdown().await;
}

/// After Mesos' `ReadFileInvalidPath`, and with a log as `--external_log_file` names one.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_by_either_api() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let master = support::master_with(|options| options.log_files.external = Some(log.clone())).await;
    let address = master.address();
    let call = |kind: &str, more: Value| json!({ "type": kind, kind.to_lowercase(): more }).to_string();
    let read = call("READ_FILE", json!({ "path": "/master/log", "offset": 2, "length": 3 }));
    // It may come later.
    assert_eq!(post(address, "/api/v1", &read).await.status, 404);
    std::fs::write(&log, "0123456789").unwrap();
    let answer = post(address, "/api/v1", &read).await.json();
    assert_eq!(answer["read_file"], json!({ "size": 10, "data": "MjM0" }));
    let list = call("LIST_FILES", json!({ "path": "/master/log" }));
    let listed = json!({ "type": "LIST_FILES", "list_files": {} });
    assert_eq!(post(address, "/api/v1", &list).await.json(), listed, "a file is no directory");
    let list = call("LIST_FILES", json!({ "path": "/master" }));
    assert_eq!(post(address, "/api/v1", &list).await.status, 404);
    let read = get(address, "/files/read?path=/master/log&offset=8&length=5").await.json();
    assert_eq!(read, json!({ "offset": 8, "data": "89" }));
    let download = get(address, "/master/files/download?path=/master/log").await;
    assert_eq!((download.status, download.body.as_str()), (200, "0123456789"));
    assert_eq!(get(address, "/files/debug").await.json()["/master/log"], log.display().to_string());
    let elsewhere = directory.path().display();
    for path in ["/master", "/master/logs", &format!("{elsewhere}/log")] {
        assert_eq!(get(address, &format!("/files/read?path={path}")).await.status, 404, "{path}");
    }
    assert_eq!(get(address, "/files/read?path=/master/log/..").await.status, 400);
    let flags = get(address, "/flags").await.json();
    assert_eq!(flags["flags"]["external_log_file"], log.display().to_string());
    master.shutdown().await;
}
