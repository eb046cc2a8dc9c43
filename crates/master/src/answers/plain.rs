//! The state as one message, and its summary, put together without anything that is kept: what tests compare answers with.

use std::collections::BTreeSet;
use std::sync::Arc;

use master_core::{Framework, Snapshot, Task};
use proto::v1;
use proto::v1::master::response::{self, get_executors};
use serde_json::{Value, json};

use crate::context::Identity;
use crate::convert::{executor_to_proto, task_to_proto};
use crate::view::agent::AgentView;
use crate::view::executor::Executors;
use crate::view::framework::{FrameworkBase, all_tasks};
use crate::view::state::every_framework;
use crate::view::task::TaskCounts;
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

/// `/state-summary`.
pub(super) fn summary(identity: &Identity, snapshot: &Snapshot) -> Value {
    let counts = |of: &dyn Fn(&Task) -> bool| {
        let mut counts = TaskCounts::default();
        for task in snapshot.frameworks.iter().flat_map(|framework| all_tasks(framework)) {
            if of(task) {
                counts.change(task.state, true);
            }
        }
        serde_json::to_value(counts).unwrap()
    };
    let ids = |text: &dyn Fn(&Task) -> String, of: &dyn Fn(&Task) -> bool| {
        let tasks = snapshot.frameworks.iter().flat_map(|framework| all_tasks(framework));
        let ids: BTreeSet<String> = tasks.filter(|task| of(task)).map(|task| text(task)).collect();
        json!(ids)
    };
    let agents = snapshot.agents.iter().map(|each| {
        let here = |task: &Task| task.agent_id == each.id;
        let mut shown = serde_json::to_value(AgentView::new(each, &snapshot.frameworks)).unwrap();
        merge(&mut shown, counts(&here));
        shown["framework_ids"] = ids(&|task| task.framework_id.to_string(), &here);
        shown
    });
    let executors = Executors::new(&snapshot.agents);
    let frameworks = snapshot.frameworks.iter().map(|each| {
        let its = |task: &Task| task.framework_id == each.id;
        let used = framework::used(each, &executors);
        let base = FrameworkBase::new(each, &used, &framework::info(each));
        let mut shown = serde_json::to_value(base).unwrap();
        merge(&mut shown, counts(&its));
        shown["slave_ids"] = ids(&|task| task.agent_id.to_string(), &its);
        shown
    });
    json!({
        "hostname": identity.hostname,
        "slaves": agents.collect::<Vec<_>>(),
        "frameworks": frameworks.collect::<Vec<_>>(),
    })
}

fn merge(object: &mut Value, other: Value) {
    let Value::Object(other) = other else { panic!("{other} is no object") };
    object.as_object_mut().unwrap().extend(other);
}
