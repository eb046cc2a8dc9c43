//! What frameworks do: each habit is one thing that a scheduler does when its turn comes. A run draws some of them, and how
//! often each is.

mod comings;
mod kill;
mod launch;
mod offers;
mod operations;
mod operator;

use base::Rng;

use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::scheduler::Scheduler;

pub(crate) use operator::{DailyWork, Operator, machines, undo};

/// One habit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HabitKind {
    /// Launches command tasks.
    Launch,
    /// Launches task groups.
    LaunchGroup,
    /// Launches tasks in an executor of its own.
    LaunchInExecutor,
    /// Uses an offer twice, or asks for more than it was offered.
    LaunchWrongly,
    /// Gives offers back.
    Decline,
    /// Keeps what it is offered.
    Hoard,
    /// Wants no offers, or wants them again.
    Suppress,
    /// Kills tasks.
    Kill,
    /// Ends executors.
    ShutDownExecutor,
    /// Asks about its tasks.
    Reconcile,
    /// Reserves, and gives reservations back.
    Reserve,
    /// Makes volumes, and destroys them.
    Volumes,
    /// Goes and comes back some time later.
    Leave,
    /// Another instance takes over while the old one still has its stream.
    TakeOver,
    /// Ends the framework; the next one begins.
    TearDown,
}

impl HabitKind {
    const ALL: [Self; 15] = [
        Self::Launch,
        Self::LaunchGroup,
        Self::LaunchInExecutor,
        Self::LaunchWrongly,
        Self::Decline,
        Self::Hoard,
        Self::Suppress,
        Self::Kill,
        Self::ShutDownExecutor,
        Self::Reconcile,
        Self::Reserve,
        Self::Volumes,
        Self::Leave,
        Self::TakeOver,
        Self::TearDown,
    ];

    /// Draws the habits of a run. Launching is always among them.
    pub(crate) fn draw(rng: &mut Rng) -> Vec<(Self, u64)> {
        let mut rng = rng.child("habits");
        let mut habits = vec![(Self::Launch, rng.between(5, 20))];
        for habit in &Self::ALL[1..] {
            let often = match habit {
                Self::TearDown | Self::TakeOver | Self::Leave => 2,
                _ => 8,
            };
            if rng.chance(1, 2) {
                habits.push((*habit, rng.between(1, often)));
            }
        }
        habits
    }

    /// Does it once.
    pub(crate) fn act(self, scheduler: &mut Scheduler, fabric: &mut Fabric) {
        match self {
            Self::Launch => launch::commands(scheduler, fabric),
            Self::LaunchGroup => launch::group(scheduler, fabric),
            Self::LaunchInExecutor => launch::in_executor(scheduler, fabric),
            Self::LaunchWrongly => launch::wrongly(scheduler, fabric),
            Self::Decline => offers::decline(scheduler, fabric),
            Self::Hoard => {}
            Self::Suppress => offers::suppress(scheduler, fabric),
            Self::Kill => kill::task(scheduler, fabric),
            Self::ShutDownExecutor => kill::executor(scheduler, fabric),
            Self::Reconcile => kill::reconcile(scheduler, fabric),
            Self::Reserve => operations::reserve(scheduler, fabric),
            Self::Volumes => operations::volumes(scheduler, fabric),
            Self::Leave => comings::leave(scheduler, fabric),
            Self::TakeOver => comings::take_over(scheduler),
            Self::TearDown => comings::tear_down(scheduler, fabric),
        }
    }
}

/// One of the habits, by how often each is.
pub(crate) fn choose(habits: &[(HabitKind, u64)], rng: &mut Rng) -> Option<HabitKind> {
    let total = habits.iter().map(|(_, weight)| weight).sum();
    let mut drawn = rng.below(total);
    for (habit, weight) in habits {
        if drawn < *weight {
            return Some(*habit);
        }
        drawn -= weight;
    }
    None
}
