//! What is kept from whom.

use allocator::{AgentSpec, Capabilities};
use resources::{Details, Resource, Role, Scalar};

use crate::cluster::{Cluster, ag, res};

#[test]
fn reservations_are_for_their_role_and_those_below() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.framework("AX", &["a/x"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus(a):4;mem(a):400");
    let offer = cluster.offer();
    assert_eq!(offer.role, Role::from("a"));
    cluster.decline(&offer, 3600);
    let offer = cluster.offer();
    assert_eq!(offer.role, Role::from("a/x"));
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.offers(), []);
}

#[test]
fn one_agent_may_serve_several_roles() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus(a):4;mem(b):400");
    assert_eq!(
        cluster.offered(),
        ["A a S: cpus(reservations: [(STATIC,a)]):4", "B b S: mem(reservations: [(STATIC,b)]):400"]
    );
}

#[test]
fn agents_with_gpus_are_kept_for_those_who_can_use_them() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.agent("S", "cpus:4;mem:400;gpus:1");
    assert_eq!(cluster.offers(), []);
    cluster.capable("G", "*", Capabilities { gpu_resources: true, ..Capabilities::default() });
    assert_eq!(cluster.offered(), ["G * S: cpus:4; mem:400; gpus:1"]);
}

#[test]
fn agents_of_other_regions_are_for_those_who_know_regions() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    let far = AgentSpec { total: res("cpus:4;mem:400"), remote: true, ..AgentSpec::default() };
    cluster.allocator.add_agent(&ag("S"), far, &[]);
    assert_eq!(cluster.offers(), []);
    cluster.capable("R", "*", Capabilities { region_aware: true, ..Capabilities::default() });
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn revocable_resources_are_for_those_who_can_lose_them() {
    let mut cluster = Cluster::new();
    let mut total = res("mem:400");
    let revocable = Details { revocable: true, ..Details::default() };
    total.add(Resource::scalar("cpus", Scalar::whole(2)).with_details(revocable));
    cluster.allocator.add_agent(&ag("S"), AgentSpec { total, ..AgentSpec::default() }, &[]);
    cluster.framework("A", &["*"]);
    assert_eq!(cluster.offered(), ["A * S: mem:400"]);
    cluster.capable("R", "*", Capabilities { revocable_resources: true, ..Capabilities::default() });
    assert_eq!(cluster.offered(), ["R * S: cpus{REV}:2"]);
}

#[test]
fn crumbs_are_not_offered() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.agent("S", "cpus:0.009;mem:31;disk:1000;ports:[1-2]");
    assert_eq!(cluster.offers(), []);
    cluster.agent("S2", "cpus:0.01");
    cluster.agent("S3", "mem:32");
    assert_eq!(cluster.offers().len(), 2);
}
