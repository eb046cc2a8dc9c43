//! In which order roles and frameworks are served. Each test has one agent, of which something is free: whoever is first is
//! offered it and declines, then the next, and so on; afterwards all want offers again.

use resources::Resources;

use crate::cluster::{Cluster, ag, fw, held, res, revocable, volume};

/// One framework in each role, with the role's name.
struct Order(Cluster);

impl Order {
    /// An agent with `total`, of which frameworks use something already.
    fn new(total: &str, used: &[(&str, &str)]) -> Self {
        let mut cluster = Cluster::new();
        let used: Vec<_> = used.iter().map(|(role, text)| (*role, *role, *text)).collect();
        cluster.agent_using("S", total, &used);
        let mut order = Self(cluster);
        for (role, ..) in used {
            order.join(role);
        }
        order
    }

    fn join(&mut self, role: &str) {
        self.0.framework(role, &[role]);
    }

    fn leave(&mut self, role: &str) {
        let used = self.0.allocator.used(&fw(role), &ag("S")).unwrap_or_default();
        self.0.allocator.recover(&fw(role), &ag("S"), &used);
        self.0.allocator.remove_framework(&fw(role));
        self.0.allocator.check();
    }

    fn used(&mut self, role: &str, text: &str) {
        self.uses(role, res(text));
    }

    fn uses(&mut self, role: &str, resources: Resources) {
        self.0.allocator.add_used(&fw(role), &ag("S"), &resources.allocated_to(&role.into()));
        self.0.allocator.check();
    }

    fn ended(&mut self, role: &str, text: &str) {
        self.0.allocator.recover(&fw(role), &ag("S"), &held(text, role));
        self.0.allocator.check();
    }

    fn total(&mut self, text: &str) {
        self.0.agent_now("S", res(text));
    }

    /// Who is served, first to last.
    fn of_service(&mut self) -> Vec<String> {
        let mut order = Vec::new();
        loop {
            let offers = self.0.offers();
            let Some(offer) = offers.first() else { break };
            assert_eq!(offers.len(), 1, "{offers:?}");
            self.0.decline(offer, 3600);
            order.push(offer.role.to_string());
        }
        for role in &order {
            self.0.allocator.revive(&fw(role), []);
        }
        order
    }
}

#[test]
fn the_smallest_dominant_share_is_first_whatever_happens() {
    let mut order = Order::new("cpus:100;mem:100", &[("a", "cpus:5;mem:5"), ("b", "cpus:6;mem:6")]);
    assert_eq!(order.of_service(), ["a", "b"]);
    order.used("c", "cpus:1;mem:1");
    order.join("c");
    order.used("d", "cpus:3;mem:1");
    order.join("d");
    assert_eq!(order.of_service(), ["c", "d", "a", "b"]);
    order.leave("a");
    order.ended("b", "cpus:4;mem:4");
    assert_eq!(order.of_service(), ["c", "b", "d"]);
    order.used("e", "cpus:1;mem:5");
    order.join("e");
    order.total("cpus:50;mem:100");
    assert_eq!(order.of_service(), ["c", "b", "e", "d"]);
    order.total("cpus:50;mem:200");
    order.used("f", "cpus:5;mem:1");
    order.join("f");
    order.used("c", "mem:15");
    assert_eq!(order.of_service(), ["e", "b", "d", "c", "f"]);
    order.0.allocator.suppress(&fw("d"), []);
    assert_eq!(order.of_service(), ["e", "b", "c", "f"]);
    order.0.allocator.revive(&fw("d"), []);
    assert_eq!(order.of_service(), ["e", "b", "d", "c", "f"]);
}

