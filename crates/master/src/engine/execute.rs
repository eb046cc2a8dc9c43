//! Carries out what the core wants done.

use std::sync::atomic::Ordering;

use http_api::Receipt;
use master_core::{ConnectionId, Framework, Pid};
use master_core::{FromRegistry, Input, RegistryWrite};
use master_core::{Observation, Output, SchedulerEvent, ToAgent};

use super::run::Engine;
use super::streams::StreamError;
use crate::agents::ToAgentMessage;
use crate::offers::Reader;

impl Engine {
    /// Carries out all outputs, in their order, and leaves the vector empty.
    pub(super) fn execute(&mut self, outputs: &mut Vec<Output>) {
        // First of all: a scheduler that sees its SUBSCRIBED event may call at once.
        for output in outputs.iter() {
            if let Output::Directory(change) = output {
                self.directory.apply(change.clone());
            }
        }
        for (place, output) in outputs.drain(..).enumerate() {
            let receipt = self.receipt(place);
            self.execute_one(output, receipt);
        }
        self.receipts.clear();
    }

    /// The receipt that belongs to an output, by its place; those of outputs before it are not asked for any more.
    fn receipt(&mut self, place: usize) -> Option<Receipt> {
        while self.receipts.front().is_some_and(|(outputs, _)| outputs.end <= place) {
            self.receipts.pop_front();
        }
        let (outputs, receipt) = self.receipts.front()?;
        outputs.contains(&place).then(|| receipt.clone())
    }

    fn execute_one(&mut self, output: Output, receipt: Option<Receipt>) {
        match output {
            Output::Event { connection, event } => self.send_event(connection, event),
            Output::Close(connection) => self.streams.close(connection),
            Output::ToAgent { to, message } => self.send_to_agent(&to, message, receipt),
            Output::Link(pid) => {
                // It may have been restarted: what is known of a connection that was there before says nothing of it.
                if let Some(address) = self.agents.watch(&pid) {
                    self.peers.reconnect(address);
                }
            }
            Output::Unlink(pid) => {
                if let Some(address) = self.agents.unwatch(&pid) {
                    self.peers.retire(address);
                }
            }
            Output::SetTimer { at, timer } => self.timers.set(at, timer),
            Output::Registry(write) => self.write_registry(write),
            Output::Resign(why) => {
                tracing::error!("this master leads no more: {why}");
                self.resigned = Some(why);
            }
            Output::Reply { request, result } => {
                if let Some(reply) = self.requests.remove(&request) {
                    // Who asked may have gone away.
                    let _ = reply.send(result);
                }
            }
            Output::Directory(_) => {}
            Output::Observed(observation) => self.observe(observation),
        }
    }

    fn send_event(&mut self, connection: ConnectionId, event: SchedulerEvent) {
        let sent = self.streams.send(connection, event);
        self.sent(connection, sent);
    }

    /// Offers are written as the framework understands them now.
    fn framework_updated(&mut self, framework: &Framework) {
        let Some((connection, _)) = framework.connection else { return };
        let can = framework.info.capabilities;
        let sent = self.streams.reads(connection, Reader::new(can.reservation_refinement, can.multi_role));
        self.sent(connection, sent);
    }

    fn sent(&mut self, connection: ConnectionId, sent: Result<(), StreamError>) {
        match sent {
            Ok(()) => {}
            Err(error) => {
                if let StreamError::TooSlow(waiting) = error {
                    self.figures.schedulers_given_up.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        "disconnecting scheduler stream {}: it reads too slowly, {waiting} events wait for it",
                        connection.0
                    );
                }
                self.follow_ups.push(Input::SchedulerGone(connection));
            }
        }
    }

    fn send_to_agent(&mut self, to: &Pid, message: ToAgent, receipt: Option<Receipt>) {
        let Some(peer) = self.agents.peer(to) else {
            tracing::warn!("cannot send to agent {to}: that is no address");
            return;
        };
        let message = ToAgentMessage {
            receiver: peer.process,
            observer: peer.observer,
            message,
            ping_timeout_secs: self.total_ping_timeout_secs,
            receipt,
        };
        // A refusal is reported as the loss of the connection, too, and handled there.
        if let Err(error) = self.peers.send(peer.address, message) {
            tracing::warn!("giving up the connection to agent {to}: {error}");
        }
    }

    fn write_registry(&mut self, write: RegistryWrite) {
        let number = write.number;
        match &self.registry {
            // The other end tells the core itself when it gives up.
            Some(queue) => drop(queue.send(write)),
            None => self.follow_ups.push(Input::Registry(FromRegistry::Written(number))),
        }
    }

    fn observe(&mut self, observation: Observation) {
        crate::watch::log(&observation);
        self.starting.observe(&self.figures.waits, &observation);
        if let Observation::FrameworkUpdated(framework) = &observation {
            self.framework_updated(framework);
        }
        self.watchers.tell(observation);
    }
}
