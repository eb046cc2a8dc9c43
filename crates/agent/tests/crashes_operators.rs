//! The agent is killed, as by `kill -9`, at each of its writes that are not about tasks: when it starts for the first time,
//! when an operator changes what its resources are, and when it is drained. Whatever happens, what was asked for comes to
//! pass once, and master and agent are of one mind.

mod common;
mod life;
mod scene;

use std::collections::BTreeSet;
use std::time::Duration;

use life::failpoint::Failpoint;
use life::{PATIENCE, Place, kinds};
use master::{MasterOptions, MasterServer};
use proto::v1::TaskState;
use scene::{Kind, Scene};
use sdk::{Address, Operator};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long a call to the operator's API is given before it is made again: it may have met the agent's death.
const AGAIN: Duration = Duration::from_millis(500);

/// Megabytes of the disk that are reserved.
const RESERVED: f64 = 16.0;

/// Makes a call of the operator API; one that cannot be followed now is refused.
async fn call(scene: &Scene, kind: &str, body: Value) -> String {
    let call = json!({"type": kind, kind.to_lowercase(): body}).to_string();
    let (status, answer) = common::http(scene.master.address(), "POST", "/api/v1", Some(&call)).await;
    assert!(status < 500, "{kind}: {status} {answer}");
    answer
}

async fn agents(master: &MasterServer) -> Vec<Value> {
    let known = common::json(master.address(), "/slaves").await;
    known["slaves"].as_array().expect("a list").clone()
}

/// What is reserved of the disk, and whether a volume is made of it.
fn changed(agent: &Value) -> (f64, bool) {
    let reserved = agent["reserved_resources"]["r"]["disk"].as_f64().unwrap_or_default();
    let full = agent["reserved_resources_full"]["r"].as_array().cloned().unwrap_or_default();
    (reserved, full.iter().any(|resource| resource.get("disk").is_some()))
}

/// Waits until nothing is under way and master and agent tell the same of the resources; what.
async fn settled(scene: &mut Scene) -> (f64, bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        scene.attend().await;
        let known = agents(&scene.master).await;
        let operations = call(scene, "GET_OPERATIONS", json!({})).await;
        if let ([of_master], Some(of_agent)) = (known.as_slice(), scene.ask_agent("/state").await)
            && of_master["active"] == true
            && !operations.contains("PENDING")
            && changed(of_master) == changed(&of_agent)
        {
            return changed(of_master);
        }
        assert!(Instant::now() < end, "they do not come to one mind: {known:?} {operations}");
    }
}

/// Has an operator do something with resources until it has come to pass.
async fn change(scene: &mut Scene, kind: &str, field: &str, resource: Value, wanted: (f64, bool)) {
    let end = Instant::now() + PATIENCE;
    while settled(scene).await != wanted {
        assert!(Instant::now() < end, "{kind} does not come to pass");
        let id = agents(&scene.master).await[0]["id"].clone();
        call(scene, kind, json!({"agent_id": {"value": id}, field: [resource]})).await;
    }
    let volume = scene.place.work_dir().join("volumes/roles/r/v");
    assert_eq!(volume.exists(), wanted.1, "{kind}: the volume's directory");
}

fn reserved() -> Value {
    json!({"name": "disk", "type": "SCALAR", "scalar": {"value": RESERVED},
        "reservations": [{"type": "DYNAMIC", "role": "r"}]})
}

async fn change_resources(scene: &mut Scene) {
    let reserved = reserved();
    let mut volume = reserved.clone();
    volume["disk"] = json!({"persistence": {"id": "v"}, "volume": {"mode": "RW", "container_path": "data"}});
    change(scene, "RESERVE_RESOURCES", "resources", reserved.clone(), (RESERVED, false)).await;
    change(scene, "CREATE_VOLUMES", "volumes", volume.clone(), (RESERVED, true)).await;
    change(scene, "DESTROY_VOLUMES", "volumes", volume, (RESERVED, false)).await;
    change(scene, "UNRESERVE_RESOURCES", "resources", reserved, (0.0, false)).await;
}

