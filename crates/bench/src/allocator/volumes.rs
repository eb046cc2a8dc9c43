//! `PersistentVolumes`: everything is offered anew six times on agents with a persistent volume each: not shared, shared, or
//! the one and the other in turns.

use ::allocator::Capabilities;
use resources::{Resources, Role};

use super::Size;
use super::cluster::{Cluster, Joining, agent_id, framework_id, spec};
use super::parts::{fragmented_ports, parse, volume};
use super::reference::{cycle, timed};

const CYCLES: usize = 6;
const ROLE: &str = "test";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sharedness {
    Regular,
    Shared,
    Mixed,
}

impl Sharedness {
    fn of_agent(self, i: usize) -> bool {
        match self {
            Self::Regular => false,
            Self::Shared => true,
            Self::Mixed => i.is_multiple_of(2),
        }
    }
}

pub(super) fn run(size: Size) {
    for sharedness in [Sharedness::Regular, Sharedness::Shared, Sharedness::Mixed] {
        println!("volumes: {sharedness:?}");
        run_with(size, sharedness);
    }
}

fn run_with(size: Size, sharedness: Sharedness) {
    let mut cluster = Cluster::new();
    let capabilities =
        Capabilities { shared_resources: sharedness != Sharedness::Regular, ..Capabilities::default() };
    timed("frameworks added in", cluster.add_frameworks(size.frameworks, ROLE, capabilities), "");

    let role = Role::from(ROLE);
    let for_role =
        |text| Resources::parse_for_role(text, &role).expect("resources of a benchmark are well-formed");
    let plain = for_role("cpus:24;mem:4096;disk:3072;ports:[31000-32000]");
    let mut used = parse("cpus:16;mem:1024;disk:1024");
    used.add(fragmented_ports());
    let used: Resources =
        used.iter().map(|r| r.clone().reserved_by(resources::Reservation::fixed(role.clone()))).collect();
    let used = used.allocated_to(&role);
    let joining = (0..size.agents)
        .map(|i| {
            let mut total = plain.clone();
            total.add(volume(ROLE, &format!("id{i}"), sharedness.of_agent(i)));
            Joining {
                id: agent_id(i),
                spec: spec(total),
                used: vec![(framework_id(i % size.frameworks), used.clone())],
            }
        })
        .collect();
    timed("agents added in", cluster.add_agents(joining), "");
    for _ in 0..CYCLES {
        let recovered = cluster.take_back_all();
        let took = cluster.cycle();
        cycle(took, cluster.offers.len(), recovered);
    }
}
