//! While short tasks are launched all the time, the framework is killed and taken over, and every server is ended or killed
//! and started again, one after the other, as for an upgrade.

use std::time::Instant;

use super::{Scene, play};
use crate::instance::Instance;
use crate::process::Process;
use crate::services::Kind;

pub(crate) fn replace_all(kind: Kind) {
    play(kind, 1, &[], async |scene| {
        scene.book.open().load = true;
        the_framework_is_killed_and_taken_over(scene).await;
        for master in 0..scene.cluster.masters.len() {
            replace(&mut scene.cluster.masters[master].process, master);
            scene.cluster.answers(&scene.cluster.masters[master]).await;
            work_goes_on(scene, &format!("master {master} was replaced")).await;
        }
        for agent in 0..scene.cluster.agents.len() {
            replace(&mut scene.cluster.agents[agent].process, agent);
            work_goes_on(scene, &format!("agent {agent} was replaced")).await;
        }
        let done = scene.book.open().short_done();
        eprintln!("{done} short tasks were run meanwhile");
        scene.book.open().load = false;
    });
}

/// Every other one has no time to prepare itself.
fn replace(process: &mut Process, number: usize) {
    if number.is_multiple_of(2) {
        process.end();
    } else {
        process.kill();
    }
    process.start();
}

/// In the midst of its work; as soon as it has begun; and when another instance is there already, which is no death at all.
async fn the_framework_is_killed_and_taken_over(scene: &mut Scene) {
    scene.look("a launched task was not heard of", |scene| scene.book.open().is_launching()).await;
    scene.take_over(1);
    scene.leader_id().await;
    scene.take_over(0);
    work_goes_on(scene, "the framework was killed, and killed again").await;
    let new = Instance::start(&scene.cluster, 1, &scene.book, &scene.evidence);
    let old = scene.instance.replace(new).expect("an instance");
    let told = old.sent_away(&scene.cluster).await;
    assert_eq!(told, "Framework failed over");
    work_goes_on(scene, "the framework was taken over").await;
}

/// Everything comes together again, and tasks that are launched from now on are run.
async fn work_goes_on(scene: &Scene, after: &str) {
    let started = Instant::now();
    scene.settled().await;
    let whole = started.elapsed();
    let done = scene.book.open().short_done();
    scene.look("more short tasks end", |scene| scene.book.open().short_done() > done + 10).await;
    eprintln!("{after}: all is whole after {whole:?}, more tasks have ended after {:?}", started.elapsed());
}
