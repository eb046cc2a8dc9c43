//! How many operations are in which state, under the names that Mesos gives these counts.

use std::collections::BTreeMap;

use resources::OperationKind;

use crate::types::OperationState;

/// The states that are counted, and what they are called.
const STATES: [(OperationState, &str); 8] = [
    (OperationState::Pending, "pending"),
    (OperationState::Recovering, "recovering"),
    (OperationState::Unreachable, "unreachable"),
    (OperationState::Finished, "finished"),
    (OperationState::Failed, "failed"),
    (OperationState::Error, "error"),
    (OperationState::Dropped, "dropped"),
    (OperationState::GoneByOperator, "gone_by_operator"),
];

/// How many operations are in which state. Those that have ended are counted for ever.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OperationCounts(BTreeMap<(OperationKind, OperationState), u64>);

impl OperationCounts {
    /// How many of one kind are in one state.
    #[must_use]
    pub fn get(&self, kind: OperationKind, state: OperationState) -> u64 {
        self.0.get(&(kind, state)).copied().unwrap_or_default()
    }

    /// Each count with its name, such as `master/operations/reserve/pending`: those of all kinds together, then those of
    /// each kind.
    #[must_use]
    pub fn named(&self) -> Vec<(String, u64)> {
        let mut named = Vec::with_capacity((STATES.len() + 1) * (OperationKind::ALL.len() + 1));
        let all = |state| OperationKind::ALL.iter().map(|kind| self.get(*kind, state)).sum();
        describe(&mut named, "master/operations", all);
        for kind in OperationKind::ALL {
            let prefix = format!("master/operations/{}", kind.as_str().to_ascii_lowercase());
            describe(&mut named, &prefix, |state| self.get(kind, state));
        }
        named
    }

    pub(crate) fn add(&mut self, kind: OperationKind, state: OperationState) {
        *self.0.entry((kind, state)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, kind: OperationKind, state: OperationState) {
        if let Some(count) = self.0.get_mut(&(kind, state)) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn transition(&mut self, kind: OperationKind, from: OperationState, to: OperationState) {
        if from != to {
            self.remove(kind, from);
            self.add(kind, to);
        }
    }
}

fn describe(named: &mut Vec<(String, u64)>, prefix: &str, count: impl Fn(OperationState) -> u64) {
    named.push((format!("{prefix}/total"), STATES.iter().map(|(state, _)| count(*state)).sum()));
    named.extend(STATES.iter().map(|(state, name)| (format!("{prefix}/{name}"), count(*state))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_together_and_by_kind() {
        let mut counts = OperationCounts::default();
        counts.add(OperationKind::Reserve, OperationState::Pending);
        counts.add(OperationKind::GrowVolume, OperationState::Error);
        counts.transition(OperationKind::Reserve, OperationState::Pending, OperationState::Finished);
        let named: BTreeMap<_, _> = counts.named().into_iter().filter(|(_, count)| *count > 0).collect();
        let expected = [
            ("master/operations/error", 1),
            ("master/operations/finished", 1),
            ("master/operations/grow_volume/error", 1),
            ("master/operations/grow_volume/total", 1),
            ("master/operations/reserve/finished", 1),
            ("master/operations/reserve/total", 1),
            ("master/operations/total", 2),
        ];
        assert_eq!(named, expected.map(|(name, count)| (name.to_owned(), count)).into());
    }
}
