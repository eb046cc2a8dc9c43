//! Operators: they deactivate and drain agents, declare them gone, set weights and quotas, and maintain machines. In most runs
//! some do their daily work, which is schedules, machines that go down and come up, quotas and weights; in some there is one who
//! does anything.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{AgentId, Rng, Time};
use master_core::{
    DrainConfig, MachineId, MachineMode, MasterCore, OperatorCall, Quota, RegistryContent, Unavailability,
    Window,
};
use resources::{Name, Role, Scalar};

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::faults::Fault;

/// An operator who does one thing after the other.
#[derive(Debug)]
pub(crate) struct Operator;

impl Fault for Operator {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        ask(cluster, |core, now| match rng.below(16) {
            0..=6 => about_agent(core, rng, now),
            7 | 8 => Some(OperatorCall::UpdateWeights(vec![("web".into(), rng.between(1, 5) as f64)])),
            9..=11 => Some(quota(rng)),
            _ => maintenance(core, rng, now),
        })
    }
}

/// Operators at their daily work.
#[derive(Debug)]
pub(crate) struct DailyWork;

impl Fault for DailyWork {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        ask(cluster, |core, now| match rng.below(20) {
            0..=9 => maintenance_goes_on(core, rng, now),
            10..=13 => Some(quotas(rng)),
            14..=17 => Some(weights(rng)),
            18 => treatment(core, rng, now),
            _ => about_agent(core, rng, now),
        })
    }
}

/// Asks a master for what somebody wants of it, knowing what it knows.
fn ask(
    cluster: &mut Cluster,
    wanted: impl FnOnce(&MasterCore, Time) -> Option<OperatorCall>,
) -> Result<(), String> {
    let now = cluster.fabric.now;
    let Some(master) = cluster.masters.iter_mut().find(|master| master.process.is_some()) else {
        return Ok(());
    };
    let Some(process) = &master.process else { return Ok(()) };
    let Some(call) = wanted(&process.core, now) else { return Ok(()) };
    cluster.fabric.note(master.node(), "is asked by an operator", "");
    cluster.fabric.show(master.node(), || format!("{call:?}"));
    master.operator(&mut cluster.fabric, call)
}

/// An agent is taken out of service, or put into it again.
fn treatment(core: &MasterCore, rng: &mut Rng, now: Time) -> Option<OperatorCall> {
    let snapshot = core.snapshot(now);
    let agent = rng.pick(&snapshot.agents)?;
    let id = agent.id.clone();
    Some(match (agent.deactivated, rng.chance(1, 2)) {
        (true, _) => OperatorCall::ReactivateAgent(id),
        (false, true) => OperatorCall::DeactivateAgent(id),
        (false, false) => OperatorCall::DrainAgent {
            agent_id: id,
            config: DrainConfig { max_grace_period: Some(Duration::from_secs(10)), mark_gone: false },
        },
    })
}

/// Some roles at once.
fn weights(rng: &mut Rng) -> OperatorCall {
    let mut roles = ["web", "web/shop", "batch", "ops"];
    rng.shuffle(&mut roles);
    let some = rng.index(roles.len()) + 1;
    let weight = |role: &&str| (Role::from(*role), rng.between(1, 20) as f64 / 4.0);
    OperatorCall::UpdateWeights(roles[..some].iter().map(weight).collect())
}

/// One quota, or one for each of some roles.
fn quotas(rng: &mut Rng) -> OperatorCall {
    if rng.chance(1, 2) {
        return quota(rng);
    }
    let mut amounts = |most: u64| {
        let mut amounts = BTreeMap::new();
        for (name, unit) in [(Name::Cpus, 1), (Name::Mem, 128)] {
            if rng.chance(1, 2) {
                amounts.insert(name, Scalar::whole(i64::try_from(rng.below(most)).unwrap_or(0) * unit));
            }
        }
        amounts
    };
    let roles = ["web", "batch"].map(|role| {
        let (guarantees, mut limits) = (amounts(4), amounts(8));
        for (name, limit) in &mut limits {
            *limit = (*limit).max(guarantees.get(name).copied().unwrap_or_default());
        }
        (role.into(), Quota { guarantees, limits })
    });
    OperatorCall::UpdateQuota { quotas: roles.to_vec(), force: rng.chance(2, 3) }
}

/// What is down comes up again before long, and what is to be maintained goes down.
fn maintenance_goes_on(core: &MasterCore, rng: &mut Rng, now: Time) -> Option<OperatorCall> {
    let of = |mode| machines(core.registry(), mode);
    let (draining, down) = (of(MachineMode::Draining), of(MachineMode::Down));
    match rng.below(3) {
        0 if !down.is_empty() => Some(OperatorCall::StopMaintenance(some_of(rng, down))),
        1 if !draining.is_empty() => Some(OperatorCall::StartMaintenance(some_of(rng, draining))),
        _ => maintenance(core, rng, now),
    }
}

