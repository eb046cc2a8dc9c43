//! Containers of an earlier agent, taken up by this one.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use agent_core::{KnownContainer, Limitation, Reason};
use base::ContainerId;
use containerizer::Wishes;
use resources::Resources;

use super::{Containers, Live, Phase};
use crate::convert;

/// What has become of a container of an earlier agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs; its first process, if it has one.
    Running(Option<u32>),
    /// It has ended like this.
    Ended(i32),
    /// The same, of a command task that nobody had asked to end: as in Mesos its executor is gone, and the agent tells of it.
    Failed(i32),
    /// Nothing of it was found.
    Lost {
        /// Because the machine was started anew.
        rebooted: bool,
    },
    /// It never started, and is still to.
    Unstarted,
}

impl Containers {
    /// Takes up what an earlier agent has launched. What is not there any more ends now.
    pub(crate) fn adopt(&mut self, known: Vec<KnownContainer>, found: &BTreeMap<ContainerId, Fate>) {
        let mut ended = Vec::new();
        for known in known {
            let KnownContainer { container_id, parent, directory, group, resources, limits, .. } = known;
            let fate = found.get(&container_id).copied().unwrap_or(Fate::Lost { rebooted: false });
            let phase = match fate {
                Fate::Running(_) if group => Phase::Group,
                Fate::Running(_) => Phase::Process,
                Fate::Ended(status) | Fate::Failed(status) => Phase::Exited(status),
                Fate::Lost { .. } => Phase::GroupEnding,
                // The core orders it again.
                Fate::Unstarted => continue,
            };
            if let Some(parent) = parent.as_ref().and_then(|parent| self.live.get_mut(parent)) {
                parent.nested.insert(container_id.clone());
            }
            let limitation = match fate {
                Fate::Lost { rebooted } => Some(lost(rebooted)),
                Fate::Failed(status) => Some(failed(status)),
                Fate::Running(_) | Fate::Ended(_) | Fate::Unstarted => None,
            };
            let live = Live {
                phase,
                parent,
                nested: BTreeSet::new(),
                started: true,
                doomed: false,
                fetches: false,
                directory,
                volumes: Vec::new(),
                limitation,
                limits: convert::limits(&resources, limits, &self.work_dir),
                resources,
                wishes: Wishes::default(),
            };
            self.live.insert(container_id.clone(), live);
            if !matches!(fate, Fate::Running(_)) {
                ended.push(container_id);
            }
        }
        for container_id in ended {
            self.launcher.destroy(&container_id);
        }
    }
}

/// Why a container has ended of which nothing was found.
fn lost(rebooted: bool) -> Limitation {
    let message = if rebooted {
        "The container ended when the machine was started anew"
    } else {
        "The container ended together with the agent that had launched it"
    };
    let resources = Resources::default();
    Limitation { reason: Reason::ExecutorTerminated, message: message.to_owned(), resources }
}

/// How a command task has failed while no agent was there. Mesos says "Executor terminated" then, and knows no more.
fn failed(status: i32) -> Limitation {
    let message = format!("Executor terminated while the agent was away: {}", ExitStatus::from_raw(status));
    Limitation { reason: Reason::ExecutorTerminated, message, resources: Resources::default() }
}
