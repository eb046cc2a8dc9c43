//! The one error of a handler: a status and a line that says what was wrong and what was expected.

use std::future::{Ready, ready};

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The body, one line, without its end.
    pub message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// Any status with any line.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None }
    }

    /// `400`: the request is wrong.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// `403`: the request is not allowed.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// `404`: what the request is about does not exist.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// `409`: the request collides with how things are.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// `500`: this side failed.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// `501`: this is not done here.
    #[must_use]
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, message)
    }

    /// `503`: not now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// `405` with the methods that are allowed, and the text that Mesos has for it.
    #[must_use]
    pub fn method_not_allowed(allowed: &[&str], received: &Method) -> Self {
        let listed = allowed.iter().map(|method| format!("'{method}'")).collect::<Vec<_>>().join(", ");
        let message =
            format!("405 Method Not Allowed. Expecting one of {{ {listed} }}, but received '{received}'.");
        let header = HeaderValue::from_str(&allowed.join(", ")).ok().map(|value| (header::ALLOW, value));
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message, header }
    }

    /// `307` to another address, with an empty body: what a standby master answers. `location` may leave out the
    /// scheme, as Mesos does. A location that no header can hold makes it a `503`.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        match HeaderValue::from_str(location) {
            Ok(value) => Self {
                status: StatusCode::TEMPORARY_REDIRECT,
                message: String::new(),
                header: Some((header::LOCATION, value)),
            },
            Err(_) => Self::unavailable("The leading master has no address"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The fallback of a route that knows only some methods.
pub fn method_not_allowed(
    allowed: &'static [&'static str],
) -> impl Fn(Method) -> Ready<ApiError> + Clone + Send + Sync + 'static {
    move |method| ready(ApiError::method_not_allowed(allowed, &method))
}

/// The fallback of a router.
pub async fn not_found() -> ApiError {
    ApiError::not_found("404 Not Found.")
}
