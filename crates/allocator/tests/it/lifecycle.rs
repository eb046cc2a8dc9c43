//! Frameworks and agents coming and going.

use std::sync::Arc;

use allocator::{AgentSpec, AgentTraits, Capabilities, FrameworkSpec};
use resources::{Resources, Role, Scalar};

use crate::cluster::{Cluster, ag, fw, held, res, reserved, revocable, roles, spec};

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

#[test]
fn what_is_given_back_in_parts_is_offered_in_parts() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:1;mem:200;cpus(a):1;mem(a):200");
    let offer = cluster.offer();
    let (mut reserved, mut free) = (offer.clone(), offer);
    reserved.resources = reserved.resources.reserved();
    free.resources = free.resources.unreserved();
    cluster.recover(&reserved);
    assert_eq!(cluster.offer(), reserved);
    cluster.recover(&free);
    assert_eq!(cluster.offer(), free);
}

#[test]
fn what_a_removed_agent_had_no_longer_counts_for_those_who_used_it() {
    let mut cluster = Cluster::new();
    cluster.agent("S1", "cpus:2;mem:200");
    cluster.framework("A", &["r"]);
    assert_eq!(cluster.offer().framework, fw("A"));
    cluster.framework("B", &["r"]);
    cluster.agent("S2", "cpus:1;mem:100");
    assert_eq!(cluster.offer().framework, fw("B"));
    cluster.allocator.remove_agent(&ag("S1"));
    cluster.agent("S3", "cpus:1;mem:100");
    assert_eq!(cluster.offer().framework, fw("A"));
}

#[test]
fn use_counts_once_whoever_is_told_of_first() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent_using("S1", "cpus:1", &[("A", "a", "cpus:1")]);
    cluster.agent_using("S2", "cpus:1", &[("B", "b", "cpus:1")]);
    cluster.framework("B", &["b"]);
    assert_eq!((cluster.share("a"), cluster.share("b")), (Some(0.5), Some(0.5)));
}

#[test]
fn more_resources_may_come_with_what_is_used_of_them() {
    let mut cluster = Cluster::new();
    cluster.allocator.add_framework(&fw("A"), spec(&["a"]), false);
    cluster.allocator.add_framework(&fw("B"), spec(&["b"]), false);
    cluster.agent("S1", "cpus:1;mem:100;disk:10");
    // A resource provider brings twice as much, all of it used by A.
    cluster.agent_now("S1", res("cpus:3;mem:300;disk:30"));
    cluster.allocator.add_used(&fw("A"), &ag("S1"), &held("cpus:2;mem:200;disk:20", "a"));
    cluster.allocator.check();
    cluster.allocator.activate_framework(&fw("B"));
    assert_eq!(cluster.offered(), ["B b S1: cpus:1; mem:100; disk:10"]);
    cluster.allocator.activate_framework(&fw("A"));
    cluster.agent("S2", "cpus:1;mem:100;disk:10");
    assert_eq!(cluster.offer().framework, fw("B"));
}

#[test]
fn more_may_be_used_without_there_being_more() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:2;mem:200;disk:20");
    cluster.allocator.add_framework(&fw("A"), spec(&["a"]), false);
    cluster.allocator.add_used(&fw("A"), &ag("S"), &held("cpus:1;mem:100;disk:10", "a"));
    cluster.allocator.check();
    cluster.allocator.activate_framework(&fw("A"));
    assert_eq!(cluster.offered(), ["A a S: cpus:1; mem:100; disk:10"]);
}

#[test]
fn an_agent_may_shrink_and_grow_again() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:100;mem:100;disk:100");
    cluster.framework("A", &["a"]);
    let first = cluster.offer();
    cluster.agent_now("S", res("cpus:112;mem:100;disk:100"));
    let second = cluster.offer();
    assert_eq!(second.resources.clone().unallocated(), res("cpus:12"));
    cluster.agent_now("S", res("cpus:50;mem:50;disk:50"));
    assert_eq!(cluster.offers(), []);
    cluster.recover(&first);
    cluster.recover(&second);
    assert_eq!(cluster.offered(), ["A a S: cpus:50; mem:50; disk:50"]);
    cluster.agent_now("S", res("cpus:100;mem:100;disk:100"));
    assert_eq!(cluster.offered(), ["A a S: cpus:50; mem:50; disk:50"]);
}

