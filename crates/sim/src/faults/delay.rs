//! Packets are late. What goes over one link stays in order; what goes over several does not.

use std::time::Duration;

use base::{Rng, Time};

use super::{Rule, Verdict};
use crate::dice::Dice;
use crate::node::Node;

/// Delays some packets.
#[derive(Debug)]
pub(super) struct Delay {
    mean: Duration,
}

impl Delay {
    pub(super) fn new(every: Duration) -> Self {
        Self { mean: every / 20 }
    }
}

impl Rule for Delay {
    fn judge(&mut self, rng: &mut Rng, _: Time, _: Node, _: Node) -> Verdict {
        if rng.chance(1, 20) { Verdict::Delay(rng.around(self.mean)) } else { Verdict::Pass }
    }
}
