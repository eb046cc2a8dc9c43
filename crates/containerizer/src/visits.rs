//! Commands that are run in containers that run: short visits, each with an end.
//!
//! One thread starts them, waits for all of them, and ends those that take too long. What a visit is made of differs
//! between the launchers and is behind [`Rooms`]. Whatever becomes of a visitor, its processes are killed when it has ended,
//! and nothing of it outlives the launcher.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::launcher::LaunchSpec;

/// Between attempts to remove what is left of a visit.
const CLEANING_PAUSE: Duration = Duration::from_millis(5);

/// A command to run in a container that runs.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Names it; never used twice.
    pub number: u64,
    /// What runs: in the container of that name, where and as whom the task of it does. Limits are the container's.
    pub spec: LaunchSpec,
    /// The directory in whose `stderr` its output goes.
    pub output: std::path::PathBuf,
    /// After so long it is killed with everything that it has started.
    pub timeout: Option<Duration>,
}

/// How a visit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitEnd {
    /// By itself or by somebody's signal, as `wait(2)` reports it.
    Ended(i32),
    /// It took too long and was killed.
    TimedOut,
    /// There was no such container running, or it ended and took the visitor with it.
    Gone,
    /// The container was there and the command could not be started in it. Why, in one line.
    Failed(String),
    /// This process could not do its part. Why, in one line.
    Unable(String),
}

/// Who is told of a visit's end: once, on the thread of the visits, so it must be quick.
pub type VisitDone = Box<dyn FnOnce(VisitEnd) + Send>;

/// A visitor that was started.
pub(crate) struct Started<G> {
    pub(crate) guest: G,
    /// Its first process; readable when that has ended.
    pub(crate) handle: Arc<OwnedFd>,
}

/// What visits are made of.
pub(crate) trait Rooms: Send + Sync + 'static {
    /// What is known of a visitor.
    type Guest: Send;

    /// Starts one. The error is its end.
    fn admit(&self, visit: &Visit) -> Result<Started<Self::Guest>, VisitEnd>;

    /// Kills all its processes.
    fn kill(&self, guest: &mut Self::Guest);

    /// Its first process has ended: reaps it, and says what its end was.
    fn judge(&self, guest: &mut Self::Guest) -> VisitEnd;

    /// Removes what is left of one whose first process was reaped. Returns whether nothing is.
    fn clean(&self, guest: &mut Self::Guest) -> bool;
}

enum Order {
    Enter(Box<Visit>, VisitDone),
    Expel(u64),
}

#[derive(Default)]
struct Orders {
    waiting: Vec<Order>,
    closed: bool,
}

struct Desk {
    orders: Mutex<Orders>,
    wake: OwnedFd,
}