#[test]
fn revocable_resources_come_and_go() {
    let mut cluster = Cluster::new();
    let with = |cpus: &str| {
        let mut total = res("cpus:100;mem:100;disk:100");
        total += revocable(cpus);
        total
    };
    cluster.agent("S", "cpus:100;mem:100;disk:100");
    cluster.capable("R", "r", Capabilities { revocable_resources: true, ..Capabilities::default() });
    let offer = cluster.offer();
    cluster.agent_now("S", with("cpus:10"));
    let ten = cluster.offer();
    assert_eq!(ten.resources.clone().unallocated(), revocable("cpus:10"));
    cluster.agent_now("S", with("cpus:12"));
    assert_eq!(cluster.offer().resources.unallocated(), revocable("cpus:2"));
    cluster.agent_now("S", with("cpus:5"));
    assert_eq!(cluster.offers(), []);
    // Some of both kinds comes back; of the revocable ones only what is above the agent's new five.
    cluster.agent_now("S", with("cpus:12"));
    let mut part = offer.clone();
    part.resources = held("cpus:2", "r");
    part.resources += revocable("cpus:6").allocated_to(&Role::from("r"));
    cluster.recover(&part);
    assert_eq!(cluster.offer().resources, part.resources);
}

#[test]
fn reservations_of_what_is_no_scalar_come_and_go() {
    let mut cluster = Cluster::new();
    for id in ["S1", "S2"] {
        cluster.agent(id, "cpus:1;mem:100;ports(r):[1-2]");
    }
    for id in ["S1", "S2"] {
        cluster.allocator.remove_agent(&ag(id));
        cluster.allocator.check();
    }
    assert!(cluster.allocator.cluster_total().is_empty());
}

#[test]
fn an_operation_may_take_resources_away() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("S", "cpus:100;mem:100;disk:100");
    let mut offer = cluster.offer();
    cluster.convert("A", "S", "a", &res("disk:100"), &Resources::new());
    offer.resources = held("cpus:100;mem:100", "a");
    cluster.recover(&offer);
    assert_eq!(cluster.offered(), ["A a S: cpus:100; mem:100"]);
    assert_eq!(cluster.allocator.cluster_total(), res("cpus:100;mem:100").quantities());
}

#[test]
fn an_operators_operation_changes_what_is_free_and_nothing_else() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:100;mem:100;disk:100");
    let (free, kept) = (res("cpus:25;mem:50"), reserved("cpus:25;mem:50", &["a"]));
    cluster.allocator.convert_available(&ag("S"), &free, &kept).unwrap();
    cluster.allocator.check();
    cluster.framework("B", &["b"]);
    let of_b = cluster.offer();
    assert_eq!(of_b.resources.clone().unallocated(), res("cpus:75;mem:50;disk:100"));
    cluster.framework("A", &["a"]);
    let of_a = cluster.offer();
    assert_eq!(of_a.resources.clone().unallocated(), kept);
    // All is offered: nothing of it can be converted.
    assert!(cluster.allocator.convert_available(&ag("S"), &kept, &free).is_err());
    cluster.allocator.check();
    cluster.recover(&of_a);
    cluster.allocator.convert_available(&ag("S"), &kept, &free).unwrap();
    cluster.allocator.check();
    assert_eq!(cluster.offered(), ["A a S: cpus:25; mem:50"]);
}

#[test]
fn what_the_cluster_has_and_uses_is_told() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:2;mem:1024");
    assert_eq!(cluster.allocator.cluster_total(), res("cpus:2;mem:1024").quantities());
    assert!(cluster.allocator.cluster_used().is_empty());
    cluster.framework("A", &["a"]);
    cluster.offer();
    assert_eq!(cluster.allocator.cluster_used(), res("cpus:2;mem:1024").quantities());
    cluster.allocator.remove_agent(&ag("S"));
    assert!(cluster.allocator.cluster_total().is_empty() && cluster.allocator.cluster_used().is_empty());
}

