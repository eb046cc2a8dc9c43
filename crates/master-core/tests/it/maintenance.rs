//! Machines, the schedule of their maintenance, and inverse offers.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, OfferId};
use master_core::{
    DrainConfig, FromAgent, InverseOffer, MachineId, MachineMode, MaintenanceStatus, OperatorCall,
    OperatorError, Options, Pid, Reason, SchedulerCall, SchedulerEvent, TaskState, ToAgent, Unavailability,
    Window,
};
use testkit::master::{Master, Scheduler, framework_info, launch, register, task};

use crate::registry::back;

fn machine(host: &str) -> MachineId {
    MachineId { hostname: Some(host.into()), ip: Some(host.into()) }
}

const SOON: Unavailability = Unavailability { start: 60, duration: Some(120) };
const LATER: Unavailability = Unavailability { start: 3600, duration: None };

fn window(hosts: &[&str], unavailability: Unavailability) -> Window {
    Window { machines: hosts.iter().map(|host| machine(host)).collect(), unavailability }
}

fn schedule(master: &mut Master, windows: &[Window]) -> Result<(), OperatorError> {
    master.operator(OperatorCall::UpdateMaintenanceSchedule(windows.to_vec()))
}

fn down(master: &mut Master, host: &str) -> Result<(), OperatorError> {
    master.operator(OperatorCall::StartMaintenance(vec![machine(host)]))
}

fn up(master: &mut Master, host: &str) -> Result<(), OperatorError> {
    master.operator(OperatorCall::StopMaintenance(vec![machine(host)]))
}

