//! The event streams of subscribed executors, as the core's thread sees them.

use std::collections::HashMap;

use agent_core::{ExecutorEvent, StreamId};
use tokio::sync::mpsc;

/// The reading end of a stream, for the connection's task.
pub(crate) type EventReceiver = mpsc::Receiver<ExecutorEvent>;

/// Where the events of each stream go.
#[derive(Default)]
pub(crate) struct Streams {
    open: HashMap<StreamId, mpsc::Sender<ExecutorEvent>>,
}

/// Why an event could not be sent: the stream is closed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StreamError {
    /// So many events wait for an executor that reads too slowly.
    TooSlow(usize),
    /// The stream was gone already.
    Gone,
}

impl Streams {
    pub(crate) fn open(&mut self, stream: StreamId, events: mpsc::Sender<ExecutorEvent>) {
        self.open.insert(stream, events);
    }

    /// Queues an event. A stream that cannot take it is closed: events are never left out in the middle.
    pub(crate) fn send(&mut self, stream: StreamId, event: ExecutorEvent) -> Result<(), StreamError> {
        let Some(events) = self.open.get(&stream) else { return Err(StreamError::Gone) };
        let error = match events.try_send(event) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => StreamError::TooSlow(events.max_capacity()),
            Err(mpsc::error::TrySendError::Closed(_)) => StreamError::Gone,
        };
        self.open.remove(&stream);
        Err(error)
    }

    /// Ends a stream after what was sent to it.
    pub(crate) fn close(&mut self, stream: StreamId) {
        self.open.remove(&stream);
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
        streams.open(StreamId(1), slow);
        streams.open(StreamId(2), quick);
        assert_eq!(streams.send(StreamId(1), ExecutorEvent::Shutdown), Ok(()));
        assert_eq!(streams.send(StreamId(1), ExecutorEvent::Shutdown), Err(StreamError::TooSlow(1)));
        assert_eq!(streams.send(StreamId(1), ExecutorEvent::Shutdown), Err(StreamError::Gone));
        assert_eq!(streams.send(StreamId(2), ExecutorEvent::Shutdown), Ok(()));
        assert!(slow_events.try_recv().is_ok() && slow_events.blocking_recv().is_none());
        assert!(quick_events.try_recv().is_ok());
    }
}
