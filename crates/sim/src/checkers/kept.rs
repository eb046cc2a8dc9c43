//! What the registry acknowledged stays: what an operator was told to be done is in the registry, whichever master leads, until
//! an operator wants it otherwise; an agent is told that it belongs to the cluster only when the registry says so; and the leader
//! knows what the registry holds.

use std::collections::{BTreeMap, BTreeSet};

use base::AgentId;
use master_core::{
    AgentRecord, MachineId, MachineMode, OperatorCall, Quota, RegistryContent, Unavailability, Window,
};
use resources::Role;

use super::Checker;
use crate::cluster::Cluster;
use crate::happening::Happening;
use crate::node::Node;
use crate::workloads;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Kept {
    gone: Vec<AgentId>,
    /// The weight of a role that was acknowledged last, and those that were asked for since.
    weights: BTreeMap<Role, Vec<f64>>,
    /// The quota of a role that was acknowledged last, and those that were asked for since.
    quotas: BTreeMap<Role, Vec<Quota>>,
    /// Machines that were taken down, and of which nobody has asked that they come up again.
    down: BTreeSet<MachineId>,
    /// Machines that were to be taken down, and of which nobody has asked that they come up again.
    going: BTreeSet<MachineId>,
    /// The schedule that was acknowledged last, and those that were asked for since.
    schedules: Vec<Scheduled>,
    /// Agents that were taken out of service, and of which nobody has asked that they come back.
    away: BTreeSet<AgentId>,
    /// Agents that were to be taken out of service, and of which nobody has asked that they come back.
    leaving: BTreeSet<AgentId>,
    /// Agents that were taken in, and in which session of a master.
    admitted: Vec<(AgentId, Option<u64>)>,
}

/// A maintenance schedule, and the machines that were to come up again since it was asked for: they leave it.
#[derive(Debug, Default)]
struct Scheduled {
    machines: BTreeMap<MachineId, Unavailability>,
    stopped: BTreeSet<MachineId>,
}

impl Scheduled {
    fn new(windows: &[Window]) -> Self {
        let each = windows
            .iter()
            .flat_map(|window| window.machines.iter().map(|id| (id.clone(), window.unavailability)));
        Self { machines: each.collect(), stopped: BTreeSet::new() }
    }

    /// Whether that is what is left of it.
    fn allows(&self, machines: &BTreeMap<MachineId, Unavailability>) -> bool {
        machines.iter().all(|(id, when)| self.machines.get(id) == Some(when))
            && self.machines.keys().all(|id| machines.contains_key(id) || self.stopped.contains(id))
    }
}

