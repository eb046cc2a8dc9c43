//! Which entities long lists are made of, and the forms in which they are encoded.

use std::sync::{Arc, OnceLock};

use master_core::{Agent, Framework, Task};
use proto::v1::master::response::get_executors;
use resources::Resources;
use serde::Serialize;

use super::chunks::Entity;
use crate::convert::{executor_to_proto, operation_to_proto, task_to_proto};
use crate::pb::Writer;
use crate::view::agent::{self, AgentFullView, AgentView};
use crate::view::framework::tasks_use;
use crate::view::roles::OnAgents;
use crate::view::task::TaskView;

/// How tasks are encoded.
#[derive(Clone, Copy)]
pub(super) enum TaskForm {
    /// As `/state` has them.
    V0,
    /// `mesos.v1.Task` in JSON.
    Json,
    /// `mesos.v1.Task` as a field of `GetTasks`; the list tells which.
    Protobuf,
}

impl From<TaskForm> for usize {
    fn from(form: TaskForm) -> Self {
        match form {
            TaskForm::V0 => 0,
            TaskForm::Json => 1,
            TaskForm::Protobuf => 2,
        }
    }
}

impl Entity for Task {
    type Form = TaskForm;
    /// What they take.
    type Sum = Resources;
    const FORMS: usize = 3;

    fn id(&self) -> &str {
        self.task_id.as_str()
    }

    fn sum(chunk: &[&Arc<Self>]) -> Resources {
        tasks_use(chunk.iter().copied())
    }
}

/// Writes a task; `field` is that of its list in `GetTasks`.
pub(super) fn write_task(task: &Task, form: TaskForm, field: u32, out: &mut Vec<u8>) {
    match form {
        TaskForm::V0 => write_json(&TaskView::new(task), out),
        TaskForm::Json => write_json(&task_to_proto(task), out),
        TaskForm::Protobuf => {
            Writer::new(out).message(field, &task_to_proto(task));
        }
    }
}

/// How agents, and the executors on them, are encoded.
#[derive(Clone, Copy)]
pub(super) enum AgentForm {
    /// As `/state` has them.
    V0,
    /// As `/slaves` has them.
    V0Full,
    /// `GetAgents.Agent` in JSON.
    Json,
    /// `GetAgents.Agent` as a field.
    Protobuf,
    /// Executors as `GetExecutors.Executor` in JSON.
    ExecutorsJson,
    /// Executors as fields.
    ExecutorsProtobuf,
    /// Operations in JSON.
    OperationsJson,
    /// Operations as fields.
    OperationsProtobuf,
}

impl From<AgentForm> for usize {
    fn from(form: AgentForm) -> Self {
        match form {
            AgentForm::V0 => 0,
            AgentForm::V0Full => 1,
            AgentForm::Json => 2,
            AgentForm::Protobuf => 3,
            AgentForm::ExecutorsJson => 4,
            AgentForm::ExecutorsProtobuf => 5,
            AgentForm::OperationsJson => 6,
            AgentForm::OperationsProtobuf => 7,
        }
    }
}

impl Entity for Agent {
    type Form = AgentForm;
    /// What roles have there, once somebody has asked.
    type Sum = OnceLock<OnAgents>;
    const FORMS: usize = 8;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn sum(_: &[&Arc<Self>]) -> OnceLock<OnAgents> {
        OnceLock::new()
    }
}

/// Writes an agent. Which offers there are of it is its own affair, so that it changes with them; what they are is in their
/// frameworks.
pub(super) fn write_agent(agent: &Agent, form: AgentForm, frameworks: &[Arc<Framework>], out: &mut Vec<u8>) {
    match form {
        AgentForm::V0 => write_json(&AgentView::new(agent, frameworks), out),
        AgentForm::V0Full => write_json(&AgentFullView::new(agent, frameworks), out),
        AgentForm::Json => write_json(&agent::to_proto(agent, frameworks), out),
        AgentForm::Protobuf => {
            Writer::new(out).message(1, &agent::to_proto(agent, frameworks));
        }
        AgentForm::ExecutorsJson | AgentForm::ExecutorsProtobuf => {
            for executor in agent.executors.values().flat_map(|of_framework| of_framework.values()) {
                let shown = get_executors::Executor {
                    executor_info: executor_to_proto(executor),
                    agent_id: agent.id.as_str().into(),
                };
                write_element(&shown, matches!(form, AgentForm::ExecutorsJson), out);
            }
        }
        AgentForm::OperationsJson | AgentForm::OperationsProtobuf => {
            for operation in agent.operations.values() {
                let shown = operation_to_proto(operation);
                write_element(&shown, matches!(form, AgentForm::OperationsJson), out);
            }
        }
    }
}

/// Appends to a list whose field is the first of its message.
fn write_element<M: proto::Message + Serialize>(message: &M, json: bool, out: &mut Vec<u8>) {
    if json {
        write_json(message, out);
    } else {
        Writer::new(out).message(1, message);
    }
}

/// Appends to a list: elements have commas between them.
fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
    // Views are made of what JSON can hold, and a vector grows.
    let _ = serde_json::to_writer(out, value);
}
