//! A master and an agent in this process.
#![allow(dead_code, reason = "each test binary uses its own part")]

use agent::{AgentOptions, AgentServer};
use master::{MasterOptions, MasterServer};
use sdk::Masters;
use tempfile::TempDir;

/// Ended by [`Cluster::stop`].
pub(crate) struct Cluster {
    pub(crate) master: MasterServer,
    agent: AgentServer,
    _directory: TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let master = MasterServer::start(MasterOptions::loopback()).await.unwrap();
        let options = AgentOptions {
            resources: Some("cpus:4;mem:1024;disk:1024;ports:[31000-31099]".to_owned()),
            registration_backoff_factor: std::time::Duration::from_millis(50),
            ..AgentOptions::loopback(master.address().to_string(), directory.path())
        };
        let agent = AgentServer::start(options).await.unwrap();
        Self { master, agent, _directory: directory }
    }

    pub(crate) fn masters(&self) -> Masters {
        Masters::parse(&self.master.address().to_string()).unwrap()
    }

    /// Ends the master and starts another one on its port, which knows nothing yet.
    pub(crate) async fn replace_master(self) -> Self {
        let port = self.master.address().port();
        self.master.shutdown().await;
        // An outgoing connection of somebody else may have got the port for a moment.
        for _ in 0..1000 {
            let options = MasterOptions { port, ..MasterOptions::loopback() };
            match MasterServer::start(options).await {
                Ok(master) => return Self { master, ..self },
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
        panic!("the port {port} is never free again");
    }

    pub(crate) async fn stop(self) {
        self.agent.shutdown().await;
        self.master.shutdown().await;
    }
}

/// Gives what ought to end a limit.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(60), what).await.expect("it ends in time")
}
