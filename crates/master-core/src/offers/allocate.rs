//! Makes offers of what the allocator hands out.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{FrameworkId, OfferId, Time};

use super::remove::rescind;
use crate::core::{MasterCore, send};
use crate::input::Timer;
use crate::maintenance;
use crate::output::{Output, SchedulerEvent};
use crate::types::Offer;

/// Hands out what is free, now that the inputs at hand are handled, and asks for what has to be given back.
pub(crate) fn allocate(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    if !core.allocation.waits() {
        hand_out(core, now, out);
        maintenance::ask(core, now, false, out);
    }
}

fn hand_out(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    core.metrics.allocation_runs += 1;
    let mut events: BTreeMap<FrameworkId, Vec<Arc<Offer>>> = BTreeMap::new();
    for offerable in core.allocation.run(now) {
        let framework = core.frameworks.get(&offerable.framework).is_some_and(|f| f.active && f.connected());
        let agent = core.agents.get(&offerable.agent).filter(|agent| agent.active);
        let (true, Some(agent)) = (framework, agent) else {
            // The allocator was told of both before, so this is only for safety.
            core.allocation.recover_offered(&offerable.framework, &offerable.agent, &offerable.resources);
            continue;
        };
        let id = OfferId::from(format!("{}-O{}", core.options.master_id, core.next_offer));
        core.next_offer += 1;
        let executor_ids = agent
            .executors
            .get(&offerable.framework)
            .map(|e| e.keys().cloned().collect())
            .unwrap_or_default();
        let offer = Arc::new(Offer {
            id: id.clone(),
            framework_id: offerable.framework.clone(),
            agent_id: offerable.agent,
            role: offerable.role,
            resources: offerable.resources,
            executor_ids,
            agent: Arc::clone(&agent.info),
            pid: agent.pid.clone(),
            made: now,
            unavailability: core.maintenance.unavailability(&agent.id),
        });
        if let Some(timeout) = core.options.offer_timeout {
            let timer = Timer::Offer(offer.framework_id.clone(), id.clone());
            out.push(Output::SetTimer { at: now + timeout, timer });
        }
        core.maintenance.look_at(&offer.agent_id);
        if let Some(agent) = core.agents.get_mut(&offer.agent_id) {
            agent.offers.insert(id.clone(), offerable.framework.clone());
        }
        if let Some(framework) = core.frameworks.get_mut(&offerable.framework) {
            framework.offers.insert(id, Arc::clone(&offer));
        }
        events.entry(offerable.framework).or_default().push(offer);
    }
    for (framework_id, offers) in events {
        if let Some(framework) = core.frameworks.get(&framework_id) {
            send(framework, SchedulerEvent::Offers(offers), out);
        }
    }
}

/// What became free was gathered for a moment.
pub(crate) fn allocation_due(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    core.allocation.timer_fired();
    allocate(core, now, out);
}

/// Filters may have run out.
pub(crate) fn allocation_interval(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    let at = now + core.options.allocation_interval;
    out.push(Output::SetTimer { at, timer: Timer::AllocationInterval });
    allocate(core, now, out);
    if !core.allocation.waits() {
        maintenance::ask(core, now, true, out);
    }
}

/// An offer, or an inverse one, was not answered in time.
pub(crate) fn offer_due(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    offer_id: &OfferId,
    out: &mut Vec<Output>,
) {
    let framework = core.frameworks.get(framework_id);
    if framework.is_some_and(|framework| framework.offers.contains_key(offer_id)) {
        rescind(core, framework_id, offer_id, out);
    }
    maintenance::rescind(core, framework_id, offer_id, out);
}
