//! Maintenance of machines, by the v1 API and by the older endpoints; and the registry that keeps it.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Time;
use master::RegistryStore;
use master_core::{AgentRecord, RegistryOperation, RegistryWrite};
use proto::internal;
use serde_json::{Value, json};
use store::kv::{LocalStore, Options};
use support::{Answer, FakeAgent, Scheduler, Subscription, get, json as post, request};

async fn call(master: &master::MasterServer, kind: &str, part: Value) -> Answer {
    let mut call = json!({ "type": kind });
    if !part.is_null() {
        call[kind.to_lowercase()] = part;
    }
    post(master.address(), "/api/v1", &call.to_string()).await
}

fn machine(hostname: &str) -> Value {
    json!({ "hostname": hostname, "ip": "0.0.0.2" })
}

fn schedule(machines: &[Value], duration: i64) -> Value {
    let unavailability = json!({ "start": { "nanoseconds": -10 }, "duration": { "nanoseconds": duration } });
    json!({ "windows": [{ "machine_ids": machines, "unavailability": unavailability }] })
}

/// Sends the same by the v1 API and by an older endpoint; both answer alike.
async fn both(master: &master::MasterServer, kind: &str, body: &Value) -> (u16, String) {
    let (path, part) = match kind {
        "UPDATE_MAINTENANCE_SCHEDULE" => ("/maintenance/schedule", json!({ "schedule": body })),
        "START_MAINTENANCE" => ("/machine/down", json!({ "machines": body })),
        _ => ("/master/machine/up", json!({ "machines": body })),
    };
    let v1 = call(master, kind, part).await;
    let v0 = request(master.address(), "POST", path, &[], body.to_string().as_bytes()).await;
    assert_eq!((v1.status, &v1.body), (v0.status, &v0.body), "{kind} {body}");
    (v0.status, v0.body)
}

/// After `MasterMaintenanceTest.UpdateSchedule`, `BringDownMachines` and `BringUpMachines`.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_schedules_and_machines_are_refused() {
    let master = support::master().await;
    let (one, two, bad) = (machine("Machine1"), machine("Machine2"), json!({}));
    let update = "UPDATE_MAINTENANCE_SCHEDULE";
    let wrong = |text: &str| (400, text.to_owned());
    let empty = "List of machines in the maintenance window is empty";
    assert_eq!(both(&master, update, &schedule(&[], 1)).await, wrong(empty));
    let negative = "Unavailability 'duration' is negative";
    assert_eq!(both(&master, update, &schedule(std::slice::from_ref(&one), -1)).await, wrong(negative));
    let nameless = "Both 'hostname' and 'ip' for a machine are empty";
    assert_eq!(both(&master, update, &schedule(std::slice::from_ref(&bad), 1)).await, wrong(nameless));
    let text = r#"{"hostname":"Machine1","ip":"0.0.0.2"}"#;
    let twice = format!("Machine '{text}' appears more than once in the schedule");
    assert_eq!(both(&master, update, &schedule(&[one.clone(), one.clone()], 1)).await, wrong(&twice));
    for kind in ["START_MAINTENANCE", "STOP_MAINTENANCE"] {
        assert_eq!(both(&master, kind, &json!([])).await, wrong("List of machines is empty"));
        assert_eq!(both(&master, kind, &json!([bad])).await, wrong(nameless));
        assert_eq!(both(&master, kind, &json!([one, one])).await, wrong(&twice));
        let unknown = format!("Machine '{text}' is not part of a maintenance schedule");
        assert_eq!(both(&master, kind, &json!([one, two])).await, wrong(&unknown));
    }
    assert_eq!(get(master.address(), "/maintenance/schedule").await.json(), json!({}));

    // Good ones, and what they make of the others.
    let both_machines = schedule(&[one.clone(), two.clone()], 1);
    assert_eq!(both(&master, update, &both_machines).await, (200, String::new()));
    assert_eq!(get(master.address(), "/maintenance/schedule").await.json(), both_machines);
    let shown = call(&master, "GET_MAINTENANCE_SCHEDULE", Value::Null).await.json();
    assert_eq!(shown["get_maintenance_schedule"]["schedule"], both_machines);
    let not_down = format!("Machine '{text}' is not in DOWN mode and cannot be brought up");
    assert_eq!(both(&master, "STOP_MAINTENANCE", &json!([one])).await, wrong(&not_down));
    assert_eq!(call(&master, "START_MAINTENANCE", json!({ "machines": [one] })).await.status, 200);
    let not_draining = format!("Machine '{text}' is not in DRAINING mode and cannot be brought down");
    assert_eq!(both(&master, "START_MAINTENANCE", &json!([one])).await, wrong(&not_draining));
    let deactivated = format!("Machine '{text}' is deactivated and cannot be removed from the schedule");
    assert_eq!(both(&master, update, &schedule(std::slice::from_ref(&two), 1)).await, wrong(&deactivated));
    let expected = json!({ "draining_machines": [{ "id": two }], "down_machines": [one] });
    assert_eq!(get(master.address(), "/maintenance/status").await.json(), expected);
    assert_eq!(call(&master, "STOP_MAINTENANCE", json!({ "machines": [one] })).await.status, 200);
    assert_eq!(get(master.address(), "/maintenance/schedule").await.json(), schedule(&[two], 1));
    assert_eq!(both(&master, update, &json!({})).await, (200, String::new()));
    assert_eq!(get(master.address(), "/maintenance/status").await.json(), json!({}));
    let no_json = request(master.address(), "POST", "/machine/up", &[], b"{").await;
    assert_eq!(no_json.status, 400, "{no_json:?}");
    master.shutdown().await;
}

