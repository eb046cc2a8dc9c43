//! Messages to agents: from what the core says to protobuf. Encoded in the agent's connection, not by the core's thread.

use std::sync::Arc;

use base::{FrameworkId, Uuid};
use http_api::Receipt;
use master_core::{DrainConfig, ExecutorInfo, FrameworkRef, ReconciledTask, TaskInfo, ToAgent};
use transport::Outgoing;
use wire::Format;

use crate::convert::operation_info_to_proto;
use crate::pb::Writer;

/// How a scheduler that speaks HTTP is written where a libprocess address is expected: Mesos' text of "no process".
const NO_PID: &str = "@0.0.0.0:0";

/// A message on its way to an agent.
pub(crate) struct ToAgentMessage {
    /// The agent's process id, such as `slave(1)`.
    pub(crate) receiver: Arc<str>,
    /// The process id that pings this agent, such as `slave-observer(1)`.
    pub(crate) observer: Arc<str>,
    /// What to say.
    pub(crate) message: ToAgent,
    /// How long the agent waits for pings before it believes itself cut off, in seconds.
    pub(crate) ping_timeout_secs: f64,
    /// Held until the agent has said that it has it: the call that it passes on is answered then.
    pub(crate) receipt: Option<Receipt>,
}

impl Outgoing for ToAgentMessage {
    type Receipt = Receipt;

    fn sender(&self) -> &str {
        match self.message {
            ToAgent::Ping { .. } => &self.observer,
            _ => crate::agents::MASTER,
        }
    }

    fn receiver(&self) -> &str {
        &self.receiver
    }

    fn name(&self) -> &str {
        name(&self.message)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        encode_message(&self.message, self.ping_timeout_secs, out);
    }

    fn receipt(&mut self) -> Option<Receipt> {
        self.receipt.take()
    }
}

/// The full name of a message.
pub(crate) fn name(message: &ToAgent) -> &'static str {
    match message {
        ToAgent::Ping { .. } => "mesos.internal.PingSlaveMessage",
        ToAgent::Registered(_) => "mesos.internal.SlaveRegisteredMessage",
        ToAgent::Reregistered { .. } => "mesos.internal.SlaveReregisteredMessage",
        ToAgent::RunTask { .. } => "mesos.internal.RunTaskMessage",
        ToAgent::RunTaskGroup { .. } => "mesos.internal.RunTaskGroupMessage",
        ToAgent::KillTask { .. } => "mesos.internal.KillTaskMessage",
        ToAgent::Acknowledge { .. } => "mesos.internal.StatusUpdateAcknowledgementMessage",
        ToAgent::ApplyOperation { .. } => "mesos.internal.ApplyOperationMessage",
        ToAgent::CheckpointResources(_) => "mesos.internal.CheckpointResourcesMessage",
        ToAgent::ReconcileOperations(_) => "mesos.internal.ReconcileOperationsMessage",
        ToAgent::AcknowledgeOperation { .. } => "mesos.internal.AcknowledgeOperationStatusMessage",
        ToAgent::Message { .. } => "mesos.internal.FrameworkToExecutorMessage",
        ToAgent::ShutdownFramework(_) => "mesos.internal.ShutdownFrameworkMessage",
        ToAgent::ShutdownExecutor { .. } => "mesos.internal.ShutdownExecutorMessage",
        ToAgent::UpdateFramework(_) => "mesos.internal.UpdateFrameworkMessage",
        ToAgent::Drain(_) => "mesos.internal.DrainSlaveMessage",
        ToAgent::Shutdown(_) => "mesos.internal.ShutdownMessage",
    }
}

/// Appends a message in protobuf. Agents are told to wait `ping_timeout_secs` for pings before they believe themselves cut off.
pub fn encode_message(message: &ToAgent, ping_timeout_secs: f64, out: &mut Vec<u8>) {
    encode(message, ping_timeout_secs, &mut Writer::new(out));
}

