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

#[cfg(test)]
mod tests {
    use super::super::scene::{agent, finds, session, tell, with_agent};
    use super::*;

    fn marked(id: &str) -> Happening {
        Happening::Granted(OperatorCall::MarkAgentGone(agent(id)))
    }

    fn admitted(id: &str, session: Option<u64>) -> Happening {
        Happening::Admitted { agent_id: agent(id), session }
    }

    #[test]
    fn one_that_is_gone_is_not_taken_in() {
        let cluster = with_agent();
        let leading = session(&cluster);
        let look = |happened: &[Happening]| {
            let mut gone = Gone::default();
            tell(&mut gone, happened)?;
            gone.look(&cluster, Node::Master(0))
        };
        finds(look(&[marked("A"), admitted("A", leading)]), "A is gone and was taken in");
        assert_eq!(look(&[admitted("A", leading), marked("A")]), Ok(()), "it was taken in before");
        assert_eq!(look(&[marked("A"), admitted("B", leading)]), Ok(()), "it is another one");
        let asked = Happening::Asked(OperatorCall::MarkAgentGone(agent("A")));
        assert_eq!(look(&[asked, admitted("A", leading)]), Ok(()), "nobody was told that it is gone");
        // A master whose session is over is not listened to.
        for session in [None, Some(77)] {
            assert_eq!(look(&[marked("A"), admitted("A", session)]), Ok(()));
        }
    }
}