/// After `MasterMaintenanceTest.InverseOffers` and `EnterMaintenanceMode`; Mesos' `MachineStatus` is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_answers_inverse_offers_and_its_agent_goes_down() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    assert!(scheduler.offer().await.get("unavailability").is_none());
    let shown = get(master.address(), "/slaves").await.json();
    let machine = json!({ "hostname": shown["slaves"][0]["hostname"], "ip": "127.0.0.1" });
    let windows = schedule(std::slice::from_ref(&machine), 7_000_000_000);
    let update = json!({ "schedule": windows });
    assert_eq!(call(&master, "UPDATE_MAINTENANCE_SCHEDULE", update).await.status, 200);
    let offer = scheduler.offer().await;
    assert_eq!(offer["unavailability"], windows["windows"][0]["unavailability"]);
    let asked = scheduler.wait_for("INVERSE_OFFERS").await;
    let inverse = &asked["inverse_offers"]["inverse_offers"][0];
    assert_eq!(
        (&inverse["unavailability"], &inverse["agent_id"]),
        (&offer["unavailability"], &offer["agent_id"])
    );
    assert_eq!(inverse["url"], offer["url"]);
    let frameworks = call(&master, "GET_FRAMEWORKS", Value::Null).await.json();
    let shown = &frameworks["get_frameworks"]["frameworks"][0]["inverse_offers"];
    assert_eq!(*shown, json!([inverse]));

    let said = async |kind: &str, status: &str| {
        let ids = json!({ "inverse_offer_ids": [inverse["id"]], "filters": { "refuse_seconds": 600 } });
        assert_eq!(scheduler.call(kind, &kind.to_lowercase(), ids).await.status, 202);
        support::until(status, async || {
            let shown = get(master.address(), "/maintenance/status").await.json();
            let answers = &shown["draining_machines"][0]["statuses"];
            answers[0]["status"] == status && answers[0]["framework_id"]["value"] == *scheduler.framework_id
        })
        .await;
    };
    said("DECLINE_INVERSE_OFFERS", "DECLINE").await;

    assert_eq!(call(&master, "START_MAINTENANCE", json!({ "machines": [machine] })).await.status, 200);
    let shutdown: internal::ShutdownMessage = agent.wait_for().await;
    assert_eq!(shutdown.message(), "Operator initiated 'Machine DOWN'");
    scheduler.wait_for("FAILURE").await;
    let status = get(master.address(), "/maintenance/status").await.json();
    assert_eq!(status, json!({ "down_machines": [machine] }));
    master.shutdown().await;
}

