//! The leader is cut off from its schedulers and from its agents; agents are killed.

use std::time::Instant;

use super::{Scene, play};
use crate::book::TASKS;
use crate::services::Kind;

/// Agents are given up after nine seconds.
pub(super) const PINGS: [&str; 2] = ["--agent_ping_timeout=3secs", "--max_agent_ping_timeouts=3"];

pub(crate) fn split(kind: Kind) {
    play(kind, 1, &PINGS, async |scene| {
        scene.book.open().load = true;
        agents_are_killed_while_the_scheduler_is_away(scene).await;
        the_leader_is_alone(scene).await;
        scene.book.open().load = false;
    });
}

async fn agents_are_killed_while_the_scheduler_is_away(scene: &mut Scene) {
    let leader = scene.cluster.leader(None).await;
    let subscriptions = scene.book.open().subscriptions;
    let (master, desk) = (&scene.cluster.masters[leader].host, &scene.cluster.desks[0]);
    scene.cluster.world.cut(master, desk);
    for agent in &mut scene.cluster.agents[..2] {
        agent.process.start();
    }
    scene.look("the framework notices", |scene| scene.book.open().leader.is_none()).await;
    scene.cluster.whole().await;
    let mended = Instant::now();
    scene.cluster.world.mend(&scene.cluster.masters[leader].host, &scene.cluster.desks[0]);
    scene.look("the framework is back", |scene| scene.book.open().subscriptions > subscriptions).await;
    eprintln!("the scheduler is back {:?} after the network", mended.elapsed());
    scene.settled().await;
}

/// All its agents are given up, and come back with their tasks.
async fn the_leader_is_alone(scene: &mut Scene) {
    let leader = scene.cluster.leader(None).await;
    scene.book.open().unreachable = Some(0);
    let cut = Instant::now();
    for agent in &scene.cluster.agents {
        scene.cluster.world.cut(&scene.cluster.masters[leader].host, &agent.host);
    }
    scene
        .look("all tasks are unreachable", |scene| {
            scene.book.open().unreachable.is_some_and(|count| count >= TASKS)
                && scene.book.open().long_running() == 0
        })
        .await;
    eprintln!("all tasks are unreachable {:?} after the cut", cut.elapsed());
    let mended = Instant::now();
    for agent in &scene.cluster.agents {
        scene.cluster.world.mend(&scene.cluster.masters[leader].host, &agent.host);
    }
    scene.settled().await;
    eprintln!("all tasks run again {:?} after the network is whole", mended.elapsed());
    scene.book.open().unreachable = None;
}
