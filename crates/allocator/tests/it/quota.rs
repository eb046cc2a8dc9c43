//! Quota guarantees: what is held back, for whom, and from whom.

use allocator::{Capabilities, Offerable};
use resources::{Name, Resources, Scalar};

use crate::cluster::{Cluster, ag, fw, res, reserved, revocable};

/// A role that is guaranteed all that it is allowed.
fn quota(cluster: &mut Cluster, role: &str, amounts: &str) {
    cluster.quota(role, amounts, amounts);
}

/// What is offered to a framework, all agents together.
fn sum<'a>(offers: impl IntoIterator<Item = &'a Offerable>, id: &str) -> String {
    let mut sum = Resources::new();
    for offer in offers.into_iter().filter(|o| o.framework == fw(id)) {
        sum += &offer.resources;
    }
    sum.quantities().to_string()
}

#[test]
fn what_a_guaranteed_role_declines_is_kept_for_it() {
    let mut cluster = Cluster::new();
    cluster.framework("Q", &["q"]);
    quota(&mut cluster, "q", "cpus:2;mem:1024");
    cluster.framework("N", &["n"]);
    for id in ["S1", "S2"] {
        cluster.agent(id, "cpus:1;mem:512");
        let offer = cluster.offer();
        assert_eq!(offer.framework, fw("Q"));
        if id == "S2" {
            cluster.decline(&offer, 2);
        }
    }
    assert_eq!(cluster.offers(), []);
    cluster.wait(1);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
    cluster.wait(1);
    assert_eq!(cluster.offered(), ["Q q S2: cpus:1; mem:512"]);
}

#[test]
fn without_the_quota_fairness_returns() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:2;mem:1024");
    cluster.framework("Q", &["q"]);
    cluster.framework("N", &["n"]);
    for id in ["S1", "S2"] {
        cluster.agent_using(id, "cpus:1;mem:512", &[("Q", "q", "cpus:1;mem:512")]);
    }
    assert_eq!(cluster.offers(), []);
    quota(&mut cluster, "q", "");
    assert_eq!(cluster.offers(), []);
    cluster.allocator.recover(&fw("Q"), &ag("S1"), &crate::cluster::held("cpus:1;mem:512", "q"));
    assert_eq!(cluster.offered(), ["N n S1: cpus:1; mem:512"]);
}

#[test]
fn frameworks_of_a_guaranteed_role_share_what_it_gets() {
    let mut cluster = Cluster::new();
    cluster.framework("Q1", &["q"]);
    quota(&mut cluster, "q", "cpus:4;mem:2048");
    cluster.framework("N", &["n"]);
    cluster.agent("S1", "cpus:1;mem:512");
    assert_eq!(cluster.offer().framework, fw("Q1"));
    cluster.framework("Q2", &["q"]);
    cluster.agent("S2", "cpus:2;mem:1024");
    assert_eq!(cluster.offer().framework, fw("Q2"));
    cluster.agent("S3", "cpus:1;mem:512");
    let offer = cluster.offer();
    assert_eq!(offer.framework, fw("Q1"));
    // What one of them declines is for the other, though that has more already.
    cluster.decline(&offer, 5);
    assert_eq!(cluster.offered(), ["Q2 q S3: cpus:1; mem:512"]);
}

#[test]
fn agents_are_split_so_that_a_role_gets_no_more_than_its_quota() {
    let mut cluster = Cluster::new();
    cluster.framework("Q", &["q"]);
    quota(&mut cluster, "q", "cpus:0.5;mem:200");
    cluster.agent("S", "cpus:1;mem:512");
    assert_eq!(cluster.offered(), ["Q q S: cpus:0.5; mem:200"]);
    cluster.framework("N", &["n"]);
    assert_eq!(cluster.offered(), ["N n S: cpus:0.5; mem:312"]);
}

#[test]
fn what_is_not_guaranteed_is_offered_beside_it_if_nobody_else_is_guaranteed_it() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q1", "cpus:2");
    cluster.framework("Q", &["q1"]);
    cluster.agent("S1", "cpus:1;mem:1024;ports:[31000-32000]");
    assert_eq!(cluster.offered(), ["Q q1 S1: cpus:1; mem:1024; ports:[31000-32000]"]);
    quota(&mut cluster, "q2", "mem:1024");
    cluster.agent("S2", "cpus:1;mem:1024;ports:[31000-32000]");
    assert_eq!(cluster.offered(), ["Q q1 S2: cpus:1; ports:[31000-32000]"]);
    // The CPUs are at the limit, and one of the two agents' memory is enough for the other role.
    cluster.agent("S3", "cpus:1;mem:1024;ports:[31000-32000]");
    let offers = cluster.offers();
    assert_eq!(sum(&offers, "Q"), "mem:1024");
    assert_eq!(offers.iter().filter(|o| o.resources.ports().is_some()).count(), 1);
}

