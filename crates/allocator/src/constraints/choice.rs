//! Which agents a client's constraints leave out: found once, when constraints or an agent change, so that going past a
//! client in an allocation costs a look at a bit.

use std::sync::Arc;

use base::never;

use super::Constraints;
use crate::agents::AgentIx;
use crate::bits::Bits;
use crate::tree::ClientIx;
use crate::{AgentTraits, Allocator};

/// A client's constraints, and which agents they leave out.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    constraints: Arc<Constraints>,
    left_out: Bits<AgentIx>,
}

impl Choice {
    pub(crate) fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    pub(crate) fn leaves_out(&self, at: AgentIx) -> bool {
        self.left_out.contains(at)
    }

    fn look_at(&mut self, at: AgentIx, agent: &AgentTraits) {
        self.left_out.set(at, !self.constraints.permits(agent));
    }
}

impl Allocator {
    /// Gives a client other constraints, or none. Looks at all agents, unless they are the same as before.
    pub(crate) fn constrain(&mut self, client: ClientIx, constraints: Option<&Arc<Constraints>>) {
        let choice = &mut self.tree.clients[client].choice;
        let Some(constraints) = constraints else {
            *choice = None;
            self.constrained.remove(&client);
            return;
        };
        if choice.as_ref().is_some_and(|choice| choice.constraints == *constraints) {
            return;
        }
        let mut new = Choice { constraints: Arc::clone(constraints), left_out: Bits::default() };
        for (at, agent) in self.agents.iter() {
            new.look_at(at, &agent.traits);
        }
        *choice = Some(new);
        self.constrained.insert(client);
    }

    /// An agent is new, or not what it was.
    pub(crate) fn choose_anew(&mut self, at: AgentIx) {
        let traits = &self.agents[at].traits;
        for client in &self.constrained {
            if let Some(choice) = &mut self.tree.clients[*client].choice {
                choice.look_at(at, traits);
            }
        }
    }

    /// Whether all that was found is still so.
    pub(crate) fn check_choices(&self) {
        for (at, client) in self.tree.clients.iter() {
            never!(
                self.constrained.contains(&at) != client.choice.is_some(),
                "{at:?} is not among the choosy"
            );
            let Some(choice) = &client.choice else { continue };
            for (agent, a) in self.agents.iter() {
                let wrong = choice.leaves_out(agent) == choice.constraints.permits(&a.traits);
                never!(wrong, "{at:?} was not asked about {}", a.id);
            }
        }
    }
}
