//! Everything free is offered to everybody at once: the longest cycle that a cluster can need.

use ::allocator::Capabilities;
use resources::Role;

use super::Size;
use super::cluster::{Cluster, alike};
use super::parts::{AGENT, parse, used};
use super::reference::{cycle, timed};

const CYCLES: usize = 4;

pub(super) fn run(size: Size) {
    println!("one role");
    measure(size, |_| "*".to_owned());
    println!("100 roles of different weights, ten below each of ten");
    measure(size, |i| format!("r{}/s{}", i % 10, i / 10 % 10));
}

fn measure(size: Size, role: impl Fn(usize) -> String) {
    let mut cluster = Cluster::new();
    for i in 0..10_u8 {
        cluster.allocator.set_weight(&Role::from(format!("r{i}").as_str()), 1.0 + f64::from(i));
    }
    cluster.add_frameworks_in(size.frameworks, &role, Capabilities::default());
    let mut joining =
        alike(size.agents, &parse(AGENT), &used("cpus:16;mem:1024;disk:1024", "*"), size.frameworks);
    for (i, agent) in joining.iter_mut().enumerate() {
        for (_, used) in &mut agent.used {
            used.allocate(&Role::from(role(i % size.frameworks).as_str()));
        }
    }
    cluster.add_agents(joining);
    for _ in 0..CYCLES {
        let recovered = cluster.take_back_all();
        let took = cluster.full_cycle();
        cycle(took, cluster.offers.len(), recovered);
    }
    let took = cluster.full_cycle();
    timed("a cycle that finds nothing", took, "");
}
