//! States as badges: words and a shape, with a colour for who sees it.

use maud::{Markup, html};

/// How a state is drawn.
#[derive(Clone, Copy)]
enum Look {
    Good,
    Busy,
    Done,
    Bad,
    Stopped,
    Doubtful,
}

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Done => "done",
            Self::Bad => "bad",
            Self::Stopped => "stopped",
            Self::Doubtful => "doubtful",
        }
    }

    /// A shape of its own for each.
    fn shape(self) -> &'static str {
        match self {
            Self::Good => "M5 0a5 5 0 1 0 0 10A5 5 0 1 0 5 0z",
            Self::Busy => "M5 0a5 5 0 1 0 0 10A5 5 0 1 0 5 0zM5 2v6a3 3 0 1 1 0-6z",
            Self::Done => "M.5 5.500L2 4l2 2 4-4.500L9.500 3 4 9z",
            Self::Bad => {
                "M1.500 0L5 3.500 8.500 0 10 1.500 6.500 5 10 8.500 8.500 10 5 6.500 1.500 10 0 8.500 3.500 5 0 1.500z"
            }
            Self::Stopped => "M1 1h8v8H1z",
            Self::Doubtful => "M5 .5l5 9H0z",
        }
    }
}

fn badge(look: Look, words: &str) -> Markup {
    html! {
        span class={ "badge " (look.class()) } {
            svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true" focusable="false" {
                path fill-rule="evenodd" d=(look.shape()) {}
            }
            (words)
        }
    }
}

fn look(state: &str) -> Look {
    match state {
        "TASK_RUNNING" => Look::Good,
        "TASK_STAGING" | "TASK_STARTING" | "TASK_KILLING" => Look::Busy,
        "TASK_FINISHED" => Look::Done,
        "TASK_FAILED" | "TASK_ERROR" => Look::Bad,
        "TASK_KILLED" => Look::Stopped,
        _ => Look::Doubtful,
    }
}

/// The state of a task, by Mesos' name.
pub(crate) fn task(state: &str) -> Markup {
    badge(look(state), &state.strip_prefix("TASK_").unwrap_or(state).replace('_', " "))
}

/// The state of a framework.
pub(crate) fn framework(state: &str) -> Markup {
    let look = match state {
        "active" => Look::Good,
        "inactive" => Look::Stopped,
        "completed" => Look::Done,
        "recovered" => Look::Busy,
        _ => Look::Doubtful,
    };
    badge(look, state)
}

/// The state of an agent.
pub(crate) fn agent(state: &str) -> Markup {
    let look = match state {
        "active" => Look::Good,
        "draining" | "recovered" => Look::Busy,
        "drained" | "deactivated" => Look::Stopped,
        "gone" => Look::Done,
        "unreachable" => Look::Bad,
        _ => Look::Doubtful,
    };
    badge(look, if state == "recovered" { "awaited" } else { state })
}

/// How bad an event is.
pub(crate) fn level(level: &str, words: &str) -> Markup {
    let look = match level {
        "error" => Look::Bad,
        "warning" => Look::Doubtful,
        _ => Look::Done,
    };
    badge(look, words)
}

/// A machine that is maintained.
pub(crate) fn machine(down: bool) -> Markup {
    if down { badge(Look::Stopped, "down") } else { badge(Look::Busy, "draining") }
}

/// What a framework says to an inverse offer.
pub(crate) fn answer(status: &str) -> Markup {
    let look = match status {
        "ACCEPT" => Look::Good,
        "DECLINE" => Look::Bad,
        "unanswered" => Look::Busy,
        _ => Look::Doubtful,
    };
    let words = match status {
        "ACCEPT" => "accepted",
        "DECLINE" => "declined",
        other => other,
    };
    badge(look, &words.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_by_words_and_shape() {
        let (running, failed) = (task("TASK_RUNNING").0, task("TASK_FAILED").0);
        assert!(running.contains("RUNNING") && running.contains("badge good"));
        assert!(failed.contains("FAILED") && failed.contains("badge bad"));
        let shape = |badge: &str| badge.split(" d=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert_ne!(shape(&running), shape(&failed));
        assert!(!task("<b>").0.contains("<b>"));
    }
}