#[test]
fn what_is_left_of_all_quotas_is_shared_fairly() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:0.25;mem:128");
    cluster.framework("Q", &["q"]);
    cluster.framework("N", &["n"]);
    cluster.agent_using("S1", "cpus:1;mem:512", &[("Q", "q", "cpus:0.25;mem:128")]);
    assert_eq!(cluster.offered(), ["N n S1: cpus:0.75; mem:384"]);
    cluster.agent("S2", "cpus:1;mem:512");
    assert_eq!(cluster.offered(), ["N n S2: cpus:1; mem:512"]);
}

#[test]
fn a_guarantee_ends_starvation_by_others_who_have_less_and_decline() {
    let mut cluster = Cluster::new();
    cluster.framework("Q", &["q"]);
    cluster.framework("N", &["n"]);
    cluster.agent_using("S1", "cpus:1;mem:512", &[("Q", "q", "cpus:1;mem:512")]);
    cluster.agent("S2", "cpus:1;mem:512");
    for _ in 0..2 {
        let offer = cluster.offer();
        assert_eq!(offer.framework, fw("N"));
        cluster.recover(&offer);
    }
    quota(&mut cluster, "q", "cpus:2;mem:1024");
    assert_eq!(cluster.offered(), ["Q q S2: cpus:1; mem:512"]);
}

#[test]
fn a_guarantee_holds_for_a_role_that_nobody_has_yet() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:2;mem:1024");
    cluster.framework("N", &["n"]);
    cluster.agent("S1", "cpus:2;mem:1024");
    assert_eq!(cluster.offers(), []);
    cluster.agent("S2", "cpus:2;mem:1024");
    let offer = cluster.offer();
    assert_eq!(offer.resources.quantities(), res("cpus:2;mem:1024").quantities());
    cluster.framework("Q", &["q"]);
    let kept = cluster.offer();
    assert_eq!(kept.framework, fw("Q"));
    assert_ne!(kept.agent, offer.agent);
}

#[test]
fn one_agent_is_split_to_keep_what_is_guaranteed() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:1;mem:1000");
    cluster.framework("N", &["n"]);
    cluster.agent("S", "cpus:4;mem:1500;disk:10");
    assert_eq!(cluster.offered(), ["N n S: cpus:3; mem:500; disk:10"]);
}

#[test]
fn a_guaranteed_role_without_frameworks_does_not_stand_in_the_way_of_another() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:2;mem:2048");
    quota(&mut cluster, "q1", "cpus:1;mem:1024");
    quota(&mut cluster, "q2", "cpus:2;mem:2048");
    cluster.framework("Q", &["q2"]);
    assert_eq!(cluster.offered(), ["Q q2 S: cpus:2; mem:2048"]);
}

#[test]
fn a_role_whose_guarantee_is_met_does_not_stand_in_the_way_of_another() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q1", "cpus:1;mem:200");
    quota(&mut cluster, "q2", "cpus:2;mem:2000");
    cluster.framework("Q1", &["q1"]);
    cluster.framework("Q2", &["q2"]);
    cluster.agent_using("S1", "cpus:1;mem:1024", &[("Q1", "q1", "cpus:1;mem:1024")]);
    cluster.agent_using("S2", "cpus:1;mem:1024", &[("Q2", "q2", "cpus:1;mem:1024")]);
    assert_eq!(cluster.offers(), []);
    cluster.agent("S3", "cpus:2;mem:2048");
    assert_eq!(cluster.offered(), ["Q2 q2 S3: cpus:1; mem:976"]);
}

#[test]
fn reservations_meet_a_guarantee() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:2;mem:256");
    cluster.framework("Q", &["q"]);
    cluster.framework("N", &["n"]);
    cluster.agent_using("S1", "cpus:8;mem(q):256", &[("Q", "q", "cpus:2;mem(q):256")]);
    assert_eq!(cluster.offered(), ["N n S1: cpus:6"]);
    cluster.agent("S2", "cpus:4");
    assert_eq!(cluster.offered(), ["N n S2: cpus:4"]);
}

