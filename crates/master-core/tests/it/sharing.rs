//! Persistent volumes that several tasks use at once.

use std::sync::Arc;
use std::time::Duration;

use master_core::{AcceptOperation, Offer, OperationState, SchedulerCall, SchedulerEvent, ToAgent};
use resources::Resource;
use testkit::master::{
    Master, Scheduler, apply, apply_as, create, destroy, launch, reserve, reserved, shared, volume,
};

use crate::reservations::of_role;
use crate::volume_scene::{accept, has, scene, sharing};

/// What a scheduler is offered now.
fn offers(master: &mut Master, scheduler: &Scheduler) -> Vec<Arc<Offer>> {
    master.settle();
    let events = master.events_of(scheduler);
    let offers = events.into_iter().filter_map(|event| match event {
        SchedulerEvent::Offers(offers) => Some(offers),
        _ => None,
    });
    offers.flatten().collect()
}

fn reserve_disk(mb: i64) -> AcceptOperation {
    apply(reserve(&reserved(&format!("disk:{mb}"), "web")))
}

#[test]
fn several_tasks_share_a_volume() {
    let mut s = scene();
    let v = shared(volume(100, "web", "v"));
    let offer = s.offer();
    // The offer has one copy of the volume, and three tasks take one each.
    let tasks = ["t1", "t2", "t3"].map(|id| s.task(id, &[&v]));
    s.accept(&offer, [reserve_disk(100), apply(create(&v)), launch(tasks)]);
    assert_eq!(
        s.master.messages_to(&s.pid).iter().filter(|m| matches!(m, ToAgent::RunTask { .. })).count(),
        3
    );
    let offer = s.offer();
    assert!(has(&offer, &v), "it is offered while it is used");
    s.accept(&offer, [apply_as("used", destroy(&v))]);
    assert!(s.refused("used").starts_with("Persistent volumes in use"));
    for id in ["t1", "t2", "t3"] {
        s.ends(id);
    }
    let offer = offers(&mut s.master, &s.scheduler).into_iter().rfind(|offer| has(offer, &v)).unwrap();
    s.accept(&offer, [apply(destroy(&v))]);
    assert!(!s.total().iter().any(Resource::is_shared));
}

#[test]
fn destroying_a_shared_volume_withdraws_it_from_others() {
    let mut s = scene();
    let v = shared(volume(100, "web", "v"));
    let offer = s.offer();
    s.accept(&offer, [reserve_disk(100), apply(create(&v))]);
    let offer = s.offer();
    let launched = s.task("t", &[&v]);
    s.accept(&offer, [launch([launched])]);
    let first = s.offer();
    assert!(has(&first, &v));
    // The task's end leaves the volume in the first offer, and another framework is offered it as well.
    s.ends("t");
    let other = sharing(&mut s.master, "g");
    let mut offers = offers(&mut s.master, &other);
    offers.retain(|offer| has(offer, &v));
    let [second] = offers.as_slice() else { panic!("{offers:?}") };
    s.master.events_of(&s.scheduler);
    accept(&mut s.master, &other, &[second], [apply(destroy(&v))]);
    let rescinded = s.master.events_of(&s.scheduler);
    assert!(
        rescinded.iter().any(|event| matches!(event, SchedulerEvent::Rescind(id) if *id == first.id)),
        "{rescinded:?}"
    );
    assert!(!s.total().iter().any(Resource::is_shared));
}

#[test]
fn who_was_not_offered_a_volume_cannot_take_it_from_others() {
    let mut s = scene();
    let v = shared(volume(100, "web", "v"));
    let offer = s.offer();
    s.accept(&offer, [reserve_disk(100), apply(create(&v))]);
    let offer = s.offer();
    let launched = s.task("t", &[&v]);
    s.accept(&offer, [launch([launched])]);
    let first = s.offer();
    assert!(has(&first, &v));
    // The task's end leaves the volume in the first offer; what else it had is offered to another framework.
    s.ends("t");
    let other = s.master.subscribe(of_role("g", "db"));
    let offers = offers(&mut s.master, &other);
    let [second] = offers.as_slice() else { panic!("{offers:?}") };
    assert!(!has(second, &v));
    accept(&mut s.master, &other, &[second], [apply(destroy(&v))]);
    let told = s.master.events_of(&s.scheduler);
    assert!(!told.iter().any(|event| matches!(event, SchedulerEvent::Rescind(_))), "{told:?}");
    assert!(s.total().iter().any(Resource::is_shared));
}

#[test]
fn frameworks_of_a_role_share_a_volume_and_others_do_not_see_it() {
    let mut s = scene();
    let v = shared(volume(100, "web", "v"));
    let offer = s.offer();
    let first = s.task("t", &[&v]);
    s.accept(&offer, [reserve_disk(100), apply(create(&v)), launch([first])]);
    let offer = s.offer();
    let decline =
        SchedulerCall::Decline { offer_ids: vec![offer.id.clone()], refuse: Duration::from_secs(60) };
    s.master.call(&s.scheduler, decline);
    let plain = s.master.subscribe(of_role("plain", "web"));
    let seen = offers(&mut s.master, &plain);
    assert!(!seen.is_empty() && seen.iter().all(|offer| !has(offer, &v)), "{seen:?}");
    s.master.input(master_core::Input::SchedulerGone(plain.connection));
    let other = sharing(&mut s.master, "g");
    let offer = offers(&mut s.master, &other).into_iter().find(|offer| has(offer, &v)).unwrap();
    let second = s.task("t", &[&v]);
    accept(&mut s.master, &other, &[&offer], [launch([second]), apply_as("used", destroy(&v))]);
    let refused = s.master.expect_operation(&other, "used", OperationState::Error);
    assert!(refused.message.as_ref().is_some_and(|message| message.starts_with("Persistent volumes in use")));
    // One of them ends; the other still holds it.
    s.ends("t");
    let offer = offers(&mut s.master, &other).into_iter().find(|offer| has(offer, &v)).unwrap();
    accept(&mut s.master, &other, &[&offer], [apply_as("used", destroy(&v))]);
    s.master.expect_operation(&other, "used", OperationState::Error);
}

#[test]
fn a_volume_is_made_and_shared_again_and_again() {
    let mut s = scene();
    for round in 0..3 {
        let v = shared(volume(100, "web", &format!("v{round}")));
        let offer = offers(&mut s.master, &s.scheduler).pop().unwrap();
        let launched = s.task(&format!("t{round}"), &[&v]);
        s.accept(&offer, [reserve_disk(100), apply(create(&v)), launch([launched])]);
    }
    let offer = offers(&mut s.master, &s.scheduler).pop().unwrap();
    let volumes = offer.resources.iter().filter(|resource| resource.is_shared()).count();
    assert_eq!((volumes, s.total().persistent_volumes().len()), (3, 3));
}
