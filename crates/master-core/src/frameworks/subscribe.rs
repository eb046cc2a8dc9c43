//! SUBSCRIBE: new frameworks, those that come back, and schedulers that take over from another.

use std::sync::Arc;

use base::{FrameworkId, Time};
use resources::Role;

use super::registry::new_framework;
use super::update::{apply_update, check_roles, check_user, keep_immutable, tell_all};
use crate::core::MasterCore;
use crate::offers;
use crate::output::{Directory, Observation, Output, SchedulerEvent};
use crate::types::{ConnectionId, FrameworkInfo, OfferConstraints, StreamId};

/// A scheduler's wish to be subscribed.
pub(crate) struct Subscription {
    pub(crate) connection: ConnectionId,
    pub(crate) stream: StreamId,
    pub(crate) info: Arc<FrameworkInfo>,
    pub(crate) suppressed_roles: Vec<Role>,
    pub(crate) offer_constraints: Result<Arc<OfferConstraints>, String>,
}

pub(crate) fn subscribe(
    core: &mut MasterCore,
    now: Time,
    framework_id: Option<FrameworkId>,
    request: Subscription,
    out: &mut Vec<Output>,
) {
    if framework_id.is_some() {
        core.metrics.messages_reregister_framework += 1;
    } else {
        core.metrics.messages_register_framework += 1;
    }
    let connection = request.connection;
    if let Err(message) = try_subscribe(core, now, framework_id, request, out) {
        out.push(Output::Event { connection, event: SchedulerEvent::Error(message) });
        out.push(Output::Close(connection));
    }
}

fn try_subscribe(
    core: &mut MasterCore,
    now: Time,
    framework_id: Option<FrameworkId>,
    mut request: Subscription,
    out: &mut Vec<Output>,
) -> Result<(), String> {
    check_user(&core.options, &request.info)?;
    if framework_id.as_ref().is_some_and(|id| core.frameworks.is_completed(id)) {
        return Err("Framework has been removed".to_owned());
    }
    check_roles(&request.info, &request.suppressed_roles)?;
    let constraints = request.offer_constraints.clone()?;
    let Some(id) = framework_id else {
        subscribe_new(core, now, (request, constraints), out);
        return Ok(());
    };
    if let Some(framework) = core.frameworks.get(&id) {
        request.info = keep_immutable(&framework.info, request.info)?;
    } else {
        // The master that gave the id is gone, and no agent has told of the framework yet.
        super::recover(core, now, &id, &request.info, out);
    }
    subscribe_known(core, now, &id, (request, constraints), out);
    Ok(())
}

fn subscribe_new(
    core: &mut MasterCore,
    now: Time,
    (request, constraints): (Subscription, Arc<OfferConstraints>),
    out: &mut Vec<Output>,
) {
    let id = core.frameworks.new_id(&core.options);
    let mut framework = new_framework(core, now, id.clone(), request.info);
    framework.suppressed_roles = request.suppressed_roles.into_iter().collect();
    framework.offer_constraints = constraints;
    framework.connection = Some((request.connection, request.stream));
    framework.active = true;
    core.allocation.add_framework(&framework);
    let framework = Arc::new(framework);
    core.frameworks.add(Arc::clone(&framework));
    connected(core, &id, request.connection, request.stream, out);
    core.observe(out, || Observation::FrameworkAdded(framework));
}

fn subscribe_known(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    (request, constraints): (Subscription, Arc<OfferConstraints>),
    out: &mut Vec<Output>,
) {
    apply_update(core, id, request.info, request.suppressed_roles, constraints);
    // Its former scheduler, if there is one, must not answer these any more; the new one does not know of them.
    offers::discard_of_framework(core, id);
    let Some(framework) = core.frameworks.get_mut(id) else { return };
    if framework.recovered {
        framework.recovered = false;
        framework.registered_time = now;
    } else {
        framework.reregistered_time = Some(now);
    }
    framework.disconnected_time = None;
    framework.active = true;
    let former = framework.connection.replace((request.connection, request.stream));
    if let Some((former, _)) = former {
        core.frameworks.by_connection.remove(&former);
        let event = SchedulerEvent::Error("Framework failed over".to_owned());
        core.frameworks.count(id, |counts| counts.event(&event));
        out.push(Output::Event { connection: former, event });
        out.push(Output::Close(former));
    }
    core.frameworks.away.remove(id);
    core.allocation.activate_framework(id);
    connected(core, id, request.connection, request.stream, out);
    tell_all(core, id, out);
}

fn connected(
    core: &mut MasterCore,
    id: &FrameworkId,
    connection: ConnectionId,
    stream: StreamId,
    out: &mut Vec<Output>,
) {
    core.frameworks.by_connection.insert(connection, id.clone());
    core.frameworks.count(id, |counts| counts.call("SUBSCRIBE"));
    out.push(Output::Directory(Directory::Subscribed { framework_id: id.clone(), stream }));
    out.push(Output::Event { connection, event: SchedulerEvent::Subscribed(id.clone()) });
}
