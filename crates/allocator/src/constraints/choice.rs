//! Which agents a client's constraints leave out: found once, when constraints or an agent change, so that going past a
//! client in an allocation costs a look at a bit.

use std::sync::Arc;

use base::{Index, never};

use super::Constraints;
use crate::agents::AgentIx;
use crate::tree::ClientIx;
use crate::{AgentTraits, Allocator};

/// A client's constraints, and which agents they leave out.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    constraints: Arc<Constraints>,
    /// A bit for each agent.
    left_out: Vec<u64>,
}

impl Choice {
    pub(crate) fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    pub(crate) fn leaves_out(&self, at: AgentIx) -> bool {
        let (word, bit) = place(at);
        self.left_out.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn look_at(&mut self, at: AgentIx, agent: &AgentTraits) {
        let (word, bit) = place(at);
        if self.left_out.len() <= word {
            self.left_out.resize(word + 1, 0);
        }
        if self.constraints.permits(agent) {
            self.left_out[word] &= !bit;
        } else {
            self.left_out[word] |= bit;
        }
    }
}

fn place(at: AgentIx) -> (usize, u64) {
    (at.as_usize() / 64, 1 << (at.as_usize() % 64))
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
        let mut new = Choice { constraints: Arc::clone(constraints), left_out: Vec::new() };
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
