//! Persistent volumes: what a task writes to one stays, whatever ends or restarts, until the volume is destroyed.

use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::time::{Duration, Instant};

use conformance::cluster::{Cluster, Server};
use conformance::http::Response;
use conformance::offers::{self, amount};
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::tasks::{
    create, destroy, grow, launch, reserve, reserved_disk, shared, shrink, task, unreserve, volume, with_id,
};
use conformance::{operator, ports};
use serde_json::{Value, json};

const ROLE: &str = "web";

fn subscribe(cluster: &Cluster, role: &str) -> Scheduler {
    let framework = Framework::in_role(role).capable_of("SHARED_RESOURCES");
    Scheduler::subscribe(&cluster.master.address, &framework, &Log::default()).unwrap()
}

fn accept(scheduler: &Scheduler, offer: &Value, operations: &[Value]) {
    assert_eq!(scheduler.accept_refusing(&offer["id"], operations, 0.0).unwrap(), 202);
}

/// A small task that finds a volume in its sandbox. Its other resources are reserved as the offer's are.
fn task_with(offer: &Value, id: &str, command: &str, volume: &Value) -> Value {
    let mut task = task(offer, id, command);
    let resources = task["resources"].as_array_mut().unwrap();
    for resource in resources.iter_mut() {
        let offered = offers::resources(offer).find(|offered| offered["name"] == resource["name"]).unwrap();
        if let Some(reservations) = offered.get("reservations") {
            resource["reservations"] = reservations.clone();
        }
    }
    resources.push(volume.clone());
    task
}

/// Runs a task on the volume of an id as soon as that is offered, and expects it to finish.
#[track_caller]
fn run_on(scheduler: &mut Scheduler, id: &str, command: &str) {
    let offer = offer_of(scheduler, id);
    run_with(scheduler, &offer, id, command);
}

/// The same with an offer that is at hand.
#[track_caller]
fn run_with(scheduler: &mut Scheduler, offer: &Value, id: &str, command: &str) {
    let volume = offers::volume(offer, id).unwrap();
    accept(scheduler, offer, &[launch(&[task_with(offer, "t", command, &volume)])]);
    let status = scheduler.terminal().unwrap();
    assert_eq!(status["state"], "TASK_FINISHED", "{command}: {status}");
}

/// Makes a volume of reserved disk space.
fn make(scheduler: &mut Scheduler, volume: &Value) {
    let mut space = volume.clone();
    for field in ["disk", "shared"] {
        space.as_object_mut().unwrap().remove(field);
    }
    let offer = scheduler.offer().unwrap();
    accept(scheduler, &offer, &[reserve(&[space]), create(from_ref(volume))]);
}

/// An offer with the volume of an id.
#[track_caller]
fn offer_of(scheduler: &mut Scheduler, id: &str) -> Value {
    scheduler.offer_where(|offer| offers::volume(offer, id).is_some()).unwrap()
}

/// The state that the agent reports for an operation, acknowledged.
fn finished(scheduler: &mut Scheduler) -> Value {
    let status = scheduler.operation_status(10).unwrap();
    if status.get("uuid").is_some() {
        scheduler.acknowledge_operation(&status).unwrap();
    }
    status
}

fn agent_id(cluster: &Cluster) -> String {
    let slaves = cluster.master.get("/slaves").unwrap();
    slaves["slaves"][0]["id"].as_str().unwrap().to_owned()
}

/// An operator's call of the operator API on the only agent.
fn call(cluster: &Cluster, kind: &str, mut fields: Value) -> Response {
    fields["agent_id"] = json!({"value": agent_id(cluster)});
    operator::call(&cluster.master.address, kind, &fields).unwrap()
}

/// An operator's form to an older endpoint.
fn form(cluster: &Cluster, path: &str, field: &str, resources: &[Value]) -> Response {
    let (id, resources) = (agent_id(cluster), Value::from(resources).to_string());
    let fields = [("slaveId", id.as_str()), (field, resources.as_str())];
    operator::form(&cluster.master.address, path, &fields).unwrap()
}

#[track_caller]
fn answered(response: &Response, status: u16, text: &str) {
    assert_eq!(response.head.status, status, "{}", response.text());
    assert!(response.text().contains(text), "{}", response.text());
}

