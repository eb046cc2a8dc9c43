//! Carries out what the core wants done.

use agent_core::{Input, Output, Pid, StreamId, ToMaster};
use transport::Upid;

use super::run::Engine;
use super::streams::StreamError;
use crate::convert::ToMasterMessage;

impl Engine {
    /// Carries out all outputs, in their order, and leaves the vector empty.
    pub(super) fn execute(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            self.execute_one(output);
        }
        self.outputs = outputs;
    }

    fn execute_one(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => self.send(&to, message),
            Output::LaunchContainer(spec) => self.containers.launch(*spec),
            Output::SignalContainer { container_id, signal } => self.containers.signal(&container_id, signal),
            Output::DestroyContainer(container_id) => self.containers.destroy(&container_id),
            Output::ExecutorReply { request, reply } => {
                if let Some((waiting, stream)) = self.requests.remove(&request) {
                    if let (Err(_), Some(stream)) = (reply, stream) {
                        self.streams.close(stream);
                    }
                    // Who asked may have gone away.
                    let _ = waiting.send(reply);
                }
            }
            Output::ExecutorEvent { stream, event } => self.send_event(stream, event),
            Output::CloseExecutorStream(stream) => self.streams.close(stream),
            Output::SetTimer(at) => self.timer = Some(at),
            Output::Terminate { reason } => self.terminated = Some(reason),
        }
    }

    fn send(&mut self, to: &Pid, message: ToMaster) {
        if let ToMaster::StatusUpdate(update) = &message {
            self.counters.updates.sent(update);
        }
        let Ok(peer) = to.as_str().parse::<Upid>() else {
            tracing::warn!(%to, "cannot send: that is no address");
            return;
        };
        let message = ToMasterMessage { own: self.own.clone(), receiver: peer.id().into(), message };
        // A refusal is reported as the loss of the connection, too, and handled there.
        if let Err(error) = self.peers.send(peer.address(), message) {
            tracing::warn!(%to, %error, "giving up a connection");
        }
    }

    fn send_event(&mut self, stream: StreamId, event: agent_core::ExecutorEvent) {
        let Err(error) = self.streams.send(stream, event) else { return };
        if let StreamError::TooSlow(waiting) = error {
            tracing::warn!(stream = stream.0, waiting, "disconnecting an executor that reads too slowly");
        }
        self.follow_ups.push(Input::ExecutorStreamClosed(stream));
    }
}
