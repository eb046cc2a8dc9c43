//! An agent is killed and stays dead for longer than the cluster waits, so that it is given up; started again, it brings back
//! its tasks, which have lived on.

use std::time::Instant;

use super::splits::PINGS;
use super::{Scene, play};
use crate::services::Kind;

pub(crate) fn stay(kind: Kind) {
    play(kind, 1, &PINGS, async |scene| {
        scene.book.open().load = true;
        for leader_too in [false, true] {
            an_agent_is_dead_past_its_time(scene, leader_too).await;
        }
        scene.book.open().load = false;
    });
}

/// What is known of it is in the registry: if the leader dies as well, the next one knows it, too.
async fn an_agent_is_dead_past_its_time(scene: &mut Scene, leader_too: bool) {
    let ids = scene.cluster.agent_ids().await;
    scene.book.open().unreachable = Some(0);
    let busy = async || scene.book.open().busy_agent();
    let id = scene.cluster.eventually("an agent has short tasks, too", busy).await;
    let number = ids.iter().position(|found| *found == id).expect("an agent");
    let killed = Instant::now();
    scene.cluster.agents[number].process.kill();
    is_given_up(scene, &id).await;
    eprintln!("the tasks of a dead agent are unreachable {:?} after its death", killed.elapsed());
    if leader_too {
        let (leader, before) = (scene.cluster.leader(None).await, scene.leader_id().await);
        let again = scene.book.open().unreachable.unwrap_or_default();
        scene.cluster.masters[leader].process.kill();
        let took = scene.moved(&before, Instant::now()).await;
        eprintln!("the leader is killed: the next makes its first offer after {took:?}");
        scene.cluster.masters[leader].process.start();
        scene
            .look("the next leader tells it, too", |scene| scene.book.open().unreachable > Some(again))
            .await;
        is_given_up(scene, &id).await;
    }
    work_goes_on(scene).await;
    assert_eq!(scene.evidence.processes(), scene.processes, "the tasks live on, also there");
    let started = Instant::now();
    scene.cluster.agents[number].process.start();
    scene.settled().await;
    scene.look("all that was under way there is known", |scene| !scene.book.open().is_doubtful(&id)).await;
    eprintln!("its tasks are back {:?} after it was started again", started.elapsed());
    assert_eq!(scene.cluster.agent_ids().await, ids, "it is the agent that it was");
    work_goes_on(scene).await;
    scene.book.open().unreachable = None;
}

/// The framework knows it, and the master.
async fn is_given_up(scene: &Scene, id: &str) {
    scene
        .look("its tasks are unreachable, and those of no other agent", |scene| {
            scene.book.open().is_unreachable_alone(id)
        })
        .await;
    let agents = scene.cluster.agents.len();
    let given_up = async || scene.cluster.active().await.filter(|active| *active == agents - 1);
    scene.cluster.eventually("all other agents are there", given_up).await;
}

async fn work_goes_on(scene: &Scene) {
    let done = scene.book.open().short_done();
    scene.look("more short tasks end", |scene| scene.book.open().short_done() > done).await;
}
