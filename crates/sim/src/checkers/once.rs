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

#[cfg(test)]
mod tests {
    use super::super::scene::{finds, framework, task, tell};
    use super::*;

    fn started(agent: usize, id: &str) -> Happening {
        Happening::TaskStarted { agent, framework_id: framework(), task_id: task(id) }
    }

    fn given(agent: usize, id: &str) -> Happening {
        Happening::TaskGiven { agent, framework_id: framework(), task_id: task(id) }
    }

    #[test]
    fn a_task_is_started_once_by_whatever_executes_it() {
        let again = "was started a second time, on agent-1";
        for first in [started, given] {
            for second in [started, given] {
                let mut once = Once::default();
                assert_eq!(tell(&mut once, &[first(0, "T1"), second(1, "T2")]), Ok(()));
                finds(tell(&mut once, &[second(1, "T1")]), again);
            }
        }
    }

    #[test]
    fn tasks_of_two_frameworks_may_have_one_name() {
        let mut once = Once::default();
        let other = Happening::TaskStarted { agent: 0, framework_id: "G".into(), task_id: task("T1") };
        assert_eq!(tell(&mut once, &[started(0, "T1"), other]), Ok(()));
    }
}
