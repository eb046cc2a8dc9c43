//! `AddAndUpdateSlave`: frameworks wait while agents join, each with something in use; everything free is offered as they
//! come. Then each agent gets revocable CPUs.

use ::allocator::Capabilities;

use super::Size;
use super::cluster::{Cluster, agent_id, alike, spec};
use super::parts::{parse, revocable};
use super::reference::{Figure, compared, timed};
use resources::Role;

pub(super) fn run(size: Size) {
    let mut cluster = Cluster::new();
    let capabilities = Capabilities { revocable_resources: true, ..Capabilities::default() };
    let added = cluster.add_frameworks(size.frameworks, "*", capabilities);
    timed("frameworks added in", added, "");

    let total = parse("cpus:2;mem:1024;disk:4096;ports:[31000-32000]");
    let used = parse("cpus:1;mem:128;disk:1024;ports:[31126-31510,31512-31623,31810-31852,31854-31964]")
        .allocated_to(&Role::star());
    let joining = alike(size.agents, &total, &used, size.frameworks);
    let (took, allocations) = cluster.add_agents_offering(joining);
    let remark = format!(" for {} offers in {allocations} allocations", cluster.offers.len());
    compared(Figure::AddAgents, size, "agents added in", took, &remark);

    let offered = cluster.offers.len();
    let mut more = total;
    more.add(revocable("cpus:10"));
    let updates = (0..size.agents).map(|i| (agent_id(i), spec(more.clone()))).collect();
    let (took, allocations) = cluster.update_agents_offering(updates);
    let remark = format!(" for {} offers in {allocations} allocations", cluster.offers.len() - offered);
    compared(Figure::UpdateAgents, size, "agents updated in", took, &remark);
}