impl Desk {
    fn give(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        // It fails only if it was rung 2^64 times and not heard.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// The way to the thread of the visits.
pub(crate) struct Visits {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Visits {
    /// Starts the thread. It lives as long as the launcher, because visitors die with who started them.
    pub(crate) fn start<R: Rooms>(rooms: Arc<R>) -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let desk = Arc::new(Desk { orders: Mutex::default(), wake });
        let host = Host { rooms, desk: Arc::clone(&desk), here: BTreeMap::new(), leaving: Vec::new() };
        let thread = std::thread::Builder::new().name("container-visit".into()).spawn(move || host.run())?;
        Ok(Self { desk, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn enter(&self, visit: Visit, done: VisitDone) {
        let mut done = Some(done);
        self.desk.give(|orders| {
            if !orders.closed
                && let Some(done) = done.take()
            {
                orders.waiting.push(Order::Enter(Box::new(visit), done));
            }
        });
        if let Some(done) = done {
            done(VisitEnd::Gone);
        }
    }

    pub(crate) fn expel(&self, number: u64) {
        self.desk.give(|orders| orders.waiting.push(Order::Expel(number)));
    }

    /// Ends all visits and the thread. Blocks until nothing is left.
    pub(crate) fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        self.desk.give(|orders| orders.closed = true);
        if thread.join().is_err() {
            tracing::error!("the thread of the visits had panicked");
        }
    }
}

struct Here<G> {
    started: Started<G>,
    deadline: Option<Instant>,
    /// Nobody, once it was told that it took too long, or nobody wants to know.
    done: Option<VisitDone>,
}

/// The thread.
struct Host<R: Rooms> {
    rooms: Arc<R>,
    desk: Arc<Desk>,
    here: BTreeMap<u64, Here<R::Guest>>,
    /// Those of whom something may be left.
    leaving: Vec<R::Guest>,
}

impl<R: Rooms> Host<R> {
    fn run(mut self) {
        /// A process that was killed and is still there after so many attempts hangs in the kernel.
        const LAST_ATTEMPTS: u32 = 200;
        loop {
            self.wait();
            let (orders, closed) = {
                let mut orders = self.desk.orders.lock().unwrap_or_else(PoisonError::into_inner);
                (std::mem::take(&mut orders.waiting), orders.closed)
            };
            for order in orders {
                match order {
                    Order::Enter(_, done) if closed => done(VisitEnd::Gone),
                    Order::Enter(visit, done) => self.enter(&visit, done),
                    Order::Expel(number) => self.expel(number, None),
                }
            }
            self.look();
            if closed {
                break;
            }
        }
        let numbers: Vec<u64> = self.here.keys().copied().collect();
        for number in numbers {
            self.expel(number, Some(VisitEnd::Gone));
        }
        for _ in 0..LAST_ATTEMPTS {
            self.look();
            if self.here.is_empty() && self.leaving.is_empty() {
                return;
            }
            std::thread::sleep(CLEANING_PAUSE);
        }
        tracing::error!("commands in containers were killed and do not end");
    }

    /// Until there is something to do.
    fn wait(&self) {
        let next = self.here.values().filter_map(|here| here.deadline).min();
        let patience = next.map(|next| next.saturating_duration_since(Instant::now()));
        let cleaning = (!self.leaving.is_empty()).then_some(CLEANING_PAUSE);
        let timeout = [patience, cleaning].into_iter().flatten().min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let handles = self.here.values().map(|here| here.started.handle.as_fd());
        let mut descriptors: Vec<PollFd<'_>> = std::iter::once(self.desk.wake.as_fd())
            .chain(handles)
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect();
        // Interrupted is as good as something to do.
        let _ = poll(&mut descriptors, timeout.as_ref());
        let mut rung = [0; 8];
        let _ = rustix::io::read(&self.desk.wake, &mut rung);
    }

    fn enter(&mut self, visit: &Visit, done: VisitDone) {
        let deadline = visit.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match self.rooms.admit(visit) {
            Ok(started) => {
                self.here.insert(visit.number, Here { started, deadline, done: Some(done) });
            }
            Err(end) => done(end),
        }
    }

    /// Kills a visitor. Who waits is told that `end`, or nothing.
    fn expel(&mut self, number: u64, end: Option<VisitEnd>) {
        let Some(here) = self.here.get_mut(&number) else { return };
        here.deadline = None;
        if let (Some(done), Some(end)) = (here.done.take(), end) {
            done(end);
        }
        self.rooms.kill(&mut here.started.guest);
    }

    /// Who has ended, who took too long, and what is left of whom.
    fn look(&mut self) {
        let ended: Vec<u64> = self
            .here
            .iter()
            .filter(|(_, here)| is_readable(&here.started.handle))
            .map(|(number, _)| *number)
            .collect();
        for number in ended {
            let Some(mut here) = self.here.remove(&number) else { continue };
            let end = self.rooms.judge(&mut here.started.guest);
            self.leaving.push(here.started.guest);
            if let Some(done) = here.done {
                done(end);
            }
        }
        let now = Instant::now();
        let late = |(number, here): (&u64, &Here<R::Guest>)| {
            here.deadline.is_some_and(|deadline| deadline <= now).then_some(*number)
        };
        let late: Vec<u64> = self.here.iter().filter_map(late).collect();
        for number in late {
            self.expel(number, Some(VisitEnd::TimedOut));
        }
        let rooms = &self.rooms;
        self.leaving.retain_mut(|guest| !rooms.clean(guest));
    }
}

/// Whether the process behind a descriptor has ended.
pub(crate) fn is_readable(handle: &OwnedFd) -> bool {
    let mut descriptors = [PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)];
    poll(&mut descriptors, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}