/// The registry as Mesos' endpoint shows it.
#[tokio::test(flavor = "multi_thread")]
async fn the_registry_is_shown_as_one_message() {
    let master = support::master().await;
    let agent = FakeAgent::register(master.address()).await;
    let windows = schedule(&[machine("a"), machine("b")], 1);
    assert_eq!(
        call(&master, "UPDATE_MAINTENANCE_SCHEDULE", json!({ "schedule": windows })).await.status,
        200
    );
    let put = request(master.address(), "PUT", "/weights", &[], br#"[{"role":"ads","weight":2.5}]"#).await;
    assert_eq!(put.status, 200, "{put:?}");
    let shown = get(master.address(), "/registrar(1)/registry").await.json();
    assert_eq!(shown["slaves"]["slaves"][0]["info"]["id"]["value"], agent.id.as_str());
    assert_eq!(shown["schedules"], json!([windows]));
    let info = &shown["machines"]["machines"][1]["info"];
    assert_eq!((&info["id"], &info["mode"]), (&machine("b"), &json!("DRAINING")));
    assert_eq!(shown["weights"], json!([{ "info": { "role": "ads", "weight": 2.5 } }]));
    assert_eq!(shown["master"]["info"]["pid"], format!("master@{}", master.address()));
    let wrapped = get(master.address(), "/registrar(1)/registry?jsonp=cb").await;
    assert!(wrapped.body.starts_with("cb("), "{}", wrapped.body);
    assert_eq!(get(master.address(), "/master/registrar(1)/registry").await.status, 404);
    master.shutdown().await;
}

/// More agents than the core's thread hands out at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_registry_is_shown_whole() {
    const AGENTS: usize = 1_100;
    let directory = tempfile::tempdir().unwrap();
    let local = LocalStore::new(&directory.path().join("registry"), Options::default());
    let registry = RegistryStore { store: Arc::new(local), fence: None, timeout: support::PATIENCE };
    let gone = AgentRecord::Gone { since: Time::EPOCH, hostname: "".into() };
    let agent = |number| RegistryOperation::Agent(format!("S{number}").as_str().into(), Some(gone.clone()));
    let write = RegistryWrite { number: 1, operations: (0..AGENTS).map(agent).collect() };
    registry.write(&[write]).await.unwrap();
    drop(registry);
    let master = support::master_with(|options| options.work_dir = Some(directory.path().to_owned())).await;
    let shown = get(master.address(), "/registrar(1)/registry").await.json();
    let agents = shown["gone"]["slaves"].as_array().unwrap();
    let ids: BTreeSet<&str> = agents.iter().filter_map(|agent| agent["id"]["value"].as_str()).collect();
    assert_eq!((agents.len(), ids.len()), (AGENTS, AGENTS), "each of them once");
    master.shutdown().await;
}

/// What a Mesos master answered when this window was in its schedule.
#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_and_its_status_are_shown_as_recorded() {
    let window = json!({
        "machine_ids": [{ "hostname": "other", "ip": "10.0.0.9" }],
        "unavailability": {
            "duration": { "nanoseconds": 3_600_000_000_000_i64 },
            "start": { "nanoseconds": 1_795_400_000_000_000_000_i64 },
        },
    });
    let (windows, draining) = (json!({ "windows": [window] }), json!({ "id": window["machine_ids"][0] }));
    let master = support::master().await;
    let body = windows.to_string();
    let set = request(master.address(), "POST", "/maintenance/schedule", &[], body.as_bytes()).await;
    assert_eq!(set.status, 200);
    let status = json!({ "draining_machines": [draining] });
    assert_eq!(get(master.address(), "/master/maintenance/schedule").await.json(), windows);
    assert_eq!(get(master.address(), "/maintenance/status").await.json(), status);
    let v1 = call(&master, "GET_MAINTENANCE_STATUS", Value::Null).await.json();
    assert_eq!(
        v1,
        json!({ "type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": { "status": status } })
    );
    let v1 = call(&master, "GET_MAINTENANCE_SCHEDULE", Value::Null).await.json();
    let shown = json!({ "schedule": windows });
    assert_eq!(v1, json!({ "type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": shown }));
    master.shutdown().await;
}
