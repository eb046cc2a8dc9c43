//! Judging a task's health: what is told, and when it is enough.

use base::Time;

use crate::types::{CheckOutcome, CheckStatus, HealthCheck};

/// How a task has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// It was healthy once: failures count from then on.
    pub(crate) passed: bool,
    /// Failures since it was last healthy, those in the grace period left out.
    pub(crate) failures: u32,
}

/// What is to be told of a task's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) healthy: bool,
    /// It has failed too often, and is to be killed.
    pub(super) kill: bool,
}

impl Health {
    /// Takes in how a check ended. Every failure that counts is told, of successes only the first, and the first after
    /// failures.
    pub(super) fn judge(
        &mut self,
        check: &HealthCheck,
        since: Time,
        now: Time,
        outcome: &CheckOutcome,
    ) -> Option<Verdict> {
        let healthy = match outcome {
            CheckOutcome::Unavailable(_) => return None,
            CheckOutcome::Failed(_) => false,
            CheckOutcome::Found(status) => is_healthy(*status),
        };
        if healthy {
            let news = !self.passed || self.failures > 0;
            *self = Self { passed: true, failures: 0 };
            return news.then_some(Verdict { healthy, kill: false });
        }
        if !self.passed && !check.grace.is_zero() && now.since(since) <= check.grace {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        Some(Verdict { healthy, kill: self.failures >= check.consecutive_failures })
    }
}

/// As Mesos judges: exit code 0, a status code of 200 to 399, a connection.
fn is_healthy(status: CheckStatus) -> bool {
    match status {
        CheckStatus::Command(code) => code == Some(0),
        CheckStatus::Http(code) => code.is_some_and(|code| (200..400).contains(&code)),
        CheckStatus::Tcp(connected) => connected == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::types::{Check, Probe};

    fn check(grace: u64, consecutive_failures: u32) -> HealthCheck {
        HealthCheck {
            check: Check {
                probe: Probe::Tcp { port: 1, ipv6: false },
                delay: Duration::ZERO,
                interval: Duration::ZERO,
                timeout: None,
            },
            grace: Duration::from_secs(grace),
            consecutive_failures,
        }
    }

    /// What is told of outcomes, one a second: `+` healthy, `-` unhealthy, `x` unhealthy and killed, `.` nothing.
    fn story(check: &HealthCheck, outcomes: &str) -> String {
        let mut health = Health::default();
        let mut told = String::new();
        for (second, outcome) in (1..).zip(outcomes.chars()) {
            let outcome = match outcome {
                'y' => CheckOutcome::Found(CheckStatus::Tcp(Some(true))),
                'n' => CheckOutcome::Found(CheckStatus::Tcp(Some(false))),
                't' => CheckOutcome::Failed("timed out".to_owned()),
                _ => CheckOutcome::Unavailable("not now".to_owned()),
            };
            let now = Time::from_nanos(second * 1_000_000_000);
            told.push(match health.judge(check, Time::EPOCH, now, &outcome) {
                None => '.',
                Some(Verdict { healthy: true, .. }) => '+',
                Some(Verdict { kill: false, .. }) => '-',
                Some(Verdict { kill: true, .. }) => 'x',
            });
        }
        told
    }

    #[test]
    fn every_failure_is_told_and_only_the_first_success() {
        assert_eq!(story(&check(0, 3), "yyynyynny"), "+..-+.--+");
    }

    #[test]
    fn enough_failures_in_a_row_kill() {
        assert_eq!(story(&check(0, 3), "nnynnn"), "--+--x");
        assert_eq!(story(&check(0, 1), "n"), "x");
        assert_eq!(story(&check(0, 0), "n"), "x");
        assert_eq!(story(&check(0, 2), "nt"), "-x");
    }

    #[test]
    fn failures_in_the_grace_period_do_not_count() {
        assert_eq!(story(&check(3, 2), "nnnnn"), "...-x");
    }

    #[test]
    fn the_first_success_ends_the_grace_period() {
        assert_eq!(story(&check(10, 2), "nynn"), ".+-x");
    }

    #[test]
    fn what_cannot_be_checked_says_nothing() {
        assert_eq!(story(&check(0, 2), "n?n"), "-.x");
        assert_eq!(story(&check(0, 2), "?y"), ".+");
    }

    #[test]
    fn results_are_judged_as_in_mesos() {
        for (status, healthy) in [
            (CheckStatus::Command(Some(0)), true),
            (CheckStatus::Command(Some(1)), false),
            (CheckStatus::Command(None), false),
            (CheckStatus::Http(Some(199)), false),
            (CheckStatus::Http(Some(200)), true),
            (CheckStatus::Http(Some(399)), true),
            (CheckStatus::Http(Some(400)), false),
            (CheckStatus::Tcp(Some(true)), true),
            (CheckStatus::Tcp(Some(false)), false),
        ] {
            assert_eq!(is_healthy(status), healthy, "{status:?}");
        }
    }
}
