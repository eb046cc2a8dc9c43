//! No task is started twice.

use std::collections::BTreeSet;

use base::{FrameworkId, TaskId};

use super::Checker;
use crate::happening::Happening;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Once {
    started: BTreeSet<(FrameworkId, TaskId)>,
}

impl Checker for Once {
    fn promise(&self) -> &'static str {
        "no task is started twice"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        if let Happening::TaskStarted { agent, framework_id, task_id }
        | Happening::TaskGiven { agent, framework_id, task_id, .. } = happening
            && !self.started.insert((framework_id.clone(), task_id.clone()))
        {
            return Err(format!("{task_id} of {framework_id} was started a second time, on agent-{agent}"));
        }
        Ok(())
    }
}
