//! `/state`: all that the agent knows.

use std::collections::BTreeSet;

use agent_core::{ExecutorView, FrameworkView, Snapshot, TaskInfo};
use base::{AgentId, FrameworkId, Time};
use proto::v1;
use resources::{Name, Resources, Role, Value as Amount};
use serde_json::{Map, Value, json};

use crate::context::Shared;
use crate::convert::{
    capabilities, command_of, drain_to_proto, framework_to_proto, queued_to_proto, task_to_proto,
};
use crate::metrics::used;
use crate::operator::executor_info;
use http_api::VERSION;

pub(super) fn state(agent: &Shared, snapshot: &Snapshot) -> Value {
    let total = &snapshot.total;
    let used = used(snapshot);
    let mut state = json!({
        "version": VERSION.version,
        "git_sha": VERSION.git_sha,
        "git_branch": VERSION.git_branch,
        "build_date": VERSION.build_date,
        "build_time": VERSION.build_time,
        "build_user": VERSION.build_user,
        "start_time": agent.start_time.as_secs_f64(),
        "id": snapshot.agent_id.as_ref().map_or("", AgentId::as_str),
        "pid": &*agent.own.pid,
        "hostname": agent.own.hostname,
        "capabilities": capabilities().iter().map(|known| known.r#type().as_str_name()).collect::<Vec<_>>(),
        "resources": amounts(total),
        "reserved_resources": by_role(total, |of_role| amounts(of_role).into()),
        "unreserved_resources": amounts(&total.unreserved()),
        "reserved_resources_full": by_role(total, full),
        "unreserved_resources_full": full(&total.unreserved()),
        "reserved_resources_allocated": by_role(&used, |of_role| amounts(of_role).into()),
        "unreserved_resources_allocated": amounts(&used.unreserved()),
        "resource_providers": [],
        "attributes": attributes(&agent.own.attributes),
        "flags": agent.flags,
        "frameworks": frameworks(agent, snapshot, &snapshot.frameworks),
        "completed_frameworks": frameworks(agent, snapshot, &snapshot.completed_frameworks),
    });
    if let Some(domain) = &agent.own.domain {
        state["domain"] = json!(domain);
    }
    if let Some(drain) = &snapshot.drain {
        state["drain_config"] = json!(drain_to_proto(drain));
        state["estimated_drain_start_time_seconds"] = drain.since.since(Time::EPOCH).as_secs().into();
    }
    if let Some(master) = &snapshot.master {
        // Only the address is known of a master that was not found by a lookup.
        let host = master.as_str().split('@').nth(1).and_then(|address| address.rsplit_once(':'));
        state["master_hostname"] = host.map_or("", |(host, _)| host).into();
    }
    state
}

fn by_role(resources: &Resources, show: impl Fn(&Resources) -> Value) -> Map<String, Value> {
    resources.reservations().iter().map(|(role, of_role)| (role.to_string(), show(of_role))).collect()
}

/// Each resource in full.
fn full(resources: &Resources) -> Value {
    wire::resources_to_endpoint(resources).iter().map(|resource| json!(resource)).collect()
}

/// Sums by name; the four common scalars are always there.
fn amounts(resources: &Resources) -> Map<String, Value> {
    let mut amounts: Map<String, Value> =
        ["disk", "mem", "gpus", "cpus"].into_iter().map(|name| (name.to_owned(), 0.0.into())).collect();
    let names: BTreeSet<&Name> = resources.iter().map(|resource| &resource.name).collect();
    for name in names {
        let shown: Value = if let Some(scalar) = resources.scalar(name) {
            scalar.to_f64().into()
        } else if let Some(ranges) = resources.ranges(name) {
            ranges.to_string().into()
        } else {
            let named = resources.named(name);
            let sets = named.iter().filter_map(|resource| match &resource.value {
                Amount::Set(set) => Some(set.to_string()),
                Amount::Scalar(_) | Amount::Ranges(_) => None,
            });
            sets.collect::<Vec<_>>().join(",").into()
        };
        amounts.insert(name.to_string(), shown);
    }
    amounts
}

fn attributes(attributes: &[v1::Attribute]) -> Map<String, Value> {
    let shown = |attribute: &v1::Attribute| -> Value {
        match (&attribute.text, &attribute.scalar, &attribute.ranges) {
            (Some(text), _, _) => text.value.clone().into(),
            (_, Some(scalar), _) => scalar.value.into(),
            (_, _, Some(ranges)) => {
                let each = ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end));
                format!("[{}]", each.collect::<Vec<_>>().join(", ")).into()
            }
            _ => Value::Null,
        }
    };
    attributes.iter().map(|attribute| (attribute.name.clone(), shown(attribute))).collect()
}

fn frameworks(agent: &Shared, snapshot: &Snapshot, frameworks: &[std::sync::Arc<FrameworkView>]) -> Value {
    frameworks.iter().map(|framework| self::framework(agent, snapshot, framework)).collect()
}

fn framework(agent: &Shared, snapshot: &Snapshot, framework: &FrameworkView) -> Value {
    let info = framework_to_proto(&framework.info);
    let context = Context {
        agent,
        agent_id: snapshot.agent_id.clone().unwrap_or_else(|| AgentId::from("")),
        framework,
    };
    let executors = |executors: &[std::sync::Arc<ExecutorView>]| -> Value {
        executors.iter().map(|executor| context.executor(executor)).collect()
    };
    let roles = if info.roles.is_empty() { vec![info.role().to_owned()] } else { info.roles.clone() };
    let mut shown = json!({
        "id": framework.info.id.as_str(),
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout.unwrap_or(0.0),
        "checkpoint": framework.info.checkpoint,
        "hostname": info.hostname.as_deref().unwrap_or_default(),
        "roles": roles,
        "executors": executors(&framework.executors),
        "completed_executors": executors(&framework.completed_executors),
    });
    if let Some(principal) = info.principal {
        shown["principal"] = principal.into();
    }
    shown
}

