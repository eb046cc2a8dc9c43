//! Operators: they deactivate and drain agents, declare them gone, and set weights.

use base::{AgentId, Rng};
use master_core::{DrainConfig, OperatorCall};

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::faults::Fault;

/// An operator who does one thing after the other.
#[derive(Debug)]
pub(crate) struct Operator;

impl Fault for Operator {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let Some(master) = cluster.masters.iter_mut().find(|master| master.process.is_some()) else {
            return Ok(());
        };
        let Some(process) = &master.process else { return Ok(()) };
        let snapshot = process.core.snapshot(cluster.fabric.now);
        let agents: Vec<AgentId> = snapshot.agents.iter().map(|agent| agent.id.clone()).collect();
        let Some(agent_id) = rng.pick(&agents).cloned() else { return Ok(()) };
        let call = match rng.below(9) {
            0 => OperatorCall::MarkAgentGone(agent_id),
            1 | 2 => OperatorCall::DrainAgent {
                agent_id,
                config: DrainConfig { max_grace_period: None, mark_gone: rng.chance(1, 3) },
            },
            3 => OperatorCall::DeactivateAgent(agent_id),
            4..=6 => OperatorCall::ReactivateAgent(agent_id),
            _ => OperatorCall::UpdateWeights(vec![("web".into(), rng.between(1, 5) as f64)]),
        };
        cluster.fabric.note(master.node(), "is asked by an operator", "");
        cluster.fabric.show(master.node(), || format!("{call:?}"));
        master.operator(&mut cluster.fabric, call)
    }
}
