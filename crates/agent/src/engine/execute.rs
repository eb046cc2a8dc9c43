//! Carries out what the core wants done.

use std::sync::Arc;

use agent_core::{Input, Output, Pid, StreamId, ToMaster, VolumeDirectory};
use base::Uuid;
use transport::Upid;

use super::run::Engine;
use super::streams::StreamError;
use crate::convert::ToMasterMessage;
use crate::volumes;

/// How much may wait for the disk before the agent gives up: its memory is not the place for what cannot be written.
const MAX_HELD: usize = 256 << 10;

impl Engine {
    /// Carries out all outputs, in their order, and leaves the vector empty.
    ///
    /// What follows a write waits until it is durable.
    pub(super) fn execute(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Checkpoint(write) => self.gate.write(*write),
                // Neither depends on what is remembered, and a slow disk makes no dead agent.
                output @ (Output::SetTimer(_) | Output::Send { message: ToMaster::Pong, .. }) => {
                    self.execute_one(output);
                }
                output => {
                    if let Some(output) = self.gate.pass(output) {
                        self.execute_one(output);
                    }
                }
            }
        }
        self.outputs = outputs;
    }

    /// What has been written since the last time is handed over to be committed, unless a commit is under way.
    pub(super) fn commit(&mut self) {
        if let Some(writes) = self.gate.begin() {
            self.writer.commit(writes);
        }
        if self.gate.held() > MAX_HELD {
            self.terminated = Some(format!(
                "the disk of the work directory does not take what the agent writes, and {} writes and actions wait \
                 for it",
                self.gate.held()
            ));
        }
    }

    pub(super) fn store_event(&mut self, event: store::Event) {
        match event {
            store::Event::Committed => {
                self.counters.commits += 1;
                for output in self.gate.committed() {
                    self.execute_one(output);
                }
            }
            store::Event::Failed { error, attempts } => {
                self.counters.commit_errors += 1;
                let error = crate::report(&error);
                tracing::error!(error, attempts, "cannot write down what the agent does; trying again");
            }
        }
    }

    fn execute_one(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => self.send(&to, message),
            Output::LaunchContainer(spec) => self.containers.launch(*spec),
            Output::SignalContainer { container_id, signal } => self.containers.signal(&container_id, signal),
            Output::DestroyContainer(container_id) => self.containers.destroy(&container_id),
            Output::PerformCheck(order) => self.checks.perform(*order),
            Output::CancelCheck(id) => self.checks.cancel(id),
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
            Output::ForgetContainer(container_id) => self.containers.forget_record(&container_id),
            Output::UpdateContainer { container_id, resources, limits } => {
                self.containers.update(&container_id, &resources, limits);
            }
            Output::LinkVolumes { container_id, volumes } => self.containers.link(&container_id, volumes),
            Output::ChangeVolumes { operation, make, remove } => self.change_volumes(operation, make, remove),
            Output::Checkpoint(write) => {
                base::never!(true, "writes do not pass the gate");
                self.gate.write(*write);
            }
            Output::SetTimer(at) => self.timer = Some(at),
            Output::Terminate { reason } => self.terminated = Some(reason),
        }
    }

    /// On a thread of the runtime: a disk may be slow.
    fn change_volumes(&self, operation: Uuid, make: Vec<VolumeDirectory>, remove: Vec<VolumeDirectory>) {
        let (core, disks) = (self.containers.core(), Arc::clone(&self.disks));
        self.runtime.spawn(async move {
            let removed = volumes::places(&remove);
            let result = disks.change(operation, make, remove).await;
            let done = result.is_ok();
            // Nobody is left to be told when the agent ends; its next life finds out.
            let _ = core.input(Input::VolumesChanged { operation, result }).await;
            if done && !removed.is_empty() {
                tokio::task::spawn_blocking(move || volumes::delete_removed(&removed));
            }
        });
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
