//! Offers that are withdrawn for new quotas. As in Mesos it is done roughly, and rather too often: what is free is not
//! looked at, and what is both reserved and offered counts twice. It only helps a quota to be kept sooner.

use std::sync::Arc;

use allocator::Quota;
use resources::{Quantities, Role};

use super::consumption::{Consumption, is_in};
use super::{amounts, within};
use crate::core::MasterCore;
use crate::offers;
use crate::output::Output;
use crate::types::Offer;

/// Withdraws offers to roles that are beyond their limits, and those to others that their guarantees need.
pub(super) fn enforce(core: &mut MasterCore, quotas: &[(Role, Quota)], out: &mut Vec<Output>) {
    let consumption = Consumption::of(core);
    let consumed: Vec<Quantities> = quotas.iter().map(|(role, _)| consumption.in_all(role)).collect();
    let mut outstanding = all(core);
    for ((role, quota), consumed) in quotas.iter().zip(consumed) {
        if quota.is_empty() {
            continue;
        }
        let (own, others) = outstanding.into_iter().partition(|offer| is_in(&offer.role, role));
        outstanding = enforce_one(core, quota, consumed, (own, others), out);
    }
}

/// The same for one role. Returns the offers that are left.
fn enforce_one(
    core: &mut MasterCore,
    quota: &Quota,
    mut taken: Quantities,
    (own, others): (Vec<Arc<Offer>>, Vec<Arc<Offer>>),
    out: &mut Vec<Output>,
) -> Vec<Arc<Offer>> {
    for offer in &own {
        taken += &offer.resources.quantities();
    }
    let mut left = Vec::with_capacity(own.len() + others.len());
    for offer in own {
        if within(&quota.limits, &taken) {
            left.push(offer);
            continue;
        }
        taken -= &offer.resources.quantities();
        offers::rescind(core, &offer.framework_id, &offer.id, out);
    }
    let guarantees = amounts(&quota.guarantees);
    for offer in others {
        if taken.contains(&guarantees) {
            left.push(offer);
            continue;
        }
        taken += &offer.resources.quantities();
        offers::rescind(core, &offer.framework_id, &offer.id, out);
    }
    left
}

/// Withdraws all offers of one agent after the other until as much has come together as is guaranteed, of as many agents
/// as frameworks wait for it.
pub(super) fn make_room(core: &mut MasterCore, role: &Role, guarantee: &Quantities, out: &mut Vec<Output>) {
    let waiting = core.frameworks.registered.values().filter(|framework| framework.active);
    let waiting = waiting.filter(|framework| framework.info.roles.contains(role)).count();
    let agents: Vec<_> = core.agents.registered.values().filter(|agent| agent.active).cloned().collect();
    let mut rescinded = Quantities::new();
    let offered = agents.iter().filter(|agent| !agent.offers.is_empty());
    for (visited, agent) in offered.enumerate() {
        if rescinded.contains(guarantee) && visited >= waiting {
            break;
        }
        for (offer_id, framework_id) in &agent.offers {
            let offer =
                core.frameworks.get(framework_id).and_then(|framework| framework.offers.get(offer_id));
            rescinded += &offer.map(|offer| offer.resources.quantities()).unwrap_or_default();
            offers::rescind(core, framework_id, offer_id, out);
        }
    }
}

/// All offers, agent by agent.
fn all(core: &MasterCore) -> Vec<Arc<Offer>> {
    let offers = core.agents.registered.values().flat_map(|agent| &agent.offers);
    offers.filter_map(|(id, framework)| core.frameworks.get(framework)?.offers.get(id)).cloned().collect()
}
