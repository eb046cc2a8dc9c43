//! Lives of the machine. Its start ends all containers, those of which nothing is found as well: a container whose order is
//! written down may have run before the power was lost, without any other trace of it.

use std::collections::BTreeSet;

use agent_core::KnownContainer;
use base::ContainerId;
use store::{Backend, Batch};

use crate::checkpoint::BOOT_KEY;

/// Names the life of this machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A life of the machine, as it is written down: its name, and in further lines the containers that the one before has taken
/// with it. That has to outlive this agent, which may be killed before it has written down how each of them ended: the next
/// would find no trace of some, and start them a second time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Boot {
    name: String,
    taken: BTreeSet<ContainerId>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It is written down.
    Known,
    /// No agent has been here before.
    First,
    /// The machine was started since an agent wrote down in which life it was.
    New,
}

impl Boot {
    /// This life, and what is known of it if it is the one that was written down.
    pub(crate) fn compare(then: Option<Self>) -> Self {
        let now = std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        match then {
            Some(then) if then.name == now => then,
            Some(_) => Self { name: now, taken: BTreeSet::new(), state: State::New },
            None => Self { name: now, taken: BTreeSet::new(), state: State::First },
        }
    }

    /// Reads what was written down.
    pub(crate) fn read(record: &[u8]) -> Self {
        let text = String::from_utf8_lossy(record);
        let mut lines = text.lines();
        let name = lines.next().unwrap_or_default().to_owned();
        Self { name, taken: lines.map(ContainerId::from).collect(), state: State::Known }
    }

    fn record(&self) -> Vec<u8> {
        let ids = self.taken.iter().map(ContainerId::as_str);
        std::iter::once(self.name.as_str()).chain(ids).collect::<Vec<_>>().join("\n").into_bytes()
    }

    /// Writes down what a start of the machine has taken with it: all that was known. Until then each agent finds that the
    /// machine was started, and starts nothing that an earlier one was ordered to.
    pub(crate) fn begin(&mut self, known: &[KnownContainer], store: &mut dyn Backend) {
        if self.state == State::Known {
            return;
        }
        if self.state == State::New {
            self.taken = known.iter().map(|known| known.container_id.clone()).collect();
        }
        let mut batch = Batch::new();
        batch.put(BOOT_KEY, self.record());
        if let Err(error) = store.commit(&batch) {
            tracing::error!(%error, "that the machine was started cannot be written down; the next agent finds it again");
        }
        self.state = State::Known;
    }

    /// Whether a container ended, if it ran, when the machine was started.
    pub(crate) fn has_taken(&self, container: &ContainerId) -> bool {
        self.taken.contains(container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let ids = ["a", "b.c"].map(ContainerId::from);
        for taken in [BTreeSet::new(), ids.into()] {
            let boot = Boot { name: "life".to_owned(), taken, state: State::Known };
            assert_eq!(Boot::read(&boot.record()), boot);
        }
    }

    #[test]
    fn another_life_is_not_this_one() {
        let here = Boot::compare(None);
        assert_eq!(here.state, State::First);
        let known = Boot::read(format!("{}\nx", here.name).as_bytes());
        assert!(
            Boot::compare(Some(known)).has_taken(&"x".into()),
            "it is remembered as long as the machine runs"
        );
        let other = Boot::compare(Some(Boot::read(b"another\nx")));
        assert!(other.state == State::New && !other.has_taken(&"x".into()));
    }
}
