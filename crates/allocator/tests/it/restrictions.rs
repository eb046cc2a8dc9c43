//! What is kept from whom.

use allocator::{AgentSpec, Capabilities, Change, FrameworkSpec, Obstacle};
use resources::{Details, Quantities, Resource, Role, Scalar};

use crate::cluster::{Cluster, ag, fw, res, reserved, spec, volume};

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
fn agents_that_are_too_old_for_roles_are_not_offered() {
    let multi_role = Capabilities { multi_role: true, ..Capabilities::default() };
    for (single_role, flat_roles, expected) in [
        (true, false, ["A", "AX"].as_slice()),
        (false, true, &["A", "M"]),
        (true, true, &["A"]),
        (false, false, &["A", "AX", "M"]),
    ] {
        let mut cluster = Cluster::new();
        cluster.framework("A", &["a"]);
        cluster.framework("AX", &["a/x"]);
        cluster.capable("M", "b", multi_role);
        let old = AgentSpec { total: res("cpus:4;mem:400"), single_role, flat_roles, ..AgentSpec::default() };
        cluster.allocator.add_agent(&ag("S"), old, &[]);
        let mut offered = Vec::new();
        while let [offer] = cluster.offers().as_slice() {
            offered.push(offer.framework.to_string());
            cluster.decline(offer, 3600);
        }
        offered.sort_unstable();
        assert_eq!(offered, expected);
        let told = cluster.allocator.why(&fw("M"), cluster.now).unwrap().roles.remove(0);
        let is_old = told.findings.iter().any(|finding| finding.obstacle == Obstacle::AgentTooOld);
        assert_eq!(is_old, single_role);
        if single_role {
            assert!(told.help.contains(&Change::UpgradeAgent(ag("S"))), "{:?}", told.help);
        }
    }
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

#[test]
fn what_is_reserved_and_what_is_not_make_up_an_offer_together() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    // Neither part would do by itself, neither of CPUs nor of memory.
    cluster.agent("S", "cpus:0.006;mem:16;cpus(a):0.006;mem(a):16;disk:128");
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn a_framework_may_have_a_least_size_of_its_own() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:0.005;mem:16;disk:128");
    cluster.framework("A", &["a"]);
    assert_eq!(cluster.offers(), []);
    let least = |quantities: Vec<Quantities>| [(Role::from("a"), quantities)].into();
    let modest =
        FrameworkSpec { min_allocatable: least(vec![res("cpus:0.003").quantities()]), ..spec(&["a"]) };
    cluster.allocator.update_framework(&fw("A"), modest);
    let offer = cluster.offer();
    cluster.recover(&offer);
    let many = vec![res("cpus:1;disk:64").quantities(), res("mem:17").quantities()];
    let demanding = FrameworkSpec { min_allocatable: least(many), ..spec(&["a"]) };
    cluster.allocator.update_framework(&fw("A"), demanding);
    assert_eq!(cluster.offers(), []);
    // An empty list is content with anything.
    let content = FrameworkSpec { min_allocatable: least(Vec::new()), ..spec(&["a"]) };
    cluster.allocator.update_framework(&fw("A"), content);
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn what_one_cannot_understand_goes_to_the_next() {
    let mut cluster = Cluster::new();
    cluster.capable("F1", "a/b", Capabilities { reservation_refinement: true, ..Capabilities::default() });
    cluster.agent("S1", "cpus:1;mem:100;disk:1");
    cluster.offer();
    // F2 has less, and cannot read a stack of reservations.
    cluster.framework("F2", &["a/b"]);
    cluster.agent_with("S2", reserved("cpus:1;mem:100;disk:1", &["a", "a/b"]));
    assert_eq!(cluster.offer().framework, fw("F1"));
}

#[test]
fn reservations_of_roles_above_are_offered_with_what_is_free() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a/b/c"]);
    cluster.agent("S1", "cpus(a):1;mem(a):512");
    assert_eq!(cluster.offer().resources.reserved_for(&Role::from("a")).len(), 2);
    cluster.agent("S2", "cpus:2;mem:1024;cpus(a/b):4;mem(a/b):2048");
    assert_eq!(cluster.offer().resources.len(), 4);
    cluster.agent("S3", "cpus(a/b/c/d):1;mem(x):100");
    assert_eq!(cluster.offers(), []);
}

#[test]
fn reservations_of_a_role_that_nobody_has_wait() {
    let mut cluster = Cluster::new();
    cluster.agent("S1", "cpus(a):2;mem(a):1024");
    cluster.agent("S2", "cpus(b):2;mem(b):1024;cpus:1;mem:1024");
    cluster.agent("S3", "cpus(c):1;mem(c):1024");
    cluster.framework("A", &["a"]);
    let quantities = |offers: Vec<allocator::Offerable>| {
        let mut all: Vec<_> =
            offers.iter().map(|o| format!("{} {}", o.agent, o.resources.quantities())).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(quantities(cluster.offers()), ["S1 cpus:2; mem:1024", "S2 cpus:1; mem:1024"]);
    cluster.framework("B", &["b"]);
    assert_eq!(quantities(cluster.offers()), ["S2 cpus:2; mem:1024"]);
}

#[test]
fn shared_volumes_are_for_those_who_know_of_them() {
    let mut cluster = Cluster::new();
    let mut total = res("cpus:100;mem:100;disk(a):95");
    total.add(volume(5, "a", "1", true));
    cluster.agent_with("S", total);
    cluster.framework("A", &["a"]);
    let offer = cluster.offer();
    assert!(offer.resources.iter().all(|r| !r.is_shared()));
    cluster.recover(&offer);
    cluster.capable("B", "a", Capabilities { shared_resources: true, ..Capabilities::default() });
    let offer = cluster.offer();
    assert_eq!(offer.framework, fw("B"));
    assert!(offer.resources.iter().any(Resource::is_shared));
}
