//! Quotas: which may be set, and what is withdrawn for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use master_core::{Offer, OperatorCall, OperatorError, Quota, SchedulerCall, SchedulerEvent, TaskState};
use resources::{Name, Scalar};
use testkit::master::{Master, Scheduler, apply, launch, reserve, reserved, resources, status, task};

use crate::reservations::of_role;

fn amounts(text: &str) -> BTreeMap<Name, Scalar> {
    resources(text).quantities().iter().map(|(name, amount)| (name.clone(), amount)).collect()
}

fn quota(guarantees: &str, limits: &str) -> Quota {
    Quota { guarantees: amounts(guarantees), limits: amounts(limits) }
}

fn update(master: &mut Master, quotas: &[(&str, Quota)], force: bool) -> Result<(), OperatorError> {
    let quotas = quotas.iter().map(|(role, quota)| ((*role).into(), quota.clone())).collect();
    master.operator(OperatorCall::UpdateQuota { quotas, force })
}

fn set(master: &mut Master, role: &str, guarantee: &str, force: bool) -> Result<(), OperatorError> {
    master.operator(OperatorCall::SetQuota { role: role.into(), guarantee: amounts(guarantee), force })
}

fn remove(master: &mut Master, role: &str) -> Result<(), OperatorError> {
    master.operator(OperatorCall::RemoveQuota(role.into()))
}

fn bad(text: &str) -> Result<(), OperatorError> {
    Err(OperatorError::BadRequest(text.to_owned()))
}

fn quotas(master: &Master) -> BTreeMap<String, Quota> {
    let quotas = master.core.snapshot(master.now).quotas;
    quotas.into_iter().map(|(role, quota)| (role.to_string(), quota)).collect()
}

fn rescinded(master: &mut Master, scheduler: &Scheduler) -> usize {
    let events = master.events_of(scheduler);
    events.iter().filter(|event| matches!(event, SchedulerEvent::Rescind(_))).count()
}

#[test]
fn quotas_are_set_changed_and_taken_away() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    assert_eq!(
        update(&mut master, &[("a", quota("cpus:1", "cpus:2;mem:512")), ("b", quota("", "cpus:3"))], false),
        Ok(())
    );
    let set: Vec<_> = quotas(&master).into_iter().collect();
    assert_eq!(
        set,
        [("a".to_owned(), quota("cpus:1", "cpus:2;mem:512")), ("b".to_owned(), quota("", "cpus:3"))]
    );
    assert_eq!(update(&mut master, &[("a", quota("cpus:3", ""))], false), Ok(()));
    assert_eq!(quotas(&master)["a"], quota("cpus:3", ""));
    assert_eq!(update(&mut master, &[("a", Quota::default()), ("b", Quota::default())], false), Ok(()));
    assert!(quotas(&master).is_empty());
}

#[test]
fn the_older_calls_set_guarantee_and_limit_in_one_and_once() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    assert_eq!(set(&mut master, "a", "cpus:1;mem:512", false), Ok(()));
    assert_eq!(quotas(&master)["a"], quota("cpus:1;mem:512", "cpus:1;mem:512"));
    assert_eq!(
        set(&mut master, "a", "cpus:2", false),
        bad("Failed to validate set quota request: Cannot set quota for role 'a' which already has quota")
    );
    assert_eq!(remove(&mut master, "a"), Ok(()));
    assert_eq!(remove(&mut master, "a"), bad("Failed to remove quota: Role 'a' has no quota set"));
}

#[test]
fn what_the_cluster_does_not_have_is_not_guaranteed_unless_forced() {
    let mut master = Master::default();
    master.agent("h1", "cpus:2;mem:1024");
    let (_, pid) = master.agent("h2", "cpus:2;mem:1024");
    // What is reserved counts, and agents that are away for a moment do.
    let scheduler = master.subscribe(of_role("f", "web"));
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&scheduler) else { panic!("no offers") };
    master.accept(&scheduler, &offers[0].id, [apply(reserve(&reserved("cpus:2", "web")))]);
    master.input(master_core::Input::AgentDisconnected(pid));
    assert_eq!(set(&mut master, "a", "cpus:4", false), Ok(()));
    assert_eq!(remove(&mut master, "a"), Ok(()));
    assert_eq!(
        set(&mut master, "a", "cpus:5", false),
        Err(OperatorError::Conflict(
            "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees 'cpus:5' \
             exceed cluster capacity 'cpus:4; mem:2048'"
                .to_owned()
        ))
    );
    let text = "Invalid QuotaConfig: total quota guarantees 'cpus:6' exceed cluster capacity 'cpus:4; mem:2048' (use \
                'force' flag to bypass this check)";
    let too_much = [("a", quota("cpus:4", "")), ("b", quota("cpus:2", ""))];
    assert_eq!(update(&mut master, &too_much, false), bad(text));
    assert!(quotas(&master).is_empty(), "all or nothing");
    assert_eq!(update(&mut master, &too_much, true), Ok(()));
    assert_eq!(remove(&mut master, "b"), Ok(()));
    assert_eq!(set(&mut master, "c", "cpus:100", true), Ok(()));
}