/// Drains the agent while a task runs, and takes it back.
async fn drain(scene: &mut Scene) {
    let tasks = scene.launch(&[Kind::Drained], 0).await;
    let task = &tasks[0];
    let state = |scene: &Scene| scene.last(task).map(proto::v1::TaskStatus::state);
    scene
        .until("it runs or is lost", |scene| {
            state(scene).is_some_and(|state| state == TaskState::TaskRunning || common::is_terminal(state))
        })
        .await;
    let id = agents(&scene.master).await[0]["id"].clone();
    let agent = json!({"agent_id": {"value": id}});
    let end = Instant::now() + PATIENCE;
    loop {
        call(scene, "DRAIN_AGENT", agent.clone()).await;
        let again = Instant::now() + AGAIN;
        while Instant::now() < again && agents(&scene.master).await[0]["drain_info"]["state"] != "DRAINED" {
            scene.attend().await;
        }
        if agents(&scene.master).await[0]["drain_info"]["state"] == "DRAINED" {
            break;
        }
        assert!(Instant::now() < end, "it is not drained: {:#?}", scene.brief());
    }
    scene.until_ended().await;
    scene.until_nothing_is_left().await;
    call(scene, "REACTIVATE_AGENT", agent).await;
    scene.check(&tasks);
}

/// Goes through all writes of what `act` does, each time with another death; `kinds` are what is written then.
macro_rules! walk {
    ($act:ident, $at:expr, $kinds:expr) => {{
        let mut scene = Scene::start(Place::new()).await;
        let (mut number, mut died) = (0, true);
        while died {
            number += 1;
            let deaths = scene.deaths;
            scene.place.arm($at(number));
            $act(&mut scene).await;
            scene.place.disarm();
            settled(&mut scene).await;
            died = scene.deaths > deaths;
        }
        println!("{} writes", number - 1);
        kinds::assert_all(&$kinds, &scene.place.kinds_at_deaths());
        scene.end().await;
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_every_write_of_operations() {
    walk!(change_resources, Failpoint::Before, kinds::OF_OPERATIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_write_of_operations() {
    walk!(change_resources, Failpoint::After, kinds::OF_OPERATIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_every_write_of_a_drain() {
    walk!(drain, Failpoint::Before, kinds::OF_DRAINS);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_write_of_a_drain() {
    walk!(drain, Failpoint::After, kinds::OF_DRAINS);
}

/// The agent waits for room, and goes on as if nothing had been; also one that is killed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_the_disk_is_full() {
    for killed in [false, true] {
        let mut scene = Scene::start(Place::on_small_disk()).await;
        assert_eq!(settled(&mut scene).await, (0.0, false));
        scene.place.fill_disk();
        let id = agents(&scene.master).await[0]["id"].clone();
        let asked = json!({"agent_id": {"value": id}, "resources": [reserved()]});
        call(&scene, "RESERVE_RESOURCES", asked).await;
        scene.until_a_commit_fails().await;
        if killed {
            scene.kill_agent().await;
        }
        scene.place.free_disk();
        let now = settled(&mut scene).await;
        // What was not written down has not happened.
        assert!(now == (RESERVED, false) || (killed && now == (0.0, false)), "{now:?}");
        change_resources(&mut scene).await;
        scene.end().await;
    }
}

/// Starts an agent in a new place with its death at one write, and another one there; whether there was that write, and
/// what it was about.
async fn begin(failpoint: Failpoint) -> (bool, BTreeSet<String>) {
    let master = MasterServer::start(MasterOptions::loopback()).await.expect("a master");
    let place = Place::new();
    place.arm(failpoint);
    let mut agent = place.start(master.address()).await;
    let asked = Operator::agent(Address::parse(&place.agent().to_string(), 0).expect("an address"));
    let end = Instant::now() + PATIENCE;
    let mut died = false;
    loop {
        if agent.is_dead() {
            died = true;
            agent = place.start(master.address()).await;
        }
        let known = agents(&master).await;
        let here = known.iter().filter(|agent| agent["active"] == true).count();
        assert!(here <= 1, "one machine is one agent: {known:?}");
        // It has written down who it is, or the earlier one had: then there is nothing to write.
        let metrics = asked.get("/metrics/snapshot").await.unwrap_or_default();
        let written = metrics["meseta/checkpoint_commits"].as_f64().is_some_and(|commits| commits > 0.0);
        let found = died && metrics["slave/registered"] == 1.0;
        if here == 1 && (written || found) {
            break;
        }
        assert!(Instant::now() < end, "it does not register: {known:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    place.disarm();
    drop(agent);
    master.shutdown().await;
    (died, place.kinds_at_deaths())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_write_of_a_first_start() {
    for at in [Failpoint::Before, Failpoint::After] {
        let mut met = BTreeSet::new();
        for number in 1.. {
            let (died, kinds) = begin(at(number)).await;
            met.extend(kinds);
            if !died {
                println!("{} writes", number - 1);
                break;
            }
        }
        kinds::assert_all(&kinds::OF_STARTS, &met);
    }
}
