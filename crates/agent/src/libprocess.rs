//! Messages of other processes, on their way to the core.

use agent_core::{FromMaster, Input, Pid};
use transport::{Message, Receiver};

use crate::acknowledged::Acknowledged;
use crate::convert::{UnusableMessage, from_master};
use crate::engine::CoreHandle;

/// The agent's process id. It has had this form since an agent was called otherwise, and masters expect it.
pub(crate) const PROCESS: &str = "slave(1)";
/// The same as some clients write it in a path.
const PROCESS_ESCAPED: &str = "slave%281%29";

/// Takes messages for the agent.
#[derive(Clone)]
pub(crate) struct Inbox {
    core: CoreHandle,
    acknowledged: Acknowledged,
}

impl Inbox {
    pub(crate) fn new(core: CoreHandle, acknowledged: Acknowledged) -> Self {
        Self { core, acknowledged }
    }
}

impl Receiver for Inbox {
    async fn receive(&self, message: Message<'_>) -> bool {
        if message.to != PROCESS && !message.to.eq_ignore_ascii_case(PROCESS_ESCAPED) {
            return false;
        }
        match from_master(message.name, &message.body) {
            Ok(content) => {
                if let FromMaster::AcknowledgeStatus { uuid: Some(uuid), .. } = &content {
                    self.acknowledged.note(*uuid).await;
                }
                let from = Pid::from(message.from.to_string());
                // The queue is closed only when the agent ends, and then nobody minds.
                let _ = self.core.input(Input::FromMaster { from, message: content }).await;
            }
            Err(UnusableMessage::Unknown) => {
                tracing::debug!(from = %message.from, name = message.name, "ignoring an unknown message");
            }
            Err(error) => {
                let error = crate::report(&error);
                tracing::warn!(from = %message.from, name = message.name, error, "ignoring an unusable message");
            }
        }
        true
    }
}
