//! Offers: made, declined, withdrawn.

use std::time::Duration;

use master_core::{Input, Options, Reason, SchedulerCall, SchedulerEvent, TaskState, Timer};
use testkit::master::{Master, framework_info, launch, resources, task};

fn decline(offer: &master_core::Offer, seconds: u64) -> SchedulerCall {
    SchedulerCall::Decline { offer_ids: vec![offer.id.clone()], refuse: Duration::from_secs(seconds) }
}

#[test]
fn everything_of_an_agent_is_offered() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096;ports:[31000-32000]");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    assert_eq!(offer.id.as_str(), "master-O0");
    assert_eq!((&offer.agent_id, &offer.pid), (&agent, &pid));
    assert_eq!(offer.resources.clone().unallocated(), resources("cpus:4;mem:4096;ports:[31000-32000]"));
    assert!(offer.resources.iter().all(|r| r.allocation.as_ref() == Some(&offer.role)));
}

#[test]
fn offers_of_several_agents_come_in_one_event() {
    let mut master = Master::default();
    master.agent("h1", "cpus:1;mem:64");
    master.agent("h2", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&scheduler) else { panic!("no offers") };
    assert_eq!(offers.len(), 2);
    master.expect_silence(&scheduler);
}

#[test]
fn what_is_declined_comes_back_after_its_time_or_a_revive() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.call(&scheduler, decline(&offer, 5));
    master.settle();
    master.advance(Duration::from_secs(4));
    master.expect_silence(&scheduler);
    master.advance(Duration::from_secs(2));
    let again = master.offer(&scheduler);
    master.call(&scheduler, decline(&again, 3600));
    master.advance(Duration::from_secs(60));
    master.expect_silence(&scheduler);
    master.call(&scheduler, SchedulerCall::Revive(Vec::new()));
    assert_eq!(master.offer(&scheduler).resources, offer.resources);
}

#[test]
fn a_suppressed_framework_gets_nothing_until_it_revives() {
    let mut master = Master::default();
    let scheduler = master.framework("f");
    master.call(&scheduler, SchedulerCall::Suppress(Vec::new()));
    master.agent("h", "cpus:4;mem:4096");
    master.settle();
    master.expect_silence(&scheduler);
    assert_eq!(master.core.snapshot(master.now).frameworks[0].suppressed_roles.len(), 1);
    master.call(&scheduler, SchedulerCall::Revive(vec!["other".into()]));
    master.settle();
    master.expect_silence(&scheduler);
    master.call(&scheduler, SchedulerCall::Revive(vec!["*".into()]));
    master.offer(&scheduler);
    assert!(master.core.snapshot(master.now).frameworks[0].suppressed_roles.is_empty());
}

#[test]
fn offers_of_a_framework_that_went_are_for_others() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    let first = master.framework("f");
    let offer = master.offer(&first);
    let second = master.framework("g");
    master.settle();
    master.expect_silence(&second);
    master.input(Input::SchedulerGone(first.connection));
    assert_eq!(master.offer(&second).resources, offer.resources);
}

#[test]
fn an_unused_offer_is_withdrawn_if_there_is_a_timeout() {
    let mut options = Options::new("master".to_owned(), 1);
    options.offer_timeout = Some(Duration::from_secs(10));
    let mut master = Master::new(options);
    master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    assert!(master.core.awaited_timers()(&Timer::Offer(scheduler.id.clone(), offer.id.clone())));
    master.advance(Duration::from_secs(10));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    assert!(
        !master.core.awaited_timers()(&Timer::Offer(scheduler.id.clone(), offer.id.clone())),
        "it can be forgotten"
    );
}

#[test]
fn offers_that_do_not_go_together_launch_nothing() {
    let mut master = Master::default();
    let (agent, _) = master.agent("h1", "cpus:1;mem:64");
    master.agent("h2", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&scheduler) else { panic!("no offers") };
    let accept = |offer_ids| SchedulerCall::Accept {
        offer_ids,
        operations: vec![launch([task("t", &agent, "cpus:1;mem:32")])],
        refuse: Duration::ZERO,
    };
    let ids: Vec<_> = offers.iter().map(|offer| offer.id.clone()).collect();
    master.call(&scheduler, accept(ids.clone()));
    let status = master.expect_status(&scheduler, TaskState::Lost);
    let message = status.message.clone().unwrap_or_default();
    let expected =
        "Task launched with invalid offers: Aggregated offers must belong to one single agent. Offer ";
    assert!(message.starts_with(expected), "{message}");
    // They are gone all the same, and what they held is offered anew.
    master.call(&scheduler, accept(ids));
    master.expect_status(&scheduler, TaskState::Lost);
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&scheduler) else { panic!("no offers") };
    master.call(&scheduler, accept(vec![offers[0].id.clone(), offers[0].id.clone()]));
    let status = master.expect_status(&scheduler, TaskState::Lost);
    let expected =
        format!("Task launched with invalid offers: Duplicate offer {} in offer list", offers[0].id);
    assert_eq!(status.message, Some(expected));
    master.call(&scheduler, accept(Vec::new()));
    let status = master.expect_status(&scheduler, TaskState::Lost);
    assert_eq!(status.message.as_deref(), Some("Task launched with invalid offers: No offers specified"));
}

