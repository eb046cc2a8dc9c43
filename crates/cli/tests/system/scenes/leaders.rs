//! Leaders that are killed, alone and together with the framework, stopped, and cut off from the service.

use std::time::Instant;

use super::{Scene, play};
use crate::services::Kind;

pub(crate) fn fail(kind: Kind) {
    play(kind, 1, &[], async |scene| {
        scene.book.open().load = true;
        killed(scene).await;
        killed_with_the_framework(scene).await;
        stopped(scene).await;
        cut_off_from_the_service(scene).await;
        scene.book.open().load = false;
    });
}

async fn killed(scene: &mut Scene) {
    let (leader, id) = (scene.cluster.leader(None).await, scene.leader_id().await);
    let killed = Instant::now();
    scene.cluster.masters[leader].process.kill();
    let took = scene.moved(&id, killed).await;
    eprintln!("the leader is killed: the next makes its first offer after {took:?}");
    scene.cluster.masters[leader].process.start();
    scene.cluster.answers(&scene.cluster.masters[leader]).await;
    scene.settled().await;
}

/// At the same moment; the framework's next instance finds the next leader.
async fn killed_with_the_framework(scene: &mut Scene) {
    let (leader, id) = (scene.cluster.leader(None).await, scene.leader_id().await);
    let killed = Instant::now();
    scene.cluster.masters[leader].process.kill();
    scene.take_over(1);
    let took = scene.moved(&id, killed).await;
    eprintln!("leader and framework are killed: the next make and get the first offer after {took:?}");
    scene.cluster.masters[leader].process.start();
    scene.cluster.answers(&scene.cluster.masters[leader]).await;
    scene.settled().await;
}

async fn stopped(scene: &mut Scene) {
    let (leader, id) = (scene.cluster.leader(None).await, scene.leader_id().await);
    let stopped = Instant::now();
    scene.cluster.masters[leader].process.pause();
    let took = scene.moved(&id, stopped).await;
    eprintln!("the leader stands still: the next makes its first offer after {took:?}");
    scene.settled().await;
    scene.cluster.masters[leader].process.go_on();
    comes_back_as_a_standby(scene, leader).await;
}

async fn cut_off_from_the_service(scene: &mut Scene) {
    let (leader, id) = (scene.cluster.leader(None).await, scene.leader_id().await);
    let cut = Instant::now();
    scene.cluster.world.cut(&scene.cluster.masters[leader].host, &scene.cluster.service.members[0].host);
    let took = scene.moved(&id, cut).await;
    eprintln!("the leader cannot reach the service: the next makes its first offer after {took:?}");
    scene.settled().await;
    scene.cluster.world.mend(&scene.cluster.masters[leader].host, &scene.cluster.service.members[0].host);
    comes_back_as_a_standby(scene, leader).await;
}

/// What it was it is no more, and it sends everybody to the one that leads.
pub(super) async fn comes_back_as_a_standby(scene: &Scene, old: usize) {
    let leader = scene.cluster.leader(Some(old)).await;
    scene.cluster.answers(&scene.cluster.masters[old]).await;
    scene.settled().await;
    assert_eq!(scene.cluster.leader(Some(old)).await, leader, "the leader stays");
}
