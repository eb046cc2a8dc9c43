//! Calls to whichever member answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::wire::{ErrorAnswer, KeyValue, Streamed, TokenAnswer, WatchAnswer, encode, end_of};
use crate::kv::KvError;
use crate::url::{EtcdTls, EtcdUrl};

/// Pause after something failed.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// How long one member may take: it forwards what it cannot answer itself, and knows by then that it cannot.
const ONE: Duration = Duration::from_secs(3);

/// The longest answer; a page of entries fits many times.
const LONGEST: usize = 1 << 30;

/// The longest line of a watch. A member tells of what it took at once in one line; by default it takes 1.5 MiB at once, and as a
/// line of JSON that is twice as much.
const LONGEST_LINE: usize = 64 << 20;

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The members, and how they are spoken to.
#[derive(Debug)]
pub(super) struct Calls {
    name: String,
    endpoints: Vec<String>,
    /// Which of them is asked.
    current: AtomicUsize,
    credentials: Option<(String, String)>,
    token: Mutex<Option<String>>,
    http: Result<Http, String>,
    trouble: Mutex<Option<KvError>>,
}

/// Why one attempt came to nothing.
enum Failure {
    /// The call did not reach anybody.
    NotSent(KvError),
    /// It may have been done or not.
    Unknown(KvError),
    /// The token is old.
    Unauthenticated,
    /// An answer, and final.
    Final(KvError),
}

impl Calls {
    pub(super) fn new(url: &EtcdUrl) -> Self {
        let scheme = if url.tls.is_some() { "https" } else { "http" };
        Self {
            name: url.to_string(),
            endpoints: url.endpoints.iter().map(|endpoint| format!("{scheme}://{endpoint}")).collect(),
            current: AtomicUsize::new(0),
            credentials: url.credentials.clone(),
            token: Mutex::default(),
            http: client(url.tls.as_ref()),
            trouble: Mutex::default(),
        }
    }

    /// For people: no password in it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What went wrong in the last attempt, if anything did.
    pub(super) fn trouble(&self) -> Option<KvError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<KvError>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn unavailable(&self, reason: impl Into<String>) -> KvError {
        KvError::Unavailable { store: self.name.clone(), reason: reason.into() }
    }

