//! Frameworks and agents coming and going.

use allocator::{AgentSpec, FrameworkSpec};
use resources::{Role, Scalar};

use crate::cluster::{Cluster, ag, fw, res, roles, spec};

#[test]
fn nothing_happens_twice() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["*"]);
    cluster.agent("S", "cpus:4;mem:400");
    assert_eq!(cluster.offers().len(), 1);
    assert_eq!(cluster.offers(), []);
    assert_eq!(cluster.allocator.allocate_all(cluster.now), []);
}

#[test]
fn whoever_comes_gets_what_is_free() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:4;mem:400;ports:[1-3]");
    assert_eq!(cluster.offers(), []);
    cluster.framework("A", &["*"]);
    assert_eq!(cluster.offered(), ["A * S: cpus:4; mem:400; ports:[1-3]"]);
}

#[test]
fn an_inactive_framework_gets_nothing() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:4;mem:400");
    cluster.allocator.add_framework(&fw("A"), spec(&["*"]), false);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.activate_framework(&fw("A"));
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn an_inactive_agent_gives_nothing() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:4;mem:400");
    cluster.allocator.deactivate_agent(&ag("S"));
    cluster.framework("A", &["*"]);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.activate_agent(&ag("S"));
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn what_an_agent_reports_as_used_counts_for_frameworks_still_to_come() {
    let mut cluster = Cluster::new();
    let used = [(fw("A"), res("cpus:3;mem:300").allocated_to(&Role::from("r")))];
    let spec_of_agent = AgentSpec { total: res("cpus:4;mem:400"), ..AgentSpec::default() };
    cluster.allocator.add_agent(&ag("S"), spec_of_agent, &used);
    cluster.allocator.check();
    cluster.framework("A", &["r"]);
    cluster.framework("B", &["r"]);
    // A has something already, so B is first.
    assert_eq!(cluster.offered(), ["B r S: cpus:1; mem:100"]);
    assert_eq!(cluster.allocator.used(&fw("A"), &ag("S")).and_then(|r| r.cpus()), Some(Scalar::whole(3)));
}

#[test]
fn what_a_removed_framework_uses_stays_used_until_recovered() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["r"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    cluster.accept(&offer, "cpus:1;mem:100", 0);
    cluster.allocator.remove_framework(&fw("A"));
    cluster.allocator.check();
    cluster.framework("B", &["r"]);
    assert_eq!(cluster.offered(), ["B r S: cpus:3; mem:300"]);
    cluster.end(&offer, "cpus:1;mem:100");
    assert_eq!(cluster.offered(), ["B r S: cpus:1; mem:100"]);
    assert_eq!(cluster.allocator.used(&fw("A"), &ag("S")), None);
    assert_eq!(cluster.allocator.roles().len(), 1);
}

#[test]
fn everything_is_forgotten_in_the_end() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a/b", "c"]);
    cluster.agent("S", "cpus:4;mem:400;cpus(x/y):1");
    let offers = cluster.offers();
    cluster.allocator.remove_framework(&fw("A"));
    for offer in &offers {
        cluster.recover(offer);
    }
    cluster.allocator.remove_agent(&ag("S"));
    cluster.allocator.check();
    assert_eq!(cluster.allocator.roles(), []);
    assert!(cluster.allocator.cluster_total().is_empty() && cluster.allocator.cluster_used().is_empty());
}

#[test]
fn an_agent_that_goes_takes_what_was_used_with_it() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["r"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    cluster.allocator.remove_agent(&ag("S"));
    cluster.allocator.check();
    // Late news of an agent that is gone change nothing.
    cluster.recover(&offer);
    assert!(cluster.allocator.cluster_used().is_empty());
    cluster.agent("S", "cpus:4;mem:400");
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn an_agent_that_grows_offers_the_difference() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["r"]);
    cluster.agent("S", "cpus:4;mem:400");
    cluster.offer();
    let more = AgentSpec { total: res("cpus:6;mem:400"), ..AgentSpec::default() };
    cluster.allocator.update_agent(&ag("S"), more);
    assert_eq!(cluster.offered(), ["A r S: cpus:2"]);
}

#[test]
fn an_agent_that_shrinks_below_its_use_offers_nothing_until_enough_came_back() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["r"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    let less = AgentSpec { total: res("cpus:2;mem:400"), ..AgentSpec::default() };
    cluster.allocator.update_agent(&ag("S"), less);
    cluster.allocator.check();
    cluster.recover_part(&offer, "cpus:2");
    assert_eq!(cluster.offers(), []);
    cluster.recover_part(&offer, "cpus:1");
    assert_eq!(cluster.offered(), ["A r S: cpus:1"]);
}

#[test]
fn changed_roles_take_effect() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    cluster.allocator.update_framework(&fw("A"), spec(&["b"]));
    cluster.allocator.check();
    let offer = cluster.offer();
    assert_eq!(offer.role, Role::from("b"));
    // The role is left while something is used in it: it stays known until that comes back.
    cluster.allocator.update_framework(&fw("A"), spec(&["c"]));
    assert_eq!(cluster.allocator.roles().len(), 2);
    cluster.decline(&offer, 3600);
    assert_eq!(cluster.allocator.roles().len(), 1);
    assert_eq!(cluster.offered(), ["A c S: cpus:4; mem:400"]);
}

#[test]
fn an_update_suppresses_and_revives() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    cluster.decline(&offer, 3600);
    let suppressed = FrameworkSpec { suppressed: roles(&["a"]), ..spec(&["a"]) };
    cluster.allocator.update_framework(&fw("A"), suppressed);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.update_framework(&fw("A"), spec(&["a"]));
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn an_operation_changes_what_is_used_and_what_there_is() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:4;mem:400");
    let offer = cluster.offer();
    let role = Role::from("a");
    let (from, to) = (res("cpus:1").allocated_to(&role), res("cpus(a):1").allocated_to(&role));
    cluster.allocator.convert(&fw("A"), &ag("S"), &from, &to).unwrap();
    cluster.allocator.check();
    assert_eq!(cluster.allocator.total(&ag("S")), Some(&res("cpus:3;mem:400;cpus(a):1")));
    let mut now_used = offer.resources.clone();
    assert!(cluster.allocator.convert(&fw("A"), &ag("S"), &res("cpus:9"), &to).is_err());
    now_used -= &from;
    now_used += to;
    cluster.allocator.recover_offered(&fw("A"), &ag("S"), &now_used);
    cluster.framework("B", &["b"]);
    cluster.allocator.suppress(&fw("A"), []);
    assert_eq!(cluster.offered(), ["B b S: cpus:3; mem:400"]);
}
