//! An agent that an operator was told to be gone stays gone, whichever master leads.

use std::collections::BTreeSet;

use base::AgentId;
use master_core::OperatorCall;

use super::Checker;
use crate::cluster::Cluster;
use crate::happening::Happening;
use crate::node::Node;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Gone {
    gone: BTreeSet<AgentId>,
    /// Agents that were taken in, and in which session of a master.
    admitted: Vec<(AgentId, Option<u64>)>,
}

impl Checker for Gone {
    fn promise(&self) -> &'static str {
        "an agent that is marked gone stays gone"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::Granted(OperatorCall::MarkAgentGone(agent_id)) => {
                self.gone.insert(agent_id.clone());
            }
            Happening::Admitted { agent_id, session } if self.gone.contains(agent_id) => {
                self.admitted.push((agent_id.clone(), *session));
            }
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, cluster: &Cluster, _: Node) -> Result<(), String> {
        for (agent_id, session) in std::mem::take(&mut self.admitted) {
            // One that was stopped may go on for an instant as if it led; agents that know better do not listen to it.
            if session.is_some_and(|session| cluster.fabric.service.leads(session)) {
                return Err(format!("{agent_id} is gone and was taken in"));
            }
        }
        Ok(())
    }
}
