//! `DeclineOffers` and `ResourceLabels`: every offer is declined for good, so that each cycle offers each agent to the next
//! framework, past the refusals of all before it, until all have refused everything.

use std::time::Duration;

use ::allocator::Capabilities;
use resources::{Resources, Role};

use super::Size;
use super::cluster::{Cluster, FOREVER, Joining, agent_id, alike, framework_id, spec};
use super::parts::{AGENT, fragmented_ports, labelled, parse, used};
use super::reference::{Figure, compared, timed};
use crate::report::{figure, memory, times};
use crate::stopwatch::Stopwatch;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Labels,
}

pub(super) fn run(size: Size, rounds: Option<usize>, kind: Kind) {
    let mut cluster = Cluster::new();
    let role = if kind == Kind::Plain { "*" } else { "role1" };
    timed("frameworks added in", cluster.add_frameworks(size.frameworks, role, Capabilities::default()), "");
    let joining = match kind {
        Kind::Plain => {
            let used = used("cpus:16;mem:2014;disk:1024", role);
            alike(size.agents, &parse(AGENT), &used, size.frameworks)
        }
        Kind::Labels => labelled_agents(size, role),
    };
    timed("agents added in", cluster.add_agents(joining), "");

    let rounds = rounds.unwrap_or(size.frameworks * 2);
    let (mut offering, mut idle) = (Vec::new(), Vec::new());
    let (mut offers, mut declining) = (0, Duration::ZERO);
    let started = Stopwatch::start();
    for _ in 0..rounds {
        declining += cluster.decline_all(FOREVER);
        let took = cluster.cycle();
        offers += cluster.offers.len();
        if cluster.offers.is_empty() { &mut idle } else { &mut offering }.push(took);
    }
    let elapsed = started.elapsed();
    figure("cycles", format!("{rounds}, {} of them with offers, in {elapsed:.1?}", offering.len()));
    let cycles = u32::try_from(offering.len().max(1)).unwrap_or(u32::MAX);
    let mean = offering.iter().sum::<Duration>() / cycles;
    let remark = format!(" for {} offers, on average", offers / offering.len().max(1));
    if kind == Kind::Plain {
        compared(Figure::Decline, size, "a cycle", mean, &remark);
    } else {
        timed("a cycle", mean, &remark);
    }
    let declining = declining / cycles;
    if kind == Kind::Plain {
        compared(Figure::Decline, size, "a cycle and its declining", mean + declining, "");
    } else {
        timed("a cycle and its declining", mean + declining, "");
    }
    times("cycles with offers", &mut offering);
    times("cycles without", &mut idle);
    memory("this program", std::process::id());
}

/// Agents on each of which CPUs are reserved under two sets of labels. Those differ in the last of twelve, and from agent
/// to agent. Mesos' benchmark uses these CPUs without the agents' having them; here they are part of what the agents have.
fn labelled_agents(size: Size, role: &str) -> Vec<Joining> {
    (0..size.agents)
        .map(|i| {
            let labels = |last: &str| {
                let mut labels: Vec<_> = (0..11).map(|i| (format!("key{i}"), format!("value{i}"))).collect();
                labels.push((last.to_owned(), format!("value_{i}")));
                labels
            };
            let reserved: Resources = [
                labelled("cpus:8", role, labels("unique_key_1")),
                labelled("cpus:8", role, labels("unique_key_2")),
            ]
            .into_iter()
            .collect();
            let mut total = parse("cpus:8;mem:4096;disk:4096;ports:[31000-32000]");
            total += &reserved;
            let mut used = parse("mem:2014;disk:1024");
            used.add(fragmented_ports());
            used += &reserved;
            let used = used.allocated_to(&Role::from(role));
            Joining {
                id: agent_id(i),
                spec: spec(total),
                used: vec![(framework_id(i % size.frameworks), used)],
            }
        })
        .collect()
}
