//! `cgroups/cpu`: processor time, by weight among those that want some, and by quota.

use crate::cgroups::{Controller, Group, Version};
use crate::isolation::{Limit, Limits};
use crate::launcher::LaunchError;
use crate::linux::options::LinuxOptions;

/// Shares of one processor in version 1, and of one that may be taken back.
const SHARES: f64 = 1024.0;
const SHARES_REVOCABLE: f64 = 10.0;
/// The least that the kernel takes.
const MIN_SHARES: f64 = 2.0;
/// The same in version 2, where everybody has 100 who says nothing.
const WEIGHT: f64 = 100.0;
const WEIGHT_REVOCABLE: f64 = 1.0;
const WEIGHTS: (f64, f64) = (1.0, 10_000.0);
/// In microseconds.
const PERIOD: f64 = 100_000.0;
const MIN_QUOTA: f64 = 1_000.0;

pub(super) fn limit(
    options: &LinuxOptions,
    group: &Group,
    limits: &Limits,
    shares_limits: bool,
) -> Result<(), LaunchError> {
    let Some(cpus) = limits.cpus else { return Ok(()) };
    let low = limits.cpus_revocable && options.revocable_cpus_give_way;
    let quota = if shares_limits { None } else { quota(limits, cpus, options.cfs) };
    match group.version() {
        Version::V1 => {
            let shares = (cpus * if low { SHARES_REVOCABLE } else { SHARES }).max(MIN_SHARES);
            group.write(Controller::Cpu, "cpu.shares", &format!("{}", shares.trunc()))?;
            if let Some(quota) = quota {
                group.write(Controller::Cpu, "cpu.cfs_period_us", &format!("{PERIOD}"))?;
                let quota = quota.map_or_else(|| "-1".to_owned(), |quota| format!("{quota}"));
                group.write(Controller::Cpu, "cpu.cfs_quota_us", &quota)?;
            }
        }
        Version::V2 => {
            let weight = cpus * if low { WEIGHT_REVOCABLE } else { WEIGHT };
            let weight = weight.clamp(WEIGHTS.0, WEIGHTS.1).trunc();
            group.write(Controller::Cpu, "cpu.weight", &format!("{weight}"))?;
            if let Some(quota) = quota {
                let quota = quota.map_or_else(|| "max".to_owned(), |quota| format!("{quota}"));
                group.write(Controller::Cpu, "cpu.max", &format!("{quota} {PERIOD}"))?;
            }
        }
    }
    Ok(())
}

/// Microseconds in each period: `None` to leave it alone, `Some(None)` for no limit.
fn quota(limits: &Limits, cpus: f64, cfs: bool) -> Option<Option<f64>> {
    let at = |cpus: f64| Some(Some((cpus * PERIOD).max(MIN_QUOTA).trunc()));
    match limits.cpus_limit {
        Limit::Request if cfs => at(cpus),
        Limit::Request => None,
        Limit::At(limit) => at(limit),
        Limit::Unlimited => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_wins_over_the_request() {
        let with = |cpus_limit| Limits { cpus_limit, ..Limits::default() };
        assert_eq!(quota(&with(Limit::Request), 0.5, false), None);
        assert_eq!(quota(&with(Limit::Request), 0.5, true), Some(Some(50_000.0)));
        assert_eq!(quota(&with(Limit::At(2.0)), 0.5, true), Some(Some(200_000.0)));
        assert_eq!(quota(&with(Limit::Unlimited), 0.5, true), Some(None));
        assert_eq!(quota(&with(Limit::Request), 0.001, true), Some(Some(1_000.0)), "the least there is");
    }
}
