//! Packets are lost. TCP lets none be lost alone: the link goes with it.

use std::time::Duration;

use base::{Rng, Time};

use super::{Rule, Verdict};
use crate::dice::Dice;
use crate::node::Node;

/// Loses one packet among many.
#[derive(Debug)]
pub(super) struct Loss {
    among: u64,
}

impl Loss {
    pub(super) fn new(every: Duration) -> Self {
        Self { among: every.as_secs().max(1) * 10 }
    }
}

impl Rule for Loss {
    fn judge(&mut self, rng: &mut Rng, _: Time, _: Node, _: Node) -> Verdict {
        if rng.chance(1, self.among) { Verdict::Break } else { Verdict::Pass }
    }
}
