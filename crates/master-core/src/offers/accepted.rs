//! What one ACCEPT has at hand while its operations are carried out one after the other.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, Time, never};
use resources::{Resources, Role};

use super::remove::take;
use crate::core::MasterCore;
use crate::types::Offer;

/// What one ACCEPT has at hand. Later operations find what earlier ones have left and made.
pub(crate) struct Accepted<'a> {
    pub(crate) framework_id: &'a FrameworkId,
    pub(crate) agent_id: AgentId,
    /// To which the offers were made.
    pub(crate) role: Role,
    /// What is left of them.
    pub(crate) remaining: Resources,
    /// The shared resources among them, however many tasks use them by now.
    pub(crate) shared: Resources,
    /// Volumes that were made larger or smaller. They are of no use to operations of the same ACCEPT, as in Mesos.
    pub(crate) resized: Resources,
    offered: Resources,
}

impl<'a> Accepted<'a> {
    /// Takes the offers, which can be accepted together, off the books.
    pub(super) fn take(
        core: &mut MasterCore,
        framework_id: &'a FrameworkId,
        offers: &[Arc<Offer>],
    ) -> Option<Self> {
        let first = offers.first()?;
        core.frameworks.count(framework_id, |counts| counts.offers_accepted += offers.len() as u64);
        let mut offered = Resources::new();
        for offer in offers {
            take(core, framework_id, &offer.id);
            offered += &offer.resources;
        }
        Some(Self {
            framework_id,
            agent_id: first.agent_id.clone(),
            role: first.role.clone(),
            remaining: offered.clone(),
            shared: offered.shared(),
            resized: Resources::new(),
            offered,
        })
    }

    /// What a task may take: as many copies of the shared resources as were offered, even if others have them already.
    pub(crate) fn available(&self) -> Cow<'_, Resources> {
        if self.shared.is_empty() {
            return Cow::Borrowed(&self.remaining);
        }
        let mut available = self.remaining.non_shared();
        available += &self.shared;
        Cow::Owned(available)
    }

    /// Uses some of it for a task or an executor. More copies of a shared resource than were offered come into being.
    pub(crate) fn consume(&mut self, core: &mut MasterCore, resources: &Resources) {
        let mut additional = resources.shared();
        additional -= &self.remaining.shared();
        if !additional.is_empty() {
            let nothing = Resources::new();
            let added = core.allocation.convert(self.framework_id, &self.agent_id, &nothing, &additional);
            never!(added.is_err(), "{} cannot have {additional} of {}", self.framework_id, self.agent_id);
        }
        self.remaining -= resources;
    }

    /// Gives back what is left. What operations have made is offered again at once, to this framework too.
    pub(super) fn give_back(self, core: &mut MasterCore, now: Time, refuse: Duration) {
        let mut left = self.remaining.clone();
        left += &self.resized;
        let mut made = left.clone();
        made -= &self.offered;
        left -= &made;
        core.allocation.recover_offered(self.framework_id, &self.agent_id, &made);
        core.allocation.recover_leftover(now, self.framework_id, &self.agent_id, &left, refuse);
    }
}
