//! Elections as Mesos' masters hold them: sequential ephemeral nodes `<election>_NNNNNNNNNN` below the path, of which the
//! lowest leads. A fence is the node itself: while it is there its session lives, and no other is the lowest.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;
use zookeeper_client::{Client, CreateMode, Error, OneshotWatcher};

use super::{Shared, nodes};
use crate::kv::campaign::{self, after_session, leads};
use crate::kv::{Fence, KvError, Leader, Observed, Standing};

/// Pause after something failed.
const PAUSE: Duration = Duration::from_millis(200);

/// A candidate. It outlives sessions until it has led.
pub(super) struct Candidate {
    shared: Arc<Shared>,
    election: String,
    /// The node's name, once it is known.
    node: Option<String>,
    /// The session that it belongs to.
    session: u64,
}

impl Candidate {
    pub(super) fn new(shared: Arc<Shared>, election: &str) -> Self {
        Self { shared, election: election.to_owned(), node: None, session: 0 }
    }

    /// Stands in one session, through all trouble that may pass while it lasts.
    async fn persist(&mut self, session: u64, value: &[u8], tell: &watch::Sender<Standing>) -> Standing {
        loop {
            let (client, now) = self.shared.session.connected().await;
            if now != session {
                // It is over, and whoever called is told so at this moment.
                std::future::pending::<()>().await;
            }
            let Err(trouble) = self.stay(&client, value, tell).await;
            match trouble {
                Trouble::Gone => return Standing::Lost { reason: "its node was removed".to_owned() },
                Trouble::Behind(name) => {
                    return Standing::Lost { reason: format!("'{name}' was put before its node") };
                }
                Trouble::Error(error) => match self.shared.session.error(&error) {
                    // Somebody who leads waits for better times until the session is over.
                    refused @ KvError::Denied { .. } if !leads(tell) => return Standing::Refused(refused),
                    error => {
                        warn!("candidate for {}: {error}", self.election);
                        sleep(PAUSE).await;
                    }
                },
            }
        }
    }

    /// Stands in one connection; ends only with trouble.
    async fn stay(
        &mut self,
        client: &Client,
        value: &[u8],
        tell: &watch::Sender<Standing>,
    ) -> Result<Infallible, Trouble> {
        let node = match &self.node {
            Some(node) => node.clone(),
            None => self.enter(client, value).await?,
        };
        self.node = Some(node.clone());
        loop {
            let (all, watcher) = list(&self.shared, client, &self.election).await?;
            let Some(place) = all.iter().position(|(_, name)| *name == node) else {
                return Err(Trouble::Gone);
            };
            if place == 0 && matches!(&*tell.borrow(), Standing::Waiting) {
                let place = self.shared.nodes.child(&node);
                let stat = client.check_stat(&place).await?.ok_or(Trouble::Gone)?;
                let fence =
                    Fence { election: self.election.clone(), epoch: stat.czxid.cast_unsigned(), place };
                tell.send_replace(Standing::Leading(fence));
            }
            // Whoever looks for the leader finds another one. A master of Mesos' gives up, too, when it detects another leader.
            if let Some((_, first)) = all.first().filter(|_| place > 0 && leads(tell)) {
                return Err(Trouble::Behind(first.clone()));
            }
            watcher.changed().await;
        }
    }

    /// Makes the node. If the connection was lost meanwhile, it may have been made in an earlier attempt.
    async fn enter(&self, client: &Client, value: &[u8]) -> Result<String, Error> {
        for (_, name) in list(&self.shared, client, &self.election).await?.0 {
            let stat = client.check_stat(&self.shared.nodes.child(&name)).await?;
            let own = stat.is_some_and(|stat| stat.ephemeral_owner == client.session_id().0);
            // A session may have several candidates.
            if own && self.shared.take(&name) {
                let found = client.get_data(&self.shared.nodes.child(&name)).await;
                if found.is_ok_and(|(found, _)| found == value) {
                    return Ok(name);
                }
                self.shared.give_back(&name);
            }
        }
        let path = self.shared.nodes.child(&format!("{}_", self.election));
        let options = self.shared.nodes.create(CreateMode::EphemeralSequential);
        let (_, number) = client.create(&path, value, &options).await?;
        let name = format!("{}_{number}", self.election);
        self.shared.take(&name);
        Ok(name)
    }
}

