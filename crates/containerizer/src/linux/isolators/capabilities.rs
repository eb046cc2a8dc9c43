//! `linux/capabilities` and `linux/nnp`: what of root's rights a container has and can get.

use rustix::thread::CapabilitySet;

use super::{Plan, Subject};
use crate::launcher::LaunchError;
use crate::linux::options::{Isolator, LinuxOptions};

pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    plan.task.no_new_privileges = subject.has(Isolator::LinuxNnp);
    if subject.has(Isolator::LinuxCapabilities) {
        plan.task.capabilities = chosen(subject)?;
    }
    Ok(())
}

/// Whether what the operator gives is within what he allows.
pub(in crate::linux) fn check(options: &LinuxOptions) -> Result<(), String> {
    match (options.effective_capabilities, options.bounding_capabilities) {
        (Some(effective), Some(bounding)) if effective & !bounding != 0 => Err(format!(
            "effective capabilities {} are not within the bounding capabilities {}",
            names(effective),
            names(bounding)
        )),
        _ => Ok(()),
    }
}

/// The container's wish within the operator's bound; where one says nothing, the other counts.
fn chosen(subject: &Subject<'_>) -> Result<Option<init::Capabilities>, LaunchError> {
    let (wishes, options) = (&subject.spec.wishes, subject.options);
    let effective = wishes.effective_capabilities.or(options.effective_capabilities);
    if let (Some(wish), Some(allowed)) = (wishes.bounding_capabilities, options.bounding_capabilities)
        && wish & !allowed != 0
    {
        return Err(beyond("bounding", wish, allowed));
    }
    let bounding = wishes.bounding_capabilities.or(options.bounding_capabilities).or(effective);
    let Some(bounding) = bounding else { return Ok(None) };
    match effective {
        Some(effective) if effective & !bounding != 0 => Err(beyond("requested", effective, bounding)),
        _ => Ok(Some(init::Capabilities { effective, bounding })),
    }
}

fn beyond(what: &str, wish: u64, allowed: u64) -> LaunchError {
    LaunchError::Wish(format!("{what} capabilities {} are not within {}", names(wish), names(allowed)))
}

fn names(bits: u64) -> String {
    let set = CapabilitySet::from_bits_retain(bits);
    let names: Vec<&str> = set.iter_names().map(|(name, _)| name).collect();
    format!("{{{}}}", names.join(", "))
}
