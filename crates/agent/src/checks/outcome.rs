//! What the end of a command means for the check that it was.

use std::time::Duration;

use agent_core::{CheckOutcome, CheckStatus};
use base::duration_text;
use containerizer::VisitEnd;

/// The words for a check that took too long.
pub(super) fn timed_out(timeout: Duration) -> String {
    format!("timed out after {}", duration_text(timeout))
}

/// A command's exit code is its result; one that a signal ended has none. That the container is ending, or that the agent
/// could not do its part, says nothing about the task.
pub(super) fn of_visit(end: VisitEnd, timeout: Option<Duration>) -> CheckOutcome {
    match end {
        VisitEnd::Ended(status) => match status & 0x7f {
            0 => CheckOutcome::Found(CheckStatus::Command(Some((status >> 8) & 0xff))),
            signal => CheckOutcome::Failed(format!("the command was ended by signal {signal}")),
        },
        VisitEnd::TimedOut => CheckOutcome::Failed(timed_out(timeout.unwrap_or_default())),
        VisitEnd::Failed(why) => CheckOutcome::Failed(why),
        VisitEnd::Gone => CheckOutcome::Unavailable("the container is ending".to_owned()),
        VisitEnd::Unable(why) => CheckOutcome::Unavailable(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_command_says_itself_is_found() {
        let found = |code| CheckOutcome::Found(CheckStatus::Command(Some(code)));
        let of = |end| of_visit(end, Some(Duration::from_secs(20)));
        assert_eq!(of(VisitEnd::Ended(0)), found(0));
        assert_eq!(of(VisitEnd::Ended(255 << 8)), found(255));
        assert!(matches!(of(VisitEnd::Ended(15)), CheckOutcome::Failed(why) if why.contains("15")));
        assert_eq!(of(VisitEnd::TimedOut), CheckOutcome::Failed("timed out after 20secs".to_owned()));
        assert!(matches!(of(VisitEnd::Failed("x".into())), CheckOutcome::Failed(_)));
        assert!(matches!(of(VisitEnd::Gone), CheckOutcome::Unavailable(_)));
        assert!(matches!(of(VisitEnd::Unable("x".into())), CheckOutcome::Unavailable(_)));
    }
}