    /// Calls until somebody answers; the caller bounds it.
    pub(super) async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        kind: Kind,
    ) -> Result<A, KvError> {
        self.call_each(path, question, kind, ONE).await
    }

    /// As [`Self::call`], with a bound of its own for each member.
    pub(super) async fn call_each<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        kind: Kind,
        each: Duration,
    ) -> Result<A, KvError> {
        let body =
            Bytes::from(serde_json::to_vec(question).map_err(|error| self.unavailable(error.to_string()))?);
        let mut renewed = false;
        loop {
            let answer = timeout(each, self.one::<A>(path, body.clone())).await;
            let late = || KvError::Timeout { store: self.name.clone(), after: each };
            let (error, again) = match answer.unwrap_or_else(|_| Err(Failure::Unknown(late()))) {
                Ok(answer) => {
                    self.note(None);
                    return Ok(answer);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Unauthenticated) => {
                    // A new token that is refused as well is not asked for again and again without a rest.
                    if std::mem::replace(&mut renewed, true) {
                        sleep(PAUSE).await;
                    }
                    match self.authenticate().await {
                        Ok(()) => continue,
                        Err(denied @ KvError::Denied { .. }) => return Err(denied),
                        // A member without a leader cannot tell; another one may.
                        Err(error) => (error, true),
                    }
                }
                Err(Failure::NotSent(error)) => (error, true),
                Err(Failure::Unknown(error)) => (error, kind == Kind::Read),
            };
            self.note(Some(error.clone()));
            // The next member may do better.
            self.current.fetch_add(1, Ordering::Relaxed);
            if !again {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    async fn one<A: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<A, Failure> {
        let answer = self.send(path, body).await?;
        let read = http_body_util::Limited::new(answer, LONGEST).collect().await;
        let read = read.map_err(|error| Failure::Unknown(self.unavailable(error.to_string())))?.to_bytes();
        serde_json::from_slice(&read).map_err(|error| {
            Failure::Unknown(self.unavailable(format!("its answer cannot be read: {error}")))
        })
    }

    /// Asks the current member; its answer, if it is one.
    async fn send(&self, path: &str, body: Bytes) -> Result<Incoming, Failure> {
        let http = self.http.as_ref().map_err(|reason| {
            Failure::Final(KvError::Denied { store: self.name.clone(), reason: reason.clone() })
        })?;
        let current = self.current.load(Ordering::Relaxed) % self.endpoints.len().max(1);
        let endpoint = self.endpoints.get(current).map_or("", String::as_str);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{endpoint}/v3/{path}"))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = self.token.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| Failure::Final(self.unavailable(error.to_string())))?;
        let answer = http.request(request).await.map_err(|error| {
            let reason = format!("{endpoint}: {}", chain(&error));
            if error.is_connect() {
                Failure::NotSent(self.unavailable(reason))
            } else {
                Failure::Unknown(self.unavailable(reason))
            }
        })?;
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body());
        }
        let status = answer.status();
        let read = http_body_util::Limited::new(answer.into_body(), LONGEST).collect().await;
        let said = read.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(self.refusal(status, &serde_json::from_slice(&said).unwrap_or_default()))
    }

    /// What an error means, by gRPC's code.
    fn refusal(&self, status: StatusCode, said: &ErrorAnswer) -> Failure {
        let text = if said.message.is_empty() { &said.error } else { &said.message };
        let reason = if text.is_empty() { status.to_string() } else { text.clone() };
        let denied = |reason| KvError::Denied { store: self.name.clone(), reason };
        match said.code {
            16 if self.credentials.is_some() => Failure::Unauthenticated,
            // Somebody's rights have changed since the token was signed. Nothing was done.
            3 if reason.contains("auth store is old") => Failure::Unauthenticated,
            // Invalid argument, denied, not authenticated.
            3 if reason.contains("user name is empty") => Failure::Unauthenticated,
            3 | 7 | 16 => Failure::Final(denied(reason)),
            5 => Failure::Final(self.unavailable(reason)),
            _ => Failure::Unknown(self.unavailable(reason)),
        }
    }

    async fn authenticate(&self) -> Result<(), KvError> {
        let denied = |reason: String| KvError::Denied { store: self.name.clone(), reason };
        let Some((name, password)) = &self.credentials else {
            return Err(denied("it wants a user and a password".to_owned()));
        };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let question = json!({ "name": name, "password": password }).to_string();
        let answer = timeout(ONE, self.one::<TokenAnswer>("auth/authenticate", question.into())).await;
        let answer = match answer.unwrap_or_else(|_| Err(Failure::Unknown(self.unavailable("no answer")))) {
            Ok(answer) => answer,
            Err(Failure::NotSent(error) | Failure::Unknown(error) | Failure::Final(error)) => {
                return Err(error);
            }
            Err(Failure::Unauthenticated) => return Err(denied("wrong user or password".to_owned())),
        };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.token);
        Ok(())
    }

    /// Watches all that begins with this, from a revision on.
    pub(super) async fn watch(&self, prefix: &str, from: Option<u64>) -> Result<Stream, KvError> {
        let mut create =
            json!({ "key": encode(prefix.as_bytes()), "range_end": encode(&end_of(prefix.as_bytes())) });
        if let Some(from) = from {
            create["start_revision"] = from.to_string().into();
        }
        let question = json!({ "create_request": create }).to_string();
        let late = || Err(Failure::Unknown(self.unavailable("no answer")));
        match timeout(ONE, self.send("watch", question.into())).await.unwrap_or_else(|_| late()) {
            Ok(body) => Ok(Stream { name: self.name.clone(), body, read: Vec::new(), searched: 0 }),
            Err(Failure::Unauthenticated) => {
                self.authenticate().await?;
                Err(self.unavailable("its token was old"))
            }
            Err(Failure::NotSent(error) | Failure::Unknown(error) | Failure::Final(error)) => {
                self.current.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}

/// Events as they come, one line of JSON for each answer.
#[derive(Debug)]
pub(super) struct Stream {
    name: String,
    body: Incoming,
    read: Vec<u8>,
    /// How much of it has no end of a line.
    searched: usize,
}

impl Stream {
    /// The next answer's events, with whether they are removals; the first answer has none. `None` when the stream is over: the
    /// member has ended it, or says what nobody could follow, which is in the log.
    pub(super) async fn next(&mut self) -> Option<Vec<(bool, KeyValue)>> {
        let line = self.line().await?;
        match serde_json::from_slice::<Streamed<WatchAnswer>>(&line) {
            Ok(Streamed { result }) if result.canceled => {
                // What was asked for is compacted, say; whoever begins anew lists first.
                info!("a watch was ended by {}: {}", self.name, result.reason());
                None
            }
            Ok(Streamed { result }) => {
                Some(result.events.into_iter().map(|event| (event.is_removal(), event.kv)).collect())
            }
            Err(error) => {
                let said = String::from_utf8_lossy(line.get(..200).unwrap_or(&line));
                warn!("a watch of {} said what cannot be read, and begins anew: {error}: {said}", self.name);
                None
            }
        }
    }

    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.read.get(self.searched..)?.iter().position(|byte| *byte == b'\n');
            if let Some(at) = end {
                let line = self.read.drain(..=self.searched + at).collect();
                self.searched = 0;
                return Some(line);
            }
            self.searched = self.read.len();
            if self.searched > LONGEST_LINE {
                warn!(
                    "a watch of {} begins anew: it said more than {LONGEST_LINE} bytes in one line",
                    self.name
                );
                return None;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}

fn client(tls: Option<&EtcdTls>) -> Result<Http, String> {
    let config = config(tls)?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(ONE / 2));
    connector.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(60)).build(connector))
}

fn config(tls: Option<&EtcdTls>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    let Some(tls) = tls else {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    };
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate).map_err(|error| format!("'{}': {error}", tls.ca.display()))?;
    }
    let builder = builder.with_root_certificates(roots);
    let Some((certificate, key)) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("'{}': {error}", key.display()))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("cannot read certificates from '{}': {error}", path.display());
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(wrong)?.collect::<Result<_, _>>().map_err(wrong)?;
    if found.is_empty() { Err(format!("there is no certificate in '{}'", path.display())) } else { Ok(found) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
