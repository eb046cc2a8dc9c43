//! `Metrics`: what the allocator tells of itself, with a role, a quota and a framework each, and one allocation made.

use std::hint::black_box;

use ::allocator::Capabilities;
use resources::Role;

use super::Size;
use super::cluster::{Cluster, unused};
use super::parts::parse;
use super::quota::quota;
use super::reference::timed;
use crate::stopwatch::Stopwatch;

pub(super) fn run(size: Size) {
    let mut cluster = Cluster::new();
    let started = Stopwatch::start();
    for i in 0..size.frameworks {
        let role = Role::from(i.to_string().as_str());
        cluster.allocator.set_quota(&role, quota("cpus:1;mem:512;disk:256"));
    }
    timed("quotas set in", started.elapsed(), "");
    let added = cluster.add_frameworks_in(size.frameworks, |i| i.to_string(), Capabilities::default());
    timed("frameworks added in", added, "");
    let joining = unused(size.agents, &parse("cpus:16;mem:2048;disk:1024"));
    let (took, allocations) = cluster.add_agents_offering(joining);
    let remark = format!(" for {} offers in {allocations} allocations", cluster.offers.len());
    timed("agents added in", took, &remark);

    let started = Stopwatch::start();
    black_box(cluster.allocator.roles());
    black_box(cluster.allocator.active_filters());
    black_box(cluster.allocator.cluster_total());
    black_box(cluster.allocator.cluster_used());
    timed("what metrics show", started.elapsed(), "");
}
