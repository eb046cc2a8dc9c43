//! `SuppressOffers` and `ExtremeSuppressOffers`: in each of five cycles everything is offered anew, while a further fifth of
//! the frameworks, or 99 % of them from the beginning, want nothing.

use ::allocator::Capabilities;

use super::Size;
use super::cluster::{Cluster, alike, framework_id};
use super::parts::{AGENT, parse, used};
use super::reference::{cycle, timed};
use crate::report::figure;

const CYCLES: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Growing,
    Extreme,
}

pub(super) fn run(size: Size, kind: Kind) {
    let mut cluster = Cluster::new();
    timed("frameworks added in", cluster.add_frameworks(size.frameworks, "*", Capabilities::default()), "");
    let used = used("cpus:16;mem:1024;disk:1024", "*");
    let joining = alike(size.agents, &parse(AGENT), &used, size.frameworks);
    timed("agents added in", cluster.add_agents(joining), "");

    let mut suppressed = 0;
    let mut suppress_to = |cluster: &mut Cluster, count| {
        for i in suppressed..count {
            cluster.allocator.suppress(&framework_id(i), []);
        }
        suppressed = count;
        count
    };
    if kind == Kind::Extreme {
        suppress_to(&mut cluster, size.frameworks * 99 / 100);
    }
    for round in 1..=CYCLES {
        let recovered = cluster.take_back_all();
        let silent = match kind {
            Kind::Growing => suppress_to(&mut cluster, size.frameworks / CYCLES * round),
            Kind::Extreme => size.frameworks * 99 / 100,
        };
        figure("suppressed", silent);
        let took = cluster.cycle();
        cycle(took, cluster.offers.len(), recovered);
    }
}
