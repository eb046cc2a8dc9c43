//! Quota limits.

use allocator::{Capabilities, Quota};
use resources::{Details, Disk, DiskKind, DiskSource, Name, Role, Scalar};

use crate::cluster::{Cluster, ag, detailed, fw, res, reserved, revocable};

fn limit(cluster: &mut Cluster, role: &str, cpus: i64) {
    cluster.quota(role, "", &format!("cpus:{cpus}"));
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

#[test]
fn a_limit_of_nothing_lets_nothing_pass() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.quota("*", "", "cpus:0;mem:0;disk:0");
    cluster.agent("S1", "cpus:2;mem:1024;disk:1024");
    assert_eq!(cluster.offers(), []);
    cluster.framework("B", &["b"]);
    assert_eq!(cluster.offered(), ["B b S1: cpus:2; mem:1024; disk:1024"]);
    cluster.quota("*", "", "cpus:1;mem:512;disk:512");
    cluster.agent("S2", "cpus:2;mem:1024;disk:1024");
    assert_eq!(cluster.offered(), ["A * S2: cpus:1; mem:512; disk:512", "B b S2: cpus:1; mem:512; disk:512"]);
}

#[test]
fn a_limit_that_is_met_for_one_resource_is_not_for_the_other() {
    let mut cluster = Cluster::new();
    cluster.quota("a", "", "cpus:4;mem:1024");
    cluster.framework("A", &["a"]);
    cluster.agent("S1", "cpus:2;mem:1024");
    assert_eq!(cluster.offered(), ["A a S1: cpus:2; mem:1024"]);
    cluster.agent("S2", "cpus:2;mem:1024");
    assert_eq!(cluster.offered(), ["A a S2: cpus:2"]);
}

#[test]
fn what_cannot_be_split_is_offered_whole_or_not_at_all() {
    let mut cluster = Cluster::new();
    let mount = |mb: &str| {
        let source = Some(DiskSource::new(DiskKind::Mount));
        detailed(mb, &Details { disk: Some(Disk { source, ..Disk::default() }), ..Details::default() })
    };
    let agent = || {
        let mut total = res("cpus:0.5;mem:512");
        total += mount("disk:100");
        total
    };
    cluster.quota("a", "", "cpus:2;mem:2048;disk:150");
    cluster.framework("A", &["a"]);
    cluster.agent_with("S1", agent());
    assert_eq!(cluster.offer().resources.unallocated(), agent());
    // Of the disk 50 are left, too few for the other mount.
    cluster.agent_with("S2", agent());
    assert_eq!(cluster.offered(), ["A a S2: cpus:0.5; mem:512"]);
    cluster.agent("S3", "cpus:2;mem:2048;disk:150");
    assert_eq!(cluster.offered(), ["A a S3: cpus:1; mem:1024; disk:50"]);
}

#[test]
fn disks_of_several_kinds_meet_a_limit_together() {
    let mut cluster = Cluster::new();
    let source = Some(DiskSource::new(DiskKind::Mount));
    let details = Details { disk: Some(Disk { source, ..Disk::default() }), ..Details::default() };
    let mut total = res("cpus:1;mem:512;disk:50");
    total += detailed("disk:50", &details);
    cluster.quota("a", "", "cpus:1;mem:512;disk:100");
    cluster.framework("A", &["a"]);
    cluster.agent_with("S", total.clone());
    assert_eq!(cluster.offer().resources.unallocated(), total);
}

#[test]
fn operations_on_what_is_used_leave_a_role_as_far_from_its_limit_as_it_was() {
    let mut cluster = Cluster::new();
    cluster.quota("a", "", "cpus:10;mem:1024");
    cluster.framework("A", &["a"]);
    cluster.agent("S1", "cpus:5;mem:512");
    cluster.offer();
    cluster.convert("A", "S1", "a", &res("cpus:5;mem:512"), &reserved("cpus:5;mem:512", &["a"]));
    cluster.agent("S2", "cpus:10;mem:1024");
    assert_eq!(cluster.offered(), ["A a S2: cpus:5; mem:512"]);
    cluster.convert("A", "S1", "a", &reserved("cpus:5;mem:512", &["a"]), &res("cpus:5;mem:512"));
    assert_eq!(cluster.offers(), []);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
}

