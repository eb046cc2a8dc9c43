//! Commands that check a task, as the launcher is asked to run them.

use std::path::PathBuf;

use agent_core::{CheckOrder, CommandInfo};
use containerizer::{Isolation, Limits, Visit};

use crate::convert;
use crate::engine::launch_spec;

/// A visit to the task's container: with all that the task itself is held to.
pub(super) fn visit(
    order: &CheckOrder,
    line: &CommandInfo,
    isolation: Option<&Isolation>,
) -> Result<Visit, String> {
    let place = order.place.as_ref().ok_or("nothing is known of the task's container")?;
    let wishes = convert::wishes(&place.spec, isolation)?;
    Ok(Visit {
        number: order.id.0,
        spec: launch_spec(&place.spec, line, Limits::default(), wishes),
        output: PathBuf::from(&*place.output),
        timeout: order.timeout,
    })
}
