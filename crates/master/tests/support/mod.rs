//! What the tests of the master share: a master of their own, a scheduler, an agent that is no agent, and plain HTTP.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test file uses a part")]

mod agent;
pub mod api;
mod events;
mod http;
mod scheduler;

use std::time::Duration;

use master::{MasterOptions, MasterServer};

pub use agent::{FakeAgent, Taking, proto_scalar};
pub use events::Events;
pub use http::{Answer, form, get, json, raw, request};
pub use scheduler::{Scheduler, Subscription, scalar};

/// Longest time that anything may take; what takes longer will never come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a state; the description is for the failure.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// As [`master_with`], for tests that look at an agent for long and do not answer pings meanwhile: it is lost if its connection
/// breaks, and soon then.
pub async fn patient_master(change: impl FnOnce(&mut MasterOptions)) -> MasterServer {
    master_with(|options| {
        options.agent_reregister_timeout = Duration::from_millis(100);
        change(options);
    })
    .await
}

/// A master on a free port of this machine, quick in all that it does of itself. Agents may be silent: those of tests answer pings
/// only while something is awaited of them.
pub async fn master() -> MasterServer {
    master_with(|_| ()).await
}

/// The same, with other options.
pub async fn master_with(change: impl FnOnce(&mut MasterOptions)) -> MasterServer {
    let mut options = MasterOptions {
        allocation_interval: Duration::from_millis(20),
        agent_ping_timeout: 10 * PATIENCE,
        seed: Some(7),
        ..MasterOptions::loopback()
    };
    change(&mut options);
    MasterServer::start(options).await.unwrap()
}