/// Writes a message; the numbers are its fields' in `mesos.internal`.
fn encode(message: &ToAgent, ping_timeout_secs: f64, w: &mut Writer<'_>) {
    match message {
        ToAgent::Ping { connected } => {
            w.number(1, u64::from(*connected));
        }
        ToAgent::Registered(agent_id) => {
            w.id(1, agent_id.as_str()).embed(2, |connection| {
                connection.double(1, ping_timeout_secs);
            });
        }
        ToAgent::Reregistered { agent_id, reconciliations } => {
            w.id(1, agent_id.as_str());
            for (framework, tasks) in reconciliations {
                w.embed(2, |w| reconciliation(w, agent_id.as_str(), framework, tasks));
            }
            w.embed(3, |connection| {
                connection.double(1, ping_timeout_secs);
            });
        }
        ToAgent::RunTask { framework, task, launch_executor, resource_version } => {
            w.embed(2, |w| framework_info(w, framework)).text(3, NO_PID);
            w.embed(4, |w| task_info(w, task));
            resource_version_uuid(w, 5, *resource_version);
            w.number(6, u64::from(*launch_executor));
        }
        ToAgent::RunTaskGroup { framework, executor, tasks, launch_executor, resource_version } => {
            w.embed(1, |w| framework_info(w, framework));
            w.embed(2, |w| executor_info(w, executor));
            w.embed(3, |group| {
                for task in tasks {
                    // Agents expect to find the executor in each task, too.
                    group.embed(1, |w| {
                        task_info(w, task);
                        w.embed(5, |w| executor_info(w, executor));
                    });
                }
            });
            resource_version_uuid(w, 4, *resource_version);
            w.number(5, u64::from(*launch_executor));
        }
        ToAgent::KillTask { framework_id, task_id, kill_policy } => {
            w.id(1, framework_id.as_str()).id(2, task_id.as_str());
            if let Some(policy) = kill_policy {
                w.bytes(3, policy.as_bytes());
            }
        }
        ToAgent::Acknowledge { agent_id, framework_id, task_id, uuid } => {
            w.id(1, agent_id.as_str()).id(2, framework_id.as_str()).id(3, task_id.as_str());
            w.bytes(4, uuid.as_bytes());
        }
        ToAgent::ApplyOperation { framework_id, id, operation, uuid, resource_version } => {
            if let Some(framework_id) = framework_id {
                w.id(1, framework_id.as_str());
            }
            w.message(2, &operation_info_to_proto(id.as_ref(), operation)).uuid(3, *uuid);
            resource_version_uuid(w, 4, Some(*resource_version));
        }
        ToAgent::CheckpointResources(resources) => {
            w.resources(1, resources, Format::Stack);
        }
        ToAgent::ReconcileOperations(operations) => {
            for uuid in operations {
                w.embed(1, |w| {
                    w.uuid(1, *uuid);
                });
            }
        }
        ToAgent::AcknowledgeOperation { status_uuid, operation_uuid } => {
            w.uuid(1, *status_uuid).uuid(2, *operation_uuid);
        }
        ToAgent::Message { agent_id, framework_id, executor_id, data } => {
            w.id(1, agent_id.as_str()).id(2, framework_id.as_str()).id(3, executor_id.as_str());
            w.bytes(4, data.as_bytes());
        }
        ToAgent::ShutdownFramework(framework_id) => {
            w.id(1, framework_id.as_str());
        }
        ToAgent::ShutdownExecutor { framework_id, executor_id } => {
            w.id(1, executor_id.as_str()).id(2, framework_id.as_str());
        }
        ToAgent::UpdateFramework(framework) => {
            w.id(1, framework.id.as_str()).text(2, NO_PID).embed(3, |w| framework_info(w, framework));
        }
        ToAgent::Drain(config) => {
            w.embed(1, |w| drain_config(w, *config));
        }
        ToAgent::Shutdown(message) => {
            w.text(1, message);
        }
    }
}

fn framework_info(w: &mut Writer<'_>, framework: &FrameworkRef) {
    let info = &framework.info;
    w.merge(info.body.as_bytes()).id(3, framework.id.as_str());
    if info.kept {
        // Of a field that comes twice the last counts.
        w.text(1, &info.user).number(5, u64::from(info.checkpoint));
    }
}

fn task_info(w: &mut Writer<'_>, task: &TaskInfo) {
    w.merge(task.body.as_bytes());
    w.resources(4, &task.resources, Format::Stack);
    if let Some(executor) = &task.executor {
        // The rest of the executor is within the task's body.
        w.embed(5, |w| {
            w.resources(5, &executor.resources, Format::Stack);
        });
    }
}

fn executor_info(w: &mut Writer<'_>, executor: &ExecutorInfo) {
    w.merge(executor.body.as_bytes());
    w.resources(5, &executor.resources, Format::Stack);
}

fn resource_version_uuid(w: &mut Writer<'_>, field: u32, version: Option<Uuid>) {
    if let Some(version) = version {
        w.embed(field, |w| {
            w.uuid(2, version);
        });
    }
}

fn drain_config(w: &mut Writer<'_>, config: DrainConfig) {
    if let Some(grace) = config.max_grace_period {
        w.embed(1, |w| {
            // Read as a signed number.
            w.number(1, i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX).unsigned_abs());
        });
    }
    w.number(2, u64::from(config.mark_gone));
}

fn reconciliation(w: &mut Writer<'_>, agent_id: &str, framework: &FrameworkRef, tasks: &[ReconciledTask]) {
    let id: &FrameworkId = &framework.id;
    w.id(1, id.as_str());
    for task in tasks {
        w.embed(2, |status| {
            status.id(1, task.task_id.as_str());
            status.number(2, u64::try_from(task.state.number()).unwrap_or(0));
            status.id(5, agent_id);
            if let Some(executor_id) = &task.executor_id {
                status.id(7, executor_id.as_str());
            }
        });
    }
    w.embed(3, |w| framework_info(w, framework));
}

#[cfg(test)]
mod tests {
    use proto::{internal, v1};

    use super::*;
    use crate::convert;

    #[test]
    fn agents_are_told_of_the_user_that_cannot_change() {
        let said =
            v1::FrameworkInfo { user: "root".into(), checkpoint: Some(true), ..v1::FrameworkInfo::default() };
        let mut info = convert::framework_info(said);
        (info.user, info.checkpoint, info.kept) = ("nobody".into(), false, true);
        let mut encoded = Vec::new();
        let framework = FrameworkRef { id: "f".into(), info: Arc::new(info) };
        encode(&ToAgent::UpdateFramework(framework), 0.0, &mut Writer::new(&mut encoded));
        let told: internal::UpdateFrameworkMessage = proto::decode(&encoded).unwrap();
        let info = told.framework_info.unwrap();
        assert_eq!((info.user.as_str(), info.checkpoint), ("nobody", Some(false)));
    }
}
