//! An agent that an operator was told to be gone stays gone, as long as the master lives that was told so: masters have no
//! registry here yet that would outlive them.

use std::collections::BTreeSet;

use base::AgentId;

use super::Checker;
use crate::happening::Happening;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Gone {
    gone: BTreeSet<((usize, u64), AgentId)>,
}

impl Checker for Gone {
    fn promise(&self) -> &'static str {
        "an agent that is marked gone stays gone"
    }

    fn notice(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::MarkedGone { master, agent_id } => {
                self.gone.insert((*master, agent_id.clone()));
            }
            Happening::Admitted { agent_id, master } if self.gone.contains(&(*master, agent_id.clone())) => {
                return Err(format!("{agent_id} is gone and was taken in by master-{}", master.0));
            }
            _ => {}
        }
        Ok(())
    }
}
