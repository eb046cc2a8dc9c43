//! The state as one message, put together without anything that is kept: what tests compare answers with.

use std::sync::Arc;

use master_core::{Framework, Snapshot, Task};
use proto::v1;
use proto::v1::master::response::{self, get_executors};

use crate::convert::{executor_to_proto, task_to_proto};
use crate::view::executor::Executors;
use crate::view::state::every_framework;
use crate::view::{agent, framework};

/// `GetState`.
pub(super) fn get_state(snapshot: &Snapshot) -> response::GetState {
    let executors = Executors::new(&snapshot.agents);
    let framework = |each: &Arc<Framework>| framework::to_proto(each, &framework::used(each, &executors));
    response::GetState {
        get_tasks: Some(get_tasks(snapshot)),
        get_executors: Some(get_executors(snapshot)),
        get_frameworks: Some(response::GetFrameworks {
            frameworks: snapshot.frameworks.iter().map(framework).collect(),
            completed_frameworks: snapshot.completed_frameworks.iter().map(framework).collect(),
            ..Default::default()
        }),
        get_agents: Some(response::GetAgents {
            agents: snapshot.agents.iter().map(|each| agent::to_proto(each, &snapshot.frameworks)).collect(),
            recovered_agents: agent::recovered(snapshot),
        }),
    }
}

fn get_tasks(snapshot: &Snapshot) -> response::GetTasks {
    let all = |of: fn(&Framework) -> Vec<v1::Task>| every_framework(snapshot).flat_map(of).collect();
    fn shown<'a>(tasks: impl Iterator<Item = &'a Arc<Task>>) -> Vec<v1::Task> {
        tasks.map(|task| task_to_proto(task)).collect()
    }
    response::GetTasks {
        tasks: all(|framework| shown(framework.tasks.values())),
        unreachable_tasks: all(|framework| shown(framework.unreachable_tasks.values())),
        completed_tasks: all(|framework| shown(framework.completed_tasks.iter())),
        ..Default::default()
    }
}

fn get_executors(snapshot: &Snapshot) -> response::GetExecutors {
    let executors = snapshot.agents.iter().flat_map(|agent| {
        let on_agent = agent.executors.values().flat_map(|of_framework| of_framework.values());
        on_agent.map(|executor| get_executors::Executor {
            executor_info: executor_to_proto(executor),
            agent_id: agent.id.as_str().into(),
        })
    });
    response::GetExecutors { executors: executors.collect(), ..Default::default() }
}