#[test]
fn branches_that_do_not_touch_are_served_as_if_they_were_flat() {
    let used = [
        ("a/a/a/a/a", "cpus:5;mem:5"),
        ("b/b/b/b", "cpus:6;mem:6"),
        ("c/c/c", "cpus:1;mem:1"),
        ("d/d", "cpus:3;mem:1"),
    ];
    let mut order = Order::new("cpus:100;mem:100", &used);
    assert_eq!(order.of_service(), ["c/c/c", "d/d", "a/a/a/a/a", "b/b/b/b"]);
    order.leave("a/a/a/a/a");
    order.ended("b/b/b/b", "cpus:4;mem:4");
    assert_eq!(order.of_service(), ["c/c/c", "b/b/b/b", "d/d"]);
    order.used("e/e/e/e/e/e", "cpus:1;mem:5");
    order.join("e/e/e/e/e/e");
    order.total("cpus:50;mem:100");
    assert_eq!(order.of_service(), ["c/c/c", "b/b/b/b", "e/e/e/e/e/e", "d/d"]);
    order.0.allocator.suppress(&fw("d/d"), []);
    assert_eq!(order.of_service(), ["c/c/c", "b/b/b/b", "e/e/e/e/e/e"]);
}

#[test]
fn weights_divide_shares() {
    let used = [("a", "cpus:5;mem:5"), ("b", "cpus:6;mem:6"), ("c", "cpus:4;mem:4"), ("d", "cpus:10;mem:20")];
    let mut order = Order::new("cpus:100;mem:100", &used);
    assert_eq!(order.of_service(), ["c", "a", "b", "d"]);
    order.0.weight("b", 2.0);
    assert_eq!(order.of_service(), ["b", "c", "a", "d"]);
    order.0.weight("d", 10.0);
    assert_eq!(order.of_service(), ["d", "b", "c", "a"]);
    order.leave("b");
    order.used("d", "cpus:10;mem:25");
    assert_eq!(order.of_service(), ["c", "d", "a"]);
    order.0.weight("e", 0.1);
    order.used("e", "cpus:1;mem:1");
    order.join("e");
    assert_eq!(order.of_service(), ["c", "d", "a", "e"]);
}

#[test]
fn of_equal_shares_the_one_with_fewer_offers_is_first_then_the_name() {
    let mut order = Order::new("cpus:10;mem:100", &[]);
    for role in ["a", "b", "c"] {
        order.join(role);
    }
    // A whole round counts one offer for each of them.
    assert_eq!(order.of_service(), ["a", "b", "c"]);
    assert_eq!(order.of_service(), ["a", "b", "c"]);
    let offer = order.0.offer();
    order.0.recover(&offer);
    assert_eq!(order.of_service(), ["b", "c", "a"]);
    // Who was inactive for a while has not been offered less for that.
    order.0.allocator.deactivate_framework(&fw("a"));
    assert_eq!(order.of_service(), ["b", "c"]);
    order.0.allocator.activate_framework(&fw("a"));
    assert_eq!(order.of_service(), ["a", "b", "c"]);
}

#[test]
fn a_role_counts_with_all_below_it() {
    let mut order = Order::new("cpus:100;mem:100", &[("a", "cpus:6;mem:6")]);
    order.join("b/c");
    order.join("b/d");
    assert_eq!(order.of_service(), ["b/c", "b/d", "a"]);
    order.used("b/c", "cpus:4;mem:4");
    order.used("b/d", "cpus:3;mem:3");
    assert_eq!(order.of_service(), ["a", "b/d", "b/c"]);
    order.used("a", "cpus:2;mem:2");
    assert_eq!(order.of_service(), ["b/d", "b/c", "a"]);
    order.join("b/e/f");
    assert_eq!(order.of_service(), ["b/e/f", "b/d", "b/c", "a"]);
    order.used("b/e/f", "cpus:3.5;mem:3.5");
    assert_eq!(order.of_service(), ["a", "b/d", "b/e/f", "b/c"]);
    order.leave("b/e/f");
    assert_eq!(order.of_service(), ["b/d", "b/c", "a"]);
    order.ended("b/c", "cpus:3;mem:3");
    assert_eq!(order.of_service(), ["b/c", "b/d", "a"]);
}

#[test]
fn a_whole_branch_is_served_before_the_next() {
    let mut order = Order::new("cpus:100;mem:100", &[("c", "cpus:8;mem:8"), ("d", "cpus:3;mem:3")]);
    order.used("d/e", "cpus:2;mem:2");
    order.join("d/e");
    order.join("a/b");
    assert_eq!(order.of_service(), ["a/b", "d/e", "d", "c"]);
    order.used("a/b", "cpus:6;mem:6");
    assert_eq!(order.of_service(), ["d/e", "d", "a/b", "c"]);
}

