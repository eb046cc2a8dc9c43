//! Where the pages get what they show: the master's endpoints, asked within the process.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

/// The longest answer that is read. A page asks for some dozen entries at a time.
const LONGEST: usize = 64 << 20;

/// Why a page cannot show what it should.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Another master leads; this is where it is, without a path.
    #[error("the leading master is at {0}")]
    Elsewhere(String),
    /// No master leads.
    #[error("{0}")]
    NoLeader(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The master refused.
    #[error("{path} was answered with {status}: {message}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: StatusCode,
        /// The master's words.
        message: String,
    },
    /// The answer is not what was expected.
    #[error("what {path} answered cannot be read: {reason}")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// Why not.
        reason: String,
    },
}

impl Trouble {
    /// The status of a page that shows it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Elsewhere(_) => StatusCode::TEMPORARY_REDIRECT,
            Self::NoLeader(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Refused { status, .. } => *status,
            Self::Unreadable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A list, and how many entries match before paging.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) value: T,
    /// `None` when the master does not say.
    pub(crate) total: Option<usize>,
}

/// The master's endpoints, as one reader may see them.
#[derive(Clone)]
pub(crate) struct Source {
    api: Router,
    authorization: Option<HeaderValue>,
}

impl Source {
    /// Asks in the name of whoever sent these headers.
    pub(crate) fn new(api: &Router, headers: &HeaderMap) -> Self {
        Self { api: api.clone(), authorization: headers.get(header::AUTHORIZATION).cloned() }
    }

    /// The answer at `path`, which has its query.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        Ok(self.list(path).await?.value)
    }

    /// The same, with the number of all entries.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Listed<T>, Trouble> {
        let unreadable = |reason: String| Trouble::Unreadable { path: path.to_owned(), reason };
        let mut request =
            Request::get(path).body(Body::empty()).map_err(|error| unreadable(error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        // A router cannot fail.
        let Ok(response) = self.api.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let body = body.map_err(|error| unreadable(error.to_string()))?.to_bytes();
        let message = || String::from_utf8_lossy(&body).trim().to_owned();
        match head.status {
            StatusCode::OK => {}
            StatusCode::TEMPORARY_REDIRECT => return Err(elsewhere(&head.headers)),
            StatusCode::SERVICE_UNAVAILABLE => return Err(Trouble::NoLeader(message())),
            StatusCode::NOT_FOUND => return Err(Trouble::NotFound(message())),
            status => return Err(Trouble::Refused { path: path.to_owned(), status, message: message() }),
        }
        let total = head.headers.get("meseta-total").and_then(|total| total.to_str().ok()?.parse().ok());
        let value = serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
        Ok(Listed { value, total })
    }
}

/// `//host:port` of a redirection.
fn elsewhere(headers: &HeaderMap) -> Trouble {
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let authority = location.and_then(|location| {
        let rest = location.split_once("//").map(|(_, rest)| rest)?;
        rest.split('/').next().filter(|authority| !authority.is_empty())
    });
    match authority {
        Some(authority) => Trouble::Elsewhere(format!("//{authority}")),
        None => Trouble::NoLeader("The leading master is not known".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use axum::routing::get;
    use serde_json::{Value, json};

    use super::*;

    async fn ask(api: Router, path: &str) -> Result<Listed<Value>, Trouble> {
        Source::new(&api, &HeaderMap::new()).list(path).await
    }

    #[tokio::test]
    async fn answers_redirections_and_refusals_are_told_apart() {
        let redirect = || async {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "//leader:5050/state?x=/")], "").into_response()
        };
        let api = Router::new()
            .route("/list", get(|| async { ([("meseta-total", "7")], "{\"a\":1}") }))
            .route("/standby", get(redirect))
            .route("/nobody", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "No leader elected") }))
            .route("/wrong", get(|| async { (StatusCode::BAD_REQUEST, "no number\n") }))
            .route("/text", get(|| async { "no JSON" }));
        let listed = ask(api.clone(), "/list?limit=1").await.unwrap();
        assert_eq!((listed.value, listed.total), (json!({ "a": 1 }), Some(7)));
        let trouble = async |path: &str| ask(api.clone(), path).await.unwrap_err();
        assert_eq!(trouble("/standby").await, Trouble::Elsewhere("//leader:5050".to_owned()));
        assert_eq!(trouble("/nobody").await, Trouble::NoLeader("No leader elected".to_owned()));
        let refused = trouble("/wrong").await;
        assert_eq!(refused.to_string(), "/wrong was answered with 400 Bad Request: no number");
        assert!(matches!(trouble("/text").await, Trouble::Unreadable { .. }));
        assert_eq!(trouble("/nothing").await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_readers_credentials_are_used() {
        let echo = |headers: HeaderMap| async move {
            json!(headers.get("authorization").map(|value| value.to_str().unwrap().to_owned())).to_string()
        };
        let api = Router::new().route("/who", get(echo));
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Basic x"));
        let who: Value = Source::new(&api, &headers).get("/who").await.unwrap();
        assert_eq!(who, json!("Basic x"));
    }
}
