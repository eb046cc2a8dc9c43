//! Operations on a real agent's resources, their directories, and what is left of both when the agent comes again.

mod common;
mod life;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use agent::{AgentOptions, AgentServer};
use common::pods::group;
use common::volumes::{
    Scene, acknowledge, apply, create, destroy, on_behalf, reserve, reserved, status, uuid, volume,
};
use common::{AGENT_ID, FakeMaster, PATIENCE, command_task, http, json, states, until};
use life::Place;
use proto::{internal, v1};

const RAN: [&str; 3] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"];

/// What is reserved, all in all.
fn amount(message: &internal::ReregisterSlaveMessage) -> f64 {
    message.checkpointed_resources.iter().filter_map(|r| r.scalar.as_ref()).map(|scalar| scalar.value).sum()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_outlive_their_tasks_and_the_agent_and_end_with_destroy() {
    let mut scene = Scene::start().await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    let directory = scene.path("volumes/roles/scen/v");
    assert!(directory.is_dir());
    scene.run("writer", "echo precious > data/file && ls -l data > listing", None, volume("v", 10.0));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    assert_eq!(std::fs::read_to_string(directory.join("file")).expect("written"), "precious\n");

    let mut scene = scene.restart().await;
    let (message, update) = scene.master.take_back().await;
    assert_eq!(message.slave.id, Some(AGENT_ID.into()));
    // What the master assumed before is not what it may assume now.
    let version = update.resource_version_uuid.clone().expect("a version");
    assert_ne!(std::mem::replace(&mut scene.version, version.clone()), version);
    assert_eq!((message.checkpointed_resources.len(), amount(&message)), (2, 100.0));
    assert_eq!(update.operations.expect("always").operations, []);

    scene.run("reader", "test $(cat data/file) = precious", None, volume("v", 10.0));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    scene.carry_out(3, destroy(vec![volume("v", 10.0)])).await;
    assert!(!directory.exists());
    until(|| names(&scene.path("volumes/removed")).is_empty()).await;
    scene.end().await;
}

/// After `PersistentVolumeDefaultExecutor.ROOT_TaskSandboxPersistentVolume`.
#[tokio::test(flavor = "multi_thread")]
async fn a_groups_task_finds_its_volume() {
    let mut scene = Scene::start().await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    let with_volume = |id: &str, line: &str| {
        let mut task = command_task(id, line);
        task.resources.push(on_behalf(volume("v", 10.0)));
        task
    };
    scene.master.say(&group(vec![with_volume("writer", "echo precious > data/file")]));
    let end = scene.master.ends(1).await.remove(0);
    assert_eq!(end.state(), v1::TaskState::TaskFinished, "{end:?}");
    let written = scene.path("volumes/roles/scen/v").join("file");
    assert_eq!(std::fs::read_to_string(written).expect("written"), "precious\n");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_without_acknowledgement_is_repeated_by_the_next_life() {
    let mut scene = Scene::start().await;
    scene.apply(2, reserve(50.0));
    let first = status(&mut scene.master).await;
    let mut scene = scene.restart().await;
    let (_, update) = scene.master.take_back().await;
    let told = update.operations.expect("always").operations;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].uuid, &told[0].info), (&uuid(2), &reserve(50.0)));
    assert_eq!(told[0].latest_status, first.status);
    let again = status(&mut scene.master).await;
    assert_eq!(again, first);
    acknowledge(&mut scene.master, &again);
    scene.master.until_written().await;
    let mut scene = scene.restart().await;
    let (_, update) = scene.master.take_back().await;
    assert_eq!(update.operations.expect("always").operations, []);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_cannot_be_made_fails_the_operation() {
    let mut scene = Scene::start().await;
    std::fs::write(scene.path("volumes"), "in the way").expect("ours");
    scene.apply(2, create(vec![volume("v", 10.0)]));
    let failed = status(&mut scene.master).await;
    assert_eq!(failed.status.state(), v1::OperationState::OperationFailed);
    let message = failed.status.message.clone().expect("a reason");
    assert!(
        message.starts_with("cannot make persistent volume '/") && message.contains("/scen/v': "),
        "{message}"
    );
    // The master took the volume for made: it is told what there is.
    let (message, _) = scene.master.take_back().await;
    assert_ne!(message.resource_version_uuid, Some(scene.version.clone()));
    assert_eq!(message.checkpointed_resources, [reserved(100.0)]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_volume_is_used_by_several_tasks() {
    let mut scene = Scene::start().await;
    let shared = v1::Resource { shared: Some(v1::resource::SharedInfo::default()), ..volume("v", 10.0) };
    scene.carry_out(2, create(vec![shared.clone()])).await;
    let wait = "touch data/one; until test -e data/other; do sleep 0.01; done";
    for (id, line) in [("one", wait), ("other", "touch data/other")] {
        scene.run(id, line, None, shared.clone());
    }
    let statuses: Vec<_> =
        scene.master.statuses().await.into_iter().chain(scene.master.statuses().await).collect();
    assert_eq!(states(&statuses).iter().filter(|state| **state == "TASK_FINISHED").count(), 2);
    scene.end().await;
}

/// A task whose user is not the agent's may write to its volume. Only root gives anything away.
#[tokio::test(flavor = "multi_thread")]
async fn a_volume_belongs_to_the_user_of_its_task() {
    assert!(rustix::process::getuid().is_root(), "this test needs root");
    let work_dir = tempfile::Builder::new().prefix("volumes").tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(work_dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let mut scene = Scene::start_in(work_dir).await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    scene.run("t", "echo x > data/file", Some("nobody"), volume("v", 10.0));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    let owner = std::fs::metadata(scene.path("volumes/roles/scen/v")).expect("there").uid();
    assert_ne!(owner, 0);
    scene.end().await;
}

/// Whatever becomes of what the agent wrote down, it starts, says what is wrong, and its volumes are as they were.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_no_reason_not_to_start() {
    let mut scene = Scene::start().await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    let Scene { work_dir, mut master, options, agent, .. } = scene;
    agent.shutdown().await;
    std::fs::write(work_dir.path().join("meta/agent.redb"), vec![7; 4096]).expect("ours");
    let agent = AgentServer::start(options).await.expect("an agent");
    // Nothing is left of what it was: it is another agent, and the volume's data is nobody's and still there.
    let message = master.register(&agent).await;
    assert_eq!((message.slave.id, message.checkpointed_resources.len()), (None, 0));
    assert!(work_dir.path().join("volumes/roles/scen/v").is_dir());
    assert_eq!(json(agent.address(), "/metrics/snapshot").await["slave/recovery_errors"], 1.0);
    let meta = work_dir.path().join("meta");
    assert_eq!(names(&meta), ["acknowledged", "agent.damaged-1", "agent.redb", "lock"]);
    let mode = std::fs::metadata(&meta).expect("a directory").mode();
    assert_eq!(mode & 0o777, 0o700, "what tasks are told is nobody else's business");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_were_reserved_cannot_be_taken_away() {
    let Scene { work_dir: _work_dir, options, agent, .. } = Scene::start().await;
    agent.shutdown().await;
    let less = AgentOptions { resources: Some("cpus:8;mem:8192;disk:50".to_owned()), ..options };
    let error = AgentServer::start(less).await.expect_err("the reservation does not fit");
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        text = format!("{text}: {source}");
    }
    assert!(text.contains("lack disk:100") && text.contains("--resources"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_unregisters_is_another_the_next_time() {
    let scene = Scene::start().await;
    scene.agent.unregister("maintenance").await;
    scene.agent.terminated().await;
    let mut scene = scene.restart().await;
    let _: internal::UnregisterSlaveMessage = scene.master.hear_of().await;
    let message = scene.master.take_in().await;
    assert_eq!((message.slave.id, message.checkpointed_resources), (None, vec![reserved(100.0)]));
    scene.end().await;
}

/// A real process, killed with SIGKILL at any moment between many operations: the resources are what the operations of
/// which the master has heard made of them, with at most the one under way on top, and what was sent was written before.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_keeps_what_it_said() {
    let place = Place::new();
    let mut master = FakeMaster::start().await;
    master.point_to(place.agent());
    let mut process = place.start(master.address).await;
    let mut version = master.take_in().await.resource_version_uuid.expect("a version");
    let mut heard = 0_u8;
    for round in 0..12_u64 {
        // Reservations of one after the other, without waiting for what comes of them.
        let first = heard + 1;
        for number in first..first + 4 {
            apply(&mut master, number, reserve(1.0), &version);
        }
        let patience = Duration::from_micros(700 * round);
        let _ = tokio::time::timeout(patience, async {
            loop {
                let update = status(&mut master).await;
                heard = heard.max(update.operation_uuid.expect("named").value[0]);
            }
        })
        .await;
        process.kill();
        for message in master.heard_already() {
            if message.name == "mesos.internal.UpdateOperationStatusMessage" {
                let update: internal::UpdateOperationStatusMessage =
                    proto::decode(&message.body).expect("a status");
                heard = heard.max(update.operation_uuid.expect("named").value[0]);
            }
        }
        process = place.start(master.address).await;
        let (message, update) = master.take_back().await;
        let found = amount(&message);
        assert!(
            found >= f64::from(heard) && found <= f64::from(first + 3),
            "round {round}: {found}, heard {heard}"
        );
        version = update.resource_version_uuid.expect("a version");
        let told = update.operations.expect("always").operations;
        assert_eq!(told.len() as f64, found, "each has its status, because none was acknowledged");
        heard = u8::try_from(told.len()).expect("few");
    }
    assert!(heard > 12, "only {heard} operations were carried out");
    let patience = tokio::time::timeout(PATIENCE, async {
        while status(&mut master).await.operation_uuid != Some(uuid(heard)) {}
    });
    patience.await.expect("the last status is repeated, too");
    assert_eq!(http(place.agent(), "GET", "/health", None).await.0, 200);
    process.kill();
}
