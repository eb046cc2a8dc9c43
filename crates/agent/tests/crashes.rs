//! The agent is killed, as by `kill -9`, at each of its writes, while tasks of all kinds start, run and end. Whatever
//! happens: each task ends in its true state, every update arrives in order and is acknowledged, nothing runs twice, and
//! nothing is left behind.

mod common;
mod life;
mod scene;

use std::time::Duration;

use life::failpoint::Failpoint;
use life::{Place, kinds};
use scene::{Kind, Scene};

/// Fewer writes would mean that the scenes are not those that they were written for.
const LEAST_WRITES: u32 = 4;

/// Launches tasks with the death of the agent at one write; how many of them ran, and whether there was that write. Of
/// every three deaths one is followed by another during the recovery.
async fn play(scene: &mut Scene, kinds: &[Kind], failpoint: Failpoint) -> (usize, bool) {
    let number = failpoint.number();
    scene.next = number.is_multiple_of(3).then_some(match failpoint {
        Failpoint::Before(_) => Failpoint::After(number / 3),
        Failpoint::After(_) => Failpoint::Before(number / 3),
    });
    scene.place.arm(failpoint);
    let played = go_on(scene, kinds).await;
    scene.next = None;
    played
}

/// The rest of it, when the death is ordered.
async fn go_on(scene: &mut Scene, kinds: &[Kind]) -> (usize, bool) {
    let deaths = scene.deaths;
    let tasks = scene.launch(kinds, 0).await;
    scene.until_ended().await;
    scene.until_nothing_is_left().await;
    scene.place.disarm();
    (scene.check(&tasks), scene.deaths > deaths)
}

/// Walks through all writes: of tasks of all kinds together, so that one write has something of several, or of each kind
/// by itself.
async fn walk(parts: &[&[Kind]], at: impl Fn(u32) -> Failpoint) {
    let mut scene = Scene::start(Place::new()).await;
    let mut ran = 0;
    for kinds in parts {
        let mut number = 0;
        let mut died = true;
        while died {
            number += 1;
            // Launches that reach an agent which is just registering are dropped, and it writes little then: once more.
            for _ in 0..3 {
                let more;
                (more, died) = play(&mut scene, kinds, at(number)).await;
                ran += more;
                if died || more > 0 {
                    break;
                }
            }
        }
        println!("{kinds:?}: {} writes", number - 1);
        assert!(number > LEAST_WRITES, "there are only {number} writes");
    }
    let all = scene.tasks.len();
    println!("{} deaths; {ran} of {all} tasks ran", scene.deaths);
    assert!(ran * 2 > all, "only {ran} of {all} tasks ran");
    // Which records share a write is a matter of what is ready together: none of them shall have been spared.
    for kind in kinds::OF_TASKS {
        if !scene.place.kinds_at_deaths().contains(kind) {
            scene.place.arm_at(at(0), kind);
            go_on(&mut scene, &Kind::ALL).await;
        }
    }
    kinds::assert_all(&kinds::OF_TASKS, &scene.place.kinds_at_deaths());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_every_write() {
    walk(&[&Kind::ALL], Failpoint::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_write() {
    walk(&[&Kind::ALL], Failpoint::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_every_write_of_a_kind() {
    walk(&Kind::ALL.each_ref().map(std::slice::from_ref), Failpoint::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_write_of_a_kind() {
    walk(&Kind::ALL.each_ref().map(std::slice::from_ref), Failpoint::After).await;
}

/// The launcher's records of containers are files of their own: the agent is killed before or after each of their changes.
async fn walk_records(at: impl Fn(u32) -> Failpoint) {
    let mut scene = Scene::start(Place::new()).await;
    let (mut number, mut died) = (0, true);
    while died {
        number += 1;
        let deaths = scene.deaths;
        scene.place.arm_records(at(number));
        let tasks = scene.launch(&Kind::ALL, 0).await;
        scene.until_ended().await;
        scene.until_nothing_is_left().await;
        scene.place.disarm_records();
        scene.check(&tasks);
        died = scene.deaths > deaths;
    }
    println!("{} changes of records", number - 1);
    // Five containers are made, noted and forgotten.
    assert!(number > 15, "there are only {number} changes");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_every_change_of_a_containers_record() {
    walk_records(Failpoint::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_change_of_a_containers_record() {
    walk_records(Failpoint::After).await;
}

/// Between its writes an agent makes containers, whose records are files of their own. It is killed at all times of a launch.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_time() {
    let mut scene = Scene::start(Place::new()).await;
    // Most is done in the first milliseconds.
    let early = (1..16).map(|number| number * 250);
    for delay in early.chain([4000, 5000, 6000, 8000, 10_000, 14_000, 20_000, 30_000]) {
        let tasks = scene.launch(&Kind::ALL, 0).await;
        // No wait for something: when to kill.
        tokio::time::sleep(Duration::from_micros(delay)).await;
        scene.kill_agent().await;
        scene.until_ended().await;
        scene.until_nothing_is_left().await;
        let ran = scene.check(&tasks);
        println!("killed after {delay} us: {ran} of {} tasks ran", tasks.len());
    }
    scene.end().await;
}

/// The disk is full while tasks come and run, and the agent is killed meanwhile. It waits for room, says so, and goes on
/// as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_for_a_while() {
    let mut scene = Scene::start(Place::on_small_disk()).await;
    // What runs when the disk gets full, and ends then.
    let early = scene.launch(&Kind::ALL, 0).await;
    for killed in [false, true] {
        scene.place.fill_disk();
        let tasks = scene.launch(&Kind::ALL, 256 << 10).await;
        scene.until_a_commit_fails().await;
        if killed {
            scene.kill_agent().await;
        }
        scene.place.free_disk();
        scene.until_ended().await;
        scene.until_nothing_is_left().await;
        let ran = scene.check(&tasks);
        println!("{ran} of {} tasks ran", tasks.len());
        // The one that is killed may be before it has left its mark.
        assert!(killed || ran + 1 >= tasks.len(), "{:#?}", scene.brief());
    }
    scene.check(&early);
    scene.end().await;
}
