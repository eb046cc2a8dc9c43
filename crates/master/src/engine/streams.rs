//! The event streams of subscribed schedulers, as the core's thread sees them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::Payload;
use http_api::HangUp;
use master_core::ConnectionId;
use master_core::SchedulerEvent;
use tokio::sync::mpsc;

use crate::offers::Reader;

/// What goes over a scheduler's stream.
pub(crate) enum StreamEvent {
    /// An event of the core.
    Event(SchedulerEvent),
    /// A sign that the connection stands.
    Heartbeat,
    /// What comes behind this is for a framework that understands so much of offers.
    Reads(Reader),
}

/// What waits for one scheduler, in bytes.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
}

impl Backlog {
    /// Nothing yet, and never much more than `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), limit }
    }

    /// Adds an event, if there is room. One that is larger than the limit may wait alone.
    fn add(&self, event: &SchedulerEvent) -> bool {
        // Only the core's thread adds, so that it cannot become more between the look and the addition.
        let waiting = self.bytes.load(Ordering::Relaxed);
        let weight = weight(event);
        if waiting > 0 && waiting.saturating_add(weight) > self.limit {
            return false;
        }
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        true
    }

    /// The event was taken from the queue.
    pub(crate) fn taken(&self, event: &SchedulerEvent) {
        let weight = weight(event);
        let less = |bytes: usize| Some(bytes.saturating_sub(weight));
        // Never refused: there is always a difference.
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// The memory that an event takes, roughly: what clients can make large counts.
fn weight(event: &SchedulerEvent) -> usize {
    const EACH: usize = 256;
    const OFFER: usize = 1024;
    let body = |body: &Option<Payload>| body.as_ref().map_or(0, |body| body.as_bytes().len());
    EACH + match event {
        SchedulerEvent::Message { data, .. } => data.as_bytes().len(),
        SchedulerEvent::Update(status) => body(&status.body),
        SchedulerEvent::UpdateOperationStatus(status) => body(&status.body),
        SchedulerEvent::Offers(offers) => offers.len() * OFFER,
        SchedulerEvent::InverseOffers(offers) => offers.len() * OFFER,
        SchedulerEvent::Error(message) => message.len(),
        _ => 0,
    }
}

/// Where the events of one connection go.
pub(crate) struct EventSender {
    /// The queue that the connection's task reads.
    pub(crate) queue: mpsc::Sender<StreamEvent>,
    /// How much waits in it.
    pub(crate) backlog: Arc<Backlog>,
    /// Ends the connection without waiting for its reader.
    pub(crate) hang_up: HangUp,
}

/// Where the events of each connection go.
#[derive(Default)]
pub(crate) struct Streams {
    open: HashMap<ConnectionId, EventSender>,
}

/// Why an event could not be sent: the connection is closed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StreamError {
    /// So many events wait for a scheduler that reads too slowly.
    TooSlow(usize),
    /// The connection was gone already.
    Gone,
}

impl Streams {
    /// Takes a new connection.
    pub(crate) fn open(&mut self, connection: ConnectionId, events: EventSender) {
        self.open.insert(connection, events);
    }

    /// Queues an event. A connection that cannot take it is cut off, with all that waits: events are never left out in
    /// the middle.
    pub(crate) fn send(
        &mut self,
        connection: ConnectionId,
        event: SchedulerEvent,
    ) -> Result<(), StreamError> {
        self.queue(connection, StreamEvent::Event(event))
    }

    /// Has what is sent from now on written for a framework that has changed.
    pub(crate) fn reads(&mut self, connection: ConnectionId, reader: Reader) -> Result<(), StreamError> {
        self.queue(connection, StreamEvent::Reads(reader))
    }

    fn queue(&mut self, connection: ConnectionId, event: StreamEvent) -> Result<(), StreamError> {
        let Some(events) = self.open.get(&connection) else { return Err(StreamError::Gone) };
        let has_room = match &event {
            StreamEvent::Event(event) => events.backlog.add(event),
            StreamEvent::Heartbeat | StreamEvent::Reads(_) => true,
        };
        let sent = if has_room {
            events.queue.try_send(event).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StreamError::TooSlow(0),
                mpsc::error::TrySendError::Closed(_) => StreamError::Gone,
            })
        } else {
            Err(StreamError::TooSlow(0))
        };
        let Err(error) = sent else { return Ok(()) };
        let waiting = events.queue.max_capacity() - events.queue.capacity();
        let cut = self.open.remove(&connection);
        if error == StreamError::Gone {
            return Err(error);
        }
        if let Some(events) = cut {
            events.hang_up.now();
        }
        Err(StreamError::TooSlow(waiting))
    }

    /// Ends a connection after what was sent to it, whether that is read or not.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        if let Some(events) = self.open.remove(&connection) {
            events.hang_up.soon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(events: usize, bytes: usize) -> (EventSender, mpsc::Receiver<StreamEvent>) {
        let (queue, read) = mpsc::channel(events);
        let sender =
            EventSender { queue, backlog: Arc::new(Backlog::new(bytes)), hang_up: HangUp::default() };
        (sender, read)
    }

    #[test]
    fn a_slow_reader_is_cut_off_and_the_others_are_not() {
        let mut streams = Streams::default();
        let (slow, mut slow_events) = sender(1, 1 << 20);
        let (quick, mut quick_events) = sender(8, 1 << 20);
        streams.open(ConnectionId(1), slow);
        streams.open(ConnectionId(2), quick);
        let event = || SchedulerEvent::Error("x".to_owned());
        assert_eq!(streams.send(ConnectionId(1), event()), Ok(()));
        assert_eq!(streams.send(ConnectionId(1), event()), Err(StreamError::TooSlow(1)));
        assert_eq!(streams.send(ConnectionId(1), event()), Err(StreamError::Gone));
        assert_eq!(streams.send(ConnectionId(2), event()), Ok(()));
        assert!(slow_events.try_recv().is_ok() && slow_events.blocking_recv().is_none());
        assert!(quick_events.try_recv().is_ok());
    }
    #[test]
    fn large_events_count_by_their_bytes() {
        let mut streams = Streams::default();
        let (sender, mut read) = sender(100, 10_000);
        let backlog = Arc::clone(&sender.backlog);
        streams.open(ConnectionId(1), sender);
        let message = |size: usize| SchedulerEvent::Message {
            agent_id: "a".into(),
            executor_id: "e".into(),
            data: vec![0; size].into(),
        };
        // One may be larger than all that may wait, but nothing may wait behind it.
        for size in [20_000, 4_000, 4_000] {
            assert_eq!(streams.send(ConnectionId(1), message(size)), Ok(()));
            if size > 10_000
                && let Ok(StreamEvent::Event(event)) = read.try_recv()
            {
                backlog.taken(&event);
            }
        }
        assert_eq!(streams.send(ConnectionId(1), message(4_000)), Err(StreamError::TooSlow(2)));
        assert_eq!(streams.send(ConnectionId(1), message(1)), Err(StreamError::Gone));
    }
}