fn bad(host: &str, what: &str) -> Result<(), OperatorError> {
    let machine = format!(r#"{{"hostname":"{host}","ip":"{host}"}}"#);
    Err(OperatorError::BadRequest(format!("Machine '{machine}' {what}")))
}

/// Inverse offers among what a scheduler was told; all else is passed over.
fn inverse_offers(master: &mut Master, scheduler: &Scheduler) -> Vec<Arc<InverseOffer>> {
    let events = master.events_of(scheduler).into_iter();
    let offers = events.filter_map(|event| match event {
        SchedulerEvent::InverseOffers(offers) => Some(offers),
        _ => None,
    });
    offers.flatten().collect()
}

fn say(master: &mut Master, scheduler: &Scheduler, offer: &OfferId, accepted: bool, refuse: Duration) {
    let offer_ids = vec![offer.clone()];
    master.call(scheduler, SchedulerCall::AnswerInverseOffers { offer_ids, accepted, refuse });
}

/// What frameworks have said of the only machine that is to be maintained.
fn said(master: &Master) -> Vec<bool> {
    let MaintenanceStatus { draining, down } = master.core.maintenance_status();
    assert!(down.is_empty() && draining.len() == 1);
    draining[0].1.iter().map(|(_, answer)| answer.accepted).collect()
}

/// A framework with a task on an agent, whose machine is `h`; nothing is on offer.
fn scene() -> (Master, Scheduler, AgentId, Pid) {
    let mut master = Master::new(Options { offer_timeout: None, ..Options::new("master".to_owned(), 1) });
    let (agent, pid) = master.agent("h", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:64")])]);
    master.messages_to(&pid);
    (master, scheduler, agent, pid)
}

/// The same, and the framework has been asked to leave.
fn asked() -> (Master, Scheduler, AgentId, Pid, Arc<InverseOffer>) {
    let (mut master, scheduler, agent, pid) = scene();
    schedule(&mut master, &[window(&["h"], SOON)]).unwrap();
    master.settle();
    let offers = inverse_offers(&mut master, &scheduler);
    let [offer] = &offers[..] else { panic!("{offers:?}") };
    let offer = Arc::clone(offer);
    (master, scheduler, agent, pid, offer)
}

#[test]
fn a_schedule_is_replaced_and_kept_for_the_next_master() {
    let mut master = Master::default();
    let first = [window(&["a", "b"], SOON), window(&["c"], LATER)];
    schedule(&mut master, &first).unwrap();
    assert_eq!(master.core.maintenance_schedule(), first);
    let second = [window(&["c"], SOON)];
    schedule(&mut master, &second).unwrap();
    let next = master.successor("next");
    for master in [&master, &next] {
        assert_eq!(master.core.maintenance_schedule(), second);
        let status = MaintenanceStatus { draining: vec![(machine("c"), Vec::new())], down: Vec::new() };
        assert_eq!(master.core.maintenance_status(), status);
    }
    schedule(&mut master, &[]).unwrap();
    assert!(master.registry.windows.is_empty());
}

#[test]
fn an_operator_is_answered_when_the_registry_holds_the_schedule() {
    let mut master = Master::default();
    master.hold_registry = true;
    let request = master.ask(OperatorCall::UpdateMaintenanceSchedule(vec![window(&["a"], SOON)]));
    assert_eq!(master.answer(request), None);
    assert!(master.core.maintenance_schedule().is_empty());
    // What is decided meanwhile builds upon what is being written.
    let start = master.ask(OperatorCall::StartMaintenance(vec![machine("a")]));
    master.write_registry();
    assert_eq!(master.answer(request), Some(Ok(())));
    assert_eq!(master.answer(start), None);
    master.write_registry();
    assert_eq!(master.answer(start), Some(Ok(())));
    assert_eq!(master.core.maintenance_status().down, [machine("a")]);
}

#[test]
fn machines_that_are_down_stay_in_the_schedule() {
    let mut master = Master::default();
    schedule(&mut master, &[window(&["a", "b"], SOON)]).unwrap();
    down(&mut master, "a").unwrap();
    let what = "is deactivated and cannot be removed from the schedule";
    assert_eq!(schedule(&mut master, &[window(&["b"], SOON)]), bad("a", what));
    // It stays down if it is maintained at another time.
    schedule(&mut master, &[window(&["b"], SOON), window(&["a"], LATER)]).unwrap();
    let status = master.core.maintenance_status();
    assert_eq!((status.draining.len(), status.down), (1, vec![machine("a")]));
    up(&mut master, "a").unwrap();
    assert_eq!(master.core.maintenance_schedule(), [window(&["b"], SOON)]);
    assert_eq!(schedule(&mut master, &[]), Ok(()));
}

#[test]
fn machines_go_down_from_the_schedule_only_and_come_up_once() {
    let mut master = Master::default();
    master.agent("here", "cpus:1;mem:64");
    let not_there = "is not part of a maintenance schedule";
    assert_eq!(down(&mut master, "a"), bad("a", not_there));
    assert_eq!(up(&mut master, "a"), bad("a", not_there));
    assert_eq!(down(&mut master, "here"), bad("here", "is not in DRAINING mode and cannot be brought down"));
    schedule(&mut master, &[window(&["a"], SOON)]).unwrap();
    assert_eq!(up(&mut master, "a"), bad("a", "is not in DOWN mode and cannot be brought up"));
    let both = OperatorCall::StartMaintenance(vec![machine("a"), machine("b")]);
    assert_eq!(master.operator(both), bad("b", not_there));
    down(&mut master, "a").unwrap();
    assert_eq!(down(&mut master, "a"), bad("a", "is not in DRAINING mode and cannot be brought down"));
    let next = master.successor("next");
    assert_eq!(next.core.maintenance_status().down, [machine("a")]);
    up(&mut master, "a").unwrap();
    assert_eq!(up(&mut master, "a"), bad("a", not_there));
    assert_eq!(master.core.maintenance_status(), MaintenanceStatus::default());
}

#[test]
fn offers_say_when_their_agent_will_not_be_there() {
    let mut master = Master::default();
    master.agent("h", "cpus:1;mem:64");
    master.agent("other", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&scheduler) else { panic!("no offers") };
    assert!(offers.iter().all(|offer| offer.unavailability.is_none()));
    schedule(&mut master, &[window(&["h"], SOON)]).unwrap();
    master.settle();
    let events = master.events_of(&scheduler);
    let [SchedulerEvent::Rescind(_), SchedulerEvent::Offers(new), SchedulerEvent::InverseOffers(inverse)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((new.len(), new[0].unavailability), (1, Some(SOON)));
    assert_eq!((inverse.len(), &inverse[0].agent_id, inverse[0].unavailability), (1, &new[0].agent_id, SOON));
    // Nothing is said twice; at another time everything is.
    schedule(&mut master, &[window(&["h"], SOON)]).unwrap();
    master.advance(Duration::from_secs(5));
    master.expect_silence(&scheduler);
    schedule(&mut master, &[window(&["h"], LATER)]).unwrap();
    master.settle();
    let again = inverse_offers(&mut master, &scheduler);
    assert_eq!((again.len(), again[0].unavailability), (1, LATER));
    // The next offer of an agent that is not to be maintained any more is as it was.
    schedule(&mut master, &[]).unwrap();
    let rescinded: Vec<_> = master.events_of(&scheduler);
    let [SchedulerEvent::Rescind(_), SchedulerEvent::RescindInverse(id)] = &rescinded[..] else {
        panic!("{rescinded:?}")
    };
    assert_eq!(*id, again[0].id);
    assert_eq!(master.offer(&scheduler).unavailability, None);
}

#[test]
fn frameworks_are_asked_to_leave_and_operators_see_what_they_say() {
    let (mut master, scheduler, agent, _, offer) = asked();
    assert_eq!((&offer.framework_id, &offer.agent_id, offer.unavailability), (&scheduler.id, &agent, SOON));
    assert!(said(&master).is_empty());
    // Who has nothing there is not asked.
    let other = master.subscribe(framework_info("other"));
    master.advance(Duration::from_secs(5));
    master.expect_silence(&other);
    say(&mut master, &scheduler, &offer.id, true, Duration::from_secs(5));
    assert_eq!(said(&master), [true]);
    let answered = master.core.maintenance_status().draining[0].1[0].clone();
    assert_eq!((answered.0, answered.1.at), (scheduler.id.clone(), master.now));
    // The next master does not know, and asks anew when both are there again.
    assert!(said(&master.successor("next")).is_empty());
    master.call(&scheduler, SchedulerCall::Teardown);
    assert!(said(&master).is_empty(), "what counts is what is there");
}

#[test]
fn who_has_answered_is_asked_again_when_the_filter_is_over() {
    let (mut master, scheduler, _, _, offer) = asked();
    say(&mut master, &scheduler, &offer.id, false, Duration::from_secs(10));
    assert_eq!(said(&master), [false]);
    master.advance(Duration::from_secs(9));
    master.expect_silence(&scheduler);
    master.advance(Duration::from_secs(2));
    let offers = inverse_offers(&mut master, &scheduler);
    assert_eq!(offers.len(), 1);
    // Without a filter it is asked with the next allocation; the newest answer counts.
    say(&mut master, &scheduler, &offers[0].id, true, Duration::ZERO);
    assert_eq!(said(&master), [true]);
    master.advance(Duration::from_secs(2));
    let offers = inverse_offers(&mut master, &scheduler);
    say(&mut master, &scheduler, &offers[0].id, true, Duration::from_secs(600));
    // REVIVE takes back what was refused.
    master.call(&scheduler, SchedulerCall::Revive(Vec::new()));
    master.settle();
    assert_eq!(inverse_offers(&mut master, &scheduler).len(), 1);
}

/// After `MasterMaintenanceTest.InverseOffersFilters`: a filter is for the agent that was asked about.
#[test]
fn who_has_answered_for_one_agent_is_asked_again_for_another() {
    let mut master = Master::new(Options { offer_timeout: None, ..Options::new("master".to_owned(), 1) });
    let scheduler = master.framework("f");
    for host in ["h1", "h2"] {
        let (agent, _) = master.agent(host, "cpus:1;mem:64");
        let offer = master.offer(&scheduler);
        master.accept(&scheduler, &offer.id, [launch([task(host, &agent, "cpus:1;mem:64")])]);
    }
    schedule(&mut master, &[window(&["h1", "h2"], SOON)]).unwrap();
    master.settle();
    let offers = inverse_offers(&mut master, &scheduler);
    let [first, second] = &offers[..] else { panic!("{offers:?}") };
    say(&mut master, &scheduler, &second.id, false, Duration::from_secs(3600));
    let mut id = first.id.clone();
    for accepted in [true, false] {
        say(&mut master, &scheduler, &id, accepted, Duration::ZERO);
        master.advance(Duration::from_secs(2));
        let offers = inverse_offers(&mut master, &scheduler);
        let [again] = &offers[..] else { panic!("{offers:?}") };
        assert_eq!(again.agent_id, first.agent_id);
        id = again.id.clone();
    }
    let answers: Vec<Vec<bool>> = master
        .core
        .maintenance_status()
        .draining
        .iter()
        .map(|(_, answers)| answers.iter().map(|(_, answer)| answer.accepted).collect())
        .collect();
    assert_eq!(answers, [[false], [false]]);
}

#[test]
fn answers_to_inverse_offers_that_are_not_ones_own_are_dropped() {
    let (mut master, scheduler, _, _, offer) = asked();
    let other = master.framework("other");
    say(&mut master, &other, &offer.id, true, Duration::ZERO);
    say(&mut master, &scheduler, &"nope".into(), true, Duration::ZERO);
    let none =
        SchedulerCall::AnswerInverseOffers { offer_ids: Vec::new(), accepted: true, refuse: Duration::ZERO };
    master.call(&scheduler, none);
    assert!(said(&master).is_empty());
    assert_eq!(master.core.metrics().dropped_messages, 3);
    assert_eq!(master.core.framework(&scheduler.id).unwrap().inverse_offers.len(), 1);
}

#[test]
fn inverse_offers_run_out_as_offers_do() {
    let timeout = Some(Duration::from_secs(30));
    let mut master = Master::new(Options { offer_timeout: timeout, ..Options::new("master".to_owned(), 1) });
    let (agent, _) = master.agent("h", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:64")])]);
    schedule(&mut master, &[window(&["h"], SOON)]).unwrap();
    master.settle();
    let first = inverse_offers(&mut master, &scheduler);
    master.advance(Duration::from_secs(32));
    let events = master.events_of(&scheduler);
    let [SchedulerEvent::RescindInverse(id), SchedulerEvent::InverseOffers(again)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((id, again.len()), (&first[0].id, 1));
    assert_ne!(again[0].id, first[0].id);
}

#[test]
fn a_scheduler_that_takes_over_is_asked_itself() {
    let (mut master, scheduler, _, _, offer) = asked();
    say(&mut master, &scheduler, &offer.id, false, Duration::from_secs(600));
    let next = master.subscribe_as(Some(&scheduler.id), framework_info("f"));
    master.settle();
    let offers = inverse_offers(&mut master, &next);
    assert_eq!(offers.len(), 1);
    assert_eq!(said(&master), [false], "what was said stays until it says something else");
    // A framework that ends is asked nothing any more.
    master.call(&next, SchedulerCall::Teardown);
    master.advance(Duration::from_secs(5));
    assert!(master.is_closed(&next));
}

#[test]
fn inverse_offers_of_an_agent_that_is_lost_or_deactivated_are_withdrawn() {
    let (mut master, scheduler, agent, _, offer) = asked();
    master.operator(OperatorCall::DeactivateAgent(agent.clone())).unwrap();
    assert!(
        matches!(master.next_event(&scheduler), Some(SchedulerEvent::RescindInverse(id)) if id == offer.id)
    );
    master.advance(Duration::from_secs(2));
    master.expect_silence(&scheduler);
    master.operator(OperatorCall::ReactivateAgent(agent.clone())).unwrap();
    master.advance(Duration::from_secs(2));
    let offers = inverse_offers(&mut master, &scheduler);
    assert_eq!(offers.len(), 1);
    master.operator(OperatorCall::MarkAgentGone(agent)).unwrap();
    let events = master.events_of(&scheduler);
    let [SchedulerEvent::RescindInverse(id), SchedulerEvent::Update(_), SchedulerEvent::Failure { .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*id, offers[0].id);
}

#[test]
fn agents_of_a_machine_that_goes_down_are_removed_and_refused_until_it_is_up() {
    let (mut master, scheduler, agent, pid, _) = asked();
    down(&mut master, "h").unwrap();
    let cause = "Operator initiated 'Machine DOWN'";
    assert_eq!(master.messages_to(&pid), [ToAgent::Shutdown(cause.to_owned())]);
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::RescindInverse(_))));
    let lost = master.expect_status(&scheduler, TaskState::Lost);
    assert_eq!(lost.message.as_deref(), Some(&*format!("Agent h removed: {cause}")));
    assert_eq!(lost.reason, Some(Reason::AGENT_REMOVED));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Failure { .. })));
    assert!(master.registry.agents.is_empty() && master.core.agent(&agent).is_none());

    // Neither the same agent nor another one of that machine is let in, and not by the next master either.
    let refused = [ToAgent::Shutdown("Machine is `DOWN`".to_owned())];
    let register = || FromAgent::Register(Box::new(register("h", "cpus:1;mem:64")));
    let mut next = master.successor("next");
    for master in [&mut master, &mut next] {
        master.from_agent(&pid, back(&agent, "h", "cpus:1;mem:64"));
        assert_eq!(master.messages_to(&pid), refused);
        master.from_agent(&pid, register());
        assert_eq!(master.messages_to(&pid), refused);
        // Another machine of that name is another machine.
        master.agent("h2", "cpus:1;mem:64");
    }
    up(&mut next, "h").unwrap();
    next.from_agent(&pid, register());
    assert!(matches!(&next.messages_to(&pid)[..], [_, ToAgent::Registered(_)]));
}