struct Context<'a> {
    agent: &'a Shared,
    agent_id: AgentId,
    framework: &'a FrameworkView,
}

impl Context<'_> {
    fn framework_id(&self) -> &FrameworkId {
        &self.framework.info.id
    }

    fn executor(&self, executor: &ExecutorView) -> Value {
        let info = executor_info(self.framework, executor);
        let tasks = |tasks: &[std::sync::Arc<agent_core::Task>]| -> Vec<Value> {
            tasks
                .iter()
                .map(|task| self.task(&task_to_proto(task, &self.agent_id, self.agent.own.ip), &task.info))
                .collect()
        };
        let queued: Value = executor.queued.iter().map(|info| self.queued(info)).collect();
        let completed: Vec<Value> = [tasks(&executor.terminated), tasks(&executor.completed)].concat();
        let role = info.resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.clone());
        let role = role.or_else(|| first_role(executor)).unwrap_or_else(|| "*".to_owned());
        let mut shown = json!({
            "id": executor.info.executor_id.as_str(),
            "name": info.name.as_deref().unwrap_or_default(),
            "source": info.source.as_deref().unwrap_or_default(),
            "container": executor.container_id.as_str(),
            "directory": &*executor.directory,
            "resources": amounts(&executor.resources),
            "role": role,
            "tasks": tasks(&executor.launched),
            "queued_tasks": queued,
            "completed_tasks": completed,
        });
        if executor.kind != agent_core::ExecutorKind::Command {
            shown["type"] = info.r#type().as_str_name().into();
        }
        if let Some(labels) = info.labels {
            shown["labels"] = json!(labels.labels);
        }
        shown
    }

    /// A task that waits for its executor is shown with what it is to run.
    fn queued(&self, info: &TaskInfo) -> Value {
        let mut shown = self.task(&queued_to_proto(info, self.framework_id(), &self.agent_id), info);
        if let Some(command) = command_of(info) {
            shown["command"] = self::command(&command);
        }
        shown
    }

    fn task(&self, task: &v1::Task, info: &TaskInfo) -> Value {
        let mut shown = json!({
            "id": task.task_id.value,
            "name": task.name,
            "framework_id": task.framework_id.value,
            "executor_id": task.executor_id.as_ref().map_or("", |id| &id.value),
            "slave_id": task.agent_id.value,
            "state": task.state().as_str_name(),
            "resources": amounts(&info.resources),
            "role": allocation_role(info).map_or("*", Role::as_str),
            "statuses": task.statuses.iter().map(status).collect::<Vec<_>>(),
        });
        let optional = [
            ("user", task.user.as_ref().map(|user| json!(user))),
            ("labels", task.labels.as_ref().map(|labels| json!(labels.labels))),
            ("discovery", task.discovery.as_ref().map(|discovery| json!(discovery))),
            ("container", task.container.as_ref().map(|container| json!(container))),
            ("health_check", task.health_check.as_ref().map(|check| json!(check))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                shown[name] = value;
            }
        }
        if !task.limits.is_empty() {
            shown["limits"] = limits(&task.limits).into();
        }
        shown
    }
}

/// Limits by name. One that is none is written as protobuf writes it in JSON.
fn limits(limits: &[v1::task::LimitsEntry]) -> Map<String, Value> {
    let limit = |value: f64| if value.is_finite() { value.into() } else { "Infinity".into() };
    let each = limits.iter().filter_map(|each| Some((each.key.clone()?, limit(each.value.as_ref()?.value))));
    each.collect()
}

/// A command, with the names that its fields have in the older endpoints.
fn command(command: &v1::CommandInfo) -> Value {
    let uri = |uri: &v1::command_info::Uri| json!({ "value": uri.value, "executable": uri.executable() });
    let mut shown = json!({
        "argv": command.arguments,
        "uris": command.uris.iter().map(uri).collect::<Vec<_>>(),
    });
    let optional = [
        ("shell", command.shell.map(Value::from)),
        ("value", command.value.clone().map(Value::from)),
        ("environment", command.environment.as_ref().map(|environment| json!(environment))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

/// The role that a task's resources are allocated to.
fn allocation_role(info: &TaskInfo) -> Option<&Role> {
    info.resources.iter().find_map(|resource| resource.allocation.as_ref())
}

fn first_role(executor: &ExecutorView) -> Option<String> {
    let tasks = executor.launched.iter().chain(&executor.terminated).chain(&executor.completed);
    tasks
        .map(|task| &task.info)
        .chain(&executor.queued)
        .find_map(|info| allocation_role(info))
        .map(ToString::to_string)
}

fn status(status: &v1::TaskStatus) -> Value {
    let mut shown =
        json!({ "state": status.state().as_str_name(), "timestamp": status.timestamp.unwrap_or(0.0) });
    if let Some(mut container) = status.container_status.clone() {
        // Where the executor runs is the agent's own affair; v0 endpoints do not show it.
        container.executor_pid = None;
        shown["container_status"] = json!(container);
    }
    if let Some(healthy) = status.healthy {
        shown["healthy"] = healthy.into();
    }
    if let Some(labels) = &status.labels {
        shown["labels"] = json!(labels.labels);
    }
    shown
}
