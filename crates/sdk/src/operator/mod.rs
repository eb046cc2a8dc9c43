//! The operator client: asks a master or an agent what it knows, over `POST /api/v1` and the older endpoints.

mod changes;
mod events;
mod explain;
mod files;
mod probe;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use proto::v1::{agent, master};
use proto::{Described, Message};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, sleep};

pub use crate::http::exchange::ExchangeError;
pub use events::Events;
pub use explain::Explanation;
pub use files::{Chunk, sandbox_path};
pub use probe::{Probe, probe};

use crate::address::{Address, Masters};
use crate::encoding::Encoding;
use crate::finder::Finder;
use crate::http::exchange::{self, Answer};

/// Where operators call.
const PATH: &str = "/api/v1";
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer taken; the state of a cluster of ten thousand agents fits.
const MAX_ANSWER: usize = 1 << 30;
const MAX_REDIRECTS: usize = 4;
/// The header that says how many entries of a list match before paging.
const TOTAL: &str = "meseta-total";
/// How long a master that a service names may take to lead, or the service to name another one.
const ELECTION: Duration = Duration::from_secs(15);
/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The server could not be spoken to.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The server refused.
    #[error("{peer} refused {what} with {status}: {message}")]
    Refused {
        /// Who.
        peer: Address,
        /// The call's type, or the path asked for.
        what: String,
        /// The HTTP status.
        status: StatusCode,
        /// The server's own words.
        message: String,
    },
    /// The answer is not what was asked for.
    #[error("{peer} answered {what} with what cannot be read: {reason}")]
    Unreadable {
        /// Who.
        peer: Address,
        /// The call's type, or the path asked for.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be found out who leads.
    #[error("no leading master is found through {masters}: {reason}")]
    Undetected {
        /// Through what.
        masters: Masters,
        /// Why not.
        reason: String,
    },
    /// A stream of events came to its end.
    #[error("the events of {peer} ended: {reason}")]
    Ended {
        /// Who sent them.
        peer: Address,
        /// What happened.
        reason: String,
    },
    /// No master leads, or they point to each other.
    #[error("none of the masters {masters} leads now")]
    NoLeader {
        /// Those that were asked.
        masters: Masters,
    },
}

impl OperatorError {
    /// The status with which the server refused.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether nothing was done, and it may work when the masters have a leader again.
    fn may_pass(&self) -> bool {
        match self {
            Self::NoLeader { .. } | Self::Exchange(ExchangeError::Connect { .. }) => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Exchange(_) | Self::Unreadable { .. } | Self::Undetected { .. } | Self::Ended { .. } => {
                false
            }
        }
    }
}

/// Asks one server, or the leader among several masters.
#[derive(Clone, Debug)]
pub struct Operator {
    servers: Masters,
    finder: Arc<OnceCell<Mutex<Finder>>>,
}

impl Operator {
    /// Asks the leader of these masters.
    #[must_use]
    pub fn new(masters: Masters) -> Self {
        Self { servers: masters, finder: Arc::default() }
    }

    /// Asks the agent at `address`.
    #[must_use]
    pub fn agent(address: Address) -> Self {
        Self { servers: address.into(), finder: Arc::default() }
    }

    /// Makes an operator call of a master's.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn call(&self, call: &master::Call) -> Result<master::Response, OperatorError> {
        Box::pin(self.exchange(call.r#type().as_str_name(), call)).await
    }

    /// Makes an operator call of an agent's.
    ///
    /// # Errors
    /// When the agent does not answer, or refuses.
    pub async fn call_agent(&self, call: &agent::Call) -> Result<agent::Response, OperatorError> {
        Box::pin(self.exchange(call.r#type().as_str_name(), call)).await
    }

    /// Makes a call of a master's that has no parameters.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn ask(&self, kind: master::call::Type) -> Result<master::Response, OperatorError> {
        // Calls and answers are large, and so would be what waits for them.
        let call = Box::new(master::Call { r#type: Some(kind.into()), ..master::Call::default() });
        self.call(&call).await
    }

    /// The agents of the cluster.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn agents(&self) -> Result<master::response::GetAgents, OperatorError> {
        Ok(self.ask(master::call::Type::GetAgents).await?.get_agents.unwrap_or_default())
    }

    /// The frameworks of the cluster.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn frameworks(&self) -> Result<master::response::GetFrameworks, OperatorError> {
        Ok(self.ask(master::call::Type::GetFrameworks).await?.get_frameworks.unwrap_or_default())
    }

    /// The tasks of the cluster.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn tasks(&self) -> Result<master::response::GetTasks, OperatorError> {
        Ok(self.ask(master::call::Type::GetTasks).await?.get_tasks.unwrap_or_default())
    }

    /// The JSON at `path`, such as `/state` or `/metrics/snapshot`.
    ///
    /// # Errors
    /// When no leader answers, it refuses, or the answer is no JSON.
    pub async fn get(&self, path: &str) -> Result<serde_json::Value, OperatorError> {
        self.get_as(path).await
    }

    /// The JSON at `path`, read as a `T`.
    ///
    /// # Errors
    /// When no leader answers, it refuses, or the answer is not the JSON of a `T`.
    pub async fn get_as<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, OperatorError> {
        Ok(self.get_listing(path).await?.0)
    }

    /// A page of the list at `path`, such as `/tasks?limit=10`, and how many entries match before paging. Only Meseta's
    /// masters say the latter.
    ///
    /// # Errors
    /// When no leader answers, it refuses, or the answer is not the JSON of a `T`.
    pub async fn get_listing<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, Option<usize>), OperatorError> {
        let answer = Box::pin(self.follow(path, |peer| exchange::get(peer, path))).await?;
        let total = answer.headers.get(TOTAL).and_then(|total| total.to_str().ok()?.parse().ok());
        let (peer, body) = whole(answer).await?;
        match serde_json::from_slice(&body) {
            Ok(read) => Ok((read, total)),
            Err(e) => Err(OperatorError::Unreadable { peer, what: path.to_owned(), reason: e.to_string() }),
        }
    }

