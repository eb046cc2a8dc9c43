//! Reregistration without a network: messages in memory, as many threads for decoding as there are cores, as in the server,
//! and one for the core.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::Time;
use bytes::Bytes;
use master_core::{FromAgent, FromRegistry, Input, MasterCore, Options, Output, Pid, ToAgent};

use crate::report::{cores, figure, seconds};
use crate::returning::Shape;
use crate::stopwatch::Stopwatch;

/// Most decoded messages that wait for the core.
const QUEUE: usize = 16 << 10;

/// Most inputs before what came of them is carried out, as in the server.
const BATCH: usize = 1024;

/// Runs it, and prints how long it took.
pub(super) fn run(shape: Shape) -> Result<()> {
    let messages: Vec<Bytes> =
        (0..shape.agents).map(|number| proto::encode(&shape.reregistration(number, 5051)).into()).collect();
    let bytes: usize = messages.iter().map(Bytes::len).sum();
    let began = Instant::now();
    let (sender, inputs) = mpsc::sync_channel(QUEUE);
    let decoders: Vec<_> = share(messages, cores())
        .into_iter()
        .map(|(first, messages)| {
            let sender = sender.clone();
            std::thread::spawn(move || decode(first, &messages, &sender))
        })
        .collect();
    // The core has all when the last of them is done.
    drop(sender);
    let mut master = Master::new(began);
    let mut batch = Vec::with_capacity(BATCH);
    while let Ok(input) = inputs.recv() {
        batch.push(input);
        batch.extend(inputs.try_iter().take(BATCH - 1));
        master.take(&mut batch);
    }
    let took = began.elapsed();
    let mut decoding = Duration::ZERO;
    for decoder in decoders {
        decoding += decoder.join().ok().context("a decoder failed")??;
    }
    ensure!(
        master.answered == u64::from(shape.agents),
        "{} of {} agents were taken back",
        master.answered,
        shape.agents
    );
    figure("in process: all back after", seconds(took));
    figure("  processor time of the decoders", seconds(decoding));
    figure("  of the core", seconds(master.worked));
    figure("  bytes in; out", format!("{} MiB; {} KiB", bytes >> 20, master.sent >> 10));
    Ok(())
}

/// The messages in as many parts, each with the number of its first.
fn share(messages: Vec<Bytes>, parts: usize) -> Vec<(usize, Vec<Bytes>)> {
    let each = messages.len().div_ceil(parts).max(1);
    let part = |(number, messages): (usize, &[Bytes])| (number * each, messages.to_vec());
    messages.chunks(each).enumerate().map(part).collect()
}

/// Gives all messages on as inputs; how long its thread computed.
fn decode(first: usize, messages: &[Bytes], inputs: &mpsc::SyncSender<Input>) -> Result<Duration> {
    let mut worked = Duration::ZERO;
    for (number, body) in (first..).zip(messages) {
        let watch = Stopwatch::start();
        let from = Pid::from(format!("slave({})@127.0.0.1:5051", number + 1));
        let message = master::decode_message("mesos.internal.ReregisterSlaveMessage", body)?;
        let message = message.context("the message is not known")?;
        ensure!(matches!(message, FromAgent::Reregister(_)), "another message than was sent");
        worked += watch.elapsed();
        inputs.send(Input::Agent { from, message })?;
    }
    Ok(worked)
}

/// The core, and what is done about its outputs.
struct Master {
    core: MasterCore,
    began: Instant,
    outputs: Vec<Output>,
    encoded: Vec<u8>,
    answered: u64,
    sent: usize,
    worked: Duration,
}

impl Master {
    fn new(began: Instant) -> Self {
        let mut core = MasterCore::new(Options::new("5c3b1f6e-6f0a-4b7e-9d55-0c1d2e3f4a5c".to_owned(), 1));
        let mut outputs = Vec::new();
        // As in the server, whose log watches.
        core.watch(true);
        core.start(Time::EPOCH, &mut outputs);
        let nothing = FromRegistry::Recovered(Box::default());
        core.handle(Time::EPOCH, Input::Registry(nothing), &mut outputs);
        outputs.clear();
        Self { core, began, outputs, encoded: Vec::new(), answered: 0, sent: 0, worked: Duration::ZERO }
    }

    /// Handles a batch of inputs and all that follows from it.
    fn take(&mut self, batch: &mut Vec<Input>) {
        let watch = Stopwatch::start();
        let now = Time::EPOCH + self.began.elapsed();
        for input in batch.drain(..) {
            self.core.handle(now, input, &mut self.outputs);
        }
        loop {
            if self.core.wants_allocation() {
                self.core.handle(now, Input::Allocate, &mut self.outputs);
            }
            let Some(written) = self.carry_out() else { break };
            self.core.handle(now, Input::Registry(FromRegistry::Written(written)), &mut self.outputs);
        }
        self.worked += watch.elapsed();
    }

    /// Carries out what came of it; the last write, which is done then.
    fn carry_out(&mut self) -> Option<u64> {
        let mut written = None;
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Registry(write) => written = Some(write.number),
                Output::ToAgent { message, .. } => {
                    self.answered += u64::from(matches!(message, ToAgent::Reregistered { .. }));
                    master::encode_message(&message, 75.0, &mut self.encoded);
                    self.sent += self.encoded.len();
                    self.encoded.clear();
                }
                // Connections, timers and lines of the log are the server's.
                _ => {}
            }
        }
        written
    }
}
