//! Frameworks that neither use nor decline their offers: how much of the cluster they may keep others waiting for.

use allocator::{Allocator, Offerable, Options};
use base::Rng;

use crate::cluster::{Cluster, fw};

/// Ten agents, of which nobody may hold more than a quarter in offers before it gets one more.
fn bounded() -> Cluster {
    let options = Options { max_offered_share: Some(0.25), ..Options::new(Rng::new(1)) };
    let mut cluster = Cluster { allocator: Allocator::new(options), ..Cluster::new() };
    for i in 0..10 {
        cluster.agent(&format!("S{i}"), "cpus:1;mem:100");
    }
    cluster
}

fn counts(offers: &[Offerable]) -> [usize; 2] {
    ["A", "B"].map(|id| offers.iter().filter(|o| o.framework == fw(id)).count())
}

#[test]
fn who_is_alone_may_have_everything() {
    let mut cluster = bounded();
    cluster.framework("A", &["a"]);
    assert_eq!(cluster.offers().len(), 10);
}

#[test]
fn among_several_nobody_gets_more_until_it_answers() {
    let mut cluster = bounded();
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    let offers = cluster.offers();
    assert_eq!(counts(&offers), [3, 3]);
    assert_eq!(cluster.offers(), []);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
    // What is used is not held back from anybody: A gets as much again.
    for offer in offers.iter().filter(|o| o.framework == fw("A")) {
        cluster.accept(offer, "cpus:1;mem:100", 0);
    }
    assert_eq!(counts(&cluster.offers()), [3, 0]);
}

#[test]
fn roles_of_a_framework_count_together() {
    let mut cluster = bounded();
    cluster.framework("A", &["a", "c", "d"]);
    cluster.framework("B", &["b"]);
    assert_eq!(counts(&cluster.offers()), [3, 3]);
}

#[test]
fn what_was_held_back_comes_when_nobody_else_wants_offers_any_more() {
    let mut cluster = bounded();
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    cluster.offers();
    cluster.allocator.suppress(&fw("B"), []);
    assert_eq!(counts(&cluster.offers()), [4, 0]);
    cluster.allocator.revive(&fw("B"), []);
    // With B again, nobody gets more.
    cluster.agent("S10", "cpus:1;mem:100");
    assert_eq!(counts(&cluster.offers()), [0, 0]);
}

#[test]
fn a_declined_offer_makes_room_for_another() {
    let mut cluster = bounded();
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    let offers = cluster.offers();
    let of_a = offers.iter().find(|o| o.framework == fw("A")).unwrap();
    cluster.decline(of_a, 3600);
    let more = cluster.offers();
    assert_eq!(counts(&more), [1, 0]);
    assert_ne!(more[0].agent, of_a.agent);
}
