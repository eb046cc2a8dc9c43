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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agent_core::{FromMaster, Input, RunTask, TaskInfo};
    use testkit::agent::{command_task, framework};

    use super::super::scene::{finds, task, tell, with_agent};
    use super::*;

    /// The agent has four cpus, and is given a task.
    fn run(cluster: &mut Cluster, id: &str, resources: &str) {
        let resources = Resources::parse(resources).expect("well formed");
        let message = FromMaster::RunTask(Box::new(RunTask {
            framework: Arc::new(framework("F")),
            task: Arc::new(TaskInfo { resources, ..command_task(id, "true") }),
            resource_version: None,
            launch_executor: None,
        }));
        let (from, now) = (Node::Master(0).pid().into(), cluster.fabric.now);
        let process = cluster.agents[0].process.as_mut().expect("it runs");
        process.core.handle(now, Input::FromMaster { from, message }, &mut Vec::new());
        assert!(process.core.knows_task(&"F".into(), &id.into()), "{id} came");
    }

    fn condemned(executor: Option<&str>, id: Option<&str>) -> Happening {
        Happening::Condemned {
            framework_id: "F".into(),
            executor_id: executor.map(Into::into),
            task_id: id.map(task),
        }
    }

    #[test]
    fn tasks_that_exceed_the_agent_are_found() {
        let mut cluster = with_agent();
        let look = |cluster: &Cluster| Books::default().look(cluster, Node::Agent(0));
        assert_eq!(look(&cluster), Ok(()));
        run(&mut cluster, "T1", "cpus:3;mem:32");
        assert_eq!(look(&cluster), Ok(()));
        run(&mut cluster, "T2", "cpus:3;mem:32");
        finds(look(&cluster), "agent-0 runs ");
        assert_eq!(Books::default().look(&cluster, Node::Master(0)), Ok(()), "the agent has done nothing");
    }

    #[test]
    fn what_it_does_not_have_at_all_is_found() {
        let mut cluster = with_agent();
        run(&mut cluster, "T1", "cpus:1;mem:32;gpus:1");
        finds(Books::default().look(&cluster, Node::Agent(0)), "gpus");
    }

    #[test]
    fn what_was_ordered_away_does_not_count() {
        let mut cluster = with_agent();
        run(&mut cluster, "T1", "cpus:3;mem:32");
        run(&mut cluster, "T2", "cpus:3;mem:32");
        let after = |happening: Happening| {
            let mut books = Books::default();
            tell(&mut books, &[happening])?;
            books.look(&cluster, Node::Agent(0))
        };
        assert_eq!(after(condemned(None, Some("T2"))), Ok(()));
        // The executor of a command has the name of its task.
        assert_eq!(after(condemned(Some("T2"), None)), Ok(()));
        assert_eq!(after(condemned(None, None)), Ok(()));
        assert_eq!(after(Happening::FrameworkOver("F".into())), Ok(()));
        finds(after(condemned(None, Some("T3"))), "agent-0 runs ");
        finds(after(Happening::FrameworkOver("G".into())), "agent-0 runs ");
    }
}
