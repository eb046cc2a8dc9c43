//! The event streams of subscribed schedulers, as the core's thread sees them.

use std::collections::HashMap;

use master_core::ConnectionId;
use master_core::SchedulerEvent;
use tokio::sync::mpsc;

/// What goes over a scheduler's stream.
pub(crate) enum StreamEvent {
    /// An event of the core.
    Event(SchedulerEvent),
    /// A sign that the connection stands.
    Heartbeat,
}

/// Where the events of each connection go.
#[derive(Default)]
pub(crate) struct Streams {
    open: HashMap<ConnectionId, mpsc::Sender<StreamEvent>>,
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
    pub(crate) fn open(&mut self, connection: ConnectionId, events: mpsc::Sender<StreamEvent>) {
        self.open.insert(connection, events);
    }

    /// Queues an event. A connection that cannot take it is closed: events are never left out in the middle.
    pub(crate) fn send(
        &mut self,
        connection: ConnectionId,
        event: SchedulerEvent,
    ) -> Result<(), StreamError> {
        let Some(events) = self.open.get(&connection) else { return Err(StreamError::Gone) };
        let error = match events.try_send(StreamEvent::Event(event)) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => StreamError::TooSlow(events.max_capacity()),
            Err(mpsc::error::TrySendError::Closed(_)) => StreamError::Gone,
        };
        self.open.remove(&connection);
        Err(error)
    }

    /// Ends a connection after what was sent to it.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_cut_off_and_the_others_are_not() {
        let mut streams = Streams::default();
        let (slow, mut slow_events) = mpsc::channel(1);
        let (quick, mut quick_events) = mpsc::channel(8);
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
}
