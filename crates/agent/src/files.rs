//! Which files operators see: sandboxes and the log.

use std::path::PathBuf;

use agent_core::Snapshot;
use http_api::ApiError;
use http_api::files::Attached;

use crate::context::Shared;

/// The virtual path of the log, as in Mesos.
const LOG: &str = "/slave/log";

/// What is attached now.
pub(crate) async fn attached(agent: &Shared) -> Result<Attached, ApiError> {
    let mut attached = sandboxes(&agent.view().await?.snapshot);
    attached.extend(agent.options.log_files.shown("agent").map(|log| (LOG.to_owned(), log)));
    Ok(attached)
}

/// Which directory each virtual path stands for.
fn sandboxes(snapshot: &Snapshot) -> Attached {
    let mut attached = Attached::new();
    let frameworks = snapshot.frameworks.iter().chain(&snapshot.completed_frameworks);
    for framework in frameworks {
        // The newest run of an executor comes last and wins.
        for executor in framework.completed_executors.iter().chain(&framework.executors) {
            let directory = PathBuf::from(&*executor.directory);
            if let Some(runs) = directory.parent() {
                attached.insert(runs.join("latest").display().to_string(), directory.clone());
            }
            let (framework_id, executor_id) = (&framework.info.id, &executor.info.executor_id);
            let short = format!("/frameworks/{framework_id}/executors/{executor_id}/runs/latest");
            attached.insert(short, directory.clone());
            attached.insert(executor.directory.to_string(), directory);
        }
    }
    attached
}
