//! What a framework has written down: what it launched and what it heard of it. Whatever must not be is noted as wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sdk::proto::v1::TaskState;
use serde_json::{Value, json};

use crate::cluster::AGENTS;
use crate::line::{Told, Word};

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
    agent: String,
    /// The state told last.
    pub(crate) state: TaskState,
    ran: bool,
    /// The update that told the end.
    end: Option<String>,
    /// All that changed its state, for whoever has to understand a failure: which instance heard what.
    history: Vec<(usize, Told)>,
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
    framework_id: Option<String>,
    /// How many instances there were, and which of them has the framework: what others still say is not taken.
    instances: usize,
    holder: usize,
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
    /// The number of an instance that is to begin.
    pub(crate) fn another(&mut self) -> usize {
        self.instances += 1;
        self.instances
    }

    /// What an instance says; the answer.
    pub(crate) fn hear(&mut self, instance: usize, word: Word) -> Value {
        let known = instance >= self.holder;
        match word {
            Word::Begin => return json!(self.framework_id),
            Word::Subscribed { framework, leader } if known => {
                if std::mem::replace(&mut self.holder, instance) != instance {
                    self.doubt();
                }
                if self.framework_id.get_or_insert_with(|| framework.clone()) != &framework {
                    self.wrong.push(format!("another framework: {framework}"));
                }
                self.leader = leader;
                self.subscriptions += 1;
                self.offered = None;
            }
            Word::Disconnected if known => self.leader = None,
            Word::Offered if known => {
                self.offered.get_or_insert_with(Instant::now);
            }
            Word::Next { agent } => {
                // Of the long tasks an equal share for each agent.
                let most = if known { TASKS / AGENTS } else { 0 };
                return (0..most).map_while(|_| self.next(&agent)).collect();
            }
            Word::Open => return json!(self.open_tasks()),
            Word::Told(told) => {
                if known {
                    self.note(instance, told);
                }
                return known.into();
            }
            _ => {}
        }
        Value::Null
    }

    /// Another instance has the framework: that tasks run is known when it has heard so itself.
    fn doubt(&mut self) {
        for record in self.tasks.values_mut().filter(|record| record.end.is_none()) {
            record.state = TaskState::TaskStaging;
        }
    }

    /// The next task to launch, if there is one, on this agent.
    fn next(&mut self, agent: &str) -> Option<String> {
        // What nobody can reach does not hold up the rest.
        let counts = |r: &&Record| !r.is_long() && r.end.is_none() && r.state != TaskState::TaskUnreachable;
        let under_way = || self.tasks.values().filter(counts).count();
        if self.wanted.is_empty() && self.load && under_way() < LOAD {
            self.wanted.push_back(Job { name: format!("short-{}", self.short), tries: 0 });
            self.short += 1;
        }
        let mut job = self.wanted.pop_front()?;
        job.tries += 1;
        let id = format!("{}.{}", job.name, job.tries);
        let state = TaskState::TaskStaging;
        let agent = agent.to_owned();
        let record = Record { job, agent, state, ran: false, end: None, history: Vec::new() };
        self.tasks.insert(id.clone(), record);
        Some(id)
    }

    /// Those of which the end is not known.
    fn open_tasks(&self) -> Vec<(&str, &str)> {
        let open = self.tasks.iter().filter(|(_, record)| record.end.is_none());
        open.map(|(id, record)| (id.as_str(), record.agent.as_str())).collect()
    }

    /// An agent that has long tasks and a short one that is under way.
    pub(crate) fn busy_agent(&self) -> Option<String> {
        let short = self.tasks.values().filter(|record| !record.is_long() && record.end.is_none());
        let has_long = |agent: &str| self.tasks.values().any(|r| r.is_long() && r.agent == agent);
        short.map(|record| &record.agent).find(|agent| has_long(agent)).cloned()
    }

    /// Whether nothing was heard yet of a task that was launched.
    pub(crate) fn is_launching(&self) -> bool {
        self.tasks.values().any(|record| record.end.is_none() && record.history.is_empty())
    }

    /// Whether of all long tasks exactly those on this agent are unreachable.
    pub(crate) fn is_unreachable_alone(&self, agent: &str) -> bool {
        self.tasks.values().filter(|record| record.is_long() && record.end.is_none()).all(|record| {
            let unreachable = record.state == TaskState::TaskUnreachable;
            unreachable == (record.agent == agent)
        })
    }

    /// Whether the last word about a task on this agent is that nobody can reach it.
    pub(crate) fn is_doubtful(&self, agent: &str) -> bool {
        self.tasks.values().any(|r| r.agent == agent && r.state == TaskState::TaskUnreachable)
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
    fn note(&mut self, instance: usize, told: Told) {
        let Some(record) = self.tasks.get_mut(&told.task) else {
            self.wrong.push(format!("a task that nobody launched: {told:?}"));
            return;
        };
        let (state, uuid) = (told.state(), told.uuid.clone());
        if state != record.state || !uuid.is_empty() {
            record.history.push((instance, told));
        }
        if let Some(end) = &record.end {
            if record.is_void() {
                if matches!(state, TaskState::TaskRunning | TaskState::TaskFinished) {
                    self.wrong.push(format!("told as never run, and runs: {record:?}"));
                }
            } else if !uuid.is_empty() && uuid != *end {
                // The same is told again if its acknowledgement was lost; and what is told on demand may be late.
                self.wrong.push(format!("ended, and then something else: {record:?}"));
            }
            return;
        }
        record.state = state;
        match state {
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
            _ => self.wrong.push(format!("lost: {record:?}")),
        }
    }
}