#[test]
fn reservations_that_nobody_uses_meet_it_too_and_those_beyond_it_help_nobody_else() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q1", "cpus:1;mem:1024");
    quota(&mut cluster, "q2", "cpus:1;mem:1024");
    cluster.agent("S1", "cpus(q1):2;mem(q1):2048");
    cluster.agent("S2", "cpus:1;mem:1024");
    cluster.framework("N", &["n"]);
    // S2 is kept for q2: what q1 has too much of is not q2's.
    assert_eq!(cluster.offers(), []);
    cluster.agent("S3", "cpus:1;mem:1024");
    assert_eq!(sum(&cluster.offers(), "N"), "cpus:1; mem:1024");
}

#[test]
fn a_role_gets_its_reservations_even_where_the_rest_is_kept_for_another() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:2;mem:2048;cpus(n):2;mem(n):2048");
    quota(&mut cluster, "q", "cpus:2;mem:2048");
    cluster.framework("Q", &["q"]);
    let offer = cluster.offer();
    assert_eq!(offer.resources.clone().unallocated(), res("cpus:2;mem:2048"));
    cluster.decline(&offer, 86_400);
    cluster.framework("N", &["n"]);
    assert_eq!(cluster.offer().resources.unallocated(), res("cpus(n):2;mem(n):2048"));
}

#[test]
fn what_is_reserved_for_others_is_not_kept_for_a_guarantee() {
    let mut cluster = Cluster::new();
    cluster.agent("S1", "cpus:4;mem:512");
    cluster.agent("S2", "cpus:4;mem:512");
    let (free, kept) = (res("cpus:4;mem:512"), reserved("cpus:4;mem:512", &["n"]));
    cluster.allocator.convert_available(&ag("S2"), &free, &kept).unwrap();
    cluster.framework("Q", &["q"]);
    quota(&mut cluster, "q", "cpus:4;mem:512");
    let offer = cluster.offer();
    assert_eq!(offer.agent, ag("S1"));
    cluster.decline(&offer, 10);
    assert_eq!(cluster.offers(), []);
    cluster.framework("N", &["n"]);
    let offer = cluster.offer();
    assert_eq!((&offer.agent, offer.resources.clone().unallocated()), (&ag("S2"), kept));
    cluster.decline(&offer, 10);
    cluster.wait(1);
    assert_eq!(cluster.offers(), []);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
}

#[test]
fn reservations_of_a_role_above_count_as_used_when_one_below_uses_them() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:1;mem:1024");
    cluster.agent("S1", "cpus(a):1;mem(a):1024");
    cluster.framework("AB", &["a/b"]);
    assert_eq!(cluster.offer().framework, fw("AB"));
    cluster.framework("N", &["n"]);
    assert_eq!(cluster.offers(), []);
    cluster.agent("S2", "cpus:1;mem:1024");
    cluster.agent("S3", "cpus:1;mem:1024");
    assert_eq!(sum(&cluster.offers(), "N"), "cpus:1; mem:1024");
}

#[test]
fn what_is_reserved_below_meets_the_guarantee_above() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "a", "cpus:2;mem:200");
    cluster.agent("S1", "cpus(a/b):1;mem(a/b):100");
    cluster.framework("N", &["n"]);
    cluster.agent("S2", "cpus:10;mem:1000");
    assert_eq!(cluster.offered(), ["N n S2: cpus:9; mem:900"]);
    cluster.framework("A", &["a"]);
    assert_eq!(cluster.offered(), ["A a S2: cpus:1; mem:100"]);
}

#[test]
fn what_roles_below_others_use_leaves_the_headroom_as_it_is() {
    let mut cluster = Cluster::new();
    cluster.framework("AB", &["a/b"]);
    cluster.agent("S1", "cpus:1;mem:100");
    assert_eq!(cluster.offer().framework, fw("AB"));
    cluster.framework("A", &["a"]);
    cluster.agent("S2", "cpus:1;mem:100");
    assert_eq!(cluster.offer().framework, fw("A"));
    quota(&mut cluster, "q", "cpus:1;mem:100");
    cluster.agent("S3", "cpus:1;mem:100");
    assert_eq!(cluster.offers(), []);
    cluster.agent("S4", "cpus:1;mem:100");
    assert_eq!(cluster.offers().len(), 1);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
}

