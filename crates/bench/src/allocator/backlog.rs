//! `AllocatorBacklog`: all is offered; then every framework revives, and there is nothing more to offer.

use ::allocator::Capabilities;

use super::Size;
use super::cluster::{Cluster, framework_id, unused};
use super::parts::{AGENT, parse};
use super::reference::timed;
use crate::report::times;
use crate::stopwatch::Stopwatch;

pub(super) fn run(size: Size) {
    let mut cluster = Cluster::new();
    timed("frameworks added in", cluster.add_frameworks(size.frameworks, "*", Capabilities::default()), "");
    let (took, allocations) = cluster.add_agents_offering(unused(size.agents, &parse(AGENT)));
    let remark = format!(" for {} offers in {allocations} allocations", cluster.offers.len());
    timed("agents added in", took, &remark);

    let started = Stopwatch::start();
    for i in 0..size.frameworks {
        cluster.allocator.revive(&framework_id(i), []);
    }
    cluster.allocate();
    timed("all revived, one allocation", started.elapsed(), "");

    let mut each: Vec<_> = (0..size.frameworks)
        .map(|i| {
            let started = Stopwatch::start();
            cluster.allocator.revive(&framework_id(i), []);
            cluster.allocate();
            started.elapsed()
        })
        .collect();
    times("a revival and its allocation", &mut each);
}
