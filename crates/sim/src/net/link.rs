//! One link.

use std::collections::VecDeque;

use base::Time;

use super::Packet;
use crate::node::Node;

/// Names a link; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LinkId(pub(crate) u64);

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Carries {
    /// Messages between a master and an agent.
    Messages,
    /// One direction of a scheduler's subscription; the other direction's link breaks with it.
    Session(Option<LinkId>),
}

/// One link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) from: Node,
    pub(crate) to: Node,
    /// Which life of the receiver it leads to; `None` if there was nobody.
    pub(crate) to_life: Option<u64>,
    pub(crate) carries: Carries,
    pub(crate) open: bool,
    /// What was sent and has not arrived, in order.
    pub(crate) packets: VecDeque<Packet>,
    /// When the last of them arrives.
    pub(crate) last: Time,
    /// How many of them have come to where nothing gets through.
    pub(crate) stalled: usize,
    /// It will be given up unless answers come.
    pub(crate) awaits: bool,
    /// Something has arrived over it.
    pub(crate) delivered: bool,
}

impl Link {
    pub(super) fn new(
        id: LinkId,
        (from, to): (Node, Node),
        (_, to_life): (u64, Option<u64>),
        carries: Carries,
    ) -> Self {
        Self {
            id,
            from,
            to,
            to_life,
            carries,
            open: true,
            packets: VecDeque::new(),
            last: Time::EPOCH,
            stalled: 0,
            awaits: false,
            delivered: false,
        }
    }
}
