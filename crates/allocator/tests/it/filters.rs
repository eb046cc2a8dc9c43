//! Refusals, and taking them back.

use std::sync::Arc;
use std::time::Duration;

use allocator::{AgentSpec, AgentTraits, Allocator, AttributeValue, Options};
use base::{Rng, Time};
use resources::Role;

use crate::cluster::{Cluster, ag, fw, res, spec};

fn one_by_one() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.agent("S", "cpus:4;mem:400");
    cluster
}

#[test]
fn what_is_declined_does_not_come_back_before_its_time() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.decline(&offer, 5);
    assert_eq!(cluster.offers(), []);
    assert_eq!(cluster.allocator.next_filter_expiry(), Some(cluster.now + Duration::from_secs(5)));
    cluster.wait(4);
    assert!(!cluster.allocator.needs_allocation(cluster.now));
    assert_eq!(cluster.offers(), []);
    cluster.wait(1);
    assert!(cluster.allocator.needs_allocation(cluster.now));
    assert_eq!(cluster.offer(), offer);
    assert_eq!(cluster.allocator.next_filter_expiry(), None);
}

#[test]
fn others_get_what_one_declined() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.framework("B", &["*"]);
    cluster.decline(&offer, 5);
    assert_eq!(cluster.offered(), ["B * S: cpus:4; mem:400"]);
}

#[test]
fn revive_brings_everything_back_at_once() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.revive(&fw("A"), []);
    assert_eq!(cluster.offer(), offer);
    assert_eq!(cluster.allocator.next_filter_expiry(), None);
}

#[test]
fn revive_of_one_role_leaves_refusals_of_the_other() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a", "b"]);
    cluster.agent("S", "cpus:4;mem:400");
    for _ in 0..2 {
        let offer = cluster.offer();
        cluster.decline(&offer, 3600);
    }
    assert_eq!(cluster.offers(), []);
    cluster.allocator.revive(&fw("A"), [&Role::from("b")]);
    assert_eq!(cluster.offered(), ["A b S: cpus:4; mem:400"]);
    assert_eq!(cluster.allocator.active_filters().len(), 1);
}

#[test]
fn more_than_was_declined_is_offered() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.accept(&offer, "cpus:1;mem:100", 3600);
    assert_eq!(cluster.offers(), []);
    cluster.end(&offer, "cpus:1;mem:100");
    assert_eq!(cluster.offered(), ["A * S: cpus:4; mem:400"]);
}

#[test]
fn less_than_was_declined_is_not_offered() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.framework("B", &["*"]);
    cluster.decline(&offer, 3600);
    let of_b = cluster.offer();
    cluster.accept(&of_b, "cpus:2;mem:200", 3600);
    // Left are 2 CPUs, of which A has said that it does not want even 4, and B has just refused the rest.
    assert_eq!(cluster.offers(), []);
}

#[test]
fn the_rest_of_an_accepted_offer_comes_at_once_without_a_refusal() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.accept(&offer, "cpus:1;mem:100", 0);
    assert_eq!(cluster.offered(), ["A * S: cpus:3; mem:300"]);
}

#[test]
fn a_decline_without_delay_still_waits_a_little() {
    let options = Options { min_refusal: Duration::from_millis(250), ..Options::new(Rng::new(1)) };
    let mut allocator = Allocator::new(options);
    allocator.add_framework(&fw("A"), spec(&["*"]), true);
    let agent = allocator::AgentSpec { total: res("cpus:1;mem:100"), ..allocator::AgentSpec::default() };
    allocator.add_agent(&ag("S"), agent, &[]);
    let now = Time::from_secs_f64(1.0);
    let offers = allocator.allocate(now);
    allocator.decline(now, &fw("A"), &ag("S"), &offers[0].resources, Duration::ZERO);
    assert_eq!(allocator.allocate(now), []);
    assert_eq!(allocator.allocate(now + Duration::from_millis(250)).len(), 1);
}

