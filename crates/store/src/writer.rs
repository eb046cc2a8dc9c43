//! The thread that commits.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{Batch, StoreError};

/// Pause before a commit that failed is tried again; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where batches go.
pub trait Backend: Send + 'static {
    /// Makes all writes of a batch durable.
    ///
    /// # Errors
    /// If they may not be. The same batch can be committed again, whatever became of it.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }
}

/// What the thread tells.
#[derive(Debug)]
pub enum Event {
    /// What was handed over is durable.
    Committed,
    /// A commit failed and will be tried again.
    Failed {
        /// Why.
        error: StoreError,
        /// How often this one has failed so far.
        attempts: u32,
    },
}

/// Commits what it is given, on a thread of its own, again and again until it succeeds. Dropping it ends the thread; a
/// commit that is under way is finished first, one that keeps failing is given up.
#[derive(Debug)]
pub struct Writer<W> {
    queue: Option<SyncSender<Vec<W>>>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits; whether it was told to stop.
    fn pause(&self, length: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, length, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl<W: Send + 'static> Writer<W> {
    /// Starts the thread. `encode` adds one write to a batch; both it and `tell` are called on the thread.
    ///
    /// # Errors
    /// If the system gives us no thread.
    pub fn start(
        backend: impl Backend,
        encode: impl Fn(W, &mut Batch) + Send + 'static,
        tell: impl Fn(Event) + Send + 'static,
    ) -> io::Result<Self> {
        // One commit is under way at a time; the second place is for one that is handed over while the event is told.
        let (queue, work) = sync_channel(2);
        let stop = Arc::new(Stop::default());
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work_off(&work, backend, &encode, &tell, &stopping))?;
        Ok(Self { queue: Some(queue), stop, thread: Some(thread) })
    }

    /// Hands over writes that belong together; [`Event::Committed`] follows. Not to be called again before that.
    pub fn commit(&self, writes: Vec<W>) {
        if let Some(queue) = &self.queue {
            // The thread ends only with us. If it has panicked, nothing is told any more, and what tells is gone.
            let _ = queue.send(writes);
        }
    }
}

fn work_off<W>(
    work: &Receiver<Vec<W>>,
    mut backend: impl Backend,
    encode: &impl Fn(W, &mut Batch),
    tell: &impl Fn(Event),
    stop: &Stop,
) {
    while let Ok(writes) = work.recv() {
        let mut batch = Batch::new();
        for write in writes {
            encode(write, &mut batch);
        }
        let (mut attempts, mut pause) = (0, FIRST_PAUSE);
        while let Err(error) = backend.commit(&batch) {
            attempts += 1;
            tell(Event::Failed { error, attempts });
            if stop.pause(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        tell(Event::Committed);
    }
}

impl<W> Drop for Writer<W> {
    fn drop(&mut self) {
        self.queue = None;
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            // It panicked: nothing is left to be done about it here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    struct Flaky {
        failures: u32,
        batches: std::sync::mpsc::Sender<Batch>,
    }

    impl Backend for Flaky {
        fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
            if self.failures > 0 {
                self.failures -= 1;
                return Err(StoreError::InUse { path: "x".into() });
            }
            let _ = self.batches.send(batch.clone());
            Ok(())
        }
    }

    fn start(failures: u32) -> (Writer<u8>, Receiver<Batch>, Receiver<Event>) {
        let ((batches, seen), (events, told)) = (channel(), channel());
        let encode = |write: u8, batch: &mut Batch| batch.put("k", vec![write]);
        let tell = move |event| {
            let _ = events.send(event);
        };
        let writer = Writer::start(Flaky { failures, batches }, encode, tell).expect("a thread");
        (writer, seen, told)
    }

    #[test]
    fn what_fails_is_tried_again() {
        let (writer, seen, told) = start(2);
        writer.commit(vec![1, 2]);
        assert!(matches!(told.recv(), Ok(Event::Failed { attempts: 1, .. })));
        assert!(matches!(told.recv(), Ok(Event::Failed { attempts: 2, .. })));
        assert!(matches!(told.recv(), Ok(Event::Committed)));
        let mut expected = Batch::new();
        expected.put("k", vec![2]);
        assert_eq!(seen.recv(), Ok(expected));
    }

    #[test]
    fn it_ends_although_nothing_succeeds() {
        let (writer, seen, told) = start(u32::MAX);
        writer.commit(vec![1]);
        assert!(matches!(told.recv(), Ok(Event::Failed { .. })));
        drop(writer);
        assert!(seen.recv().is_err(), "the backend is gone and nothing was committed");
    }
}