#[test]
fn reservations_count_for_the_limit_whether_they_are_used_or_not() {
    let mut cluster = Cluster::new();
    cluster.quota("a", "", "cpus:1;mem:1024");
    cluster.framework("A", &["a"]);
    cluster.agent("S1", "cpus(a):1;mem(a):1024");
    let offer = cluster.offer();
    cluster.agent("S2", "cpus:1;mem:1024");
    assert_eq!(cluster.offers(), []);
    cluster.decline(&offer, 86_400);
    assert_eq!(cluster.offers(), []);
    cluster.quota("a", "", "cpus:2;mem:2048");
    assert_eq!(cluster.offered(), ["A a S2: cpus:1; mem:1024"]);
}

#[test]
fn what_has_no_limit_passes_beside_what_has() {
    let mut cluster = Cluster::new();
    cluster.quota("a", "", "cpus:2");
    cluster.framework("A", &["a"]);
    for (id, offered) in [
        ("S1", "A a S1: cpus:1; mem:1024; ports:[31000-32000]"),
        ("S2", "A a S2: cpus:1; mem:1024; ports:[31000-32000]"),
        ("S3", "A a S3: mem:1024; ports:[31000-32000]"),
    ] {
        cluster.agent(id, "cpus:1;mem:1024;ports:[31000-32000]");
        assert_eq!(cluster.offered(), [offered]);
    }
}

#[test]
fn what_is_reserved_below_counts_for_the_role_above() {
    let mut cluster = Cluster::new();
    cluster.quota("a", "", "cpus:2;mem:200");
    cluster.agent("S1", "cpus(a/b):1;mem(a/b):100");
    cluster.agent("S2", "cpus:10;mem:1000");
    cluster.framework("A", &["a"]);
    assert_eq!(cluster.offered(), ["A a S2: cpus:1; mem:100"]);
}

#[test]
fn what_is_used_below_counts_for_the_role_above_and_is_bounded_with_it() {
    let mut cluster = Cluster::new();
    cluster.framework("AB", &["a/b"]);
    cluster.agent("S1", "cpus:1;mem:1024");
    let offer = cluster.offer();
    cluster.quota("a", "", "cpus:1;mem:1024");
    cluster.framework("A", &["a"]);
    cluster.agent("S2", "cpus:1;mem:1024");
    assert_eq!(cluster.offers(), []);
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn revocable_resources_are_beyond_all_limits() {
    let mut cluster = Cluster::new();
    cluster.quota("r", "", "cpus:1");
    cluster.capable("R", "r", Capabilities { revocable_resources: true, ..Capabilities::default() });
    let mut total = res("cpus:2;mem:100");
    total += revocable("cpus:10");
    cluster.agent_with("S", total);
    let mut wanted = res("cpus:1;mem:100");
    wanted += revocable("cpus:10");
    assert_eq!(cluster.offer().resources.unallocated(), wanted);
}

#[test]
fn quotas_and_what_is_used_of_them_are_told() {
    let mut cluster = Cluster::new();
    cluster.quota("a", "cpus:1", "mem:1024");
    let of_a = |cluster: &Cluster| cluster.allocator.roles().into_iter().find(|r| r.role == Role::from("a"));
    let quota = of_a(&cluster).unwrap().quota;
    assert_eq!(quota.guarantees.into_iter().collect::<Vec<_>>(), [(Name::Cpus, Scalar::whole(1))]);
    assert_eq!(quota.limits.into_iter().collect::<Vec<_>>(), [(Name::Mem, Scalar::whole(1024))]);
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:2;mem:2000;mem(a):100");
    cluster.offer();
    assert_eq!(of_a(&cluster).unwrap().consumed, res("cpus:2;mem:1024").quantities());
    cluster.quota("a", "", "");
    assert!(of_a(&cluster).unwrap().quota.is_empty());
}
