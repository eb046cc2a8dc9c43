//! Quota limits.

use std::collections::BTreeMap;

use allocator::Quota;
use resources::{Name, Role, Scalar};

use crate::cluster::{Cluster, ag, fw};

fn limit(cluster: &mut Cluster, role: &str, cpus: i64) {
    let limits = BTreeMap::from([(Name::Cpus, Scalar::whole(cpus))]);
    cluster.allocator.set_quota(&Role::from(role), Quota { limits, ..Quota::default() });
    cluster.allocator.check();
}

#[test]
fn offers_are_cut_to_the_limit_and_others_get_the_rest() {
    let mut cluster = Cluster::new();
    limit(&mut cluster, "a", 3);
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    assert_eq!(cluster.offered(), ["A a S: cpus:3; mem:400"]);
    cluster.agent("S2", "cpus:4;mem:400");
    assert_eq!(cluster.offered(), ["A a S2: mem:400"]);
    cluster.framework("B", &["b"]);
    assert_eq!(cluster.offered(), ["B b S2: cpus:4", "B b S: cpus:1"]);
}

#[test]
fn what_was_held_back_comes_when_something_is_given_back_elsewhere() {
    let mut cluster = Cluster::new();
    limit(&mut cluster, "a", 4);
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    cluster.agent("S2", "cpus:2;mem:1");
    assert_eq!(cluster.offered(), [] as [String; 0]);
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.offered(), ["A a S2: cpus:2; mem:1"]);
}

#[test]
fn a_higher_limit_takes_effect_at_once_and_none_lets_everything_pass() {
    let mut cluster = Cluster::new();
    limit(&mut cluster, "a", 1);
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    assert_eq!(cluster.offered(), ["A a S: cpus:1; mem:400"]);
    limit(&mut cluster, "a", 2);
    assert_eq!(cluster.offered(), ["A a S: cpus:1"]);
    cluster.allocator.set_quota(&Role::from("a"), Quota::default());
    assert_eq!(cluster.offered(), ["A a S: cpus:2"]);
}

#[test]
fn roles_below_share_the_limit() {
    let mut cluster = Cluster::new();
    limit(&mut cluster, "a", 3);
    cluster.framework("X", &["a/x"]);
    cluster.framework("Y", &["a/y"]);
    cluster.agent("S1", "cpus:2;mem:100");
    cluster.agent("S2", "cpus:2;mem:100");
    let cpus: Scalar = cluster.offers().iter().filter_map(|o| o.resources.cpus()).sum();
    assert_eq!(cpus, Scalar::whole(3));
    let a = cluster.allocator.roles().into_iter().find(|r| r.role == Role::from("a")).unwrap();
    assert_eq!(a.consumed.get(&Name::Cpus), Scalar::whole(3));
}

#[test]
fn reservations_count_but_are_always_offered() {
    let mut cluster = Cluster::new();
    limit(&mut cluster, "a", 3);
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400;cpus(a):2");
    let offer = cluster.offer();
    assert_eq!(offer.resources.cpus(), Some(Scalar::whole(3)));
    assert_eq!(offer.resources.reserved().cpus(), Some(Scalar::whole(2)));
    assert_eq!(offer.framework, fw("A"));
}

#[test]
fn a_reservation_that_goes_makes_room() {
    let mut cluster = Cluster::new();
    limit(&mut cluster, "a", 3);
    cluster.agent("S", "cpus(a):3;mem:100");
    cluster.allocator.deactivate_agent(&ag("S"));
    cluster.framework("A", &["a"]);
    cluster.agent("S2", "cpus:4;mem:10");
    assert_eq!(cluster.offers(), []);
    cluster.allocator.remove_agent(&ag("S"));
    assert_eq!(cluster.offered(), ["A a S2: cpus:3; mem:10"]);
}