#[test]
fn an_offer_of_another_framework_cannot_be_used_or_spoilt() {
    let mut master = Master::default();
    let (agent, _) = master.agent("h", "cpus:4;mem:4096");
    let owner = master.framework("f");
    let offer = master.offer(&owner);
    let mut info = framework_info("g");
    info.capabilities.partition_aware = true;
    let thief = master.subscribe(info);
    master.accept(&thief, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    let status = master.expect_status(&thief, TaskState::Dropped);
    let expected = format!("Task launched with invalid offers: Offer {} is no longer valid", offer.id);
    assert_eq!(status.message, Some(expected));
    master.accept(&owner, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.expect_silence(&owner);
}

/// After `MasterTest.OfferNotRescindedOnceUsed` and `OfferNotRescindedOnceDeclined`.
#[test]
fn an_offer_that_was_used_or_declined_is_not_withdrawn_later() {
    let timeout = Duration::from_secs(30);
    for decline_it in [false, true] {
        let options = Options { offer_timeout: Some(timeout), ..Options::new("master".to_owned(), 1) };
        let mut master = Master::new(options);
        let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
        let scheduler = master.framework("f");
        let offer = master.offer(&scheduler);
        if decline_it {
            master.call(&scheduler, decline(&offer, 3600));
        } else {
            master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:4;mem:4096")])]);
        }
        master.from_agent(&pid, master_core::FromAgent::Pong);
        master.advance(timeout * 2);
        master.expect_silence(&scheduler);
    }
}

/// After `MasterTest.LaunchAcrossSlaves...`, `LaunchDuplicateOffer...` and `LaunchDifferentRoleLost`: whoever knows `TASK_DROPPED`
/// is told so, it is counted, and what the offers held is free again.
#[test]
fn tasks_with_offers_that_do_not_go_together_are_dropped_or_lost() {
    for (partition_aware, state) in [(false, TaskState::Lost), (true, TaskState::Dropped)] {
        for wrong in ["two agents", "one twice", "two roles"] {
            let mut master = Master::default();
            let mut info = framework_info("f");
            info.capabilities.partition_aware = partition_aware;
            if wrong == "two roles" {
                info.roles = ["a".into(), "b".into()].into();
            }
            let scheduler = master.subscribe(info);
            let mut offers = Vec::new();
            for host in ["h1", "h2"] {
                master.agent(host, "cpus:1;mem:64");
                offers.push(master.offer(&scheduler));
            }
            let [first, second] = &offers[..] else { panic!("{offers:?}") };
            let (second, expected) = match wrong {
                "one twice" => (first, "Duplicate offer"),
                "two roles" => (second, "Aggregated offers must be allocated to the same role"),
                _ => (second, "Aggregated offers must belong to one single agent"),
            };
            assert_eq!(first.role == second.role, wrong != "two roles", "{offers:?}");
            let accept = SchedulerCall::Accept {
                offer_ids: vec![first.id.clone(), second.id.clone()],
                operations: vec![launch([task("t", &first.agent_id, "cpus:1;mem:64")])],
                refuse: Duration::ZERO,
            };
            master.call(&scheduler, accept);
            let status = master.expect_status(&scheduler, state);
            assert_eq!(status.reason, Some(Reason::INVALID_OFFERS));
            let message = status.message.clone().unwrap_or_default();
            assert!(message.contains(expected), "{wrong}: {message}");
            let metrics = master.core.metrics();
            let counted = if partition_aware { (0, 1) } else { (1, 0) };
            assert_eq!((metrics.tasks_lost, metrics.tasks_dropped), counted);
            let reason = (state, status.source, Reason::INVALID_OFFERS);
            assert_eq!(metrics.task_reasons.get(&reason), Some(&1));
            let other = master.framework("g");
            master.settle();
            assert!(matches!(master.next_event(&other), Some(SchedulerEvent::Offers(_))), "{wrong}");
        }
    }
}
