//! Persistent volumes: CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME, and tasks that share volumes.

use master_core::{AcceptOperation, FromAgent, Pid, TaskState};
use resources::{Operation, Resource, Scalar};
use testkit::master::{
    Master, apply, apply_as, create, destroy, launch, reserve, reserved, resources, shared, volume,
};

use crate::reservations::of_role;
use crate::volume_scene::{Scene, has, scene, sharing};

fn reserve_disk(mb: i64) -> AcceptOperation {
    apply(reserve(&reserved(&format!("disk:{mb}"), "web")))
}

#[test]
fn volumes_are_made_used_and_destroyed() {
    let mut s = scene();
    let (first, second) = (volume(100, "web", "v1"), volume(200, "web", "v2"));
    let offer = s.offer();
    let launched = s.task("t", &[&first]);
    s.accept(&offer, [reserve_disk(300), apply(create(&first)), apply(create(&second)), launch([launched])]);
    assert_eq!(s.master.operations_to(&s.pid).len(), 3);
    let offer = s.offer();
    assert!(has(&offer, &second) && !has(&offer, &first), "{offer:?}");
    // What a task uses cannot be destroyed, for it is in no offer.
    s.accept(&offer, [apply_as("used", destroy(&first)), apply(destroy(&second))]);
    assert!(s.refused("used").starts_with("Persistent volumes in use; on agent "));
    s.ends("t");
    let offer = s.offer();
    assert!(has(&offer, &first) && !has(&offer, &second));
    s.accept(&offer, [apply(destroy(&first)), apply_as("gone", destroy(&first))]);
    assert!(s.refused("gone").starts_with("Persistent volumes not found; on agent "));
    let mut expected = resources("cpus:4;mem:1024;disk:700");
    expected += &reserved("disk:300", "web");
    assert_eq!(s.total(), expected);
}

#[test]
fn ids_of_volumes_are_unique_for_a_role() {
    let mut s = scene();
    let offer = s.offer();
    let v = volume(100, "web", "v");
    s.accept(&offer, [reserve_disk(300), apply(create(&v)), apply_as("again", create(&v))]);
    assert!(s.refused("again").starts_with("Persistence ID 'v' is not unique; on agent "));
    s.master.expect_silence(&s.scheduler);
}

#[test]
fn a_volume_needs_reserved_disk_and_is_not_unreserved() {
    let mut s = scene();
    let offer = s.offer();
    let v = volume(100, "web", "v");
    let unreserve = Operation::Unreserve { resources: vec![v.clone()] };
    s.accept(
        &offer,
        [
            apply_as("early", create(&v)),
            reserve_disk(100),
            apply(create(&v)),
            apply_as("unreserve", unreserve),
        ],
    );
    assert!(s.refused("early").contains(" does not contain disk"), "the disk is not reserved");
    assert!(s.refused("unreserve").contains("Please destroy the persistent volume first"));
}

fn grow(volume: &Resource, mb: i64) -> Operation {
    let disk = reserved(&format!("disk:{mb}"), "web");
    Operation::GrowVolume { volume: volume.clone(), addition: disk.iter().next().unwrap().clone() }
}

fn shrink(volume: &Resource, mb: i64) -> Operation {
    Operation::ShrinkVolume { volume: volume.clone(), subtract: Scalar::whole(mb) }
}

#[test]
fn volumes_grow_and_shrink() {
    let mut s = scene();
    let offer = s.offer();
    let small = volume(100, "web", "v");
    s.accept(&offer, [reserve_disk(300), apply(create(&small)), apply(grow(&small, 200))]);
    let offer = s.offer();
    let large = volume(300, "web", "v");
    assert!(has(&offer, &large));
    s.accept(
        &offer,
        [apply_as("more", grow(&large, 1)), apply(shrink(&large, 250)), apply_as("all", shrink(&large, 300))],
    );
    assert!(s.refused("more").starts_with("Invalid GROW_VOLUME operation: "), "no reserved disk is left");
    assert!(s.refused("all").starts_with("Value of 'ShrinkVolume.subtract' must be smaller"));
    let offer = s.offer();
    assert!(has(&offer, &volume(50, "web", "v")));
    assert_eq!(s.total().quantities(), resources("cpus:4;mem:1024;disk:1000").quantities());
}

#[test]
fn what_a_resized_volume_becomes_cannot_be_used_in_the_same_call() {
    for (operation, result) in [(grow as fn(&Resource, i64) -> Operation, 200), (shrink, 50)] {
        let mut s = scene();
        let offer = s.offer();
        let v = volume(100, "web", "v");
        s.accept(&offer, [reserve_disk(200), apply(create(&v))]);
        let offer = s.offer();
        let by = if result > 100 { result - 100 } else { 100 - result };
        let changed = volume(result, "web", "v");
        let launched = s.task("t", &[&changed]);
        s.accept(&offer, [apply(operation(&v, by)), launch([launched])]);
        s.master.expect_status(&s.scheduler, TaskState::Error);
        assert!(has(&s.offer(), &changed));
    }
}

#[test]
fn agents_that_cannot_resize_volumes_are_not_asked_to() {
    let mut master = Master::default();
    let mut message = testkit::master::register("h", "disk:100;mem:512");
    message.capabilities.resize_volume = false;
    let pid = Pid::from("slave(1)@h:5051");
    master.from_agent(&pid, FromAgent::Register(Box::new(message)));
    let scheduler = sharing(&mut master, "f");
    let mut s = Scene { master, agent: "master-S0".into(), pid, scheduler };
    let v = volume(50, "web", "v");
    let offer = s.offer();
    s.accept(&offer, [reserve_disk(100), apply(create(&v)), apply_as("grow", grow(&v, 50))]);
    assert!(s.refused("grow").contains("cannot be grown on an agent without RESIZE_VOLUME capability"));
}

#[test]
fn frameworks_that_do_not_know_shared_resources_do_not_make_them() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:1024;disk:1000");
    let scheduler = master.subscribe(of_role("f", "web"));
    let mut s = Scene { master, agent, pid, scheduler };
    let offer = s.offer();
    s.accept(&offer, [reserve_disk(100), apply_as("shared", create(&shared(volume(100, "web", "v"))))]);
    let text = s.refused("shared");
    assert!(text.contains("with no SHARED_RESOURCES capability; on agent"), "{text}");
}