/// Files of a name in the directories of volumes.
fn files(cluster: &Cluster, name: &str) -> Vec<PathBuf> {
    fn search(directory: &Path, name: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                search(&entry.path(), name, found);
            } else if entry.file_name() == name {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(cluster.directory()).unwrap().flatten() {
        search(&entry.path().join("volumes"), name, &mut found);
    }
    found
}

#[track_caller]
fn wait_until_gone(cluster: &Cluster, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !files(cluster, name).is_empty() {
        assert!(Instant::now() < deadline, "{name} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn data_survives_everything_but_destroy() {
    let mut cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let space = reserved_disk(ROLE, 64.0);
    let data = volume(&space, "v", "data");
    let offer = scheduler.offer().unwrap();
    let writer = task_with(&offer, "t", "echo one > data/f", &data);
    accept(&scheduler, &offer, &[reserve(from_ref(&space)), create(from_ref(&data)), launch(&[writer])]);
    assert_eq!(scheduler.terminal().unwrap()["state"], "TASK_FINISHED");
    run_on(&mut scheduler, "v", "grep -qx one data/f && echo two > data/f");
    scheduler.end().unwrap();

    cluster.agents[0].restart().unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    run_on(&mut scheduler, "v", "grep -qx two data/f && echo three > data/f");
    scheduler.end().unwrap();

    cluster.master.restart().unwrap();
    cluster.master.wait_until_healthy().unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    run_on(&mut scheduler, "v", "grep -qx three data/f && echo four > data/f");

    assert_eq!(files(&cluster, "f").len(), 1);
    let offer = offer_of(&mut scheduler, "v");
    accept(&scheduler, &offer, &[destroy(from_ref(&data)), unreserve(from_ref(&space))]);
    let offer = scheduler.offer_where(|offer| amount(offer, "disk", None) == 20480.0).unwrap();
    assert!(!offers::has_reservation(&offer));
    wait_until_gone(&cluster, "f");

    // A new volume of the same name begins empty.
    accept(&scheduler, &offer, &[reserve(from_ref(&space)), create(from_ref(&data))]);
    run_on(&mut scheduler, "v", "test ! -e data/f");
    scheduler.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn a_volume_grows_and_shrinks_and_keeps_its_data() {
    let mut cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let size = |size: f64| volume(&reserved_disk(ROLE, size), "v", "data");
    make(&mut scheduler, &size(64.0));
    run_on(&mut scheduler, "v", "echo one > data/f");
    let offered =
        |offer: &Value, size: f64| offers::volume(offer, "v").is_some_and(|v| v["scalar"]["value"] == size);

    let offer = scheduler.offer_where(|offer| offered(offer, 64.0)).unwrap();
    let more = reserved_disk(ROLE, 32.0);
    accept(&scheduler, &offer, &[reserve(from_ref(&more)), with_id(grow(&size(64.0), &more), "grow")]);
    assert_eq!(finished(&mut scheduler)["state"], "OPERATION_FINISHED");
    let offer = scheduler.offer_where(|offer| offered(offer, 96.0)).unwrap();
    accept(&scheduler, &offer, &[with_id(shrink(&size(96.0), 16.0), "shrink")]);
    assert_eq!(finished(&mut scheduler)["state"], "OPERATION_FINISHED");
    let offer = scheduler.offer_where(|offer| offered(offer, 80.0)).unwrap();
    assert_eq!((amount(&offer, "disk", Some(ROLE)), amount(&offer, "disk", None)), (16.0, 20384.0));
    run_with(&mut scheduler, &offer, "v", "grep -qx one data/f");
    scheduler.end().unwrap();

    answered(
        &call(&cluster, "GROW_VOLUME", json!({"volume": size(80.0), "addition": reserved_disk(ROLE, 16.0)})),
        202,
        "",
    );
    answered(
        &call(&cluster, "SHRINK_VOLUME", json!({"volume": size(96.0), "subtract": {"value": 90}})),
        202,
        "",
    );
    operator::wait_until_done(&cluster.master.address).unwrap();
    cluster.agents[0].restart().unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer_where(|offer| offered(offer, 6.0)).unwrap();
    run_with(&mut scheduler, &offer, "v", "grep -qx one data/f");
}

#[test]
fn several_tasks_share_a_volume_and_nobody_destroys_it_meanwhile() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let common = shared(&volume(&reserved_disk(ROLE, 64.0), "v", "data"));
    make(&mut scheduler, &common);
    let offer = offer_of(&mut scheduler, "v");
    let waits = "echo $$ > data/$0; until test -e data/a && test -e data/b; do sleep 0.05; done; sleep 100";
    let [a, b] = ["a", "b"].map(|id| task_with(&offer, id, &waits.replace("$0", id), &common));
    accept(&scheduler, &offer, &[launch(&[a, b])]);
    for _ in 0..2 {
        scheduler.running().unwrap();
    }
    // It is offered on while it is in use.
    let offer = offer_of(&mut scheduler, "v");
    accept(&scheduler, &offer, &[with_id(destroy(from_ref(&common)), "early")]);
    let status = scheduler.operation_status(10).unwrap();
    assert_eq!(status["state"], "OPERATION_ERROR");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("Persistent volumes in use; on agent "), "{message}");
    answered(
        &form(&cluster, "/destroy-volumes", "volumes", from_ref(&common)),
        400,
        "Persistent volumes in use",
    );
    assert_eq!(files(&cluster, "a").len(), 1);
    for id in ["a", "b"] {
        scheduler.kill(id).unwrap();
        scheduler.terminal().unwrap();
    }
    let offer = offer_of(&mut scheduler, "v");
    accept(&scheduler, &offer, &[with_id(destroy(from_ref(&common)), "late")]);
    assert_eq!(finished(&mut scheduler)["state"], "OPERATION_FINISHED");
    wait_until_gone(&cluster, "a");
}

#[test]
fn destroying_a_shared_volume_takes_back_the_offers_of_others() {
    let cluster = Cluster::start(1).unwrap();
    let mut first = subscribe(&cluster, ROLE);
    let common = shared(&volume(&reserved_disk(ROLE, 64.0), "v", "data"));
    make(&mut first, &common);
    let offer = offer_of(&mut first, "v");
    // A task keeps the volume out of no offer, and leaves something to offer with it.
    accept(&first, &offer, &[launch(&[task_with(&offer, "t", "true", &common)])]);
    assert_eq!(first.terminal().unwrap()["state"], "TASK_FINISHED");
    let held = offer_of(&mut first, "v");
    let answer = form(&cluster, "/destroy-volumes", "volumes", from_ref(&common));
    answered(&answer, 202, "");
    let rescinded = first.wait("RESCIND", 40).unwrap();
    assert_eq!(rescinded["rescind"]["offer_id"], held["id"]);
    let offer = first.offer_where(|offer| amount(offer, "disk", Some(ROLE)) == 64.0).unwrap();
    assert!(offers::volume(&offer, "v").is_none());
}

#[test]
fn operators_and_frameworks_make_and_delete_volumes_of_each_other() {
    let cluster = Cluster::start(1).unwrap();
    let space = reserved_disk(ROLE, 64.0);
    let (one, two) = (volume(&space, "one", "data"), volume(&space, "two", "data"));
    answered(&form(&cluster, "/reserve", "resources", &[reserved_disk(ROLE, 128.0)]), 202, "");
    answered(&form(&cluster, "/create-volumes", "volumes", from_ref(&one)), 202, "");
    answered(&call(&cluster, "CREATE_VOLUMES", json!({"volumes": [two]})), 202, "");
    let mut scheduler = subscribe(&cluster, ROLE);
    run_on(&mut scheduler, "one", "echo x > data/f");
    let offer = offer_of(&mut scheduler, "one");
    accept(&scheduler, &offer, &[destroy(from_ref(&one))]);
    wait_until_gone(&cluster, "f");
    let fresh = volume(&space, "fresh", "data");
    let offer = scheduler.offer_where(|offer| amount(offer, "disk", Some(ROLE)) == 64.0).unwrap();
    accept(&scheduler, &offer, &[create(from_ref(&fresh))]);
    run_on(&mut scheduler, "fresh", "echo x > data/g");
    scheduler.end().unwrap();
    answered(&form(&cluster, "/destroy-volumes", "volumes", from_ref(&two)), 202, "");
    answered(&call(&cluster, "DESTROY_VOLUMES", json!({"volumes": [fresh]})), 202, "");
    wait_until_gone(&cluster, "g");
    answered(&form(&cluster, "/unreserve", "resources", &[reserved_disk(ROLE, 128.0)]), 202, "");
}

#[test]
fn volumes_of_statically_reserved_disks() {
    let mut cluster = Cluster::with_flags(1, &[], &["--default_role=web"]).unwrap();
    let mut space = reserved_disk(ROLE, 64.0);
    space["reservations"][0]["type"] = json!("STATIC");
    let data = volume(&space, "v", "data");
    answered(&form(&cluster, "/create-volumes", "volumes", from_ref(&data)), 202, "");
    let mut scheduler = subscribe(&cluster, ROLE);
    run_on(&mut scheduler, "v", "echo one > data/f");
    scheduler.end().unwrap();
    cluster.agents[0].restart().unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    run_on(&mut scheduler, "v", "grep -qx one data/f");
}

#[test]
fn an_operator_hears_what_is_wrong_with_volumes() {
    let cluster = Cluster::start(1).unwrap();
    let space = reserved_disk(ROLE, 64.0);
    let data = volume(&space, "v", "data");
    let make = |volumes: &[Value]| form(&cluster, "/create-volumes", "volumes", volumes);
    answered(&make(from_ref(&data)), 409, "does not contain");
    answered(&form(&cluster, "/reserve", "resources", from_ref(&space)), 202, "");
    answered(&make(&[volume(&reserved_disk("db", 64.0), "v", "data")]), 409, "does not contain");
    answered(&make(&[volume(&reserved_disk(ROLE, 65.0), "v", "data")]), 409, "does not contain");
    answered(&make(from_ref(&space)), 400, "does not have DiskInfo");
    let mut read_only = data.clone();
    read_only["disk"]["volume"]["mode"] = json!("RO");
    answered(&make(&[read_only]), 400, "Read-only persistent volume not supported");
    answered(&make(&[volume(&space, "a/b", "data")]), 400, "Invalid persistence ID");
    let small = volume(&reserved_disk(ROLE, 32.0), "v", "data");
    answered(&make(&[small.clone(), small]), 400, "Persistence ID 'v' is not unique");
    answered(
        &form(&cluster, "/destroy-volumes", "volumes", from_ref(&data)),
        400,
        "Persistent volumes not found",
    );
    answered(&make(from_ref(&data)), 202, "");
    answered(
        &form(&cluster, "/unreserve", "resources", from_ref(&data)),
        400,
        "cannot be unreserved directly",
    );
    answered(&form(&cluster, "/unreserve", "resources", from_ref(&space)), 409, "does not contain");
    for path in ["/create-volumes", "/destroy-volumes"] {
        let missing = operator::form(&cluster.master.address, path, &[("slaveId", "x")]).unwrap();
        answered(&missing, 400, "Missing 'volumes' query parameter in the request body");
        let missing = operator::form(&cluster.master.address, path, &[("volumes", "[]")]).unwrap();
        answered(&missing, 400, "Missing 'slaveId' query parameter in the request body");
    }
}

#[test]
fn volumes_of_roles_within_roles_do_not_lie_in_each_other() {
    let cluster = Cluster::start(1).unwrap();
    let [outer, inner] =
        [("a", "b"), ("a/b", "c")].map(|(role, id)| volume(&reserved_disk(role, 8.0), id, "data"));
    let space = |volume: &Value| {
        let mut space = volume.clone();
        space.as_object_mut().unwrap().remove("disk");
        space
    };
    answered(&form(&cluster, "/reserve", "resources", &[space(&outer)]), 202, "");
    answered(&form(&cluster, "/reserve", "resources", &[space(&inner)]), 202, "");
    answered(&form(&cluster, "/create-volumes", "volumes", &[outer.clone(), inner]), 202, "");
    let mut below = subscribe(&cluster, "a/b");
    run_on(&mut below, "c", "echo one > data/inner");
    below.end().unwrap();
    let mut above = subscribe(&cluster, "a");
    run_on(&mut above, "b", "echo one > data/outer && test $(ls data | wc -l) = 1");
    above.end().unwrap();
    answered(&form(&cluster, "/destroy-volumes", "volumes", &[outer]), 202, "");
    wait_until_gone(&cluster, "outer");
    let mut below = subscribe(&cluster, "a/b");
    run_on(&mut below, "c", "grep -qx one data/inner");
}

#[test]
fn an_agent_that_is_started_with_less_than_it_promised_says_so_and_keeps_the_data() {
    let mut cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    make(&mut scheduler, &volume(&reserved_disk(ROLE, 64.0), "v", "data"));
    run_on(&mut scheduler, "v", "echo one > data/f");
    scheduler.end().unwrap();
    cluster.agents[0].kill();
    let work_dir = format!("--work_dir={}", cluster.directory().join("agent-0").display());
    let master = format!("--master={}", cluster.master.address);
    let flags = [work_dir, master, "--resources=cpus:8;mem:8192;disk:32".to_owned()];
    let mut small =
        Server::start("agent", ports::free(), &flags, cluster.directory().join("small.log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while small.is_running() {
        assert!(Instant::now() < deadline, "it goes on:\n{}", small.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(small.log().contains("lack disk:64"), "{}", small.log());
    assert_eq!(files(&cluster, "f").len(), 1);
    cluster.agents[0].restart().unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    run_on(&mut scheduler, "v", "grep -qx one data/f");
}
