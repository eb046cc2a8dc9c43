//! Acknowledgements that came to an earlier life of the agent, which was killed before it had written down what follows from
//! them.

use base::{FrameworkId, TaskId};

use crate::checkpoint::Recovered;

impl Recovered {
    /// Leaves out updates that were acknowledged; of which tasks. The end of a task is not left out: with its acknowledgement the
    /// task is over and forgotten, and it is not, as long as that was not written. Its end is told once more, and acknowledged.
    pub(crate) fn leave_out_acknowledged(&mut self) -> Vec<(FrameworkId, TaskId)> {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        if acknowledged.is_empty() {
            return Vec::new();
        }
        let executors = self.frameworks.iter_mut().flat_map(|framework| &mut framework.executors);
        let tasks = executors.flat_map(|executor| &mut executor.tasks);
        let mut changed = Vec::new();
        for progress in tasks.filter_map(|(_, progress)| progress.as_mut()) {
            let over = progress
                .pending
                .iter()
                .take_while(|status| !status.state.is_terminal() && acknowledged.contains(&status.uuid))
                .count();
            if over > 0 {
                progress.pending.drain(..over);
                changed.push((progress.framework_id.clone(), progress.task_id.clone()));
            }
        }
        changed
    }
}
