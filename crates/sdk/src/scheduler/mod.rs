//! The scheduler client: a framework's end of `POST /api/v1/scheduler`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sdk::build::{Framework, Task};
//! use sdk::scheduler::{Event, Scheduler};
//!
//! let mut scheduler = Scheduler::builder(Framework::new("sleeper").build()).start()?;
//! let calls = scheduler.calls();
//! while let Some(event) = scheduler.next_event().await {
//!     match event {
//!         Event::Offers(offers) => {
//!             for offer in offers {
//!                 let task = Task::new("nap").command("sleep 1").cpus(0.1).mem(32.0).on(&offer);
//!                 calls.launch(&[offer], vec![task], None).await?;
//!             }
//!         }
//!         Event::Update(status) => println!("{}: {:?}", status.task_id.value, status.state()),
//!         Event::Error(message) => eprintln!("{message}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A task of the client's own keeps the subscription: it finds the leading master, subscribes, watches the heartbeats,
//! and after a loss subscribes again under the same framework id. What happens meanwhile is told by
//! [`Event::Disconnected`] and [`Event::Subscribed`]; the client never ends by itself except on [`Event::Error`].

mod builder;
mod calls;
mod driver;
mod event;

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use builder::SchedulerBuilder;
pub use calls::Calls;
pub use event::{Event, Failure, Message, Subscribed};
use proto::v1::FrameworkInfo;
use proto::v1::scheduler::Call;

use crate::http::{CallError, CallFailure};

/// A subscribed framework. Dropping it ends the connection; what then happens to its tasks is decided by the framework's
/// failover timeout.
#[derive(Debug)]
pub struct Scheduler {
    calls: Calls,
    batches: mpsc::Receiver<Vec<Event>>,
    failures: mpsc::Receiver<CallFailure>,
    taken: VecDeque<Event>,
    /// Acknowledgements that found the queue full; sent before the next event is handed out.
    owed: VecDeque<Call>,
    acknowledge: bool,
    driver: JoinHandle<()>,
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.driver.abort();
        self.calls.disconnect("the scheduler ended");
    }
}

impl Scheduler {
    /// Describes the connection to be made for a framework. A framework info with an id fails over to that framework.
    #[must_use]
    pub fn builder(framework: FrameworkInfo) -> SchedulerBuilder {
        SchedulerBuilder::new(framework)
    }

    /// What sends calls; clones of it may be used from any task.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Waits for the next event; none after the last, which is an [`Event::Error`].
    ///
    /// Unless that was switched off, a status update of a task or an operation is acknowledged as it is handed out:
    /// whoever must have written it down before the agent forgets it acknowledges by [`Calls::acknowledge`] and
    /// [`Calls::acknowledge_operation`].
    ///
    /// Nothing is lost when the returned future is dropped before it is done.
    pub async fn next_event(&mut self) -> Option<Event> {
        loop {
            while let Some(acknowledge) = self.owed.front() {
                // A failure means that the subscription is gone, and then the agent sends the update again.
                let _ = self.calls.send(acknowledge.clone()).await;
                self.owed.pop_front();
            }
            if let Some(event) = self.taken.pop_front() {
                self.take_note(&event);
                return Some(event);
            }
            tokio::select! {
                biased;
                Some(failure) = self.failures.recv() => return Some(Event::CallFailed(failure)),
                batch = self.batches.recv() => self.taken.extend(batch?),
            }
        }
    }

    /// The next event if it is here already, and what was handed out before it could be acknowledged.
    pub fn try_next_event(&mut self) -> Option<Event> {
        while let Some(acknowledge) = self.owed.front() {
            if !self.calls.try_push(acknowledge) {
                return None;
            }
            self.owed.pop_front();
        }
        if self.taken.is_empty()
            && let Ok(batch) = self.batches.try_recv()
        {
            self.taken.extend(batch);
        }
        let event =
            self.taken.pop_front().or_else(|| self.failures.try_recv().ok().map(Event::CallFailed))?;
        self.take_note(&event);
        Some(event)
    }

    /// Sends what is queued, waits for the answers and ends the connection. The framework stays registered until its
    /// failover timeout has passed.
    pub async fn stop(self) {
        self.calls.flush().await;
    }

    /// Ends the framework: the master kills its tasks and forgets it.
    ///
    /// # Errors
    /// When there is no subscription, or the master refuses.
    pub async fn teardown(self) -> Result<(), CallError> {
        self.calls.teardown().await
    }

    fn take_note(&mut self, event: &Event) {
        if !self.acknowledge {
            return;
        }
        let acknowledge = match event {
            Event::Update(status) => calls::acknowledgement(status),
            Event::UpdateOperationStatus(status) => calls::operation_acknowledgement(status),
            _ => None,
        };
        if let Some(acknowledge) = acknowledge
            && !self.calls.try_push(&acknowledge)
        {
            self.owed.push_back(acknowledge);
        }
    }
}
