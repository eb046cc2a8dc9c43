//! One server asked as it is: no leader is looked for, and no redirection is followed. That is how one finds out which
//! servers are there and how they are.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;

use super::OperatorError;
use crate::address::Address;
use crate::http::exchange;

/// The largest answer taken.
const MAX_ANSWER: usize = 64 << 20;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The status, a refusal's too.
    pub status: StatusCode,
    /// When the answer was made, by the server's own clock: its header `Date`, in full seconds.
    pub date: Option<String>,
    /// Where a standby master leads to.
    pub location: Option<String>,
    /// How long the answer took.
    pub took: Duration,
    /// The body.
    pub body: Bytes,
}

impl Probe {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Gets `path` from the server at `peer`, which has `limit` for the whole answer.
///
/// # Errors
/// When nobody answers there in time.
pub async fn probe(peer: &Address, path: &str, limit: Duration) -> Result<Probe, OperatorError> {
    let begun = Instant::now();
    let whole = async {
        let answer = exchange::send(peer, exchange::get(peer, path)?).await?;
        let header =
            |name| answer.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let (date, location) = (header(http::header::DATE), header(http::header::LOCATION));
        let (date, location) = (date.map(ToOwned::to_owned), location.map(ToOwned::to_owned));
        let (status, took) = (answer.status, begun.elapsed());
        let body = answer.collect(MAX_ANSWER).await?;
        Ok(Probe { status, date, location, took, body })
    };
    Ok(exchange::within(limit, peer, whole).await?)
}
