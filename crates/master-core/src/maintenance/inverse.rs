//! Inverse offers: frameworks are asked to leave agents that will not be there, and say whether they will.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, OfferId, Time};

use crate::core::{MasterCore, send};
use crate::input::Timer;
use crate::output::{Output, SchedulerEvent};
use crate::types::{InverseOffer, InverseOfferAnswer};

/// Asks whom there is to ask: each framework that uses an agent or is offered something of it, unless it was asked already
/// or does not want to be asked again yet. With `all`, looks at all agents, and not only at those about which there is news.
pub(crate) fn ask(core: &mut MasterCore, now: Time, all: bool, out: &mut Vec<Output>) {
    if all {
        core.maintenance.look_at_all();
    }
    let mut events: BTreeMap<FrameworkId, Vec<Arc<InverseOffer>>> = BTreeMap::new();
    for agent_id in std::mem::take(&mut core.maintenance.news) {
        for framework_id in to_be_asked(core, now, &agent_id) {
            if let Some(offer) = offer(core, now, &agent_id, &framework_id, out) {
                events.entry(framework_id).or_default().push(offer);
            }
        }
    }
    for (framework_id, offers) in events {
        if let Some(framework) = core.frameworks.get(&framework_id) {
            send(framework, SchedulerEvent::InverseOffers(offers), out);
        }
    }
}

fn to_be_asked(core: &MasterCore, now: Time, id: &AgentId) -> Vec<FrameworkId> {
    let (Some(asked), Some(agent)) = (core.maintenance.agents.get(id), core.agents.get(id)) else {
        return Vec::new();
    };
    if !agent.active {
        return Vec::new();
    }
    let using = agent.used.iter().filter(|(_, used)| !used.is_empty()).map(|(framework, _)| framework);
    let mut frameworks: Vec<FrameworkId> = using.chain(agent.offers.values()).cloned().collect();
    frameworks.sort_unstable();
    frameworks.dedup();
    frameworks.retain(|framework| {
        let active = core.frameworks.get(framework).is_some_and(|f| f.active && f.connected());
        let waits = asked.refused.get(framework).is_some_and(|until| now < *until);
        active && !waits && !asked.offers.contains_key(framework)
    });
    frameworks
}

fn offer(
    core: &mut MasterCore,
    now: Time,
    agent_id: &AgentId,
    framework_id: &FrameworkId,
    out: &mut Vec<Output>,
) -> Option<Arc<InverseOffer>> {
    let agent = core.agents.get(agent_id)?;
    let asked = core.maintenance.agents.get_mut(agent_id)?;
    let framework = core.frameworks.get_mut(framework_id)?;
    let id = OfferId::from(format!("{}-O{}", core.options.master_id, core.next_offer));
    core.next_offer += 1;
    let offer = Arc::new(InverseOffer {
        id: id.clone(),
        framework_id: framework_id.clone(),
        agent_id: agent_id.clone(),
        unavailability: asked.unavailability,
        agent: Arc::clone(&agent.info),
        pid: agent.pid.clone(),
    });
    if let Some(timeout) = core.options.offer_timeout {
        let timer = Timer::Offer(framework_id.clone(), id.clone());
        out.push(Output::SetTimer { at: now + timeout, timer });
    }
    asked.offers.insert(framework_id.clone(), id.clone());
    framework.inverse_offers.insert(id, Arc::clone(&offer));
    Some(offer)
}

/// ACCEPT_INVERSE_OFFERS and DECLINE_INVERSE_OFFERS: operators see what a framework has said. Nothing else follows.
pub(crate) fn answer(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    offer_ids: &[OfferId],
    (accepted, refuse): (bool, Duration),
    out: &mut Vec<Output>,
) {
    let call = if accepted { "ACCEPT_INVERSE_OFFERS" } else { "DECLINE_INVERSE_OFFERS" };
    if offer_ids.is_empty() {
        core.drop(call, id, "No inverse offers specified", out);
    }
    for offer_id in offer_ids {
        let Some(offer) = take(core, id, offer_id) else {
            core.drop(call, id, format!("inverse offer {offer_id} is no longer valid"), out);
            continue;
        };
        if let Some(asked) = core.maintenance.agents.get_mut(&offer.agent_id) {
            asked.answers.insert(id.clone(), InverseOfferAnswer { accepted, at: now });
            if !refuse.is_zero() {
                let until = asked.refused.entry(id.clone()).or_insert(now);
                *until = (*until).max(now + refuse);
            }
        }
    }
}

/// A framework has ended: what it said counts no more.
pub(crate) fn forget(core: &mut MasterCore, id: &FrameworkId) {
    for asked in core.maintenance.agents.values_mut() {
        asked.answers.remove(id);
        asked.refused.remove(id);
    }
}

/// Takes an inverse offer off the books.
fn take(core: &mut MasterCore, framework_id: &FrameworkId, offer_id: &OfferId) -> Option<Arc<InverseOffer>> {
    // Only one that is there makes a change; a framework that is merely looked at stays shared.
    if !core.frameworks.get(framework_id)?.inverse_offers.contains_key(offer_id) {
        return None;
    }
    let offer = core.frameworks.get_mut(framework_id)?.inverse_offers.remove(offer_id)?;
    if let Some(asked) = core.maintenance.agents.get_mut(&offer.agent_id) {
        asked.offers.remove(framework_id);
    }
    Some(offer)
}

/// Withdraws an inverse offer, if it is not answered.
pub(crate) fn rescind(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    offer_id: &OfferId,
    out: &mut Vec<Output>,
) {
    if take(core, framework_id, offer_id).is_none() {
        return;
    }
    if let Some(framework) = core.frameworks.get(framework_id) {
        send(framework, SchedulerEvent::RescindInverse(offer_id.clone()), out);
    }
}

/// Withdraws all inverse offers of an agent.
pub(crate) fn rescind_of_agent(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    let Some(asked) = core.maintenance.agents.get(id) else { return };
    for (framework_id, offer_id) in asked.offers.clone() {
        rescind(core, &framework_id, &offer_id, out);
    }
}

/// A framework's scheduler went away, or is another one now: it is asked anew, whatever it has refused. What it has said
/// stays.
pub(crate) fn discard_of_framework(core: &mut MasterCore, id: &FrameworkId) {
    let Some(framework) = core.frameworks.get(id) else { return };
    for offer_id in framework.inverse_offers.keys().cloned().collect::<Vec<_>>() {
        take(core, id, &offer_id);
    }
    revived(core, id);
}

/// A framework is asked again even where it has refused.
pub(crate) fn revived(core: &mut MasterCore, id: &FrameworkId) {
    for asked in core.maintenance.agents.values_mut() {
        asked.refused.remove(id);
    }
    core.maintenance.look_at_all();
}
