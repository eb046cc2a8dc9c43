//! The session: made, watched, and made anew when it is over.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tracing::{info, warn};
use zookeeper_client::{Client, CreateMode, Error, SessionState};

use super::errors;
use super::nodes::Nodes;
use crate::kv::watch::AbortOnDrop;
use crate::kv::{KvError, Options};
use crate::url::ZooKeeperUrl;

/// Pause before the next attempt to connect; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How the session stands.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// There is none yet.
    Starting,
    /// There is one.
    Up {
        /// To be used only while this is so.
        client: Client,
        /// Tells sessions apart.
        number: u64,
    },
    /// The connection is lost; the session may go on.
    Interrupted {
        /// Which session.
        number: u64,
    },
    /// There is none, and the last attempt to get one failed.
    Down(KvError),
}

impl Link {
    fn is_session(&self, wanted: u64) -> bool {
        matches!(self, Self::Up { number, .. } | Self::Interrupted { number } if *number == wanted)
    }
}

/// The session of a store. Its connection is made in the background.
#[derive(Debug)]
pub(super) struct Session {
    name: String,
    link: watch::Receiver<Link>,
    _task: AbortOnDrop,
}

impl Session {
    pub(super) fn start(url: &ZooKeeperUrl, options: Options, nodes: Nodes) -> Self {
        let name = url.to_string();
        let (tell, link) = watch::channel(Link::Starting);
        let keeper =
            Keeper { url: url.clone(), name: name.clone(), timeout: options.session_timeout, nodes, tell };
        Self { name, link, _task: AbortOnDrop(tokio::spawn(keeper.keep())) }
    }

    /// For people: no password in it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn error(&self, error: &Error) -> KvError {
        errors::meaning(&self.name, error)
    }

    /// Why there is no session, if it is known.
    pub(super) fn trouble(&self) -> Option<KvError> {
        match &*self.link.borrow() {
            Link::Down(error) => Some(error.clone()),
            Link::Interrupted { .. } => Some(KvError::Unavailable {
                store: self.name.clone(),
                reason: "the connection is lost".to_owned(),
            }),
            Link::Starting | Link::Up { .. } => None,
        }
    }

    /// Waits for a connection.
    pub(super) async fn client(&self) -> Client {
        self.connected().await.0
    }

    /// Waits for a connection; also the number of its session.
    pub(super) async fn connected(&self) -> (Client, u64) {
        self.wait(|link| match link {
            Link::Up { client, number } => Some((client.clone(), *number)),
            _ => None,
        })
        .await
    }

    /// Waits for a connection or for the reason why there is none.
    pub(super) async fn settled(&self) -> Result<(Client, u64), KvError> {
        self.wait(|link| match link {
            Link::Up { client, number } => Some(Ok((client.clone(), *number))),
            Link::Down(error) => Some(Err(error.clone())),
            Link::Starting | Link::Interrupted { .. } => None,
        })
        .await
    }

    /// Waits until a session is over.
    pub(super) async fn over(&self, number: u64) {
        self.wait(|link| (!link.is_session(number)).then_some(())).await;
    }

    async fn wait<T>(&self, mut wanted: impl FnMut(&Link) -> Option<T>) -> T {
        let mut link = self.link.clone();
        loop {
            if let Some(found) = wanted(&link.borrow_and_update()) {
                return found;
            }
            if link.changed().await.is_err() {
                // The keeper ends only with the session's owner.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Keeps a session.
struct Keeper {
    url: ZooKeeperUrl,
    name: String,
    timeout: Duration,
    nodes: Nodes,
    tell: watch::Sender<Link>,
}

impl Keeper {
    async fn keep(self) {
        let mut pause = FIRST_PAUSE;
        let mut reported = None;
        for number in 1.. {
            match timeout(self.timeout, self.connect()).await.unwrap_or(Err(Error::Timeout)) {
                Ok(client) => {
                    info!(
                        "session {} with {}, for {:?}",
                        client.session_id(),
                        self.name,
                        client.session_timeout()
                    );
                    (pause, reported) = (FIRST_PAUSE, None);
                    let over = self.watch(client, number).await;
                    warn!("the session with {} is over: {over}", self.name);
                    self.tell.send_replace(Link::Down(errors::meaning(&self.name, &Error::SessionExpired)));
                }
                Err(error) => {
                    if reported.as_ref() != Some(&error) {
                        warn!("no session with {} yet: {error}", self.name);
                        reported = Some(error.clone());
                    }
                    self.tell.send_replace(Link::Down(errors::meaning(&self.name, &error)));
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// A new session, with the path there. Names are looked up anew each time.
    async fn connect(&self) -> Result<Client, Error> {
        let mut connector = Client::connector().with_session_timeout(self.timeout).with_fail_eagerly();
        if let Some(credentials) = &self.url.credentials {
            connector = connector.with_auth("digest", credentials.as_bytes());
        }
        let client = connector.connect(&self.url.servers).await?;
        let path = self.nodes.path();
        // Who may only read is content with a path that is there.
        if path != "/" && client.check_stat(path).await?.is_none() {
            client.mkdir(path, &self.nodes.create(CreateMode::Persistent)).await?;
        }
        Ok(client)
    }

    /// Watches a session to its end, and says what ended it.
    async fn watch(&self, client: Client, number: u64) -> String {
        // The connection is given up after two fifths of the timeout without a sign of life, so after three more the server
        // may have given the session to the next. That is the moment to stop, not when it can be asked again.
        let patience = client.session_timeout() * 3 / 5;
        let mut states = client.state_watcher();
        let mut state = states.state();
        let mut deadline = None;
        let mut clock = Clock::new(patience);
        loop {
            match state {
                SessionState::SyncConnected => {
                    deadline = None;
                    self.tell.send_replace(Link::Up { client: client.clone(), number });
                }
                SessionState::Disconnected | SessionState::ConnectedReadOnly => {
                    deadline.get_or_insert_with(|| Instant::now() + patience);
                    self.tell.send_replace(Link::Interrupted { number });
                }
                SessionState::Expired | SessionState::AuthFailed | SessionState::Closed => {
                    return state.to_string();
                }
            }
            tokio::select! {
                next = states.changed() => state = next,
                () = at(deadline) => return format!("no connection for {patience:?}"),
                () = clock.stopped() => return "this process stood still".to_owned(),
            }
        }
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Notices that the process was stopped for longer than it may be.
struct Clock {
    longest: Duration,
    ticks: tokio::time::Interval,
    last: Instant,
}

impl Clock {
    fn new(longest: Duration) -> Self {
        let mut ticks = interval((longest / 8).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { longest, ticks, last: Instant::now() }
    }

    async fn stopped(&mut self) {
        loop {
            self.ticks.tick().await;
            let now = Instant::now();
            let gap = now - std::mem::replace(&mut self.last, now);
            if gap > self.longest {
                return;
            }
        }
    }
}
