//! A scene for tests of volumes: a framework that knows shared resources, and an agent with a disk.

use std::sync::Arc;
use std::time::Duration;

use base::AgentId;
use master_core::{
    AcceptOperation, FromAgent, Offer, OperationState, Pid, SchedulerCall, TaskInfo, TaskState,
};
use resources::{Resource, Resources};
use testkit::master::{Master, Scheduler, status, task};

use crate::reservations::of_role;

pub(crate) struct Scene {
    pub(crate) master: Master,
    pub(crate) agent: AgentId,
    pub(crate) pid: Pid,
    pub(crate) scheduler: Scheduler,
}

/// A framework of the role `web` that knows shared resources, and an agent with 1000 MB of disk.
pub(crate) fn scene() -> Scene {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:1024;disk:1000");
    let scheduler = sharing(&mut master, "f");
    Scene { master, agent, pid, scheduler }
}

pub(crate) fn sharing(master: &mut Master, name: &str) -> Scheduler {
    let mut info = of_role(name, "web");
    info.capabilities.shared_resources = true;
    master.subscribe(info)
}

impl Scene {
    pub(crate) fn accept(&mut self, offer: &Offer, operations: impl IntoIterator<Item = AcceptOperation>) {
        accept(&mut self.master, &self.scheduler, &[offer], operations);
    }

    pub(crate) fn offer(&mut self) -> Arc<Offer> {
        self.master.offer(&self.scheduler)
    }

    pub(crate) fn total(&self) -> Resources {
        self.master.core.snapshot(self.master.now).agents[0].total.clone()
    }

    /// A task with a CPU and volumes.
    pub(crate) fn task(&self, id: &str, volumes: &[&Resource]) -> TaskInfo {
        let mut info = task(id, &self.agent, "cpus:1;mem:32");
        info.resources.extend(volumes.iter().copied().cloned());
        info
    }

    pub(crate) fn ends(&mut self, id: &str) {
        let status = status(&self.scheduler.id, &self.agent, &id.into(), TaskState::Finished, 1);
        self.master.from_agent(&self.pid, FromAgent::StatusUpdate(status));
        self.master.expect_status(&self.scheduler, TaskState::Finished);
    }

    pub(crate) fn refused(&mut self, id: &str) -> String {
        let status = self.master.expect_operation(&self.scheduler, id, OperationState::Error);
        status.message.clone().unwrap_or_default()
    }
}

/// Accepts; what is left is offered again at once.
pub(crate) fn accept(
    master: &mut Master,
    scheduler: &Scheduler,
    offers: &[&Offer],
    operations: impl IntoIterator<Item = AcceptOperation>,
) {
    let call = SchedulerCall::Accept {
        offer_ids: offers.iter().map(|offer| offer.id.clone()).collect(),
        operations: operations.into_iter().collect(),
        refuse: Duration::ZERO,
    };
    master.call(scheduler, call);
}

pub(crate) fn has(offer: &Offer, resource: &Resource) -> bool {
    offer.resources.clone().unallocated().contains_one(resource)
}