    /// Posts a form to `path` and gives what is answered, which may be nothing.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Bytes, OperatorError> {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", form_escape(value))).collect();
        let body = fields.join("&");
        let answer =
            Box::pin(self.follow(path, |peer| exchange::post_form(peer, path, body.clone()))).await?;
        Ok(whole(answer).await?.1)
    }

    async fn exchange<C, R>(&self, name: &str, call: &C) -> Result<R, OperatorError>
    where
        C: Message + Described,
        R: Message + Default + Described,
    {
        let encoding = Encoding::Protobuf;
        let body = encoding.encode(call);
        let request = |peer: &Address| exchange::post(peer, PATH, encoding, None, body.clone());
        let (peer, body) = whole(Box::pin(self.follow(name, request)).await?).await?;
        encoding.decode(body).map_err(|e| OperatorError::Unreadable {
            peer,
            what: name.to_owned(),
            reason: e.to_string(),
        })
    }

    /// The servers to ask: those of the list, or the one that a service knows to lead.
    async fn find(&self) -> Result<Vec<Address>, OperatorError> {
        if self.servers.service().is_none() {
            return Ok(self.servers.addresses().to_vec());
        }
        let finder = self.finder.get_or_init(async || Mutex::new(Finder::new(&self.servers))).await;
        let found = finder.lock().await.master(0).await;
        found
            .map(|leader| vec![leader])
            .map_err(|reason| OperatorError::Undetected { masters: self.servers.clone(), reason })
    }

    /// Asks until a master answers that leads. Where a service names it, it may not know that itself yet, or be gone
    /// without the service knowing, and so is given some time.
    async fn follow(
        &self,
        what: &str,
        request: impl Fn(&Address) -> Result<http::Request<http_body_util::Full<Bytes>>, ExchangeError>,
    ) -> Result<Answer, OperatorError> {
        let until = Instant::now() + ELECTION;
        loop {
            match self.follow_once(what, &request).await {
                Err(error)
                    if self.servers.service().is_some()
                        && error.may_pass()
                        && Instant::now() + PAUSE < until =>
                {
                    tracing::debug!("asking again: {error}");
                    sleep(PAUSE).await;
                }
                settled => return settled,
            }
        }
    }

    /// Asks the servers in turn, following a standby master to its leader. The last trouble is what is told.
    async fn follow_once(
        &self,
        what: &str,
        request: &impl Fn(&Address) -> Result<http::Request<http_body_util::Full<Bytes>>, ExchangeError>,
    ) -> Result<Answer, OperatorError> {
        let mut trouble = OperatorError::NoLeader { masters: self.servers.clone() };
        for server in &self.find().await? {
            let mut peer = server.clone();
            for _ in 0..=MAX_REDIRECTS {
                let one = async { exchange::send(&peer, request(&peer)?).await };
                let answer = match exchange::within(TIMEOUT, &peer, one).await {
                    Ok(answer) => answer,
                    Err(error) => {
                        trouble = error.into();
                        break;
                    }
                };
                if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                    // This one does not know the leader, or is not ready; another one may.
                    trouble = refused(what, answer).await;
                    break;
                }
                if answer.status != StatusCode::TEMPORARY_REDIRECT {
                    return if answer.status.is_success() {
                        Ok(answer)
                    } else {
                        Err(refused(what, answer).await)
                    };
                }
                if self.servers.service().is_some() {
                    break; // What the service says is newer.
                }
                let location = answer.headers.get(http::header::LOCATION).and_then(|l| l.to_str().ok());
                match location.and_then(Address::from_location) {
                    Some(leader) => peer = leader,
                    None => break,
                }
            }
        }
        Err(trouble)
    }
}

/// The whole body of an answer.
async fn whole(answer: Answer) -> Result<(Address, Bytes), OperatorError> {
    let peer = answer.peer.clone();
    let body = Box::pin(exchange::within(TIMEOUT, &peer, answer.collect(MAX_ANSWER))).await?;
    Ok((peer, body))
}

async fn refused(what: &str, answer: Answer) -> OperatorError {
    let (peer, status) = (answer.peer.clone(), answer.status);
    OperatorError::Refused { peer, what: what.to_owned(), status, message: answer.explain().await }
}

/// A value as forms and queries have it: all but letters, digits and a few marks as `%XX`.
#[must_use]
pub fn form_escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn form_values_are_escaped() {
        assert_eq!(super::form_escape("a-1 b&c=\u{e9}"), "a-1%20b%26c%3D%C3%A9");
    }
}
