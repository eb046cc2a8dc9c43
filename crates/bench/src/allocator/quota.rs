//! `LargeAndSmallQuota` and `NonQuotaVsQuota`: one cycle that meets the quotas of all roles with all there is, and one that
//! finds nothing more. Guarantees and limits are the same, as in Mesos' benchmarks.

use std::collections::BTreeMap;

use ::allocator::{Capabilities, Quota};
use resources::Role;

use super::cluster::{Cluster, unused};
use super::parts::parse;
use super::reference::timed;

const AGENT: &str = "cpus:2;mem:2048;disk:2048";

/// A quota that guarantees all that it allows.
pub(super) fn quota(text: &str) -> Quota {
    let amounts: BTreeMap<_, _> =
        parse(text).quantities().iter().map(|(name, amount)| (name.clone(), amount)).collect();
    Quota { guarantees: amounts.clone(), limits: amounts }
}

pub(super) fn large_and_small(quick: bool) {
    let sizes = [(25, 5), (250, 50), (2500, 500)];
    for (small, large) in if quick { &sizes[..2] } else { &sizes[..] } {
        let agents = small / 5 + large * 5;
        println!("{agents} agents, {small} roles with small quotas, {large} with large ones");
        let mut cluster = Cluster::new();
        cluster.add_agents(unused(agents, &parse(AGENT)));
        let role = |i: usize| if i < *small { format!("small{i}") } else { format!("large{i}") };
        cluster.add_frameworks_in(small + large, role, Capabilities::default());
        for i in 0..small + large {
            let amounts = if i < *small { "cpus:1;mem:1024;disk:1024" } else { "cpus:4;mem:4096;disk:4096" };
            cluster.allocator.set_quota(&Role::from(role(i).as_str()), quota(amounts));
        }
        measure(cluster);
    }
}

pub(super) fn or_not(quick: bool) {
    for roles in if quick { &[10, 100][..] } else { &[10, 100, 1000] } {
        for with in [false, true] {
            let agents = roles * 2;
            let quotas = if with { "with quotas" } else { "without quotas" };
            println!("{agents} agents, {roles} roles, {} frameworks, {quotas}", roles * 2);
            let mut cluster = Cluster::new();
            cluster.add_agents(unused(agents, &parse(AGENT)));
            cluster.add_frameworks_in(roles * 2, |i| format!("role{}", i / 2), Capabilities::default());
            if with {
                for i in 0..*roles {
                    let role = Role::from(format!("role{i}").as_str());
                    cluster.allocator.set_quota(&role, quota("cpus:4;mem:4096;disk:4096"));
                }
            }
            measure(cluster);
        }
    }
}

fn measure(mut cluster: Cluster) {
    let took = cluster.full_cycle();
    timed("a cycle", took, &format!(" for {} offers", cluster.offers.len()));
    let offers = cluster.offers.len();
    let took = cluster.full_cycle();
    timed(
        "a cycle over all agents after it",
        took,
        &format!(" for {} offers", cluster.offers.len() - offers),
    );
}
