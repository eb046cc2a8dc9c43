//! Frameworks whose stream has ended: they may come back within their failover timeout.

use std::sync::Arc;

use base::{FrameworkId, Time};

use super::teardown;
use crate::core::MasterCore;
use crate::input::Timer;
use crate::offers;
use crate::output::{Directory, Observation, Output};
use crate::types::ConnectionId;

pub(crate) fn scheduler_gone(
    core: &mut MasterCore,
    now: Time,
    connection: ConnectionId,
    out: &mut Vec<Output>,
) {
    // A stream that was taken over, or whose framework is over, is nobody's.
    let Some(id) = core.frameworks.by_connection.remove(&connection) else { return };
    core.allocation.deactivate_framework(&id);
    offers::discard_of_framework(core, &id);
    let generation = core.frameworks.next_away();
    let Some(framework) = core.frameworks.get_mut(&id) else { return };
    framework.connection = None;
    framework.active = false;
    framework.disconnected_time = Some(now);
    let timeout = framework.info.failover_timeout;
    let framework = Arc::clone(&core.frameworks.registered[&id]);
    core.frameworks.away.insert(id.clone(), generation);
    out.push(Output::Directory(Directory::Disconnected(id.clone())));
    core.observe(out, || Observation::FrameworkUpdated(framework));
    out.push(Output::SetTimer { at: now + timeout, timer: Timer::Failover(id, generation) });
}

pub(crate) fn failover_due(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    generation: u64,
    out: &mut Vec<Output>,
) {
    if core.frameworks.away.get(id) == Some(&generation) {
        teardown::remove(core, now, id, out);
    }
}
