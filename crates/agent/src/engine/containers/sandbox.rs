//! A sandbox as a container needs it: made, with its volumes and its bounds, and what is fetched into it.

use std::path::Path;
use std::sync::Arc;

use agent_core::{ContainerEvent, VolumeLink};
use containerizer::{FetchRequest, Fetcher, Launcher, Limits};

use crate::engine::disks;

/// Makes the sandbox of a container, with all that is to be in it. What goes wrong is told as the container's end.
pub(super) async fn prepare(
    fetcher: &Fetcher,
    request: FetchRequest,
    bounds: Option<(Arc<dyn Launcher>, Limits)>,
    volumes: Vec<VolumeLink>,
) -> Result<(), ContainerEvent> {
    let failed = |message: String| ContainerEvent::LaunchFailed { message };
    let (sandbox, user, top_level) = (request.sandbox.clone(), request.user.clone(), bounds.is_some());
    // Users may be looked up in a directory service, and the disk may be slow.
    let made = tokio::task::spawn_blocking(move || make_sandbox(&sandbox, user.as_deref(), top_level));
    // That of a task in a group is made by its executor, in Mesos.
    let unmade =
        |message: String| if top_level { ContainerEvent::NoSandbox { message } } else { failed(message) };
    made.await.map_err(|error| failed(error.to_string()))?.map_err(unmade)?;
    disks::link_new(request.sandbox.clone(), volumes).await.map_err(failed)?;
    if let Some((launcher, limits)) = bounds {
        let sandbox = request.sandbox.clone();
        let bounding = tokio::task::spawn_blocking(move || launcher.prepare(&sandbox, &limits));
        let bounded = bounding.await.map_err(|error| failed(error.to_string()))?;
        bounded.map_err(|error| failed(crate::report(&error)))?;
    }
    fetcher.fetch(request).await.map_err(|error| failed(crate::report(&error)))
}

fn make_sandbox(sandbox: &Path, user: Option<&str>, top_level: bool) -> Result<(), String> {
    containerizer::create_sandbox(sandbox, user).map_err(|error| crate::report(&error))?;
    if top_level && let Err(error) = link_latest(sandbox) {
        tracing::warn!(sandbox = %sandbox.display(), %error, "cannot link the latest run");
    }
    Ok(())
}

/// Points `runs/latest` to the newest run, in one step.
fn link_latest(sandbox: &Path) -> std::io::Result<()> {
    let (Some(runs), Some(name)) = (sandbox.parent(), sandbox.file_name()) else { return Ok(()) };
    let mut temporary = name.to_owned();
    temporary.push(".latest");
    let temporary = runs.join(temporary);
    std::os::unix::fs::symlink(name, &temporary)?;
    std::fs::rename(&temporary, runs.join("latest"))
}
