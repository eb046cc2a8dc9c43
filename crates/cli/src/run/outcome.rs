//! How a task ended, as an exit code.

use proto::v1::{TaskState, TaskStatus};

use super::NOT_RUN;

/// The end of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The command ended by itself.
    Exited(u8),
    /// A signal ended it, by this number.
    Signalled(u8),
    /// It was killed because somebody asked for it.
    Killed,
    /// The cluster could not run it; the words of the master or the agent.
    NotRun(String),
}

impl Outcome {
    /// Reads the last status of a task. The exit status is in its message, where Mesos has it.
    pub(super) fn of(status: &TaskStatus) -> Self {
        let message = status.message.as_deref().unwrap_or_default();
        match status.state() {
            TaskState::TaskFinished => Self::Exited(0),
            TaskState::TaskKilled => Self::Killed,
            TaskState::TaskFailed => {
                let exited =
                    after(message, "exited with status ").and_then(|n| n.parse().ok()).map(Self::Exited);
                let signal =
                    after(message, "terminated with signal ").map(signal_number).map(Self::Signalled);
                exited.or(signal).unwrap_or_else(|| Self::not_run(status, message))
            }
            _ => Self::not_run(status, message),
        }
    }

    fn not_run(status: &TaskStatus, message: &str) -> Self {
        let reason = status.reason.map(|_| status.reason().as_str_name());
        let state = status.state().as_str_name();
        Self::NotRun(match (message.is_empty(), reason) {
            (false, Some(reason)) => format!("{state}: {message} ({reason})"),
            (false, None) => format!("{state}: {message}"),
            (true, Some(reason)) => format!("{state} ({reason})"),
            (true, None) => state.to_owned(),
        })
    }

    /// The exit code of a run that ended so.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Exited(code) => *code,
            Self::Signalled(signal) => 128_u8.saturating_add(*signal),
            // By somebody else: whoever kills it from this run ends with a code of its own.
            Self::Killed => 128 + 15,
            Self::NotRun(_) => NOT_RUN,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with status {code}"),
            Self::Signalled(signal) => write!(f, "was ended by signal {signal}"),
            Self::Killed => f.write_str("was killed"),
            Self::NotRun(why) => write!(f, "could not be run: {why}"),
        }
    }
}

/// The rest of the line behind `words`.
fn after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(words)?;
    Some(rest.lines().next().unwrap_or_default().trim_end_matches(" (core dumped)"))
}

/// The number of a signal that the C library calls so; 9 for those that it has no name for.
fn signal_number(name: &str) -> u8 {
    const NAMES: [(&str, u8); 29] = [
        ("Hangup", 1),
        ("Interrupt", 2),
        ("Quit", 3),
        ("Illegal instruction", 4),
        ("Trace/breakpoint trap", 5),
        ("Aborted", 6),
        ("Bus error", 7),
        ("Floating point exception", 8),
        ("Killed", 9),
        ("User defined signal 1", 10),
        ("Segmentation fault", 11),
        ("User defined signal 2", 12),
        ("Broken pipe", 13),
        ("Alarm clock", 14),
        ("Terminated", 15),
        ("Stack fault", 16),
        ("Child exited", 17),
        ("Continued", 18),
        ("Stopped (signal)", 19),
        ("Stopped", 20),
        ("Urgent I/O condition", 23),
        ("CPU time limit exceeded", 24),
        ("File size limit exceeded", 25),
        ("Virtual timer expired", 26),
        ("Profiling timer expired", 27),
        ("Window changed", 28),
        ("I/O possible", 29),
        ("Power failure", 30),
        ("Bad system call", 31),
    ];
    let known = NAMES.iter().find(|(n, _)| *n == name).map(|(_, number)| *number);
    let real_time = name.strip_prefix("Real-time signal ").and_then(|n| n.parse::<u8>().ok());
    known.or(real_time.map(|n| n.saturating_add(34))).unwrap_or(9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::v1::task_status::Reason;

    fn check(state: TaskState, message: &str, expect: Outcome, code: u8) {
        let status =
            TaskStatus { state: state.into(), message: Some(message.into()), ..TaskStatus::default() };
        assert_eq!(Outcome::of(&status), expect, "{message}");
        assert_eq!(expect.code(), code, "{message}");
    }

    #[test]
    fn statuses_become_exit_codes() {
        use TaskState::{TaskFailed, TaskFinished, TaskKilled};
        check(TaskFinished, "Command exited with status 0", Outcome::Exited(0), 0);
        check(TaskFailed, "Command exited with status 3", Outcome::Exited(3), 3);
        check(TaskFailed, "Command terminated with signal Killed", Outcome::Signalled(9), 137);
        check(
            TaskFailed,
            "Command terminated with signal Segmentation fault (core dumped)",
            Outcome::Signalled(11),
            139,
        );
        check(TaskFailed, "Command terminated with signal Real-time signal 1", Outcome::Signalled(35), 163);
        check(TaskKilled, "Command terminated with signal Terminated", Outcome::Killed, 143);
    }

    #[test]
    fn what_could_not_run_says_why() {
        let status = TaskStatus {
            state: TaskState::TaskError.into(),
            message: Some("Task uses more resources than offered".into()),
            reason: Some(Reason::TaskInvalid.into()),
            ..TaskStatus::default()
        };
        let outcome = Outcome::of(&status);
        assert_eq!(outcome.code(), 125);
        assert_eq!(
            outcome.to_string(),
            "could not be run: TASK_ERROR: Task uses more resources than offered (REASON_TASK_INVALID)"
        );
    }
}
