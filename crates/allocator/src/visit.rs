//! An agent while it is being offered: what was found out about it for one client is used for the next ones.
//!
//! An agent may have been refused by thousands of clients, and is offered to whom of thousands it is due. So what it has
//! is found once for all clients to whom the same applies, whether a refusal covers that is found once for all who
//! refused the same, and going past one who refused takes some nanoseconds.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Index;
use resources::Resources;

use crate::agents::AgentIx;
use crate::portion::Portion;
use crate::tree::{ClientIx, RoleIx};
use crate::{Allocator, Capabilities};

/// In which stage of an allocation an agent is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// To those only for whom something is kept, and if it has some of that.
    Guarantees,
    /// To everybody.
    Everybody,
}

/// What is to become of a client to whom an agent is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It gets an offer of the portion that was looked at last.
    Offer,
    /// It gets nothing.
    Pass,
    /// Nobody of its role does.
    PassRole,
}

/// A portion, and for whom it is.
#[derive(Debug)]
struct Cached {
    /// `None` if it is the same for all roles.
    role: Option<RoleIx>,
    capabilities: Capabilities,
    /// `None` if there is nothing for the role.
    portion: Option<Portion>,
    /// By the general rule.
    enough: bool,
    /// Whether what was refused covers it, by the address of what was refused.
    covered: Vec<(usize, bool)>,
}

/// Beyond so many searches for single refusals it is quicker to mark all who refused.
const SEARCHES: usize = 6;

/// See the file's documentation. Kept from one agent to the next, so that nothing is allocated for each.
#[derive(Default, Debug)]
pub(crate) struct Visit {
    at: Option<AgentIx>,
    stage: Option<Stage>,
    /// Who has got an offer of this agent: nobody gets two.
    served: Vec<ClientIx>,
    cached: Vec<Cached>,
    /// Which of those was looked at last.
    last: usize,
    searches: usize,
    /// By client: the visit in which its refusals were marked, and where they begin.
    marks: Vec<(u32, u32)>,
    marked: bool,
    number: u32,
    /// Roles whose portions were cut, and which of them was the last.
    cut: BTreeSet<RoleIx>,
    last_cut: Option<RoleIx>,
}

impl Visit {
    pub(crate) fn begin(&mut self, at: AgentIx, stage: Stage) {
        self.at = Some(at);
        self.stage = Some(stage);
        self.served.clear();
        self.cached.clear();
        self.searches = 0;
        self.marked = false;
    }

    /// The roles whose portions were cut since this was last asked.
    pub(crate) fn take_cut(&mut self) -> BTreeSet<RoleIx> {
        self.last_cut = None;
        std::mem::take(&mut self.cut)
    }

    pub(crate) fn agent(&self) -> Option<AgentIx> {
        self.at
    }

    /// The portion that was looked at last goes to a client; what is left has to be looked at anew.
    pub(crate) fn take(&mut self, client: ClientIx) -> Option<Portion> {
        self.served.push(client);
        let taken = self.cached.get_mut(self.last).and_then(|cached| cached.portion.take());
        self.cached.clear();
        taken
    }

    /// Whether the portion that was looked at last is all that is free.
    pub(crate) fn is_all(&self) -> bool {
        let last = self.cached.get(self.last).and_then(|cached| cached.portion.as_ref());
        last.is_some_and(|portion| portion.part.is_none())
    }
}

impl Allocator {
    /// What is to become of a client to whom the visited agent is due.
    pub(crate) fn judge(&self, visit: &mut Visit, client: ClientIx) -> Verdict {
        let (Some(at), Some(stage)) = (visit.at, visit.stage) else { return Verdict::Pass };
        let c = &self.tree.clients[client];
        if visit.served.contains(&client) || self.can_have(at, client).is_err() {
            return Verdict::Pass;
        }
        if self.options.max_offered_share.is_some() && self.is_capped(c.framework) {
            return Verdict::Pass;
        }
        self.look_up(visit, at, c.role, c.capabilities);
        let cached = &visit.cached[visit.last];
        let Some(portion) = &cached.portion else { return Verdict::PassRole };
        if portion.cut && visit.last_cut != Some(c.role) {
            visit.last_cut = Some(c.role);
            visit.cut.insert(c.role);
        }
        let resources = portion.part.as_ref().unwrap_or(&self.agents[at].available);
        if stage == Stage::Guarantees && !self.serves_claim(c.role, resources) {
            return Verdict::Pass;
        }
        let enough = match (&c.min_allocatable, &portion.part) {
            (None, None) => cached.enough,
            _ => {
                (c.min_allocatable.is_some() || cached.enough)
                    && self.is_worth_offering(at, client, resources)
            }
        };
        if !enough || self.is_refused(visit, at, client) { Verdict::Pass } else { Verdict::Offer }
    }