#[test]
fn the_frameworks_of_a_role_stand_beside_its_children_with_a_weight_of_one() {
    let mut order = Order::new("cpus:100;mem:100", &[("a", "cpus:10;mem:10"), ("b", "cpus:6;mem:6")]);
    assert_eq!(order.of_service(), ["b", "a"]);
    order.used("a/c", "cpus:5;mem:5");
    order.join("a/c");
    assert_eq!(order.of_service(), ["b", "a/c", "a"]);
    // Without the frameworks of a itself its branch has less than b.
    order.leave("a");
    assert_eq!(order.of_service(), ["a/c", "b"]);
    order.used("a", "cpus:10;mem:10");
    order.join("a");
    assert_eq!(order.of_service(), ["b", "a/c", "a"]);
    order.0.weight("a/c", 0.2);
    assert_eq!(order.of_service(), ["b", "a", "a/c"]);
    // The weight of a counts against b, not against those below a.
    order.0.weight("a", 3.0);
    assert_eq!(order.of_service(), ["a", "a/c", "b"]);
    order.0.weight("a/c", 1.0);
    assert_eq!(order.of_service(), ["a/c", "a", "b"]);
}

#[test]
fn frameworks_may_come_to_a_role_that_has_only_children() {
    let mut order = Order::new("cpus:100;mem:100", &[("x/a", "cpus:10;mem:10"), ("x/b", "cpus:6;mem:6")]);
    order.used("x", "cpus:7;mem:7");
    order.join("x");
    assert_eq!(order.of_service(), ["x/b", "x", "x/a"]);
    order.used("z", "cpus:20;mem:20");
    order.join("z");
    assert_eq!(order.of_service(), ["z", "x/b", "x", "x/a"]);
    order.leave("x");
    assert_eq!(order.of_service(), ["x/b", "x/a", "z"]);
}

#[test]
fn who_wants_nothing_is_passed_over_and_counts_all_the_same() {
    let mut order = Order::new("cpus:100;mem:100", &[("a", "cpus:10;mem:10"), ("b", "cpus:6;mem:6")]);
    order.0.allocator.suppress(&fw("a"), []);
    order.used("a/c", "cpus:5;mem:5");
    order.join("a/c");
    assert_eq!(order.of_service(), ["b", "a/c"]);
    order.leave("a/c");
    assert_eq!(order.of_service(), ["b"]);
    order.0.allocator.revive(&fw("a"), []);
    assert_eq!(order.of_service(), ["b", "a"]);
}

#[test]
fn the_weight_of_a_branch_counts_for_all_of_it() {
    let mut order = Order::new("cpus:100;mem:100", &[("a/x", "cpus:10;mem:10"), ("b/y", "cpus:10;mem:10")]);
    order.0.weight("b", 3.0);
    order.0.weight("a", 2.0);
    assert_eq!(order.of_service(), ["b/y", "a/x"]);
    order.used("b/z", "cpus:5;mem:5");
    order.join("b/z");
    // a has 10 for a weight of 2, b has 15 for one of 3: equal, and a was offered no more often than b.
    order.used("a/x", "cpus:1;mem:1");
    assert_eq!(order.of_service(), ["b/z", "b/y", "a/x"]);
    order.used("b", "cpus:4;mem:4");
    order.join("b");
    assert_eq!(order.of_service(), ["a/x", "b", "b/z", "b/y"]);
    order.used("a/zz", "cpus:0.5;mem:0.5");
    order.join("a/zz");
    assert_eq!(order.of_service(), ["a/zz", "a/x", "b", "b/z", "b/y"]);
}

#[test]
fn volumes_and_what_is_left_of_the_disk_add_up() {
    let mut order = Order::new("cpus:100;mem:100;disk:90", &[("a", "cpus:9;mem:9;disk:9")]);
    let mut total = res("cpus:100;mem:100;disk:90");
    let volumes = [volume(5, "b", "1", false), volume(5, "b", "2", false)];
    total.extend(volumes.clone());
    order.0.agent_now("S", total);
    order.used("b", "cpus:9;mem:9");
    order.uses("b", volumes.into_iter().collect());
    order.join("b");
    assert_eq!(order.of_service(), ["a", "b"]);
}

