//! Downloads.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use tokio::sync::OnceCell;

use super::scheme::{Fetching, Scheme, Sink, SinkError};
use super::tls;
use crate::user::User;

/// How often a server may send us elsewhere.
const MAX_REDIRECTS: usize = 10;
/// How long a server's name may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The server could not be asked, or broke off.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// Nobody whom this machine trusts says that the server is who it is asked for.
    #[error(
        "the server's certificate is not to be trusted: {0} (whom this machine trusts is in its certificates)"
    )]
    Certificate(String),
    /// The server does not have it, or does not give it.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// Sent from place to place.
    #[error("more than {MAX_REDIRECTS} redirects")]
    Redirects,
    /// Sent to nowhere.
    #[error("redirected to '{0}', which is no address to go to")]
    Redirect(String),
    /// Nothing came for too long.
    #[error("the server sent nothing for {} s", .0.as_secs())]
    Stalled(Duration),
    /// Less came than was announced.
    #[error("{received} bytes came of {announced}")]
    Short {
        /// How many came.
        received: u64,
        /// How many were to come.
        announced: u64,
    },
    /// Not an address.
    #[error("it is no valid address: {0}")]
    Address(#[from] http::uri::InvalidUri),
    /// It is too large, or cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Made when it is first needed: the certificates that it carries take memory.
#[derive(Default)]
pub(super) struct HttpClient {
    client: OnceCell<HttpsClient>,
}

fn trusting(authorities: Vec<CertificateDer<'static>>) -> HttpsClient {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    Client::builder(TokioExecutor::new())
        // A connection that was kept may just be closing when it is used again.
        .pool_max_idle_per_host(0)
        .build(tls::connector(connector, authorities))
}

impl HttpClient {
    /// One that trusts these authorities and nobody else.
    #[cfg(test)]
    pub(super) fn trusting(authorities: Vec<CertificateDer<'static>>) -> Self {
        Self { client: OnceCell::new_with(Some(trusting(authorities))) }
    }

    async fn client(&self) -> &HttpsClient {
        let make = || async {
            let authorities = tokio::task::spawn_blocking(tls::authorities).await;
            trusting(authorities.unwrap_or_default())
        };
        self.client.get_or_init(make).await
    }

    async fn download(&self, address: &Uri, sink: &mut Sink<'_>) -> Result<(), HttpError> {
        let mut response = self.get(address, sink.stall()).await?;
        let announced = response
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if let Some(length) = announced {
            sink.announce(length)?;
        }
        while let Some(frame) = in_time(sink.stall(), response.body_mut().frame()).await? {
            let frame = frame.map_err(|error| connection(&error))?;
            if let Ok(data) = frame.into_data() {
                sink.write(&data).await?;
            }
        }
        match (announced, sink.written()) {
            (Some(announced), received) if announced != received => {
                Err(HttpError::Short { received, announced })
            }
            _ => Ok(()),
        }
    }

    async fn get(&self, address: &Uri, stall: Duration) -> Result<Response<Incoming>, HttpError> {
        let mut address = address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = Request::get(&address)
                .header(header::USER_AGENT, concat!("meseta/", env!("CARGO_PKG_VERSION")))
                .header(header::ACCEPT, "*/*")
                .body(Empty::new())
                .map_err(|error| connection(&error))?;
            let asked = self.client().await.request(request);
            let response = in_time(stall, asked).await?.map_err(|error| connection(&error))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            match location {
                Some(location) if response.status().is_redirection() => address = follow(&address, location)?,
                _ => return Err(HttpError::Status(response.status())),
            }
        }
        Err(HttpError::Redirects)
    }
}

impl Scheme for HttpClient {
    fn fetch<'a>(&'a self, uri: &'a str, _user: Option<&'a User>, sink: &'a mut Sink<'_>) -> Fetching<'a> {
        Box::pin(async move {
            let address = uri.parse().map_err(HttpError::from)?;
            Ok(self.download(&address, sink).await?)
        })
    }
}

/// Where a redirect leads.
fn follow(from: &Uri, location: &str) -> Result<Uri, HttpError> {
    let nowhere = || HttpError::Redirect(location.to_owned());
    let to: Uri = location.parse().map_err(|_| nowhere())?;
    if to.scheme().is_some() {
        return match to.scheme_str() {
            Some("http" | "https") => Ok(to),
            _ => Err(nowhere()),
        };
    }
    let path = match location.strip_prefix('/') {
        Some(_) => location.to_owned(),
        // Relative to the directory of where we are.
        None => format!("{}/{location}", from.path().rsplit_once('/').map_or("", |(directory, _)| directory)),
    };
    let mut parts = from.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| nowhere())?);
    Uri::from_parts(parts).map_err(|_| nowhere())
}

async fn in_time<T>(stall: Duration, future: impl Future<Output = T>) -> Result<T, HttpError> {
    tokio::time::timeout(stall, future).await.map_err(|_| HttpError::Stalled(stall))
}

/// The client's errors say what happened only in their causes, and those are not ours to show as types.
fn connection(error: &(dyn Error + 'static)) -> HttpError {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    if let Some(why) = tls::distrusted(deepest) {
        return HttpError::Certificate(why);
    }
    HttpError::Connection(deepest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_where_they_lead() {
        let from: Uri = "http://h:1/a/b?c".parse().expect("an address");
        let to =
            |location| follow(&from, location).map(|uri| uri.to_string()).map_err(|error| error.to_string());
        assert_eq!(to("https://g/x"), Ok("https://g/x".to_owned()));
        assert_eq!(to("/x?y"), Ok("http://h:1/x?y".to_owned()));
        assert_eq!(to("x"), Ok("http://h:1/a/x".to_owned()));
        assert!(to("file:///etc/passwd").is_err());
        assert!(to("").is_err());
    }
}