    /// Finds the portion for a role and capabilities, or makes it.
    fn look_up(&self, visit: &mut Visit, at: AgentIx, role: RoleIx, capabilities: Capabilities) {
        let by_role = self.agents[at].free.reserved || self.has_own_bounds(role);
        let for_role = by_role.then_some(role);
        let is_it = |c: &Cached| c.capabilities == capabilities && c.role == for_role;
        if visit.cached.get(visit.last).is_some_and(is_it) {
            return;
        }
        if let Some(found) = visit.cached.iter().position(is_it) {
            visit.last = found;
            return;
        }
        if by_role {
            // Roles come one after the other, so those of others are not needed any more.
            visit.cached.retain(|cached| cached.role.is_none_or(|other| other == role));
        }
        let portion = self.portion(at, role, capabilities);
        let enough = portion.as_ref().is_some_and(|portion| match &portion.part {
            None => self.agents[at].free.enough,
            Some(part) => crate::free::is_enough(part, &self.options.min_allocatable),
        });
        visit.last = visit.cached.len();
        visit.cached.push(Cached { role: for_role, capabilities, portion, enough, covered: Vec::new() });
    }

    /// Whether a client has refused the portion that was looked at last.
    fn is_refused(&self, visit: &mut Visit, at: AgentIx, client: ClientIx) -> bool {
        let refusals = &self.agents[at].refusals;
        if !refusals.are_of(client) {
            return false;
        }
        let first = self.first_refusal(visit, at, client);
        let Cached { portion, covered, .. } = &mut visit.cached[visit.last];
        let Some(portion) = portion else { return false };
        let resources = portion.part.as_ref().unwrap_or(&self.agents[at].available);
        let from = refusals.entries().get(first..).unwrap_or_default();
        from.iter()
            .take_while(|refusal| refusal.client == client)
            .any(|refusal| refusal.in_force(&self.tree) && covers(covered, &refusal.resources, resources))
    }

    /// Where the refusals of a client begin among those of the visited agent; beyond the end if it has none.
    fn first_refusal(&self, visit: &mut Visit, at: AgentIx, client: ClientIx) -> usize {
        if !visit.marked {
            visit.searches += 1;
            if visit.searches <= SEARCHES {
                return self.agents[at].refusals.first_of(client);
            }
            self.mark_refusals(visit, at);
        }
        match visit.marks.get(client.as_usize()) {
            Some((number, first)) if *number == visit.number => *first as usize,
            _ => usize::MAX,
        }
    }

    fn mark_refusals(&self, visit: &mut Visit, at: AgentIx) {
        visit.marked = true;
        if visit.number == u32::MAX {
            visit.marks.clear();
            visit.number = 0;
        }
        visit.number += 1;
        if visit.marks.len() < self.tree.clients.bound() {
            visit.marks.resize(self.tree.clients.bound(), (0, 0));
        }
        for (client, place) in self.agents[at].refusals.clients().iter().zip(0..) {
            // Those of clients that are gone are still there.
            let Some(mark) = visit.marks.get_mut(client.as_usize()) else { continue };
            if mark.0 != visit.number {
                *mark = (visit.number, place);
            }
        }
    }
}

/// Whether what was refused covers `resources`, asked before or not.
fn covers(known: &mut Vec<(usize, bool)>, refused: &Arc<Resources>, resources: &Resources) -> bool {
    let address = Arc::as_ptr(refused).addr();
    if let Some((_, covers)) = known.iter().find(|(other, _)| *other == address) {
        return *covers;
    }
    let covers = refused.contains(resources);
    known.push((address, covers));
    covers
}
