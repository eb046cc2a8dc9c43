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
use super::orders::Orders;
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
    /// Those that are to be taken down.
    going: Orders<MachineId>,
    /// The schedule that was acknowledged last, and those that were asked for since.
    schedules: Vec<Scheduled>,
    /// Agents that were taken out of service, and of which nobody has asked that they come back.
    away: BTreeSet<AgentId>,
    /// Those that are to be taken out of service.
    leaving: Orders<AgentId>,
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
            Happening::Asked(call @ OperatorCall::StartMaintenance(ids)) => self.going.ask(call, ids.clone()),
            Happening::Granted(call @ OperatorCall::StartMaintenance(_)) => {
                self.down.extend(self.going.grant(call));
            }
            Happening::Asked(OperatorCall::StopMaintenance(ids)) => {
                self.down.retain(|id| !ids.contains(id));
                self.going.ask_back(ids);
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
                call @ (OperatorCall::DeactivateAgent(id) | OperatorCall::DrainAgent { agent_id: id, .. }),
            ) => self.leaving.ask(call, vec![id.clone()]),
            Happening::Granted(
                call @ (OperatorCall::DeactivateAgent(_) | OperatorCall::DrainAgent { .. }),
            ) => {
                self.away.extend(self.leaving.grant(call));
            }
            Happening::Asked(OperatorCall::ReactivateAgent(id)) => {
                self.leaving.ask_back(std::slice::from_ref(id));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::Time;
    use master_core::{DrainConfig, WindowKey, WindowPart};

    use super::super::scene::{agent, finds, session, tell, with_agent};
    use super::*;

    fn asked(call: OperatorCall) -> Happening {
        Happening::Asked(call)
    }

    fn granted(call: OperatorCall) -> Happening {
        Happening::Granted(call)
    }

    /// Asked for, and done.
    fn done(call: &OperatorCall) -> [Happening; 2] {
        [asked(call.clone()), granted(call.clone())]
    }

    /// What is found in a registry after all that.
    fn written(happened: &[Happening], content: &RegistryContent) -> Result<(), String> {
        let mut kept = Kept::default();
        assert_eq!(tell(&mut kept, happened), Ok(()));
        kept.written(content)
    }

    fn machine() -> MachineId {
        MachineId { hostname: Some("m".into()), ip: None }
    }

    /// A registry with a machine that is maintained.
    fn maintained(start: i64, mode: MachineMode) -> RegistryContent {
        let part = WindowPart {
            machines: vec![(machine(), mode)],
            unavailability: Unavailability { start, duration: None },
        };
        let windows = [(WindowKey { window: 0, part: 0 }, Arc::new(part))].into();
        RegistryContent { windows, ..RegistryContent::default() }
    }

    fn schedule(start: i64) -> OperatorCall {
        let unavailability = Unavailability { start, duration: None };
        OperatorCall::UpdateMaintenanceSchedule(vec![Window { machines: vec![machine()], unavailability }])
    }

    #[test]
    fn a_weight_or_quota_that_is_another_one_is_found() {
        let weigh = |weight| OperatorCall::UpdateWeights(vec![("web".into(), weight)]);
        let content = |weight| RegistryContent {
            weights: [("web".into(), weight)].into(),
            ..RegistryContent::default()
        };
        let happened = [&done(&weigh(2.0))[..], &[asked(weigh(3.0))]].concat();
        assert_eq!(written(&happened, &content(2.0)), Ok(()));
        assert_eq!(written(&happened, &content(3.0)), Ok(()), "it may be there before anybody is told");
        finds(written(&happened, &content(4.0)), "web has the weight 4");
        let happened = [&happened[..], &[granted(weigh(3.0))]].concat();
        finds(written(&happened, &content(2.0)), "web has the weight 2");

        let limits: BTreeMap<_, _> = [("cpus".into(), resources::Scalar::whole(2))].into();
        let quota = Quota { limits, ..Quota::default() };
        let set = OperatorCall::UpdateQuota { quotas: vec![("web".into(), quota.clone())], force: false };
        let has = RegistryContent { quotas: [("web".into(), quota)].into(), ..RegistryContent::default() };
        let has_not = RegistryContent::default();
        assert_eq!(written(&[asked(set.clone())], &has_not), Ok(()), "nobody was told that it is done");
        assert_eq!(written(&done(&set), &has), Ok(()));
        finds(written(&done(&set), &has_not), "web has Quota");
        let removed = [done(&set), done(&OperatorCall::RemoveQuota("web".into()))].concat();
        assert_eq!(written(&removed, &has_not), Ok(()));
        finds(written(&removed, &has), "web has Quota");
    }

    #[test]
    fn a_machine_that_is_not_down_any_more_is_found() {
        let start = OperatorCall::StartMaintenance(vec![machine()]);
        let stop = OperatorCall::StopMaintenance(vec![machine()]);
        let (down, up) = (maintained(1, MachineMode::Down), maintained(1, MachineMode::Draining));
        assert_eq!(written(&[asked(start.clone())], &up), Ok(()));
        assert_eq!(written(&done(&start), &down), Ok(()));
        finds(written(&done(&start), &up), "is down, and the registry says otherwise");
        let stopped = [&done(&start)[..], &[asked(stop.clone())]].concat();
        assert_eq!(written(&stopped, &up), Ok(()));
        let again = OperatorCall::StartMaintenance(vec![machine(), machine()]);
        let late = [asked(start.clone()), asked(stop), asked(again.clone()), granted(start)];
        assert_eq!(written(&late, &up), Ok(()), "it was to come up before anybody heard that it is down");
        let down_again = [&late[..], &[granted(again)]].concat();
        finds(written(&down_again, &up), "is down, and the registry says otherwise");
    }

    #[test]
    fn a_schedule_that_is_another_one_is_found() {
        let (first, second) = (maintained(1, MachineMode::Draining), maintained(2, MachineMode::Draining));
        let happened = done(&schedule(1));
        assert_eq!(written(&happened, &first), Ok(()));
        finds(written(&happened, &second), "the schedule is");
        finds(written(&happened, &RegistryContent::default()), "the schedule is");
        let happened = [&happened[..], &[asked(schedule(2))]].concat();
        assert_eq!(written(&happened, &first), Ok(()));
        assert_eq!(written(&happened, &second), Ok(()));
        finds(written(&[&happened[..], &[granted(schedule(2))]].concat(), &first), "the schedule is");
        // A machine that comes up again leaves it.
        let stop = asked(OperatorCall::StopMaintenance(vec![machine()]));
        let happened = [&done(&schedule(1))[..], &[stop]].concat();
        assert_eq!(written(&happened, &RegistryContent::default()), Ok(()));
    }

    #[test]
    fn an_agent_that_is_not_as_an_operator_wants_it_is_found() {
        let info = testkit::master::agent_info("host", "cpus:1");
        let with =
            |record| RegistryContent { agents: [(agent("A"), record)].into(), ..RegistryContent::default() };
        let serving = with(AgentRecord::admitted(info.clone()));
        let away = with(AgentRecord::Admitted { info, drain: None, deactivated: true });
        let gone = with(AgentRecord::Gone { since: Time::EPOCH, hostname: "host".into() });

        let mark = OperatorCall::MarkAgentGone(agent("A"));
        assert_eq!(written(&[asked(mark.clone())], &serving), Ok(()));
        assert_eq!(written(&done(&mark), &gone), Ok(()));
        for content in [&serving, &RegistryContent::default()] {
            finds(written(&done(&mark), content), "A was marked gone, and the registry says");
        }
        let config = DrainConfig { max_grace_period: None, mark_gone: true };
        for call in [
            OperatorCall::DeactivateAgent(agent("A")),
            OperatorCall::DrainAgent { agent_id: agent("A"), config },
        ] {
            assert_eq!(written(&[asked(call.clone())], &serving), Ok(()));
            for content in [&away, &gone, &RegistryContent::default()] {
                assert_eq!(written(&done(&call), content), Ok(()));
            }
            finds(written(&done(&call), &serving), "A was taken out of service, and the registry says");
            let back = asked(OperatorCall::ReactivateAgent(agent("A")));
            assert_eq!(written(&[&done(&call)[..], &[back]].concat(), &serving), Ok(()));
        }
    }

    #[test]
    fn an_agent_that_is_taken_in_without_the_registry_is_found() {
        let cluster = with_agent();
        let leading = session(&cluster);
        let look = |agent_id: &AgentId, session, node| {
            let mut kept = Kept::default();
            assert_eq!(kept.notice(&Happening::Admitted { agent_id: agent_id.clone(), session }), Ok(()));
            kept.look(&cluster, node)
        };
        let known = cluster.agents[0].id().expect("it is registered");
        assert_eq!(look(known, leading, Node::Master(0)), Ok(()));
        finds(look(&agent("B"), leading, Node::Master(0)), "B was taken in, and the registry says None");
        assert_eq!(look(&agent("B"), leading, Node::Agent(0)), Ok(()), "no master has done anything");
        // A master whose session is over is not listened to.
        assert_eq!(look(&agent("B"), Some(77), Node::Master(0)), Ok(()));
    }

    #[test]
    fn a_leader_that_takes_the_registry_for_another_is_found() {
        let mut cluster = with_agent();
        let look = |cluster: &Cluster| Kept::default().look(cluster, Node::Master(0));
        assert_eq!(look(&cluster), Ok(()));
        cluster.fabric.service.content.weights.insert("web".into(), 2.0);
        finds(look(&cluster), "master-0 takes the registry for");
        cluster.masters[0].process = None;
        assert_eq!(look(&cluster), Ok(()), "it leads no more");
    }
}
