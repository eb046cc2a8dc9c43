//! Who gets how much.

use allocator::{Allocator, Capabilities, Options};
use base::Rng;
use resources::{Name, Role};

use crate::cluster::{Cluster, fw};
use crate::filling::fill;

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

#[test]
fn each_new_agent_goes_to_the_role_with_least_and_there_to_the_framework_with_least() {
    let mut cluster = Cluster::new();
    let joins = |cluster: &mut Cluster, id: &str, total: &str, whose: &str| {
        cluster.agent(id, total);
        let offer = cluster.offer();
        assert_eq!((offer.framework.as_str(), offer.agent.as_str()), (whose, id));
    };
    cluster.framework("F1", &["a"]);
    joins(&mut cluster, "S1", "cpus:2;mem:1024", "F1");
    cluster.framework("F2", &["b"]);
    joins(&mut cluster, "S2", "cpus:1;mem:512", "F2");
    joins(&mut cluster, "S3", "cpus:3;mem:2048", "F2");
    cluster.framework("F3", &["a"]);
    joins(&mut cluster, "S4", "cpus:4;mem:4096", "F3");
    cluster.framework("F4", &["a"]);
    // F4 has nothing, but its role has more than the other.
    joins(&mut cluster, "S5", "cpus:1;mem:512", "F2");
}

#[test]
fn branches_compete_before_what_is_below_them() {
    let mut cluster = Cluster::new();
    cluster.agent("S1", "cpus:2;mem:1024");
    cluster.framework("AB", &["a/b"]);
    assert_eq!(cluster.offer().framework, fw("AB"));
    cluster.framework("AC", &["a/c"]);
    cluster.framework("DE", &["d/e"]);
    cluster.agent("S2", "cpus:1;mem:512");
    assert_eq!(cluster.offer().framework, fw("DE"));
    cluster.framework("DF", &["d/f"]);
    cluster.agent("S3", "cpus:2;mem:1024");
    // Neither a/c nor d/f has anything, and d has less than a.
    assert_eq!(cluster.offer().framework, fw("DF"));
}

#[test]
fn reserved_resources_count_like_others() {
    let mut cluster = Cluster::new();
    cluster.framework("F1", &["a"]);
    cluster.agent("S1", "cpus:1;mem:512;cpus(a):100;mem(a):1024");
    assert_eq!(cluster.offer().framework, fw("F1"));
    cluster.framework("F2", &["b"]);
    for id in ["S2", "S3"] {
        cluster.agent(id, "cpus:2;mem:512");
        assert_eq!(cluster.offer().framework, fw("F2"));
    }
    // Within a role its reservations are shared fairly, too.
    cluster.framework("F3", &["a"]);
    cluster.agent("S4", "cpus(a):2;mem(a):1024");
    assert_eq!(cluster.offer().framework, fw("F3"));
}

#[test]
fn scarce_resources_can_be_left_out_of_fairness() {
    let options = Options { fairness_excluded: [Name::Gpus].into(), ..Options::new(Rng::new(1)) };
    let mut cluster = Cluster { allocator: Allocator::new(options), ..Cluster::new() };
    let capabilities = Capabilities { gpu_resources: true, ..Capabilities::default() };
    cluster.capable("A", "a", capabilities);
    cluster.agent("S1", "cpus:1;mem:1024;gpus:1");
    cluster.offer();
    assert_eq!(cluster.share("a"), Some(1.0));
    cluster.framework("B", &["b"]);
    cluster.agent("S2", "cpus:3;mem:3072");
    assert_eq!(cluster.offer().framework, fw("B"));
    // A has all GPUs and yet only a quarter.
    assert_eq!((cluster.share("a"), cluster.share("b")), (Some(0.25), Some(0.75)));
    cluster.agent("S3", "cpus:1;mem:1024");
    assert_eq!(cluster.offer().framework, fw("A"));
}

#[test]
fn agents_are_given_out_as_the_weights_are() {
    let mut cluster = Cluster::new();
    for i in 0..6 {
        cluster.agent(&format!("S{i}"), "cpus:2;mem:1024");
    }
    cluster.framework("A", &["a"]);
    cluster.framework("B", &["b"]);
    let counts = |cluster: &mut Cluster| {
        let offers = cluster.offers();
        let count = |id| offers.iter().filter(|o| o.framework == fw(id)).count();
        let counts = ["A", "B", "C"].map(count);
        for offer in &offers {
            cluster.recover(offer);
        }
        counts
    };
    assert_eq!(counts(&mut cluster), [3, 3, 0]);
    cluster.weight("b", 2.0);
    assert_eq!(counts(&mut cluster), [2, 4, 0]);
    cluster.weight("c", 3.0);
    cluster.framework("C", &["c"]);
    assert_eq!(counts(&mut cluster), [1, 2, 3]);
}

#[test]
fn shares_are_told_while_somebody_has_the_role() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S1", "cpus:1;mem:1024");
    let offer = cluster.offer();
    assert_eq!(cluster.share("a"), Some(1.0));
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.share("a"), Some(0.0));
    cluster.framework("B", &["b"]);
    let of_b = cluster.offer();
    cluster.agent("S2", "cpus:1;mem:1024");
    assert_eq!(cluster.offer().framework, fw("A"));
    assert_eq!((cluster.share("a"), cluster.share("b")), (Some(0.5), Some(0.5)));
    cluster.allocator.remove_framework(&fw("B"));
    cluster.recover(&of_b);
    assert_eq!((cluster.share("a"), cluster.share("b")), (Some(0.5), None));
}
