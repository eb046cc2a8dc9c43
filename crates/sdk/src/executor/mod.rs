//! The executor client: what runs under an agent, takes tasks and reports on them by `POST /api/v1/executor`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sdk::executor::{Event, Executor};
//! use sdk::proto::v1::TaskState;
//!
//! let mut executor = Executor::from_env()?;
//! while let Some(event) = executor.next_event().await {
//!     match event {
//!         Event::Launch(task) => {
//!             executor.update(&task.task_id, TaskState::TaskRunning, None);
//!             executor.update(&task.task_id, TaskState::TaskFinished, None);
//!         }
//!         Event::Shutdown => break,
//!         _ => {}
//!     }
//! }
//! executor.finish(std::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! Updates are kept until the agent acknowledges them: they are sent again after a while, and after a reconnection they
//! are told in the new subscription. When the agent is away, the client tries to come back for as long as the agent's
//! recovery timeout says, if the framework checkpoints; if it does not, the executor is told to shut down at once.

mod driver;
mod env;
mod event;
mod ledger;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::v1::{TaskId, TaskState, TaskStatus, task_status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use env::{Environment, EnvironmentError};
pub use event::{Event, Subscribed};

use crate::encoding::Encoding;
use driver::Driver;
use ledger::Ledger;

/// Events that may wait for the executor; then the connection is no longer read.
const EVENTS: usize = 1024;

/// Orders that may wait while the agent is away. Updates beyond them are sent from the ledger; messages are dropped.
const ORDERS: usize = 16 << 10;

/// A subscribed executor. Dropping it ends the connection.
#[derive(Debug)]
pub struct Executor {
    environment: Environment,
    events: mpsc::Receiver<Event>,
    updates: Updates,
    driver: JoinHandle<()>,
}

/// The reporting half of an executor; cheap to clone.
#[derive(Clone, Debug)]
pub struct Updates {
    ledger: Arc<Mutex<Ledger>>,
    orders: mpsc::Sender<Order>,
    /// How many updates the agent has not acknowledged.
    owed: watch::Receiver<usize>,
}

/// What the driver is to send.
#[derive(Debug)]
pub(crate) enum Order {
    Update(Box<TaskStatus>),
    Message(Bytes),
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Executor {
    /// Subscribes at the agent that started this process; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the environment is not that of an executor.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self::start(Environment::read()?, Encoding::default()))
    }

    /// Subscribes at the agent that `environment` names; must be called inside a tokio runtime.
    #[must_use]
    pub fn start(environment: Environment, encoding: Encoding) -> Self {
        let (events_to, events) = mpsc::channel(EVENTS);
        let (orders_to, orders) = mpsc::channel(ORDERS);
        let (owed_to, owed) = watch::channel(0);
        let ledger = Arc::new(Mutex::new(Ledger::new(owed_to)));
        let driver = Driver::new(environment.clone(), encoding, Arc::clone(&ledger), events_to, orders);
        let updates = Updates { ledger, orders: orders_to, owed };
        Self { environment, events, updates, driver: tokio::spawn(driver.run()) }
    }

    /// What the agent told this process.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Waits for the next event; none after the last, which is [`Event::Shutdown`] or [`Event::Error`].
    pub async fn next_event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// What reports on tasks, for use from other tasks of the runtime.
    #[must_use]
    pub fn updates(&self) -> Updates {
        self.updates.clone()
    }

    /// Reports a task's state; see [`Updates::update`].
    pub fn update(&self, task_id: &TaskId, state: TaskState, message: Option<&str>) {
        self.updates.update(task_id, state, message);
    }

    /// Waits until the agent has acknowledged all updates, for at most `limit`; says whether it has. An executor that
    /// ends earlier leaves it to the agent to guess what became of its tasks.
    pub async fn finish(self, limit: Duration) -> bool {
        self.updates.acknowledged(limit).await
    }
}

impl Updates {
    /// Reports a task's state, with a line for people. Returns at once; the update is sent until it is acknowledged.
    pub fn update(&self, task_id: &TaskId, state: TaskState, message: Option<&str>) {
        self.send(TaskStatus {
            task_id: task_id.clone(),
            state: state.into(),
            message: message.map(str::to_owned),
            ..TaskStatus::default()
        });
    }

    /// Reports a status with all its details; the source, the uuid and the time are filled in.
    pub fn send(&self, mut status: TaskStatus) {
        status.source = Some(task_status::Source::Executor.into());
        status.uuid = Some(Bytes::copy_from_slice(&crate::random::uuid()));
        if status.timestamp.is_none() {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            status.timestamp = Some(now.as_secs_f64());
        }
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).report(status.clone());
        // Without a driver the executor has ended, and the agent knows. Where too much waits, it is sent from the ledger.
        let _ = self.orders.try_send(Order::Update(Box::new(status)));
    }

    /// Sends bytes to the framework; whether they arrive is not promised. They are dropped where too many wait for an
    /// agent that is away.
    pub fn message(&self, data: impl Into<Bytes>) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.orders.try_send(Order::Message(data.into())) {
            tracing::debug!("dropped a message to the framework: {ORDERS} wait for the agent");
        }
    }

    /// Waits until the agent has acknowledged all updates, for at most `limit`; says whether it has.
    pub async fn acknowledged(&self, limit: Duration) -> bool {
        let mut owed = self.owed.clone();
        let all = owed.wait_for(|owed| *owed == 0);
        matches!(tokio::time::timeout(limit, all).await, Ok(Ok(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_an_agent_that_is_away_is_bounded_and_no_update_is_lost() {
        let (owed_to, owed) = watch::channel(0);
        let ledger = Arc::new(Mutex::new(Ledger::new(owed_to)));
        let (orders, mut waiting) = mpsc::channel(2);
        let updates = Updates { ledger: Arc::clone(&ledger), orders, owed };
        for _ in 0..5 {
            updates.message("m");
            updates.update(&TaskId { value: "t".into() }, TaskState::TaskRunning, None);
        }
        assert!(matches!(waiting.try_recv(), Ok(Order::Message(_))));
        assert!(matches!(waiting.try_recv(), Ok(Order::Update(_))));
        assert!(waiting.try_recv().is_err());
        assert_eq!(*updates.owed.borrow(), 5);
        assert_eq!(ledger.lock().unwrap().subscribe().unacknowledged_updates.len(), 5);
    }
}
