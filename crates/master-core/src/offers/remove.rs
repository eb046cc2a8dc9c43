//! Offers that end without being used.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OfferId};
use resources::{Resource, Resources, Role};

use crate::core::{MasterCore, send};
use crate::output::{Output, SchedulerEvent};
use crate::types::Offer;
use crate::{maintenance, operations};

/// Takes an offer off the books. Its resources still count as the framework's.
pub(super) fn take(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    offer_id: &OfferId,
) -> Option<Arc<Offer>> {
    let offer = core.frameworks.get_mut(framework_id)?.offers.remove(offer_id)?;
    if let Some(agent) = core.agents.get_mut(&offer.agent_id) {
        agent.offers.remove(offer_id);
    }
    Some(offer)
}

/// Ends an offer; its scheduler is not told.
pub(super) fn discard(core: &mut MasterCore, framework_id: &FrameworkId, offer_id: &OfferId) {
    if let Some(offer) = take(core, framework_id, offer_id) {
        core.allocation.recover_offered(framework_id, &offer.agent_id, &offer.resources);
    }
}

/// Ends an offer and tells its scheduler.
pub(crate) fn rescind(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    offer_id: &OfferId,
    out: &mut Vec<Output>,
) {
    discard(core, framework_id, offer_id);
    if let Some(framework) = core.frameworks.get(framework_id) {
        send(framework, SchedulerEvent::Rescind(offer_id.clone()), out);
    }
}

/// Ends all offers of a framework, inverse ones included.
pub(crate) fn discard_of_framework(core: &mut MasterCore, framework_id: &FrameworkId) {
    let Some(framework) = core.frameworks.get(framework_id) else { return };
    let offers: Vec<OfferId> = framework.offers.keys().cloned().collect();
    for offer_id in offers {
        discard(core, framework_id, &offer_id);
    }
    maintenance::discard_of_framework(core, framework_id);
}

/// Ends the offers of a framework for a role that it has left.
pub(crate) fn rescind_of_role(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    role: &Role,
    out: &mut Vec<Output>,
) {
    let Some(framework) = core.frameworks.get(framework_id) else { return };
    let offers: Vec<OfferId> =
        framework.offers.values().filter(|offer| offer.role == *role).map(|offer| offer.id.clone()).collect();
    for offer_id in offers {
        rescind(core, framework_id, &offer_id, out);
    }
}

fn offers_of(core: &MasterCore, id: &AgentId) -> Vec<(FrameworkId, OfferId)> {
    core.agents
        .get(id)
        .map(|agent| {
            agent.offers.iter().map(|(offer, framework)| (framework.clone(), offer.clone())).collect()
        })
        .unwrap_or_default()
}

/// Offers nothing of an agent from now on, and withdraws what is offered of it.
pub(crate) fn deactivate_agent(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    if let Some(agent) = core.agents.get_mut(id) {
        agent.active = false;
    }
    core.allocation.deactivate_agent(id);
    rescind_of_agent(core, id, out);
    maintenance::rescind_of_agent(core, id, out);
}

/// Withdraws all offers of an agent.
pub(crate) fn rescind_of_agent(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    for (framework_id, offer_id) in offers_of(core, id) {
        rescind(core, &framework_id, &offer_id, out);
    }
}

/// Withdraws the offers of an agent that hold what may be taken back.
pub(crate) fn rescind_revocable(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    rescind_those(core, id, |resources| !resources.revocable().is_empty(), out);
}

/// Withdraws the offers of an agent that hold volumes which are about to be destroyed: shared ones are offered to many.
pub(crate) fn rescind_of_volumes(
    core: &mut MasterCore,
    id: &AgentId,
    volumes: &[Resource],
    out: &mut Vec<Output>,
) {
    rescind_those(core, id, |resources| operations::holds_any(resources, volumes), out);
}

fn rescind_those(
    core: &mut MasterCore,
    id: &AgentId,
    which: impl Fn(&Resources) -> bool,
    out: &mut Vec<Output>,
) {
    for (framework_id, offer_id) in offers_of(core, id) {
        let framework = core.frameworks.get(&framework_id);
        let offer = framework.and_then(|framework| framework.offers.get(&offer_id));
        if offer.is_some_and(|offer| which(&offer.resources)) {
            rescind(core, &framework_id, &offer_id, out);
        }
    }
}
