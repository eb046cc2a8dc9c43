//! Checks and health checks of the tasks that built-in executors run: when they are performed, and what follows.
//!
//! The core orders each single check ([`Output::PerformCheck`](crate::Output)) and is told how it ended
//! ([`Input::CheckEnded`](crate::Input)). It never has two of one kind under way for a task: the next one follows an interval
//! after the last has ended. An order has an id, so that an answer that comes after the task's end, or after its kill began, is
//! known as late and dropped. Judging is in [`health`].

mod health;
mod orders;
mod results;

pub(crate) use health::Health;
pub(crate) use orders::{Orders, begin, due, resume, stop};
pub(crate) use results::ended;

use base::Time;

use crate::timers::TimerKey;
use crate::types::{CheckId, CheckStatus};

/// Which of a task's two checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `TaskInfo.check`.
    Check,
    /// `TaskInfo.health_check`.
    Health,
}

/// What is known of a task that is checked, while it runs.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// When its checks began: with the task.
    pub(crate) since: Time,
    pub(crate) check: Pace,
    pub(crate) health_check: Pace,
    /// What the last check found, as it was told.
    pub(crate) status: Option<CheckStatus>,
    /// What was last told of its health.
    pub(crate) healthy: Option<bool>,
    pub(crate) health: Health,
}

/// Where a check is in its round.
#[derive(Debug, Default)]
pub(crate) enum Pace {
    /// There is none, or no more.
    #[default]
    Off,
    /// It waits for its time.
    Waiting(TimerKey),
    /// It is being performed.
    Performing(CheckId),
}

impl Checked {
    fn pace(&mut self, kind: Kind) -> &mut Pace {
        match kind {
            Kind::Check => &mut self.check,
            Kind::Health => &mut self.health_check,
        }
    }

    /// The timers that it waits for.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        [&self.check, &self.health_check].into_iter().filter_map(|pace| match pace {
            Pace::Waiting(timer) => Some(*timer),
            Pace::Off | Pace::Performing(_) => None,
        })
    }

    /// The checks that are being performed.
    pub(crate) fn performing(&self) -> impl Iterator<Item = CheckId> {
        [&self.check, &self.health_check].into_iter().filter_map(|pace| match pace {
            Pace::Performing(id) => Some(*id),
            Pace::Off | Pace::Waiting(_) => None,
        })
    }
}
