//! Who gets how much.

use resources::Role;

use crate::cluster::{Cluster, fw};

/// Lets every framework take one task of its size from each offer, until nobody takes any more; how many each got.
fn fill(cluster: &mut Cluster, demands: &[(&str, &str)]) -> Vec<usize> {
    let mut tasks = vec![0; demands.len()];
    loop {
        let mut progress = false;
        for offer in cluster.offers() {
            let at = demands.iter().position(|(id, _)| fw(id) == offer.framework).unwrap();
            let task = crate::cluster::res(demands[at].1).allocated_to(&offer.role);
            if offer.resources.contains(&task) {
                tasks[at] += 1;
                progress = true;
                cluster.accept(&offer, demands[at].1, 0);
            } else {
                cluster.decline(&offer, 1_000_000);
            }
        }
        if !progress {
            return tasks;
        }
    }
}

#[test]
fn the_papers_example_of_two_users() {
    // Section 4.1: 9 CPUs and 18 GB; A's tasks take <1 CPU, 4 GB>, B's <3 CPUs, 1 GB>: A gets three tasks, B two.
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus:9;mem:18");
    assert_eq!(fill(&mut cluster, &[("A", "cpus:1;mem:4"), ("B", "cpus:3;mem:1")]), [3, 2]);
}

#[test]
fn the_papers_example_within_one_role() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["r"]);
    cluster.framework("B", &["r"]);
    cluster.agent("S", "cpus:9;mem:18");
    assert_eq!(fill(&mut cluster, &[("A", "cpus:1;mem:4"), ("B", "cpus:3;mem:1")]), [3, 2]);
}

#[test]
fn a_role_of_twice_the_weight_gets_twice_as_much() {
    let mut cluster = Cluster::new();
    cluster.allocator.set_weight(&Role::from("b"), 2.0);
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus:9;mem:900");
    assert_eq!(fill(&mut cluster, &[("A", "cpus:1;mem:1"), ("B", "cpus:1;mem:1")]), [3, 6]);
}

#[test]
fn a_role_with_many_frameworks_gets_no_more_than_one_with_one() {
    let mut cluster = Cluster::new();
    for id in ["A1", "A2", "A3"] {
        cluster.framework(id, &["a"]);
    }
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus:12;mem:1200");
    let tasks = fill(&mut cluster, &["A1", "A2", "A3", "B"].map(|id| (id, "cpus:1;mem:1")));
    assert_eq!(tasks, [2, 2, 2, 6]);
}

#[test]
fn each_level_of_the_hierarchy_is_fair_by_itself() {
    // a and b share equally; what a gets is shared by a itself, a/x and a/y.
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.framework("X", &["a/x"]);
    cluster.framework("Y", &["a/y"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus:12;mem:1200");
    let tasks = fill(&mut cluster, &["A", "X", "Y", "B"].map(|id| (id, "cpus:1;mem:1")));
    assert_eq!(tasks, [2, 2, 2, 6]);
}

#[test]
fn whole_agents_go_round() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.framework("B", &["*"]);
    for i in 0..10 {
        cluster.agent(&format!("S{i}"), "cpus:1;mem:100");
    }
    let offers = cluster.offers();
    let of_a = offers.iter().filter(|o| o.framework == fw("A")).count();
    assert_eq!((offers.len(), of_a), (10, 5));
}

#[test]
fn equal_shares_take_turns() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.framework("B", &["*"]);
    cluster.agent("S", "cpus:1;mem:100");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let offer = cluster.offer();
        seen.push(offer.framework.to_string());
        cluster.decline(&offer, 0);
    }
    assert_eq!(seen, ["A", "B", "A", "B"]);
}

#[test]
fn a_framework_may_have_several_roles() {
    let mut cluster = Cluster::new();
    cluster.framework("F", &["a", "b"]);
    cluster.agent("S1", "cpus:1;mem:100");
    cluster.agent("S2", "cpus:1;mem:100");
    let offered = cluster.offered();
    assert_eq!(offered.len(), 2);
    assert!(offered[0].starts_with("F a ") && offered[1].starts_with("F b "), "{offered:?}");
}

#[test]
fn the_same_calls_give_the_same_offers() {
    let run = || {
        let mut cluster = Cluster::new();
        for i in 0..20 {
            cluster.agent(&format!("S{i}"), "cpus:1;mem:100");
        }
        for id in ["A", "B", "C"] {
            cluster.framework(id, &["r"]);
        }
        cluster.offers()
    };
    assert_eq!(run(), run());
}