#[test]
fn suppressed_roles_get_nothing_until_revived() {
    let mut cluster = one_by_one();
    cluster.allocator.suppress(&fw("A"), []);
    assert_eq!(cluster.offers(), []);
    cluster.framework("B", &["*"]);
    let offer = cluster.offer();
    assert_eq!(offer.framework, fw("B"));
    cluster.recover(&offer);
    cluster.allocator.suppress(&fw("B"), [&Role::star()]);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.revive(&fw("A"), [&Role::star()]);
    assert_eq!(cluster.offered(), ["A * S: cpus:4; mem:400"]);
}

#[test]
fn suppressing_one_role_leaves_the_other() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a", "b"]);
    cluster.allocator.suppress(&fw("A"), [&Role::from("a"), &Role::from("unknown")]);
    cluster.agent("S1", "cpus:1;mem:100");
    cluster.agent("S2", "cpus:1;mem:100");
    assert!(cluster.offered().iter().all(|o| o.starts_with("A b ")));
}

#[test]
fn refusals_end_with_the_agent() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    cluster.allocator.remove_agent(&ag("S"));
    assert_eq!(cluster.allocator.next_filter_expiry(), None);
    cluster.agent("S", "cpus:4;mem:400");
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn refusals_end_when_the_framework_is_deactivated() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    cluster.allocator.deactivate_framework(&fw("A"));
    assert_eq!(cluster.offers(), []);
    cluster.allocator.activate_framework(&fw("A"));
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn many_refusals_of_one_agent_stay_few() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.agent("S", "cpus:50;mem:5000");
    let tasks = cluster.offer();
    // Each time more than ever before comes back and is refused for a shorter time, so no refusal covers another.
    for i in 0..40 {
        cluster.recover_part(&tasks, "cpus:1;mem:100");
        let offer = cluster.offer();
        cluster.decline(&offer, 600 - i);
        assert!(cluster.allocator.active_filters()[&Role::star()] <= 16);
    }
    assert_eq!(cluster.offers(), []);
}

#[test]
fn a_refusal_that_covers_others_takes_their_place() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.agent("S", "cpus:50;mem:5000");
    let tasks = cluster.offer();
    for i in 0..10 {
        cluster.recover_part(&tasks, "cpus:1;mem:100");
        let offer = cluster.offer();
        cluster.decline(&offer, 600 + i);
    }
    assert_eq!(cluster.allocator.active_filters()[&Role::star()], 1);
}

#[test]
fn refusals_in_force_are_counted_by_role() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:2;mem:1024");
    for (id, role) in [("F1", "a"), ("F2", "b"), ("F3", "a")] {
        cluster.framework(id, &[role]);
        let offer = cluster.offer();
        assert_eq!(offer.framework, fw(id));
        cluster.decline(&offer, 100);
    }
    let filters = cluster.allocator.active_filters();
    assert_eq!(filters, [(Role::from("a"), 2), (Role::from("b"), 1)].into());
    cluster.wait(100);
    cluster.offers();
    assert!(cluster.allocator.active_filters().is_empty());
}

#[test]
fn refusals_are_forgotten_when_the_agent_is_not_what_it_was() {
    let mut cluster = one_by_one();
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.offers(), []);
    let traits = AgentTraits {
        attributes: vec![("rack".to_owned(), AttributeValue::Text("a".to_owned()))],
        ..AgentTraits::default()
    };
    let total = res("cpus:4;mem:400");
    let agent = AgentSpec { total, traits: Arc::new(traits), ..AgentSpec::default() };
    cluster.allocator.update_agent(&ag("S"), agent);
    cluster.allocator.check();
    assert_eq!(cluster.offer(), offer);
}

#[test]
fn a_refusal_is_of_one_role_only() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a", "b"]);
    cluster.allocator.suppress(&fw("A"), [&Role::from("a")]);
    cluster.agent("S", "cpus:2;mem:1024");
    let offer = cluster.offer();
    assert_eq!(offer.role, Role::from("b"));
    cluster.decline(&offer, 86_400);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.revive(&fw("A"), [&Role::from("a")]);
    let offer = cluster.offer();
    assert_eq!(offer.role, Role::from("a"));
    cluster.decline(&offer, 86_400);
    assert_eq!(cluster.offers(), []);
}
