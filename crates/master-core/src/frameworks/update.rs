//! What a framework says of itself may change: when it subscribes again, and by UPDATE_FRAMEWORK.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::FrameworkId;
use resources::Role;

use super::framework_ref;
use crate::core::{MasterCore, send_agent};
use crate::offers;
use crate::options::Options;
use crate::output::{Observation, Output, ToAgent};
use crate::types::{FrameworkInfo, OfferConstraints, OperatorError};

/// Whether the framework's user may run anything here.
pub(super) fn check_user(options: &Options, info: &FrameworkInfo) -> Result<(), String> {
    if info.user == "root" && !options.root_submissions {
        return Err("User 'root' is not allowed to run frameworks without --root_submissions set".to_owned());
    }
    Ok(())
}

/// Whether only own roles are suppressed.
pub(super) fn check_roles(info: &FrameworkInfo, suppressed: &[Role]) -> Result<(), String> {
    let foreign: BTreeSet<&str> =
        suppressed.iter().filter(|role| !info.roles.contains(*role)).map(Role::as_str).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let foreign: Vec<&str> = foreign.into_iter().collect();
    Err(format!("Suppressed roles {{ {} }} are not contained in the set of roles", foreign.join(", ")))
}

/// The new info of a framework that subscribes again. The principal must not change; a changed `user` or `checkpoint`
/// is passed over, as Mesos does.
pub(super) fn keep_immutable(
    old: &FrameworkInfo,
    mut new: Arc<FrameworkInfo>,
) -> Result<Arc<FrameworkInfo>, String> {
    if old.principal != new.principal {
        return Err("Changing framework's principal is not allowed.".to_owned());
    }
    if old.user != new.user || old.checkpoint != new.checkpoint {
        let new = Arc::make_mut(&mut new);
        new.user.clone_from(&old.user);
        new.checkpoint = old.checkpoint;
        new.kept = true;
    }
    Ok(new)
}

fn check_update(old: &FrameworkInfo, new: &FrameworkInfo) -> Result<(), String> {
    if old.principal != new.principal {
        return Err("Changing framework's principal is not allowed.".to_owned());
    }
    if old.user != new.user {
        return Err(format!(
            "Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{}' to '{}'",
            old.user, new.user
        ));
    }
    if old.checkpoint != new.checkpoint {
        return Err(format!(
            "Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '{}' to '{}'",
            old.checkpoint, new.checkpoint
        ));
    }
    Ok(())
}

/// UPDATE_FRAMEWORK.
pub(crate) fn update_framework(
    core: &mut MasterCore,
    id: &FrameworkId,
    info: Box<FrameworkInfo>,
    suppressed_roles: Vec<Role>,
    offer_constraints: Result<Arc<OfferConstraints>, String>,
    out: &mut Vec<Output>,
) -> Result<(), OperatorError> {
    let Some(framework) = core.frameworks.get(id) else {
        return Err(OperatorError::BadRequest("Framework cannot be found".to_owned()));
    };
    let constraints = check_user(&core.options, &info)
        .map_err(|error| format!("Supplied FrameworkInfo is not valid: {error}"))
        .and_then(|()| {
            check_update(&framework.info, &info)
                .map_err(|error| format!("FrameworkInfo update is not valid: {error}"))
        })
        .and_then(|()| {
            check_roles(&info, &suppressed_roles)
                .and(offer_constraints)
                .map_err(|error| format!("'UpdateFramework' call is not valid: {error}"))
        })
        .map_err(OperatorError::BadRequest)?;
    let changed = *framework.info != *info;
    let lost: Vec<Role> = framework.info.roles.difference(&info.roles).cloned().collect();
    apply_update(core, id, Arc::from(info), suppressed_roles, constraints);
    for role in lost {
        offers::rescind_of_role(core, id, &role, out);
    }
    if changed {
        tell_all(core, id, out);
    }
    Ok(())
}

/// Takes over new information of a framework.
pub(super) fn apply_update(
    core: &mut MasterCore,
    id: &FrameworkId,
    info: Arc<FrameworkInfo>,
    suppressed_roles: Vec<Role>,
    offer_constraints: Arc<OfferConstraints>,
) {
    let Some(framework) = core.frameworks.get_mut(id) else { return };
    framework.info = info;
    framework.suppressed_roles = suppressed_roles.into_iter().collect();
    framework.offer_constraints = offer_constraints;
    core.allocation.update_framework(framework);
}

/// Tells those who watch, and every agent, what a framework says of itself now: executors may run where no task does.
pub(super) fn tell_all(core: &MasterCore, id: &FrameworkId, out: &mut Vec<Output>) {
    let Some(framework) = core.frameworks.get(id) else { return };
    core.observe(out, || Observation::FrameworkUpdated(Arc::clone(framework)));
    for agent in core.agents.registered.values() {
        send_agent(agent, ToAgent::UpdateFramework(framework_ref(framework)), out);
    }
}