#[test]
fn an_agent_that_was_let_in_while_its_machine_went_down_is_removed_again() {
    let mut master = Master::default();
    schedule(&mut master, &[window(&["h"], SOON)]).unwrap();
    master.hold_registry = true;
    let pid = Pid::from("slave(1)@h:5051");
    master.from_agent(&pid, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    let start = master.ask(OperatorCall::StartMaintenance(vec![machine("h")]));
    master.write_registry();
    assert!(matches!(&master.messages_to(&pid)[..], [_, ToAgent::Registered(_)]));
    // And the other way round: down first, then let in.
    let second = Pid::from("slave(2)@h:5052");
    master.from_agent(&second, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    master.write_registry();
    assert_eq!(master.answer(start), Some(Ok(())));
    master.write_registry();
    for pid in [&pid, &second] {
        assert!(matches!(&master.messages_to(pid)[..], [.., ToAgent::Shutdown(_)]));
    }
    while !master.registry_writes.is_empty() {
        master.write_registry();
    }
    assert!(master.registry.agents.is_empty() && master.core.snapshot(master.now).agents.is_empty());
}

#[test]
fn an_agent_in_the_schedule_cannot_be_drained_as_well() {
    let mut master = Master::default();
    let (agent, _) = master.agent("h", "cpus:1;mem:64");
    let written = MachineId { hostname: Some("H".into()), ip: Some("h".into()) };
    schedule(&mut master, &[Window { machines: vec![written], unavailability: SOON }]).unwrap();
    let config = DrainConfig { max_grace_period: None, mark_gone: false };
    let drain = OperatorCall::DrainAgent { agent_id: agent.clone(), config };
    let machine = MachineId { hostname: Some("H".into()), ip: Some("h".into()) };
    let what = format!("Agent {agent} is part of a maintenance schedule under Machine {machine}");
    assert_eq!(master.operator(drain), Err(OperatorError::BadRequest(what)));
}

#[test]
fn an_agent_that_comes_to_the_next_master_is_known_to_be_maintained() {
    let (master, _, agent, pid, _) = asked();
    let mut next = master.successor("next");
    next.from_agent(&pid, back(&agent, "h", "cpus:1;mem:64"));
    let scheduler = next.framework("other");
    next.settle();
    let Some(SchedulerEvent::Offers(offers)) = next.next_event(&scheduler) else { panic!("no offer") };
    let [offer] = &offers[..] else { panic!("{offers:?}") };
    assert_eq!(offer.unavailability, Some(SOON));
    assert_eq!(next.registry.windows.values().next().unwrap().machines[0].1, MachineMode::Draining);
}
