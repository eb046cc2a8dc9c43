//! Links that carry one way only: who sends is heard and hears nothing, or the other way round.

use std::time::Instant;

use super::leaders::comes_back_as_a_standby;
use super::splits::PINGS;
use super::{Scene, play};
use crate::services::Kind;

/// Which packets of a pair of hosts are lost.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// Those of the leader.
    Sent,
    /// Those to the leader.
    Received,
}

pub(crate) fn carry(kind: Kind) {
    play(kind, 1, &PINGS, async |scene| {
        scene.book.open().load = true;
        for lost in [Lost::Sent, Lost::Received] {
            between_the_leader_and_the_service(scene, lost).await;
        }
        between_the_leader_and_agents(scene).await;
        scene.book.open().load = false;
    });
}

/// What a leader asks for does not arrive; or it does, and the answers do not: in both cases another one leads.
async fn between_the_leader_and_the_service(scene: &mut Scene, lost: Lost) {
    let (leader, id) = (scene.cluster.leader(None).await, scene.leader_id().await);
    let cut = Instant::now();
    let cluster = &scene.cluster;
    let (master, member) = (&cluster.masters[leader].host, &cluster.service.members[0].host);
    let (from, to) = match lost {
        Lost::Sent => (master, member),
        Lost::Received => (member, master),
    };
    cluster.world.cut_one_way(from, to);
    let took = scene.moved(&id, cut).await;
    eprintln!("{lost:?} is lost between leader and service: the next makes its first offer after {took:?}");
    scene.settled().await;
    cluster.world.mend_one_way(from, to);
    comes_back_as_a_standby(scene, leader).await;
}

/// One agent does not hear the leader, another one is not heard by it. Both are given up, and come back with their tasks.
async fn between_the_leader_and_agents(scene: &mut Scene) {
    let leader = scene.cluster.leader(None).await;
    scene.book.open().unreachable = Some(0);
    let cut = Instant::now();
    let cluster = &scene.cluster;
    let (master, [deaf, mute, ..]) = (&cluster.masters[leader].host, &cluster.agents[..]) else {
        panic!("too few agents");
    };
    cluster.world.cut_one_way(master, &deaf.host);
    cluster.world.cut_one_way(&mute.host, master);
    let given_up = async || cluster.active().await.filter(|active| *active == cluster.agents.len() - 2);
    cluster.eventually("both agents are given up", given_up).await;
    eprintln!("both agents are given up {:?} after the cut", cut.elapsed());
    let mended = Instant::now();
    cluster.world.mend_one_way(master, &deaf.host);
    cluster.world.mend_one_way(&mute.host, master);
    scene.settled().await;
    eprintln!("their tasks run again {:?} after the network is whole", mended.elapsed());
    scene.book.open().unreachable = None;
}
