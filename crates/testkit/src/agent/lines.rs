//! Outputs as short lines, so that a test reads like the scenario.

use std::collections::BTreeMap;

use agent_core::{
    ExecutorEvent, Output, Probe, StatusSource, StatusUpdate, ToMaster, VolumeDirectory, VolumeLink,
};
use base::ContainerId;

/// Writes outputs as lines and names containers in the order in which they come: `c1`, `c2`, ...
#[derive(Clone, Debug, Default)]
pub struct Lines {
    containers: BTreeMap<ContainerId, usize>,
}

impl Lines {
    /// A container's short name.
    pub fn name(&mut self, id: &ContainerId) -> String {
        let next = self.containers.len() + 1;
        format!("c{}", self.containers.entry(id.clone()).or_insert(next))
    }

    /// One output as a line; `None` for the timer and for what is written down, which [`AgentEnv`](super::AgentEnv) keeps.
    pub fn line(&mut self, output: &Output) -> Option<String> {
        let line = match output {
            Output::SetTimer(_) | Output::Checkpoint(_) | Output::ForgetContainer(_) => return None,
            Output::ChangeVolumes { make, remove, .. } => {
                let all = |what: &'static str, directories: &[VolumeDirectory]| {
                    directories.iter().map(move |d| format!("{what} {}", d.path)).collect::<Vec<_>>()
                };
                [all("make", make), all("remove", remove)].concat().join(", ")
            }
            Output::LinkVolumes { container_id, volumes } => {
                let links: Vec<_> = volumes.iter().map(link).collect();
                format!("link into {} [{}]", self.name(container_id), links.join(" "))
            }
            Output::UpdateContainer { container_id, resources, .. } => {
                format!("update {} to {resources}", self.name(container_id))
            }
            Output::Send { to, message } => match message {
                ToMaster::Pong => format!("pong to {to}"),
                message => to_master(message),
            },
            Output::LaunchContainer(spec) => {
                let id = self.name(&spec.container_id);
                let inside = spec.parent.as_ref().map(|parent| format!(" in {}", self.name(parent)));
                let links: Vec<_> = spec.volumes.iter().map(link).collect();
                let with =
                    if links.is_empty() { String::new() } else { format!(" with {}", links.join(" ")) };
                format!("launch {id}{} for {}{with}", inside.unwrap_or_default(), spec.executor_id)
            }
            Output::SignalContainer { container_id, signal } => {
                format!("signal {} {signal}", self.name(container_id))
            }
            Output::PerformCheck(order) => {
                let what = match &order.probe {
                    Probe::Command(command) => command.value.as_deref().unwrap_or_default().to_owned(),
                    Probe::Http { port, path, .. } => format!(":{port}{path}"),
                    Probe::Tcp { port, .. } => format!(":{port}"),
                };
                format!("check {} {} {what}", self.name(&order.container_id), order.id.0)
            }
            Output::CancelCheck(id) => format!("cancel check {}", id.0),
            Output::DestroyContainer(id) => format!("destroy {}", self.name(id)),
            Output::ExecutorReply { reply, .. } => match reply {
                Ok(()) => "reply: ok".to_owned(),
                Err(refusal) => format!("reply: {refusal}"),
            },
            Output::ExecutorEvent { stream, event } => {
                format!("stream {}: {}", stream.0, executor_event(event))
            }
            Output::CloseExecutorStream(stream) => format!("stream {}: close", stream.0),
            Output::Terminate { reason } => format!("terminate: {reason}"),
        };
        Some(line)
    }
}

fn link(link: &VolumeLink) -> String {
    let mode = if link.read_only { " to read" } else { "" };
    let own = if link.own { "" } else { " of others" };
    format!("{}={}{mode}{own}", link.container_path, link.directory.path)
}

fn to_master(message: &ToMaster) -> String {
    match message {
        ToMaster::Register { .. } => "register".to_owned(),
        ToMaster::Reregister(r) => {
            let tasks: Vec<_> =
                r.tasks.iter().map(|task| format!("{}:{:?}", task.info.task_id, task.state)).collect();
            format!("reregister [{}]", tasks.join(" "))
        }
        ToMaster::UpdateAgent { .. } => "update agent".to_owned(),
        ToMaster::Unregister { .. } => "unregister".to_owned(),
        ToMaster::StatusUpdate(update) => status(update),
        ToMaster::ExitedExecutor { executor_id, status, .. } => {
            format!("executor {executor_id} exited {status}")
        }
        ToMaster::Message { executor_id, .. } => format!("message of {executor_id}"),
        ToMaster::OperationStatus(update) => {
            let message = update.message.as_ref().map(|message| format!(": {message}"));
            format!("operation {:?}{}", update.state, message.unwrap_or_default())
        }
        ToMaster::Pong => "pong".to_owned(),
    }
}

fn status(update: &StatusUpdate) -> String {
    let status = &update.status;
    let mut line = format!("{} {:?}", status.task_id, status.state);
    if status.source == StatusSource::Agent {
        line.push_str(" by agent");
    }
    if update.latest_state != status.state {
        line.push_str(&format!(" latest {:?}", update.latest_state));
    }
    if let Some(healthy) = status.healthy {
        line.push_str(if healthy { " healthy" } else { " unhealthy" });
    }
    if let Some(found) = status.check_status {
        line.push_str(&format!(" {found:?}"));
    }
    if let Some(reason) = status.reason {
        line.push_str(&format!(" because {reason:?}"));
    }
    if let Some(message) = &status.message {
        line.push_str(&format!(": {message}"));
    }
    line
}

fn executor_event(event: &ExecutorEvent) -> String {
    match event {
        ExecutorEvent::Subscribed { .. } => "subscribed".to_owned(),
        ExecutorEvent::Launch(task) => format!("launch {}", task.task_id),
        ExecutorEvent::LaunchGroup(tasks) => {
            let ids: Vec<_> = tasks.iter().map(|task| task.task_id.as_str()).collect();
            format!("launch group {}", ids.join(" "))
        }
        ExecutorEvent::Kill { task_id, grace: None } => format!("kill {task_id}"),
        ExecutorEvent::Kill { task_id, grace: Some(grace) } => format!("kill {task_id} within {grace:?}"),
        ExecutorEvent::Acknowledged { task_id, .. } => format!("acknowledged {task_id}"),
        ExecutorEvent::Message(_) => "message".to_owned(),
        ExecutorEvent::Shutdown => "shutdown".to_owned(),
        ExecutorEvent::Error(message) => format!("error {message}"),
    }
}
