//! What is wrong, where, and what to do about it.

use std::fmt::Write as _;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// It will become a problem, or may be one.
    Warning,
    /// Something does not work.
    Problem,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// A name for programs: `agent_disconnected`.
    pub(crate) kind: &'static str,
    /// What is wrong.
    pub(crate) what: String,
    /// Those that it is about: ids and addresses.
    pub(crate) subjects: Vec<String>,
    /// What to do about it.
    pub(crate) advice: String,
}

impl Finding {
    pub(crate) fn new(severity: Severity, kind: &'static str, what: impl Into<String>) -> Self {
        Self { severity, kind, what: what.into(), subjects: Vec::new(), advice: String::new() }
    }

    pub(crate) fn about(mut self, subjects: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subjects = subjects.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}

/// Whether there is anything that has to be done.
pub(crate) fn is_wrong(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity > Severity::Note)
}

/// How many subjects are named for people.
const NAMED: usize = 5;

/// The findings for people, the worst first.
pub(crate) fn text(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut text = String::new();
    for finding in sorted {
        let mark = match finding.severity {
            Severity::Problem => "PROBLEM",
            Severity::Warning => "WARNING",
            Severity::Note => "NOTE   ",
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{mark}  {}", finding.what);
        for subject in finding.subjects.iter().take(NAMED) {
            let _ = writeln!(text, "           {subject}");
        }
        if finding.subjects.len() > NAMED {
            let _ = writeln!(text, "           and {} more", finding.subjects.len() - NAMED);
        }
        if !finding.advice.is_empty() {
            let _ = writeln!(text, "         → {}", finding.advice);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_told_first() {
        let note = Finding::new(Severity::Note, "a", "a note");
        assert!(!is_wrong(std::slice::from_ref(&note)));
        let problem = Finding::new(Severity::Problem, "b", "7 of them")
            .about((0..7).map(|n| n.to_string()))
            .advice("do it");
        let findings = [note, problem];
        let told = text(&findings);
        assert!(
            told.starts_with("PROBLEM  7 of them\n           0\n") && told.contains("and 2 more"),
            "{told}"
        );
        assert!(told.ends_with("         → do it\nNOTE     a note\n"), "{told}");
        assert!(is_wrong(&findings));
    }
}
