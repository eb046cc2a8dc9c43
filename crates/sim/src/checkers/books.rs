//! What an agent runs never exceeds what it has.
//!
//! Tasks that were ordered away may still be ending while others have got what they held; they do not count. That the master
//! hands nothing out twice is verified by its own check.

use std::collections::BTreeSet;

use base::{ExecutorId, FrameworkId, TaskId};
use resources::Resources;

use super::Checker;
use crate::cluster::Cluster;
use crate::happening::Happening;
use crate::node::Node;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Books {
    frameworks: BTreeSet<FrameworkId>,
    executors: BTreeSet<(FrameworkId, ExecutorId)>,
    tasks: BTreeSet<(FrameworkId, TaskId)>,
}

impl Books {
    fn counts(&self, framework: &FrameworkId, task: &TaskId) -> bool {
        !self.tasks.contains(&(framework.clone(), task.clone()))
    }
}

impl Checker for Books {
    fn promise(&self) -> &'static str {
        "what an agent runs never exceeds what it has"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::FrameworkOver(id)
            | Happening::Condemned { framework_id: id, executor_id: None, task_id: None } => {
                self.frameworks.insert(id.clone());
            }
            Happening::Condemned { framework_id, task_id: Some(task), .. } => {
                self.tasks.insert((framework_id.clone(), task.clone()));
            }
            Happening::Condemned { framework_id, executor_id: Some(executor), .. } => {
                self.executors.insert((framework_id.clone(), executor.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, cluster: &Cluster, touched: Node) -> Result<(), String> {
        let Node::Agent(index) = touched else { return Ok(()) };
        let Some(process) = &cluster.agents[index].process else { return Ok(()) };
        let snapshot = process.core.snapshot();
        let mut used = Resources::new();
        for framework in &snapshot.frameworks {
            let id = &framework.info.id;
            if self.frameworks.contains(id) {
                continue;
            }
            for executor in &framework.executors {
                let ended = executor.state == agent_core::ExecutorState::Terminated;
                let ordered_away = self.executors.contains(&(id.clone(), executor.info.executor_id.clone()));
                if ended || ordered_away {
                    continue;
                }
                used += &executor.info.resources.clone().unallocated();
                let launched = executor.launched.iter().map(|task| &task.info);
                for task in
                    executor.queued.iter().chain(launched).filter(|task| self.counts(id, &task.task_id))
                {
                    used += &task.resources.clone().unallocated();
                }
            }
        }
        let plain = |resources: &Resources| -> Resources {
            resources.non_shared().iter().map(|r| r.to_unreserved().without_volume()).collect()
        };
        if plain(&snapshot.total).contains(&plain(&used)) {
            return Ok(());
        }
        Err(format!("agent-{index} runs {used} but has {}", snapshot.total))
    }
}