#[test]
fn limits_are_not_below_what_a_role_has_unless_forced() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.subscribe(of_role("f", "web/site"));
    let offer = master.offer(&scheduler);
    let reserve = apply(reserve(&reserved("cpus:1", "web/site")));
    master.accept(&scheduler, &offer.id, [reserve, launch([task("t", &agent, "cpus:1;mem:128")])]);
    // One CPU is in use, and one is reserved beside it.
    assert_eq!(
        update(&mut master, &[("web", quota("", "cpus:1.5"))], false),
        bad(
            "Invalid QuotaConfig: Role 'web' is already consuming 'cpus:2; mem:128'; this is more than the requested \
             limits 'cpus:1.5' (use 'force' flag to bypass this check)"
        )
    );
    assert_eq!(update(&mut master, &[("web", quota("", "cpus:1.5"))], true), Ok(()));
    assert_eq!(update(&mut master, &[("web", quota("", "cpus:2;mem:128"))], false), Ok(()));
    let ended = status(&scheduler.id, &agent, &"t".into(), TaskState::Finished, 1);
    master.from_agent(&pid, master_core::FromAgent::StatusUpdate(ended));
    assert_eq!(update(&mut master, &[("web", quota("", "cpus:1"))], false), Ok(()));
}

#[test]
fn guarantees_of_roles_below_come_out_of_those_above() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    let why = |guarantee: &str, below: &str| {
        format!(
            "Invalid quota configuration. Parent role 'web' with guarantees ({guarantee}) does not contain the sum of its \
             children's guarantees ({below})"
        )
    };
    assert_eq!(
        set(&mut master, "web/a", "cpus:1", false),
        bad(&format!("Failed to validate set quota request: {}", why("{}", "cpus:1")))
    );
    // The guarantees of children do not count beside their parent's.
    assert_eq!(set(&mut master, "web", "cpus:4", false), Ok(()));
    assert_eq!(set(&mut master, "web/a", "cpus:3", false), Ok(()));
    assert_eq!(
        update(&mut master, &[("web/b", quota("cpus:2", ""))], true),
        bad(&format!("Invalid QuotaConfig: {}", why("cpus:4", "cpus:5")))
    );
    assert_eq!(remove(&mut master, "web"), bad(&format!("Failed to remove quota: {}", why("{}", "cpus:3"))));
    assert_eq!(remove(&mut master, "web/a"), Ok(()));
    assert_eq!(remove(&mut master, "web"), Ok(()));
}

/// Two agents, of which both are offered to a framework of the role `greedy`.
fn all_offered() -> (Master, Scheduler, Vec<Arc<Offer>>) {
    let mut master = Master::default();
    master.agent("h1", "cpus:2;mem:1024");
    master.agent("h2", "cpus:2;mem:1024");
    let greedy = master.subscribe(of_role("g", "greedy"));
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&greedy) else { panic!("no offers") };
    assert_eq!(offers.len(), 2);
    (master, greedy, offers)
}

#[test]
fn offers_are_withdrawn_for_a_guarantee() {
    let (mut master, greedy, _) = all_offered();
    let waiting = master.subscribe(of_role("w", "web"));
    assert_eq!(update(&mut master, &[("web", quota("cpus:1", ""))], false), Ok(()));
    assert_eq!(rescinded(&mut master, &greedy), 1, "one is enough");
    let offer = master.offer(&waiting);
    assert!(offer.resources.quantities().get(&Name::Cpus) >= Scalar::whole(1));
}

#[test]
fn the_older_call_withdraws_from_as_many_agents_as_frameworks_wait() {
    for (waiting, expected) in [(0, 1), (2, 2)] {
        let (mut master, greedy, _) = all_offered();
        for _ in 0..waiting {
            master.subscribe(of_role("w", "web"));
        }
        assert_eq!(set(&mut master, "web", "cpus:1", false), Ok(()));
        assert_eq!(rescinded(&mut master, &greedy), expected);
    }
}

#[test]
fn offers_beyond_a_limit_are_withdrawn() {
    let (mut master, greedy, offers) = all_offered();
    assert_eq!(update(&mut master, &[("greedy", quota("", "cpus:4"))], false), Ok(()));
    assert_eq!(rescinded(&mut master, &greedy), 0);
    assert_eq!(update(&mut master, &[("greedy", quota("", "cpus:3"))], false), Ok(()));
    assert_eq!(rescinded(&mut master, &greedy), 1);
    // What is in use is not taken back.
    let left = master.core.snapshot(master.now).frameworks[0].offers.values().next().cloned().unwrap();
    assert!(offers.iter().any(|offer| offer.id == left.id));
    master.accept(&greedy, &left.id, [launch([task("t", &left.agent_id, "cpus:2;mem:128")])]);
    assert_eq!(update(&mut master, &[("greedy", quota("", "cpus:0.5"))], true), Ok(()));
    master.call(&greedy, SchedulerCall::Revive(Vec::new()));
    master.settle();
    let offers = master.events_of(&greedy).into_iter().filter_map(|event| match event {
        SchedulerEvent::Offers(offers) => Some(offers),
        _ => None,
    });
    assert!(offers.flatten().all(|offer| offer.resources.cpus().is_none()), "only what has no limit");
}
