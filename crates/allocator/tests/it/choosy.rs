//! Frameworks that do not want offers of every agent, or of every size.

use std::collections::BTreeMap;
use std::sync::Arc;

use allocator::{
    AgentSpec, AgentTraits, AttributeValue, Condition, Constraints, FrameworkSpec, Predicate, Selector,
};
use resources::{Quantities, Role};

use crate::cluster::{Cluster, ag, fw, res, spec};

fn least(role: &str, quantities: &[&str]) -> BTreeMap<Role, Vec<Quantities>> {
    [(Role::from(role), quantities.iter().map(|text| res(text).quantities()).collect())].into()
}

/// Too little for the allocator, but not for a framework that says so.
#[test]
fn framework_min_allocatable() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a", "b"]);
    cluster.agent("S", "cpus:0.005;mem:16;disk:128");
    assert_eq!(cluster.offers(), []);
    let modest = FrameworkSpec { min_allocatable: least("a", &["cpus:0.003"]), ..spec(&["a", "b"]) };
    cluster.allocator.update_framework(&fw("A"), modest);
    assert_eq!(cluster.offered(), ["A a S: cpus:0.005; mem:16; disk:128"]);
}

#[test]
fn framework_empty_min_allocatable() {
    let mut cluster = Cluster::new();
    let modest = FrameworkSpec { min_allocatable: least("a", &[]), ..spec(&["a"]) };
    cluster.allocator.add_framework(&fw("A"), modest, true);
    cluster.agent("S", "cpus:0.005;mem:16;disk:128");
    assert_eq!(cluster.offered(), ["A a S: cpus:0.005; mem:16; disk:128"]);
}

/// What is too little for one is for the next in order.
#[test]
fn a_demanding_framework_leaves_the_rest_to_others() {
    let mut cluster = Cluster::new();
    let demanding = FrameworkSpec { min_allocatable: least("a", &["cpus:8", "gpus:1"]), ..spec(&["a"]) };
    cluster.allocator.add_framework(&fw("A"), demanding, true);
    cluster.framework("B", &["a"]);
    cluster.agent("S", "cpus:4;mem:100");
    assert_eq!(cluster.offered(), ["B a S: cpus:4; mem:100"]);
    cluster.agent("T", "cpus:8;mem:100");
    assert_eq!(cluster.offered(), ["A a T: cpus:8; mem:100"]);
}

fn in_rack(rack: &str) -> AgentSpec {
    let attributes = vec![("rack".to_owned(), AttributeValue::Text(rack.to_owned()))];
    let traits = Arc::new(AgentTraits { attributes, ..AgentTraits::default() });
    AgentSpec { total: res("cpus:1;mem:100"), traits, ..AgentSpec::default() }
}

fn only_rack(roles: &[&str], constrained: &str, rack: &str) -> FrameworkSpec {
    let condition = Condition {
        selector: Selector::Attribute("rack".to_owned()),
        predicate: Predicate::TextEquals(rack.to_owned()),
    };
    let constraints = Arc::new(Constraints { any_of: vec![vec![condition]] });
    FrameworkSpec { constraints: [(Role::from(constrained), constraints)].into(), ..spec(roles) }
}

#[test]
fn agents_left_out_by_constraints_go_to_others() {
    let mut cluster = Cluster::new();
    cluster.allocator.add_framework(&fw("A"), only_rack(&["a"], "a", "x"), true);
    cluster.allocator.add_agent(&ag("X"), in_rack("x"), &[]);
    cluster.allocator.add_agent(&ag("Y"), in_rack("y"), &[]);
    assert_eq!(cluster.offered(), ["A a X: cpus:1; mem:100"]);
    cluster.framework("B", &["a"]);
    assert_eq!(cluster.offered(), ["B a Y: cpus:1; mem:100"]);
}

#[test]
fn constraints_are_for_one_role() {
    let mut cluster = Cluster::new();
    cluster.allocator.add_framework(&fw("A"), only_rack(&["a", "b"], "a", "x"), true);
    cluster.allocator.add_agent(&ag("Y"), in_rack("y"), &[]);
    assert_eq!(cluster.offered(), ["A b Y: cpus:1; mem:100"]);
}

/// Reservations do not help: the framework does not want the agent at all.
#[test]
fn constraints_go_before_reservations() {
    let mut cluster = Cluster::new();
    cluster.allocator.add_framework(&fw("A"), only_rack(&["a"], "a", "x"), true);
    let reserved = AgentSpec { total: res("cpus(a):1;mem(a):100"), ..in_rack("y") };
    cluster.allocator.add_agent(&ag("Y"), reserved, &[]);
    assert_eq!(cluster.offers(), []);
}

#[test]
fn changed_constraints_and_attributes_count_at_once() {
    let mut cluster = Cluster::new();
    cluster.allocator.add_framework(&fw("A"), only_rack(&["a"], "a", "x"), true);
    cluster.allocator.add_agent(&ag("Y"), in_rack("y"), &[]);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.update_framework(&fw("A"), only_rack(&["a"], "a", "y"));
    let offer = cluster.offer();
    cluster.recover(&offer);
    cluster.allocator.update_framework(&fw("A"), only_rack(&["a"], "a", "z"));
    assert_eq!(cluster.offers(), []);
    cluster.allocator.update_agent(&ag("Y"), in_rack("z"));
    assert_eq!(cluster.offered(), ["A a Y: cpus:1; mem:100"]);
}

/// `RemoveFilters`: who declined may have missed just the attribute that is there now.
#[test]
fn other_attributes_are_news_to_those_who_declined() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.allocator.add_agent(&ag("Y"), in_rack("y"), &[]);
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    cluster.allocator.update_agent(&ag("Y"), in_rack("y"));
    assert_eq!(cluster.offers(), []);
    cluster.allocator.update_agent(&ag("Y"), in_rack("z"));
    assert_eq!(cluster.offered(), ["A a Y: cpus:1; mem:100"]);
}
