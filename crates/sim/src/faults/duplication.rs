//! Packets come twice: a proxy, or a client's library, repeats what it took for lost.

use std::time::Duration;

use base::{Rng, Time};

use super::{Rule, Verdict};
use crate::dice::Dice;
use crate::node::Node;

/// Doubles one packet among many.
#[derive(Debug)]
pub(super) struct Duplication {
    among: u64,
}

impl Duplication {
    pub(super) fn new(every: Duration) -> Self {
        Self { among: every.as_secs().max(1) }
    }
}

impl Rule for Duplication {
    fn judge(&mut self, rng: &mut Rng, _: Time, _: Node, _: Node) -> Verdict {
        if rng.chance(1, self.among) { Verdict::Double } else { Verdict::Pass }
    }
}