#[test]
fn shares_follow_the_total_of_all_agents() {
    let mut order = Order::new("cpus:10;mem:100", &[("a", "cpus:2;mem:1"), ("b", "cpus:1;mem:2")]);
    assert_eq!(order.of_service(), ["b", "a"]);
    order.total("cpus:100;mem:10");
    assert_eq!(order.of_service(), ["a", "b"]);
    order.total("cpus:10;mem:100");
    assert_eq!(order.of_service(), ["b", "a"]);
    // Another agent counts even if nothing of it can be offered.
    order.0.agent("T", "cpus:90;mem:20");
    order.0.allocator.deactivate_agent(&ag("T"));
    order.ended("b", "mem:2");
    order.used("b", "mem:4");
    assert_eq!(order.of_service(), ["a", "b"]);
    order.0.allocator.remove_agent(&ag("T"));
    assert_eq!(order.of_service(), ["b", "a"]);
}

#[test]
fn what_disappears_under_a_framework_no_longer_counts_for_it() {
    let mut order = Order::new("cpus:10;mem:100", &[("a", "cpus:6"), ("b", "cpus:4")]);
    assert_eq!(order.of_service(), ["b", "a"]);
    order.0.convert("a", "S", "a", &res("cpus:5"), &Resources::new());
    assert_eq!(order.of_service(), ["a", "b"]);
    assert_eq!(order.0.allocator.total(&ag("S")), Some(&res("cpus:5;mem:100")));
}

#[test]
fn revocable_resources_count_like_others() {
    let mut order = Order::new("cpus:10;mem:100", &[]);
    let mut total = res("cpus:10;mem:100");
    total += revocable("cpus:10");
    order.0.agent_now("S", total);
    order.used("a", "cpus:2;mem:1");
    order.join("a");
    order.used("b", "cpus:1;mem:1");
    order.uses("b", revocable("cpus:9"));
    order.join("b");
    assert_eq!(order.of_service(), ["a", "b"]);
}

#[test]
fn an_operation_does_not_change_the_place_of_who_asked_for_it() {
    let mut order =
        Order::new("cpus:10;mem:10;disk:10", &[("a/x", "cpus:4;mem:4;disk:5"), ("b/y", "disk:6")]);
    let volume: Resources = [volume(5, "a", "1", false)].into_iter().collect();
    assert_eq!(order.of_service(), ["a/x", "b/y"]);
    order.0.convert("a/x", "S", "a/x", &res("disk:5"), &volume);
    assert_eq!(order.of_service(), ["a/x", "b/y"]);
    let used = order.0.allocator.used(&fw("a/x"), &ag("S")).unwrap();
    assert_eq!(used.quantities(), res("cpus:4;mem:4;disk:5").quantities());
}

#[test]
fn what_is_on_several_agents_adds_up() {
    let mut cluster = Cluster::new();
    cluster.agent_using("S1", "cpus:5;mem:50", &[("a", "r", "cpus:2;mem:1")]);
    cluster.agent_using("S2", "cpus:5;mem:50;ports:[1-9]", &[("b", "r", "cpus:1;mem:3;ports:[1-9]")]);
    cluster.framework("a", &["r"]);
    cluster.framework("b", &["r"]);
    assert_eq!(cluster.allocator.cluster_used(), res("cpus:3;mem:4").quantities());
    assert_eq!(cluster.allocator.cluster_total(), res("cpus:10;mem:100").quantities());
    // a has a fifth of the CPUs, b a tenth: b is first for one agent, and a for the other when that is out.
    cluster.allocator.deactivate_agent(&ag("S1"));
    assert_eq!(cluster.offer().framework, fw("b"));
    // With many more CPUs the memory counts, of which b has more.
    cluster.agent_now("S1", res("cpus:95;mem:50"));
    cluster.allocator.activate_agent(&ag("S1"));
    assert_eq!(cluster.offer().framework, fw("a"));
}