/// One at least.
fn some_of(rng: &mut Rng, mut machines: Vec<MachineId>) -> Vec<MachineId> {
    rng.shuffle(&mut machines);
    machines.truncate(rng.index(machines.len()) + 1);
    machines
}

fn about_agent(core: &MasterCore, rng: &mut Rng, now: Time) -> Option<OperatorCall> {
    let snapshot = core.snapshot(now);
    let agents: Vec<AgentId> = snapshot.agents.iter().map(|agent| agent.id.clone()).collect();
    let agent_id = rng.pick(&agents)?.clone();
    let grace = rng.chance(1, 2).then(|| Duration::from_secs(rng.below(20)));
    Some(match rng.below(7) {
        0 => OperatorCall::MarkAgentGone(agent_id),
        1 | 2 => OperatorCall::DrainAgent {
            agent_id,
            config: DrainConfig { max_grace_period: grace, mark_gone: rng.chance(1, 3) },
        },
        3 => OperatorCall::DeactivateAgent(agent_id),
        _ => OperatorCall::ReactivateAgent(agent_id),
    })
}

/// Guarantees and limits of a role, or none any more.
fn quota(rng: &mut Rng) -> OperatorCall {
    let role: Role = ["web", "web/shop", "batch", "ops"][rng.index(4)].into();
    if rng.chance(1, 4) {
        return OperatorCall::RemoveQuota(role);
    }
    let cpus = Scalar::whole(i64::try_from(rng.below(6)).unwrap_or(0));
    let only_cpus = |amount: Scalar| BTreeMap::from([(Name::Cpus, amount)]);
    let force = rng.chance(1, 2);
    if rng.chance(1, 3) {
        return OperatorCall::SetQuota { role, guarantee: only_cpus(cpus), force };
    }
    let guarantees = if rng.chance(1, 2) { only_cpus(cpus) } else { BTreeMap::new() };
    let more = Scalar::whole(i64::try_from(rng.below(4)).unwrap_or(0));
    let limits = if rng.chance(2, 3) { only_cpus(cpus + more) } else { BTreeMap::new() };
    OperatorCall::UpdateQuota { quotas: vec![(role, Quota { guarantees, limits })], force }
}

/// Machines of a mode in the schedule.
pub(crate) fn machines(content: &RegistryContent, mode: MachineMode) -> Vec<MachineId> {
    let all = content.windows.values().flat_map(|part| &part.machines);
    all.filter(|(_, of)| *of == mode).map(|(id, _)| id.clone()).collect()
}

/// A schedule is made or changed, machines go down, or come up again.
fn maintenance(core: &MasterCore, rng: &mut Rng, now: Time) -> Option<OperatorCall> {
    let (draining, down) =
        (machines(core.registry(), MachineMode::Draining), machines(core.registry(), MachineMode::Down));
    match rng.below(4) {
        0 => Some(OperatorCall::StartMaintenance(vec![rng.pick(&draining)?.clone()])),
        1 => Some(OperatorCall::StopMaintenance(vec![rng.pick(&down)?.clone()])),
        _ => {
            let snapshot = core.snapshot(now);
            let mut ids: Vec<MachineId> =
                snapshot.agents.iter().map(|agent| MachineId::of_agent(&agent.pid, &agent.info)).collect();
            ids.retain(|_| rng.chance(1, 2));
            ids.retain(|id| !down.contains(id));
            // What is down has to stay in the schedule; sometimes that is forgotten.
            if rng.chance(5, 6) {
                ids.extend(down);
            }
            let begins = i64::try_from(now.since(Time::EPOCH).as_nanos()).unwrap_or(0);
            let start = begins + i64::try_from(rng.below(600)).unwrap_or(0) * 1_000_000_000;
            let unavailability =
                Unavailability { start, duration: rng.chance(1, 2).then_some(60_000_000_000) };
            let windows = ids.into_iter().map(|id| Window { machines: vec![id], unavailability });
            Some(OperatorCall::UpdateMaintenanceSchedule(windows.collect()))
        }
    }
}

/// What ends quotas and maintenance.
pub(crate) fn undo(content: &RegistryContent) -> Vec<OperatorCall> {
    let quotas = content.quotas.keys().map(|role| OperatorCall::UpdateQuota {
        quotas: vec![(role.clone(), Quota::default())],
        force: true,
    });
    let mut calls: Vec<OperatorCall> = quotas.collect();
    let down = machines(content, MachineMode::Down);
    if !down.is_empty() {
        calls.push(OperatorCall::StopMaintenance(down));
    } else if !content.windows.is_empty() {
        calls.push(OperatorCall::UpdateMaintenanceSchedule(Vec::new()));
    }
    calls
}
