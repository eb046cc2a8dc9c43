//! What a framework has written down: what it launched and what it heard of it. Whatever must not be is noted as wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sdk::proto::v1::{AgentId, FrameworkId, TaskState, TaskStatus};

/// So many tasks run for the whole test.
pub(crate) const TASKS: usize = 200;

/// So many short tasks are under way at once while there is load.
const LOAD: usize = 8;

/// What all instances of the framework share, as by a database.
#[derive(Clone, Debug)]
pub(crate) struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    pub(crate) fn new() -> Self {
        let wanted = (0..TASKS).map(|number| Job { name: format!("long-{number}"), tries: 0 }).collect();
        Self(Arc::new(Mutex::new(Book { wanted, ..Book::default() })))
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be done once: by one task, or by another one if that never ran.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    name: String,
    tries: usize,
}

/// What is known of a task.
#[derive(Debug)]
pub(crate) struct Record {
    job: Job,
    agent: AgentId,
    /// The state told last.
    pub(crate) state: TaskState,
    ran: bool,
    /// The update that told the end.
    end: Option<Vec<u8>>,
}

impl Record {
    pub(crate) fn is_long(&self) -> bool {
        self.job.name.starts_with("long")
    }

    /// Whether it has never run, and never will.
    pub(crate) fn is_void(&self) -> bool {
        self.end.is_some() && self.state != TaskState::TaskFinished
    }
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) framework_id: Option<FrameworkId>,
    /// The master's id, while subscribed.
    pub(crate) leader: Option<String>,
    pub(crate) subscriptions: usize,
    /// When the master that leads made the first offer.
    pub(crate) offered: Option<Instant>,
    /// How often tasks became unreachable; otherwise that is wrong.
    pub(crate) unreachable: Option<usize>,
    /// Whether short tasks are launched all the time.
    pub(crate) load: bool,
    pub(crate) tasks: BTreeMap<String, Record>,
    pub(crate) wrong: Vec<String>,
    wanted: VecDeque<Job>,
    short: usize,
}

impl Book {
    /// The next task to launch, if there is one, on this agent.
    pub(crate) fn next(&mut self, agent: &AgentId) -> Option<String> {
        let under_way = || self.tasks.values().filter(|r| !r.is_long() && r.end.is_none()).count();
        if self.wanted.is_empty() && self.load && under_way() < LOAD {
            self.wanted.push_back(Job { name: format!("short-{}", self.short), tries: 0 });
            self.short += 1;
        }
        let mut job = self.wanted.pop_front()?;
        job.tries += 1;
        let id = format!("{}.{}", job.name, job.tries);
        let state = TaskState::TaskStaging;
        self.tasks.insert(id.clone(), Record { job, agent: agent.clone(), state, ran: false, end: None });
        Some(id)
    }

    /// Those of which the end is not known.
    pub(crate) fn open_tasks(&self) -> Vec<(String, AgentId)> {
        let open = self.tasks.iter().filter(|(_, record)| record.end.is_none());
        open.map(|(id, record)| (id.clone(), record.agent.clone())).collect()
    }

    pub(crate) fn long_running(&self) -> usize {
        self.tasks.values().filter(|r| r.is_long() && r.state == TaskState::TaskRunning).count()
    }

    /// How many short tasks have done what they were to do.
    pub(crate) fn short_done(&self) -> usize {
        self.tasks.values().filter(|r| !r.is_long() && r.end.is_some() && !r.is_void()).count()
    }

    /// Whether nothing is under way but what runs for ever.
    pub(crate) fn is_quiet(&self) -> bool {
        self.wanted.is_empty()
            && self.long_running() == TASKS
            && self.tasks.values().all(|record| record.is_long() || record.end.is_some())
    }

    /// Writes down what was told of a task.
    pub(crate) fn note(&mut self, status: &TaskStatus) {
        let id = status.task_id.value.clone();
        let Some(record) = self.tasks.get_mut(&id) else {
            self.wrong.push(format!("a task that nobody launched: {status:?}"));
            return;
        };
        let uuid = status.uuid.as_ref().map(|uuid| uuid.to_vec()).unwrap_or_default();
        if let Some(end) = &record.end {
            if record.is_void() {
                if matches!(status.state(), TaskState::TaskRunning | TaskState::TaskFinished) {
                    self.wrong.push(format!("{id} was told as never run, and runs: {status:?}"));
                }
            } else if !uuid.is_empty() && uuid != *end {
                // The same is told again if its acknowledgement was lost; and what is told on demand may be late.
                self.wrong.push(format!("{id} has ended, and then: {status:?}"));
            }
            return;
        }
        record.state = status.state();
        match status.state() {
            TaskState::TaskStaging => {}
            TaskState::TaskStarting | TaskState::TaskRunning => record.ran = true,
            // What is only told on demand comes once more, behind what came before it, and that is acknowledged.
            TaskState::TaskFinished if !record.is_long() && uuid.is_empty() => record.ran = true,
            TaskState::TaskFinished if !record.is_long() => record.end = Some(uuid),
            TaskState::TaskUnreachable if self.unreachable.is_some() => {
                self.unreachable = self.unreachable.map(|count| count + 1);
            }
            // A launch that was on its way when a server went never arrived.
            TaskState::TaskDropped | TaskState::TaskGone | TaskState::TaskUnknown if !record.ran => {
                record.end = Some(uuid);
                let job = record.job.clone();
                self.wanted.push_back(job);
            }
            _ => self.wrong.push(format!("{id} is lost: {status:?}")),
        }
    }
}
