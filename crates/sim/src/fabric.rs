//! What all processes share: the clock, what is going to happen, the network, and the record of what did.

use std::sync::Arc;
use std::time::Duration;

use base::{Rng, Time};

use crate::bodies::Bodies;
use crate::happening::Happening;
use crate::net::{LinkId, Network, Packet};
use crate::node::Node;
use crate::options::Options;
use crate::queue::{Event, Queue};
use crate::service::Service;
use crate::trace::{Lines, Trace};

/// What all processes share.
#[derive(Debug)]
pub(crate) struct Fabric {
    /// The true time; what a process takes for the time is its own affair.
    pub(crate) now: Time,
    pub(crate) queue: Queue,
    pub(crate) net: Network,
    pub(crate) service: Service,
    pub(crate) bodies: Bodies,
    pub(crate) trace: Trace,
    /// What happened in this step, for the checkers.
    pub(crate) happened: Vec<Happening>,
    pub(crate) options: Arc<Options>,
    /// Everything is to come to rest: nobody starts anything new.
    pub(crate) settling: bool,
    /// The root of the tree of seeds.
    pub(crate) seeds: Rng,
    connections: u64,
}

impl Fabric {
    pub(crate) fn new(options: Arc<Options>, lines: Lines) -> Self {
        let seeds = Rng::new(options.seed);
        Self {
            now: Time::from_secs_f64(1_000.0),
            queue: Queue::default(),
            net: Network::new(seeds.child("network"), options.latency),
            service: Service::new(
                seeds.child("service"),
                options.masters == 1,
                options.session,
                options.store,
            ),
            bodies: Bodies::default(),
            trace: Trace::new(lines),
            happened: Vec::new(),
            options,
            settling: false,
            seeds,
            connections: 0,
        }
    }

    /// Has something happen after a while.
    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        self.queue.put(self.now + delay, event);
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, from: Node, to: Node, packet: Packet) {
        self.net.send(&mut self.queue, self.now, from, to, packet);
    }

    /// Sends over a link of a subscription.
    pub(crate) fn send_over(&mut self, link: LinkId, packet: Packet) {
        self.net.send_over(&mut self.queue, self.now, link, packet);
    }

    /// A number for a subscription.
    pub(crate) fn new_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Tells the checkers.
    pub(crate) fn tell(&mut self, happening: Happening) {
        self.happened.push(happening);
    }

    /// Takes note of something for the trace; `about` counts when two runs are compared.
    pub(crate) fn note(&mut self, node: Node, what: &'static str, about: &str) {
        self.trace.note(self.now, node, what, about);
    }

    /// Takes note of something that is only shown.
    pub(crate) fn show(&mut self, node: Node, text: impl FnOnce() -> String) {
        self.trace.show(self.now, node, text);
    }
}
