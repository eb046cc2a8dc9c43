//! Frameworks come with their first task and go with their last executor.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{FrameworkId, Ring};
use tracing::info;

use crate::core::{AgentCore, Step};
use crate::state::Framework;
use crate::types::{ExecutorView, FrameworkInfo};
use crate::{drain, past, registration, remember, shutdown, updates, views};

/// The framework, added if it was not there. One that was completed comes back with its completed executors.
pub(crate) fn ensure<'a>(core: &'a mut AgentCore, info: &Arc<FrameworkInfo>) -> &'a mut Framework {
    if !core.frameworks.contains_key(&info.id) {
        let mut completed_executors: Ring<Arc<ExecutorView>> =
            Ring::new(core.options.max_completed_executors);
        if let Some(earlier) = core.completed_frameworks.iter().find(|view| view.info.id == info.id) {
            for executor in &earlier.completed_executors {
                completed_executors.push(executor.clone());
            }
        }
        core.completed_frameworks.retain(|view| view.info.id != info.id);
        let framework = Framework {
            info: info.clone(),
            terminating: false,
            believed: false,
            executors: BTreeMap::new(),
            tasks: BTreeMap::new(),
            completed_executors,
        };
        core.frameworks.insert(info.id.clone(), framework);
    }
    core.frameworks.get_mut(&info.id).expect("it was there or has just been added")
}

/// The framework has changed: other capabilities, or its scheduler failed over.
pub(crate) fn update(core: &mut AgentCore, step: &mut Step<'_>, info: Arc<FrameworkInfo>) {
    match core.frameworks.get_mut(&info.id) {
        Some(framework) => {
            // Whether it checkpoints was decided when it came: what is written down of it is to stay whole.
            let checkpoint = framework.info.checkpoint;
            let id = info.id.clone();
            let info = FrameworkInfo { checkpoint, ..Arc::unwrap_or_clone(info) };
            // Masters tell of frameworks whenever the agent comes back. What is told again then waits for no disk.
            if *framework.info != info {
                framework.info = Arc::new(info);
                remember::framework(core, step, &id);
            }
            updates::resend_of(core, step, &id);
        }
        None => info!(framework = %info.id, "ignoring an update of an unknown framework"),
    }
}

/// Removes the framework if it has nothing here any longer.
pub(crate) fn remove_if_idle(core: &mut AgentCore, step: &mut Step<'_>, id: &FrameworkId) {
    if core.frameworks.get(id).is_some_and(|framework| framework.executors.is_empty()) {
        info!(framework = %id, "the framework has nothing on this agent any more");
        if let Some(framework) = core.frameworks.remove(id) {
            if framework.terminating {
                updates::forget(core, id);
            }
            remember::forget_framework(&framework, step);
            core.completed_frameworks.push(Arc::new(views::framework(&framework)));
            past::framework(core, step, &framework.info);
            if framework.believed {
                registration::tell_all(core, step);
            }
        }
    }
    if core.frameworks.is_empty() {
        drain::finish(core, step);
        shutdown::finish(core, step);
    }
}