#[test]
fn roles_are_known_while_there_is_something_to_know() {
    let mut cluster = Cluster::new();
    let names =
        |cluster: &Cluster| cluster.allocator.roles().iter().map(|r| r.role.to_string()).collect::<Vec<_>>();
    let all = ["a", "a/b", "a/b/c"];
    cluster.weight("a/b/c", 2.0);
    assert_eq!(names(&cluster), all);
    assert_eq!(cluster.allocator.roles().iter().map(|r| r.weight).collect::<Vec<_>>(), [1.0, 1.0, 2.0]);
    cluster.weight("a/b/c", 1.0);
    assert_eq!(names(&cluster), [""; 0]);
    cluster.quota("a/b/c", "cpus:1", "cpus:1");
    assert_eq!(names(&cluster), all);
    assert!(cluster.allocator.roles()[..2].iter().all(|r| r.quota.is_empty()));
    cluster.quota("a/b/c", "", "");
    assert_eq!(names(&cluster), [""; 0]);
    cluster.agent("S", "cpus(a/b/c):1");
    assert_eq!(names(&cluster), all);
    assert!(cluster.allocator.roles().iter().all(|r| r.reserved == res("cpus:1").quantities()));
    cluster.allocator.remove_agent(&ag("S"));
    assert_eq!(names(&cluster), [""; 0]);
    cluster.framework("A", &["a/b/c"]);
    assert_eq!(names(&cluster), all);
    assert_eq!(cluster.allocator.roles().iter().map(|r| r.frameworks.len()).collect::<Vec<_>>(), [0, 0, 1]);
    cluster.allocator.remove_framework(&fw("A"));
    assert_eq!(names(&cluster), [""; 0]);
}

#[test]
fn agents_that_are_not_on_the_whitelist_are_not_offered() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    let named = |name: &str| {
        let traits = AgentTraits { hostname: name.to_owned(), ..AgentTraits::default() };
        AgentSpec { total: res("cpus:2;mem:1024"), traits: Arc::new(traits), ..AgentSpec::default() }
    };
    cluster.allocator.set_whitelist(Some(["other".to_owned()].into()));
    cluster.allocator.add_agent(&ag("S"), named("here"), &[]);
    cluster.allocator.check();
    assert_eq!(cluster.offers(), []);
    cluster.allocator.set_whitelist(Some(["other".to_owned(), "here".to_owned()].into()));
    let offer = cluster.offer();
    cluster.allocator.set_whitelist(Some(["other".to_owned()].into()));
    cluster.recover(&offer);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.update_agent(&ag("S"), named("other"));
    let offer = cluster.offer();
    cluster.allocator.set_whitelist(Some(std::collections::BTreeSet::new()));
    cluster.recover(&offer);
    assert_eq!(cluster.offers(), []);
    cluster.allocator.set_whitelist(None);
    assert_eq!(cluster.offers().len(), 1);
}

#[test]
fn who_suppressed_and_left_for_a_while_gets_offers_again_when_it_revives() {
    let mut cluster = Cluster::new();
    cluster.agent("S", "cpus:2;mem:1024");
    cluster.framework("A", &["a"]);
    let offer = cluster.offer();
    // Nothing is to be had: reviving now changes nothing.
    cluster.allocator.revive(&fw("A"), []);
    assert_eq!(cluster.offers(), []);
    cluster.recover(&offer);
    cluster.allocator.suppress(&fw("A"), []);
    cluster.allocator.deactivate_framework(&fw("A"));
    assert_eq!(cluster.offers(), []);
    cluster.allocator.activate_framework(&fw("A"));
    assert_eq!(cluster.offers(), []);
    cluster.allocator.revive(&fw("A"), []);
    assert_eq!(cluster.offers().len(), 1);
}
