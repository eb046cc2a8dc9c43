//! The examples of the paper on dominant resource fairness: Ghodsi, Zaharia, Hindman, Konwinski, Shenker, Stoica,
//! "Dominant Resource Fairness: Fair Allocation of Multiple Resource Types", NSDI 2011.

use crate::cluster::{Cluster, res};
use crate::filling::{User, fill, fill_with};

/// Users with a role each, on one machine.
fn users(total: &str, demands: &[(&str, &str)]) -> Vec<usize> {
    let mut cluster = Cluster::new();
    for (id, _) in demands {
        cluster.framework(id, &[&id.to_lowercase()]);
    }
    cluster.agent("S", total);
    fill(&mut cluster, demands)
}

/// Of two users A runs tasks of one CPU and 4 GB, B of three CPUs and 1 GB, on 9 CPUs and 18 GB.
const TWO_USERS: [(&str, &str); 2] = [("A", "cpus:1;mem:4"), ("B", "cpus:3;mem:1")];

#[test]
fn two_users_get_three_tasks_and_two() {
    assert_eq!(users("cpus:9;mem:18", &TWO_USERS), [3, 2]);
}

#[test]
fn within_one_role_they_get_the_same() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["r"]);
    cluster.framework("B", &["r"]);
    cluster.agent("S", "cpus:9;mem:18");
    assert_eq!(fill(&mut cluster, &TWO_USERS), [3, 2]);
}

#[test]
fn their_tasks_start_in_the_order_of_the_papers_table() {
    // B is first here as it is in the table: 1/3 against 0, then A twice (2/9, 4/9), B (2/3), A (2/3).
    let mut cluster = Cluster::new();
    cluster.framework("A", &["z"]);
    cluster.framework("B", &["b"]);
    cluster.agent("S", "cpus:9;mem:18");
    let two = TWO_USERS.map(|(id, task)| User { id: id.to_owned(), task: res(task) });
    assert_eq!(fill_with(&mut cluster, &two), [vec![1, 2, 4], vec![0, 3]]);
    assert_eq!(cluster.share("z"), cluster.share("b"));
}

#[test]
fn dominant_shares_are_equal_whichever_resource_they_are_of() {
    // The same demands where ten times as many tasks fit: x tasks of A and y of B with 2x/9 = y/3 per CPU of 90.
    assert_eq!(users("cpus:90;mem:180", &TWO_USERS), [30, 20]);
}

#[test]
fn nobody_falls_below_half_where_asset_fairness_would() {
    // Shares that add up over all resources would give 6 and 12 tasks, and the second user 12 of 30 of either resource.
    assert_eq!(users("cpus:30;mem:30", &[("A", "cpus:1;mem:3"), ("B", "cpus:1;mem:1")]), [5, 15]);
}

#[test]
fn asking_for_more_than_is_needed_does_not_help() {
    // With equal incomes and a market, B would gain by claiming 3 CPUs and 2 GB.
    let claimed = users("cpus:9;mem:18", &[("A", "cpus:1;mem:4"), ("B", "cpus:3;mem:2")]);
    assert!(claimed[1] <= 2, "{claimed:?}");
    assert_eq!(users("cpus:9;mem:18", &[("A", "cpus:1;mem:4"), ("B", "cpus:4;mem:1")])[1], 1);
}

#[test]
fn with_one_resource_it_is_plain_max_min_fairness() {
    assert_eq!(users("cpus:12", &[("A", "cpus:1"), ("B", "cpus:2"), ("C", "cpus:4")]), [4, 2, 1]);
}

#[test]
fn with_one_bottleneck_everybody_gets_the_same_of_it() {
    // Memory is what all of them need most of.
    let demands = [("A", "cpus:1;mem:4"), ("B", "cpus:1;mem:2"), ("C", "cpus:2;mem:8")];
    assert_eq!(users("cpus:1000;mem:48", &demands), [4, 8, 2]);
}

#[test]
fn weights_say_how_much_more_somebody_gets() {
    let mut cluster = Cluster::new();
    cluster.weight("a", 3.0);
    for (id, role) in [("A", "a"), ("B", "b")] {
        cluster.framework(id, &[role]);
    }
    cluster.agent("S", "cpus:35;mem:35");
    // A's dominant share is of the CPUs, B's of the memory: 30 of 35 against 10 of 35.
    assert_eq!(fill(&mut cluster, &[("A", "cpus:2;mem:1"), ("B", "cpus:1;mem:2")]), [15, 5]);
}

#[test]
fn who_leaves_makes_room_for_the_others() {
    let mut cluster = Cluster::new();
    for (id, role) in [("A", "a"), ("B", "b"), ("C", "c")] {
        cluster.framework(id, &[role]);
    }
    cluster.agent("S", "cpus:18;mem:36");
    let demands = [("A", "cpus:1;mem:4"), ("B", "cpus:3;mem:1"), ("C", "cpus:1;mem:2")];
    let three = fill(&mut cluster, &demands);
    let two = users("cpus:18;mem:36", &TWO_USERS);
    assert!(two[0] >= three[0] && two[1] >= three[1], "{three:?}, then {two:?}");
}