#[test]
fn a_guarantee_serves_all_roles_below() {
    let mut cluster = Cluster::new();
    cluster.framework("P", &["a/b"]);
    quota(&mut cluster, "a/b", "cpus:2;mem:1024");
    cluster.framework("N", &["n"]);
    cluster.agent("S1", "cpus:1;mem:512");
    let offer = cluster.offer();
    assert_eq!(offer.framework, fw("P"));
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.offers(), []);
    // A role below has no quota of its own and is served from its parent's.
    cluster.framework("C", &["a/b/c"]);
    assert_eq!(cluster.offered(), ["C a/b/c S1: cpus:1; mem:512"]);
}

#[test]
fn what_a_role_below_is_guaranteed_is_not_offered_to_the_one_above() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "a", "cpus:3;mem:300");
    quota(&mut cluster, "a/b", "cpus:1;mem:100");
    cluster.framework("A", &["a"]);
    cluster.framework("N", &["n"]);
    cluster.agent("S", "cpus:3;mem:300");
    assert_eq!(cluster.offered(), ["A a S: cpus:2; mem:200"]);
    cluster.framework("B", &["a/b"]);
    assert_eq!(cluster.offered(), ["B a/b S: cpus:1; mem:100"]);
    // Now a has all it is guaranteed, its child's included.
    cluster.agent("S2", "cpus:1;mem:100");
    assert_eq!(cluster.offered(), ["N n S2: cpus:1; mem:100"]);
}

#[test]
fn a_guarantee_without_a_limit_lets_a_role_have_more() {
    let mut cluster = Cluster::new();
    cluster.quota("q", "cpus:1;mem:100", "");
    cluster.framework("Q", &["q"]);
    cluster.agent("S", "cpus:4;mem:400");
    assert_eq!(cluster.offered(), ["Q q S: cpus:4; mem:400"]);
    cluster.framework("N", &["n"]);
    cluster.agent("S2", "cpus:4;mem:400");
    assert_eq!(cluster.offered(), ["N n S2: cpus:4; mem:400"]);
}

#[test]
fn revocable_resources_are_neither_kept_nor_meet_a_guarantee() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:1");
    cluster.capable("R", "r", Capabilities { revocable_resources: true, ..Capabilities::default() });
    let mut total = res("cpus:1;mem:100");
    total += revocable("cpus:2");
    cluster.agent_with("S", total);
    let mut wanted = res("mem:100");
    wanted += revocable("cpus:2");
    assert_eq!(cluster.offer().resources.unallocated(), wanted);
}

#[test]
fn what_is_on_agents_that_are_inactive_or_not_whitelisted_is_not_there_to_be_kept() {
    let mut cluster = Cluster::new();
    quota(&mut cluster, "q", "cpus:2;mem:200");
    cluster.framework("N", &["n"]);
    cluster.agent("S1", "cpus:2;mem:200");
    assert_eq!(cluster.offers(), []);
    cluster.allocator.deactivate_agent(&ag("S1"));
    cluster.agent("S2", "cpus:2;mem:200");
    // S1 counts as little for the guarantee as for offers: S2 has to be kept now.
    assert_eq!(cluster.offers(), []);
    cluster.allocator.activate_agent(&ag("S1"));
    assert_eq!(sum(&cluster.offers(), "N"), "cpus:2; mem:200");
}

#[test]
fn quotas_of_all_roles_are_met_in_one_cycle() {
    // As many small quotas on each agent as fit, and large ones over several agents.
    let mut cluster = Cluster::new();
    let small: Vec<_> = (0..25).map(|i| format!("small{i}")).collect();
    let large: Vec<_> = (0..5).map(|i| format!("large{i}")).collect();
    for role in &small {
        quota(&mut cluster, role, "cpus:1;mem:1024;disk:1024");
    }
    for role in &large {
        quota(&mut cluster, role, "cpus:4;mem:4096;disk:4096");
    }
    for role in small.iter().chain(&large) {
        cluster.framework(role, &[role]);
    }
    for i in 0..30 {
        cluster.agent(&format!("S{i}"), "cpus:2;mem:2048;disk:2048");
    }
    cluster.offers();
    for view in cluster.allocator.roles() {
        for (name, guarantee) in &view.quota.guarantees {
            assert_eq!(view.consumed.get(name), *guarantee, "{}", view.role);
        }
    }
    assert_eq!(cluster.allocator.cluster_used().get(&Name::Cpus), Scalar::whole(45));
}
