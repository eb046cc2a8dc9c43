//! A disk of volumes that answers nothing: what is to be done with its volumes fails in its time, everything else goes on,
//! and when it answers again nothing is other than was told. As root.

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::hang::Disk;
use common::states;
use common::volumes::{Scene, acknowledge, create, destroy, status, volume};
use proto::v1;

const RAN: [&str; 3] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"];

/// An agent whose volumes are on a disk of their own, with the volume `v`.
async fn scene() -> (Disk, Scene, PathBuf) {
    let work_dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::at(&work_dir.path().join("volumes"));
    let change = |options: &mut agent::AgentOptions| options.volume_timeout = Duration::from_millis(300);
    let mut scene = Scene::start_with(work_dir, change).await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    let path = scene.path("volumes/roles/scen/v");
    (disk, scene, path)
}

/// An operation that has to fail for the disk's silence; what the agent then has is told anew.
async fn fails(scene: &mut Scene, number: u8, operation: v1::offer::Operation) -> String {
    scene.apply(number, operation);
    let failed = status(&mut scene.master).await;
    assert_eq!(failed.status.state(), v1::OperationState::OperationFailed, "{failed:?}");
    acknowledge(&mut scene.master, &failed);
    let (_, update) = scene.master.take_back().await;
    scene.version = update.resource_version_uuid.expect("a version");
    failed.status.message.expect("a reason")
}

/// Repeats an operation until the disk is known to answer again.
async fn until_it_answers(scene: &mut Scene, mut number: u8) {
    loop {
        scene.apply(number, create(vec![volume("later", 10.0)]));
        let ended = status(&mut scene.master).await;
        acknowledge(&mut scene.master, &ended);
        if ended.status.state() == v1::OperationState::OperationFinished {
            return;
        }
        let (_, update) = scene.master.take_back().await;
        scene.version = update.resource_version_uuid.expect("a version");
        number += 1;
        assert!(number < 200, "the disk answers, and the agent does not know it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
    let (mut disk, mut scene, _) = scene().await;
    disk.freeze();
    let reason = fails(&mut scene, 3, create(vec![volume("w", 10.0)])).await;
    assert!(reason.ends_with("does not answer: not done within 300ms"), "{reason}");
    scene.master.run(common::command_task("t", "true"));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    // Another one does not wait at all.
    let reason = fails(&mut scene, 4, create(vec![volume("x", 10.0)])).await;
    assert!(reason.contains("an earlier change has not ended"), "{reason}");
    disk.thaw();
    until_it_answers(&mut scene, 10).await;
    scene.carry_out(250, create(vec![volume("w", 10.0)])).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_be_there_is_not_removed_later() {
    let (mut disk, mut scene, path) = scene().await;
    std::fs::write(path.join("file"), "precious").expect("ours");
    disk.freeze();
    let reason = fails(&mut scene, 3, destroy(vec![volume("v", 10.0)])).await;
    assert!(reason.contains("does not answer"), "{reason}");
    disk.thaw();
    until_it_answers(&mut scene, 10).await;
    assert_eq!(std::fs::read_to_string(path.join("file")).expect("it is there"), "precious");
    scene.carry_out(250, destroy(vec![volume("v", 10.0)])).await;
    assert!(!path.exists());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_wants_such_a_volume_waits_alone() {
    let (mut disk, mut scene, _) = scene().await;
    disk.freeze();
    // Its volume is given to its user, which a disk that does not answer does not do.
    scene.run("waits", "true", Some("nobody"), volume("v", 10.0));
    scene.master.run(common::command_task("goes", "true"));
    let statuses = scene.master.statuses().await;
    assert!(statuses.iter().all(|status| status.task_id.value == "goes"), "{statuses:?}");
    assert_eq!(states(&statuses), RAN);
    disk.thaw();
    assert_eq!(states(&scene.master.statuses().await), RAN);
    scene.end().await;
}
