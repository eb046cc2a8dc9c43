//! Performing checks of tasks: the core says what and when, and is told how each ended.
//!
//! A command is run in the task's container, by the launcher; what goes over the network is done here, by
//! [`network`], the one place that knows where a task's network is. No check is performed longer than it may take,
//! and none that was called off is heard of again.

mod command;
mod http;
mod network;
mod outcome;
mod tcp;
mod tls;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::{CheckId, CheckOrder, CheckOutcome, CheckStatus, Input, Probe};
use containerizer::{Isolation, Launcher};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::engine::CoreHandle;

/// How to stop a check.
enum UnderWay {
    /// A task of the runtime.
    Task(AbortHandle),
    /// A command in a container.
    Visit,
}

/// Performs checks.
pub(crate) struct Checks {
    launcher: Arc<dyn Launcher>,
    /// What the launcher isolates.
    isolation: Option<Isolation>,
    runtime: Handle,
    core: CoreHandle,
    tls: Arc<tls::Unverified>,
    under_way: HashMap<CheckId, UnderWay>,
}

impl Checks {
    pub(crate) fn new(
        launcher: Arc<dyn Launcher>,
        isolation: Option<Isolation>,
        runtime: Handle,
        core: CoreHandle,
    ) -> Self {
        let under_way = HashMap::new();
        Self { launcher, isolation, runtime, core, tls: Arc::default(), under_way }
    }

    /// Begins one. How it ends comes as an input.
    pub(crate) fn perform(&mut self, order: CheckOrder) {
        let CheckOrder { id, probe, timeout, .. } = &order;
        let (id, timeout) = (*id, *timeout);
        match probe {
            Probe::Command(line) => {
                self.under_way.insert(id, UnderWay::Visit);
                let (runtime, core) = (self.runtime.clone(), self.core.clone());
                let tell = move |outcome| {
                    runtime.spawn(answer(core, id, outcome));
                };
                match command::visit(&order, line, self.isolation.as_ref()) {
                    Ok(visit) => {
                        let done = move |end| tell(outcome::of_visit(end, timeout));
                        self.launcher.enter(visit, Box::new(done));
                    }
                    // It was launched like this: the agent isolates otherwise by now.
                    Err(why) => tell(CheckOutcome::Unavailable(why)),
                }
            }
            Probe::Http { https, port, path, ipv6 } => {
                let request = http::Target::of(*https, *port, path, *ipv6);
                let tls = Arc::clone(&self.tls);
                self.spawn(id, timeout, async move {
                    Ok(CheckStatus::Http(Some(http::status_code(request?, &tls).await?.into())))
                });
            }
            Probe::Tcp { port, ipv6 } => {
                let (port, ipv6) = (*port, *ipv6);
                self.spawn(id, timeout, async move {
                    let port = network::port(port)?;
                    Ok(CheckStatus::Tcp(Some(tcp::connects(network::own_address(ipv6), port).await)))
                });
            }
        }
    }

    /// Stops one that nobody waits for any more.
    pub(crate) fn cancel(&mut self, id: CheckId) {
        match self.under_way.remove(&id) {
            Some(UnderWay::Task(task)) => task.abort(),
            Some(UnderWay::Visit) => self.launcher.expel(id.0),
            None => {}
        }
    }

    /// One has ended.
    pub(crate) fn ended(&mut self, id: CheckId) {
        self.under_way.remove(&id);
    }

    fn spawn(
        &mut self,
        id: CheckId,
        timeout: Option<Duration>,
        check: impl Future<Output = Result<CheckStatus, String>> + Send + 'static,
    ) {
        let core = self.core.clone();
        let task = self.runtime.spawn(async move {
            let result = match timeout {
                Some(timeout) => tokio::time::timeout(timeout, check)
                    .await
                    .unwrap_or_else(|_| Err(outcome::timed_out(timeout))),
                None => check.await,
            };
            answer(core, id, result.map_or_else(CheckOutcome::Failed, CheckOutcome::Found)).await;
        });
        self.under_way.insert(id, UnderWay::Task(task.abort_handle()));
    }
}

async fn answer(core: CoreHandle, check: CheckId, outcome: CheckOutcome) {
    // Nobody is left to be told when the agent ends.
    let _ = core.input(Input::CheckEnded { check, outcome }).await;
}
