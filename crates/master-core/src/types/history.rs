//! A framework's tasks that have ended, as far as they are remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base::{Ring, TaskId};

use crate::types::Task;

/// Tasks that have ended, newest last; of too many the oldest is forgotten.
///
/// Whether a task is among them is asked for each task of an agent that comes back, so that it must not take longer the more
/// are remembered.
#[derive(Clone)]
pub struct CompletedTasks {
    tasks: Ring<Arc<Task>>,
    /// How many of them have an id: a scheduler may use one again.
    of_id: HashMap<TaskId, u32>,
}

impl CompletedTasks {
    /// None yet, and never more than `capacity`.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { tasks: Ring::new(capacity), of_id: HashMap::new() }
    }

    /// Adds a task that has ended.
    pub(crate) fn push(&mut self, task: Arc<Task>) {
        *self.of_id.entry(task.task_id.clone()).or_default() += 1;
        if let Some(gone) = self.tasks.push(task) {
            self.forget_id(&gone.task_id);
        }
    }

    /// Forgets all tasks of this id.
    pub(crate) fn remove(&mut self, id: &TaskId) {
        if self.of_id.remove(id).is_some() {
            self.tasks.retain(|task| task.task_id != *id);
        }
    }

    /// Whether there is a task of this id.
    #[must_use]
    pub fn contains(&self, id: &TaskId) -> bool {
        self.of_id.contains_key(id)
    }

    /// The tasks, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Task>> + ExactSizeIterator {
        self.tasks.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    fn forget_id(&mut self, id: &TaskId) {
        if let Some(count) = self.of_id.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.of_id.remove(id);
            }
        }
    }
}

impl fmt::Debug for CompletedTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tasks.fmt(f)
    }
}
