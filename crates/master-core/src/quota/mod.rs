//! Quotas: how much a role, with all roles below it, is kept for, and how much it may have.
//!
//! The allocator sees to it that quotas are kept; here is decided which may be set, and offers are withdrawn that are in
//! the way of new ones.

mod consumption;
mod rescind;
mod tree;

use std::collections::BTreeMap;

use allocator::Quota;
use resources::{Name, Quantities, Role, Scalar};

use self::consumption::Consumption;
use self::tree::Guarantees;
use crate::core::{Answered, MasterCore};
use crate::output::Output;
use crate::registry::{self, Effect};
use crate::types::{OperatorError, RegistryOperation, RequestId};

type Answer = Result<Answered, OperatorError>;

/// Quotas that the registry holds from now on, and for what room is made.
#[derive(Debug)]
pub(crate) enum QuotaChange {
    /// By UPDATE_QUOTA: what is on offer follows.
    Update(Vec<(Role, Quota)>),
    /// By SET_QUOTA: room is made for what is guaranteed.
    Set(Role, Quota),
    /// By REMOVE_QUOTA.
    Remove(Role),
}

/// Writes a change. What is decided next counts with it.
fn write(core: &mut MasterCore, change: QuotaChange, request: RequestId, out: &mut Vec<Output>) -> Answer {
    let operation = |(role, quota): &(Role, Quota)| RegistryOperation::Quota(role.clone(), quota.clone());
    let operations = match &change {
        QuotaChange::Update(quotas) => quotas.iter().map(operation).collect(),
        QuotaChange::Set(role, quota) => vec![RegistryOperation::Quota(role.clone(), quota.clone())],
        QuotaChange::Remove(role) => vec![RegistryOperation::Quota(role.clone(), Quota::default())],
    };
    registry::write(core, operations, Effect::Quota(change, request), out);
    Ok(Answered::Later)
}

/// The registry holds a change: it counts from now on.
pub(crate) fn changed(core: &mut MasterCore, change: QuotaChange, out: &mut Vec<Output>) {
    match change {
        QuotaChange::Update(quotas) => {
            for (role, quota) in &quotas {
                core.allocation.set_quota(role, quota.clone());
            }
            rescind::enforce(core, &quotas, out);
        }
        QuotaChange::Set(role, quota) => {
            let guarantee = amounts(&quota.guarantees);
            core.allocation.set_quota(&role, quota);
            rescind::make_room(core, &role, &guarantee, out);
        }
        QuotaChange::Remove(role) => core.allocation.set_quota(&role, Quota::default()),
    }
}

fn amounts(of: &BTreeMap<Name, Scalar>) -> Quantities {
    of.iter().map(|(name, amount)| (name.clone(), *amount)).collect()
}

/// Whether amounts are within limits; what has no limit is.
fn within(limits: &BTreeMap<Name, Scalar>, amounts: &Quantities) -> bool {
    limits.iter().all(|(name, limit)| amounts.get(name) <= *limit)
}

/// What all agents have, those that are away for a moment too.
fn capacity(core: &MasterCore) -> Quantities {
    core.agents.registered.values().fold(Quantities::new(), |mut sum, agent| {
        sum += &agent.total.non_revocable().quantities();
        sum
    })
}

/// UPDATE_QUOTA.
pub(crate) fn update(
    core: &mut MasterCore,
    quotas: Vec<(Role, Quota)>,
    force: bool,
    request: RequestId,
    out: &mut Vec<Output>,
) -> Answer {
    check_update(core, &quotas, force)
        .map_err(|why| OperatorError::BadRequest(format!("Invalid QuotaConfig: {why}")))?;
    write(core, QuotaChange::Update(quotas), request, out)
}

fn check_update(core: &MasterCore, quotas: &[(Role, Quota)], force: bool) -> Result<(), String> {
    if !force && quotas.iter().any(|(_, quota)| !quota.limits.is_empty()) {
        check_limits(&Consumption::of(core), quotas)?;
    }
    let mut all = Guarantees::new(&core.registry.content.quotas);
    for (role, quota) in quotas {
        all.set(role, quota);
    }
    all.check()?;
    let (total, capacity) = (all.total(), capacity(core));
    if force || capacity.contains(&total) {
        return Ok(());
    }
    Err(format!(
        "total quota guarantees '{total}' exceed cluster capacity '{capacity}' (use 'force' flag to bypass this check)"
    ))
}

/// Whether no role has more already than it may have.
fn check_limits(consumption: &Consumption<'_>, quotas: &[(Role, Quota)]) -> Result<(), String> {
    for (role, quota) in quotas {
        let consumed = consumption.in_all(role);
        if !within(&quota.limits, &consumed) {
            return Err(format!(
                "Role '{role}' is already consuming '{consumed}'; this is more than the requested limits '{}' (use \
                 'force' flag to bypass this check)",
                amounts(&quota.limits)
            ));
        }
    }
    Ok(())
}

/// SET_QUOTA: what is guaranteed is also the limit.
pub(crate) fn set(
    core: &mut MasterCore,
    role: Role,
    guarantee: BTreeMap<Name, Scalar>,
    force: bool,
    request: RequestId,
    out: &mut Vec<Output>,
) -> Answer {
    let invalid =
        |why: String| OperatorError::BadRequest(format!("Failed to validate set quota request: {why}"));
    if core.registry.content.quotas.contains_key(&role) {
        return Err(invalid(format!("Cannot set quota for role '{role}' which already has quota")));
    }
    let quota = Quota { limits: guarantee.clone(), guarantees: guarantee };
    let mut all = Guarantees::new(&core.registry.content.quotas);
    all.set(&role, &quota);
    all.check().map_err(invalid)?;
    let (total, capacity) = (all.total(), capacity(core));
    if !force && !capacity.contains(&total) {
        return Err(OperatorError::Conflict(format!(
            "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees \
             '{total}' exceed cluster capacity '{capacity}'"
        )));
    }
    write(core, QuotaChange::Set(role, quota), request, out)
}

/// REMOVE_QUOTA.
pub(crate) fn remove(core: &mut MasterCore, role: Role, request: RequestId, out: &mut Vec<Output>) -> Answer {
    let refused = |why: String| OperatorError::BadRequest(format!("Failed to remove quota: {why}"));
    if !core.registry.content.quotas.contains_key(&role) {
        return Err(refused(format!("Role '{role}' has no quota set")));
    }
    let mut all = Guarantees::new(&core.registry.content.quotas);
    all.set(&role, &Quota::default());
    all.check().map_err(refused)?;
    write(core, QuotaChange::Remove(role), request, out)
}
