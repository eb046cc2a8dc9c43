//! What the agent knows: frameworks, executors, tasks, itself.

use agent_core::{ExecutorKind, ExecutorView, FrameworkView, Snapshot, Task};
use base::{AgentId, Time};
use http_api::ApiError;
use proto::v1;
use proto::v1::agent::response::{
    self, GetExecutors, GetFrameworks, GetTasks, get_executors, get_frameworks,
};
use proto::v1::agent::{Response as Reply, response::Type};

use super::of;
use crate::context::Shared;
use crate::convert::{
    drain_to_proto, executor_to_proto, framework_to_proto, operation_to_proto, queued_to_proto,
    task_of_executor, task_to_proto,
};

pub(super) async fn state(agent: &Shared) -> Result<Reply, ApiError> {
    let view = agent.view().await?;
    let state = response::GetState {
        get_tasks: Some(get_tasks(agent, &view.snapshot)),
        get_executors: Some(get_executors(&view.snapshot)),
        get_frameworks: Some(get_frameworks(&view.snapshot)),
    };
    Ok(Reply { get_state: Some(state), ..of(Type::GetState) })
}

pub(super) async fn frameworks(agent: &Shared) -> Result<Reply, ApiError> {
    let view = agent.view().await?;
    Ok(Reply { get_frameworks: Some(get_frameworks(&view.snapshot)), ..of(Type::GetFrameworks) })
}

pub(super) async fn executors(agent: &Shared) -> Result<Reply, ApiError> {
    let view = agent.view().await?;
    Ok(Reply { get_executors: Some(get_executors(&view.snapshot)), ..of(Type::GetExecutors) })
}

pub(super) async fn tasks(agent: &Shared) -> Result<Reply, ApiError> {
    let view = agent.view().await?;
    Ok(Reply { get_tasks: Some(get_tasks(agent, &view.snapshot)), ..of(Type::GetTasks) })
}

pub(super) async fn operations(agent: &Shared) -> Result<Reply, ApiError> {
    let view = agent.view().await?;
    let operations = view.snapshot.operations.iter().map(|operation| operation_to_proto(operation)).collect();
    Ok(Reply { get_operations: Some(response::GetOperations { operations }), ..of(Type::GetOperations) })
}

pub(super) async fn agent(agent: &Shared) -> Result<Reply, ApiError> {
    let view = agent.view().await?;
    let mut info = agent.own.v1(view.snapshot.agent_id.as_ref());
    info.resources = wire::resources_to_proto(&view.snapshot.total).into_iter().collect();
    let drain = view.snapshot.drain.as_ref();
    let since =
        drain.map(|drain| i64::try_from(drain.since.since(Time::EPOCH).as_nanos()).unwrap_or(i64::MAX));
    let shown = response::GetAgent {
        agent_info: Some(info),
        drain_config: drain.map(drain_to_proto),
        estimated_drain_start_time: since.map(|nanoseconds| v1::TimeInfo { nanoseconds }),
    };
    Ok(Reply { get_agent: Some(shown), ..of(Type::GetAgent) })
}

fn get_frameworks(snapshot: &Snapshot) -> GetFrameworks {
    let of = |framework: &FrameworkView| get_frameworks::Framework {
        framework_info: framework_to_proto(&framework.info),
    };
    GetFrameworks {
        frameworks: snapshot.frameworks.iter().map(|framework| of(framework)).collect(),
        completed_frameworks: snapshot.completed_frameworks.iter().map(|framework| of(framework)).collect(),
    }
}

fn get_executors(snapshot: &Snapshot) -> GetExecutors {
    let of = |framework: &FrameworkView, executor: &ExecutorView| get_executors::Executor {
        executor_info: executor_info(framework, executor),
    };
    let all = || snapshot.frameworks.iter().chain(&snapshot.completed_frameworks);
    GetExecutors {
        executors: all().flat_map(|f| f.executors.iter().map(move |e| of(f, e))).collect(),
        completed_executors: all()
            .flat_map(|f| f.completed_executors.iter().map(move |e| of(f, e)))
            .collect(),
    }
}

/// An executor's description; that of a command task's executor names the task's command.
pub(crate) fn executor_info(framework: &FrameworkView, executor: &ExecutorView) -> v1::ExecutorInfo {
    let task = (executor.kind == ExecutorKind::Command).then(|| task_of_executor(executor)).flatten();
    executor_to_proto(&executor.info, &framework.info.id, task.as_ref())
}

fn get_tasks(agent: &Shared, snapshot: &Snapshot) -> GetTasks {
    let unknown = AgentId::from("");
    let agent_id = snapshot.agent_id.as_ref().unwrap_or(&unknown);
    let mut tasks = GetTasks::default();
    let of = |task: &Task| task_to_proto(task, agent_id, agent.own.ip);
    for framework in snapshot.frameworks.iter().chain(&snapshot.completed_frameworks) {
        for executor in framework.executors.iter().chain(&framework.completed_executors) {
            let queued =
                executor.queued.iter().map(|info| queued_to_proto(info, &framework.info.id, agent_id));
            tasks.queued_tasks.extend(queued);
            tasks.launched_tasks.extend(executor.launched.iter().map(|task| of(task)));
            tasks.terminated_tasks.extend(executor.terminated.iter().map(|task| of(task)));
            tasks.completed_tasks.extend(executor.completed.iter().map(|task| of(task)));
        }
    }
    tasks
}
