//! What an agent, an offer and a refusal take: the growth of this program's memory, by what caused it.

use ::allocator::Capabilities;
use conformance::processes::memory_kib;

use super::Size;
use super::cluster::{Cluster, FOREVER, agent_id, framework_id, spec};
use super::parts::{AGENT, parse, used};
use crate::report::figure;

/// Offers that are declined by as many frameworks of each agent.
const REFUSALS: usize = 20;

pub(super) fn run(size: Size) {
    let mut cluster = Cluster::new();
    cluster.add_frameworks(size.frameworks, "*", Capabilities::default());
    let mut meter = Meter { last: resident() };

    for i in 0..size.agents {
        // Made anew for each, as when it comes from a message: nothing is shared between agents.
        let used = used("cpus:16;mem:2014;disk:1024", "*");
        let by = framework_id(i % size.frameworks);
        cluster.allocator.add_agent(&agent_id(i), spec(parse(AGENT)), &[(by, used)]);
    }
    meter.grown("an agent with something in use", size.agents);
    cluster.cycle();
    meter.grown("an offer, with the caller's copy", cluster.offers.len());
    let mut refused = 0;
    for _ in 0..REFUSALS {
        refused += cluster.offers.len();
        cluster.decline_all(FOREVER);
        cluster.cycle();
    }
    meter.grown("a refusal", refused);
}

struct Meter {
    last: u64,
}

impl Meter {
    fn grown(&mut self, name: &str, count: usize) {
        let now = resident();
        let bytes = now.saturating_sub(self.last) * 1024 / u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        self.last = now;
        figure(name, format!("{bytes} bytes, over {count}"));
    }
}

fn resident() -> u64 {
    memory_kib(std::process::id(), "VmRSS").unwrap_or(0)
}
