//! `cgroups/mem`: the limit at which a container is ended, and what it may keep when memory is scarce.

use super::{Plan, Subject};
use crate::cgroups::{Controller, Group, Version};
use crate::isolation::{Limit, Limits};
use crate::launcher::LaunchError;
use crate::linux::options::{Isolator, LinuxOptions};

/// Nobody gets less: a shell and what it starts could not run.
const LEAST: u64 = 32 << 20;

/// A container that may use more than it requested is the first to go when the machine runs out of memory.
pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) {
    let limits = &subject.spec.limits;
    let beyond = !matches!(limits.memory_limit, Limit::Request);
    if let Some(request) = limits.memory.filter(|_| beyond && subject.has(Isolator::CgroupsMem)) {
        plan.task.oom_score_adj = score(request.max(LEAST));
    }
}

/// Chosen so that who uses more than its request has the highest score there is.
fn score(request: u64) -> Option<i32> {
    let total = crate::machine::memory()?.max(1);
    let share = u128::from(request) * 1000 / u128::from(total);
    // Within what users may set, and never the very first: that is for those who asked for it.
    i32::try_from(1000_u128.saturating_sub(share).clamp(2, 999)).ok()
}

pub(super) fn limit(
    options: &LinuxOptions,
    group: &Group,
    limits: &Limits,
    first: bool,
) -> Result<(), LaunchError> {
    let Some(request) = limits.memory else { return Ok(()) };
    let soft = request.max(LEAST);
    let hard = match limits.memory_limit {
        Limit::Request => Some(soft),
        Limit::At(limit) => Some(limit.max(LEAST)),
        Limit::Unlimited => None,
    };
    let memory = Controller::Memory;
    let (soft_file, hard_file, unlimited) = match group.version() {
        Version::V1 => ("memory.soft_limit_in_bytes", "memory.limit_in_bytes", "-1"),
        Version::V2 => ("memory.low", "memory.max", "max"),
    };
    group.write(memory, soft_file, &soft.to_string())?;
    // Only ever raised: less than what is in use would end the container for nothing that it did.
    let raises = hard.is_none_or(|hard| group.number(memory, hard_file).is_some_and(|now| hard > now));
    if !first && !raises {
        return Ok(());
    }
    let value = hard.map_or_else(|| unlimited.to_owned(), |hard| hard.to_string());
    let mut settings = vec![(hard_file, value.as_str())];
    match (options.limit_swap, group.version()) {
        (true, Version::V1) => settings.push(("memory.memsw.limit_in_bytes", &value)),
        // There the limit of swap is apart from that of memory.
        (true, Version::V2) => settings.push(("memory.swap.max", "0")),
        (false, _) => {}
    }
    // Memory alone may never have the larger limit.
    if !first {
        settings.reverse();
    }
    settings.into_iter().try_for_each(|(file, value)| group.write(memory, file, value))?;
    Ok(())
}
