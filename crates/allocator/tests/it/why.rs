//! Each reason for which a framework may get nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use allocator::{AgentSpec, Obstacle, Quota, Why};
use resources::{Name, Role, Scalar};

use crate::cluster::{Cluster, ag, fw, res};

fn counts(cluster: &Cluster, id: &str) -> Vec<(Obstacle, usize)> {
    let why = cluster.allocator.why(&fw(id));
    let (_, Why::Agents { counts, .. }) = why.into_iter().next().expect("one role") else {
        panic!("agents are not the reason");
    };
    counts.into_iter().collect()
}

#[test]
fn of_the_framework_itself() {
    let mut cluster = Cluster::new();
    assert!(cluster.allocator.why(&fw("A")).is_empty());
    cluster.framework("A", &["a", "b"]);
    cluster.allocator.suppress(&fw("A"), [&Role::from("a")]);
    let why = cluster.allocator.why(&fw("A"));
    assert_eq!(why[&Role::from("a")], Why::Suppressed);
    let no_agents = Why::Agents { counts: BTreeMap::new(), first_refusal_ends: None };
    assert_eq!(why[&Role::from("b")], no_agents);
    cluster.allocator.deactivate_framework(&fw("A"));
    assert!(cluster.allocator.why(&fw("A")).values().all(|why| *why == Why::Inactive));
}

#[test]
fn of_agents() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a"]);
    cluster.agent("gpus", "cpus:1;mem:100;gpus:1");
    cluster.allocator.add_agent(
        &ag("far"),
        AgentSpec { total: res("cpus:1;mem:100"), remote: true, ..AgentSpec::default() },
        &[],
    );
    cluster.agent("others", "cpus(b):1;mem(b):100");
    cluster.agent("crumbs", "mem:1");
    cluster.agent("off", "cpus:1;mem:100");
    cluster.allocator.deactivate_agent(&ag("off"));
    cluster.agent("free", "cpus:1;mem:100");
    let blocked = [
        (Obstacle::AgentInactive, 1),
        (Obstacle::KeptForGpus, 1),
        (Obstacle::OtherRegion, 1),
        (Obstacle::ReservedForOthers, 1),
        (Obstacle::TooLittle, 1),
    ];
    let with = |obstacle| {
        let mut all = blocked.to_vec();
        all.push((obstacle, 1));
        all.sort_unstable();
        all
    };
    assert_eq!(counts(&cluster, "A"), with(Obstacle::Waiting));
    let offer = cluster.offer();
    assert_eq!(counts(&cluster, "A"), with(Obstacle::NothingFree));
    cluster.decline(&offer, 60);
    assert_eq!(counts(&cluster, "A"), with(Obstacle::Refused));
    let why = cluster.allocator.why(&fw("A"));
    let Why::Agents { first_refusal_ends, .. } = &why[&Role::from("a")] else { panic!("{why:?}") };
    assert_eq!(*first_refusal_ends, Some(cluster.now + Duration::from_secs(60)));
}

#[test]
fn of_limits() {
    let mut cluster = Cluster::new();
    cluster.framework("A", &["a/x"]);
    let limits = [(Name::Cpus, Scalar::whole(1)), (Name::Mem, Scalar::whole(100))];
    cluster.allocator.set_quota(&Role::from("a"), Quota { limits: limits.into(), ..Quota::default() });
    cluster.agent("S", "cpus:2;mem:200");
    cluster.offer();
    assert_eq!(counts(&cluster, "A"), [(Obstacle::AtLimit, 1)]);
}
