//! Task states.

use std::fmt;

macro_rules! task_states {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal,)+) => {
        /// The state of a task, numbered as on the wire.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum TaskState {
            $($(#[$doc])* $variant = $number,)+
        }

        impl TaskState {
            /// All states.
            pub const ALL: [Self; 14] = [$(Self::$variant,)+];

            /// The state of a wire number; `None` for a number that we do not know.
            #[must_use]
            pub fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name on the wire, such as `TASK_RUNNING`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

task_states! {
    /// Its executor has it and prepares it.
    Starting = 0 "TASK_STARTING",
    /// Runs.
    Running = 1 "TASK_RUNNING",
    /// Ended well.
    Finished = 2 "TASK_FINISHED",
    /// Ended badly.
    Failed = 3 "TASK_FAILED",
    /// Ended because someone asked for it.
    Killed = 4 "TASK_KILLED",
    /// Lost, for frameworks that do not know the finer states.
    Lost = 5 "TASK_LOST",
    /// On its way to an executor.
    Staging = 6 "TASK_STAGING",
    /// Never launched: its description is wrong.
    Error = 7 "TASK_ERROR",
    /// Being killed.
    Killing = 8 "TASK_KILLING",
    /// Never launched: something passing was in the way.
    Dropped = 9 "TASK_DROPPED",
    /// Its agent does not answer; it may still run.
    Unreachable = 10 "TASK_UNREACHABLE",
    /// Its agent says that it does not run.
    Gone = 11 "TASK_GONE",
    /// An operator says that it does not run.
    GoneByOperator = 12 "TASK_GONE_BY_OPERATOR",
    /// Nobody knows of it.
    Unknown = 13 "TASK_UNKNOWN",
}

impl TaskState {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// Whether a task in this state has ended for good and holds no resources.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        use TaskState::{Dropped, Error, Failed, Finished, Gone, GoneByOperator, Killed, Lost};
        matches!(self, Finished | Failed | Killed | Lost | Error | Dropped | Gone | GoneByOperator)
    }

    /// Whether an agent can tell of it. That an agent does not answer, or that nobody knows of a task, only a master can.
    #[must_use]
    pub const fn is_for_agents(self) -> bool {
        !matches!(self, Self::Unreachable | Self::Unknown)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_states() {
        for state in TaskState::ALL {
            assert_eq!(TaskState::from_number(state.number()), Some(state));
        }
        assert_eq!(TaskState::from_number(14), None);
    }
}