impl Checker for Kept {
    fn promise(&self) -> &'static str {
        "what the registry acknowledged stays"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::Granted(OperatorCall::MarkAgentGone(id)) => self.gone.push(id.clone()),
            Happening::Asked(OperatorCall::UpdateWeights(weights)) => {
                for (role, weight) in weights {
                    self.weights.entry(role.clone()).or_default().push(*weight);
                }
            }
            Happening::Granted(OperatorCall::UpdateWeights(weights)) => {
                for (role, weight) in weights {
                    let asked = self.weights.entry(role.clone()).or_default();
                    let at = asked.iter().position(|asked| asked == weight).unwrap_or(0);
                    asked.drain(..at);
                }
            }
            Happening::Asked(OperatorCall::StartMaintenance(ids)) => self.going.extend(ids.iter().cloned()),
            Happening::Granted(OperatorCall::StartMaintenance(ids)) => {
                // Somebody may have asked in between that it comes up again.
                self.down.extend(ids.iter().filter(|id| self.going.contains(id)).cloned());
            }
            Happening::Asked(OperatorCall::StopMaintenance(ids)) => {
                self.down.retain(|id| !ids.contains(id));
                self.going.retain(|id| !ids.contains(id));
                for scheduled in &mut self.schedules {
                    scheduled.stopped.extend(ids.iter().cloned());
                }
            }
            Happening::Asked(OperatorCall::UpdateMaintenanceSchedule(windows)) => {
                if self.schedules.is_empty() {
                    self.schedules.push(Scheduled::default());
                }
                self.schedules.push(Scheduled::new(windows));
            }
            Happening::Granted(OperatorCall::UpdateMaintenanceSchedule(windows)) => {
                let machines = Scheduled::new(windows).machines;
                let at = self.schedules.iter().position(|asked| asked.machines == machines).unwrap_or(0);
                self.schedules.drain(..at);
            }
            Happening::Asked(
                OperatorCall::DeactivateAgent(id) | OperatorCall::DrainAgent { agent_id: id, .. },
            ) => {
                self.leaving.insert(id.clone());
            }
            Happening::Granted(
                OperatorCall::DeactivateAgent(id) | OperatorCall::DrainAgent { agent_id: id, .. },
            ) => {
                self.away.extend(self.leaving.contains(id).then(|| id.clone()));
            }
            Happening::Asked(OperatorCall::ReactivateAgent(id)) => {
                self.leaving.remove(id);
                self.away.remove(id);
            }
            Happening::Asked(call) => {
                for (role, quota) in quotas_of(call) {
                    self.quotas.entry(role).or_insert_with(|| vec![Quota::default()]).push(quota);
                }
            }
            Happening::Granted(call) => {
                for (role, quota) in quotas_of(call) {
                    let asked = self.quotas.entry(role).or_default();
                    let at = asked.iter().position(|asked| *asked == quota).unwrap_or(0);
                    asked.drain(..at);
                }
            }
            Happening::Admitted { agent_id, session } => self.admitted.push((agent_id.clone(), *session)),
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, cluster: &Cluster, touched: Node) -> Result<(), String> {
        let Node::Master(index) = touched else { return Ok(()) };
        let service = &cluster.fabric.service;
        // One that was removed with its machine may come back as if it were new.
        self.away.retain(|id| service.content.agents.contains_key(id));
        self.written(&service.content)?;
        for (agent_id, session) in std::mem::take(&mut self.admitted) {
            let says = service.content.agents.get(&agent_id);
            // One that was stopped may go on for an instant as if it led; agents that know better do not listen to it.
            let leads = session.is_some_and(|session| service.leads(session));
            if leads && !matches!(says, Some(AgentRecord::Admitted { .. })) {
                return Err(format!("{agent_id} was taken in, and the registry says {says:?}"));
            }
        }
        let host = &cluster.masters[index];
        let Some(process) = host.process.as_ref().filter(|process| process.writes_nothing()) else {
            return Ok(());
        };
        let leads = host.session().is_some_and(|session| service.leads(session));
        if leads && *process.core.registry() != service.content {
            return Err(format!(
                "{touched} takes the registry for {:?}, which is {:?}",
                process.core.registry(),
                service.content
            ));
        }
        Ok(())
    }
}

impl Kept {
    fn written(&self, content: &RegistryContent) -> Result<(), String> {
        for id in &self.gone {
            let says = content.agents.get(id);
            if !matches!(says, Some(AgentRecord::Gone { .. })) {
                return Err(format!("{id} was marked gone, and the registry says {says:?}"));
            }
        }
        for (role, quotas) in &self.quotas {
            let quota = content.quotas.get(role).cloned().unwrap_or_default();
            if !quotas.contains(&quota) {
                return Err(format!("{role} has {quota:?}, and should have one of {quotas:?}"));
            }
        }
        let down: BTreeSet<MachineId> = workloads::machines(content, MachineMode::Down).into_iter().collect();
        if let Some(id) = self.down.difference(&down).next() {
            return Err(format!("{id} is down, and the registry says otherwise"));
        }
        let machines = scheduled(content);
        if !self.schedules.is_empty() && !self.schedules.iter().any(|asked| asked.allows(&machines)) {
            return Err(format!("the schedule is {machines:?}, and should be one of {:?}", self.schedules));
        }
        for id in &self.away {
            let says = content.agents.get(id).filter(|record| !matches!(record, AgentRecord::Gone { .. }));
            if let Some(record) = says.filter(|record| !record.treatment().1) {
                return Err(format!("{id} was taken out of service, and the registry says {record:?}"));
            }
        }
        for (role, weights) in &self.weights {
            if let Some(weight) = content.weights.get(role)
                && !weights.contains(weight)
            {
                return Err(format!("{role} has the weight {weight}, and should have one of {weights:?}"));
            }
        }
        Ok(())
    }
}

/// When which machines are maintained.
fn scheduled(content: &RegistryContent) -> BTreeMap<MachineId, Unavailability> {
    let parts = content.windows.values();
    parts.flat_map(|part| part.machines.iter().map(|(id, _)| (id.clone(), part.unavailability))).collect()
}

/// Which quotas a call sets.
fn quotas_of(call: &OperatorCall) -> Vec<(Role, Quota)> {
    match call {
        OperatorCall::UpdateQuota { quotas, .. } => quotas.clone(),
        OperatorCall::SetQuota { role, guarantee, .. } => {
            vec![(role.clone(), Quota { guarantees: guarantee.clone(), limits: guarantee.clone() })]
        }
        OperatorCall::RemoveQuota(role) => vec![(role.clone(), Quota::default())],
        _ => Vec::new(),
    }
}