impl campaign::Candidate for Candidate {
    async fn run(&mut self, value: &[u8], tell: &watch::Sender<Standing>) -> Standing {
        loop {
            let session = self.shared.session.connected().await.1;
            (self.session, self.node) = (session, None);
            let shared = Arc::clone(&self.shared);
            // Whatever fails or is waited for in a session: when it is over, so is what was won in it.
            let end = tokio::select! {
                biased;
                () = shared.session.over(session) => None,
                end = self.persist(session, value, tell) => Some(end),
            };
            if let Some(end) = end.or_else(|| after_session(&self.election, tell)) {
                return end;
            }
        }
    }

    /// Removes the node, or waits for the session's end, which does that too.
    async fn withdraw(mut self) {
        let Some(node) = self.node.take() else { return };
        self.shared.give_back(&node);
        let path = self.shared.nodes.child(&node);
        let until = Instant::now() + self.shared.options.session_timeout;
        while Instant::now() < until {
            let (client, session) = tokio::select! {
                connected = self.shared.session.connected() => connected,
                () = self.shared.session.over(self.session) => return,
            };
            if session != self.session {
                return;
            }
            match timeout(self.shared.options.answer_timeout, client.delete(&path, None)).await {
                Ok(Ok(()) | Err(Error::NoNode)) => return,
                Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

enum Trouble {
    /// The node is not there any more.
    Gone,
    /// It led, and somebody made a node of this name, which is lower than its own.
    Behind(String),
    Error(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The candidates, and a watch for others.
async fn list(
    shared: &Shared,
    client: &Client,
    election: &str,
) -> Result<(Vec<(i64, String)>, OneshotWatcher), Error> {
    let path = shared.nodes.path();
    let listed = match client.list_and_watch_children(path).await {
        Err(Error::NoNode) => {
            // Somebody removed the path.
            client.mkdir(path, &shared.nodes.create(CreateMode::Persistent)).await?;
            client.list_and_watch_children(path).await
        }
        listed => listed,
    };
    let (children, watcher) = listed?;
    Ok((nodes::candidates(&children, election), watcher))
}

/// What the candidates say of themselves. Nobody ever stood where the path is not there.
pub(super) async fn values(shared: &Shared, client: &Client, election: &str) -> Result<Vec<Vec<u8>>, Error> {
    let children = match client.list_children(shared.nodes.path()).await {
        Err(Error::NoNode) => return Ok(Vec::new()),
        children => children?,
    };
    let mut values = Vec::new();
    for (_, name) in nodes::candidates(&children, election) {
        match client.get_data(&shared.nodes.child(&name)).await {
            Ok((value, _)) => values.push(value),
            // Gone between two questions.
            Err(Error::NoNode) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(values)
}

/// Tells who leads. Whatever fails is tried again; nothing is waited for without a bound but news.
pub(super) async fn observe(shared: Arc<Shared>, election: String, tell: watch::Sender<Observed>) {
    let publish = |observed: Observed| {
        tell.send_if_modified(|told| {
            let new = *told != observed;
            *told = observed;
            new
        });
    };
    loop {
        let (client, session) = match shared.session.settled().await {
            Ok(connected) => connected,
            Err(error) => {
                publish(Observed::Unavailable { reason: error.to_string() });
                shared.session.connected().await;
                continue;
            }
        };
        let looked = timeout(shared.options.answer_timeout, look(&shared, &client, &election)).await;
        match looked.unwrap_or(Err(Error::Timeout)) {
            Ok((observed, watcher)) => {
                publish(observed);
                tokio::select! {
                    _ = watcher.changed() => {}
                    () = shared.session.over(session) => {}
                }
            }
            Err(error) => {
                warn!("cannot see who leads {election}: {error}");
                if let denied @ KvError::Denied { .. } = shared.session.error(&error) {
                    publish(Observed::Unavailable { reason: denied.to_string() });
                }
                sleep(PAUSE).await;
            }
        }
    }
}

async fn look(shared: &Shared, client: &Client, election: &str) -> Result<(Observed, OneshotWatcher), Error> {
    loop {
        let (all, watcher) = list(shared, client, election).await?;
        let Some((_, first)) = all.first() else { return Ok((Observed::Nobody, watcher)) };
        match client.get_data(&shared.nodes.child(first)).await {
            Ok((value, stat)) => {
                let leader = Leader { epoch: stat.czxid.cast_unsigned(), value };
                return Ok((Observed::Leader(leader), watcher));
            }
            // Gone between two questions: the next answer says who follows.
            Err(Error::NoNode) => {}
            Err(error) => return Err(error),
        }
    }
}
