//! What happened, as a number that two runs can be compared by, and as lines for people.
//!
//! Lines are made only when somebody wants them: a run that fails is run again to have them.

use std::fmt::Write as _;

use base::Time;

use crate::node::Node;

/// How many of the last lines are kept where not all are shown.
const LAST: usize = 60;

/// What becomes of the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lines {
    /// None are made.
    None,
    /// The last ones are kept.
    Last,
    /// All are printed at once.
    All,
}

/// The record of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: Lines,
    last: std::collections::VecDeque<String>,
}

impl Trace {
    pub(crate) fn new(lines: Lines) -> Self {
        // FNV-1a, as for the tree of seeds: stable across versions and platforms.
        Self { hash: 0xcbf2_9ce4_8422_2325, lines, last: std::collections::VecDeque::new() }
    }

    fn mix(&mut self, value: u64) {
        for byte in value.to_le_bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// Takes note of something that happened at a process.
    pub(crate) fn note(&mut self, now: Time, node: Node, what: &'static str, about: &str) {
        self.mix(now.as_nanos());
        self.mix(node.number());
        for part in [what, about] {
            for byte in part.bytes() {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
        if self.lines != Lines::None {
            self.line(now, format_args!("{:<13} {what} {about}", node.to_string()));
        }
    }

    /// The same, with something that is shown and does not count.
    pub(crate) fn show(&mut self, now: Time, node: Node, text: impl FnOnce() -> String) {
        if self.lines == Lines::None {
            return;
        }
        let text = text();
        if !text.is_empty() {
            self.line(now, format_args!("{:<13}   {text}", node.to_string()));
        }
    }

    fn line(&mut self, now: Time, text: std::fmt::Arguments<'_>) {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{:>12.6}  {text}", now.as_secs_f64());
        match self.lines {
            Lines::None => {}
            Lines::All => println!("{line}"),
            Lines::Last => {
                if self.last.len() == LAST {
                    self.last.pop_front();
                }
                self.last.push_back(line);
            }
        }
    }

    /// What two runs are compared by.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub(crate) fn take_last(&mut self) -> Vec<String> {
        std::mem::take(&mut self.last).into()
    }
}
