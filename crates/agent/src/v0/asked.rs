//! What a request wants to be answered like.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use http_api::{Answer, ApiError, Encoding, parse_form, value_of};
use serde::Serialize;

/// A request's query and its headers.
pub(super) struct Asked {
    form: Vec<(String, String)>,
    headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let form = parse_form(parts.uri.query().unwrap_or_default());
        Ok(Self { form, headers: parts.headers.clone() })
    }
}

impl Asked {
    /// The query's parameters.
    pub(super) fn form(&self) -> &[(String, String)] {
        &self.form
    }

    /// An answer in JSON, as a call of a function where `jsonp` asks for it; `304` for whoever has it already.
    pub(super) fn answer(&self, value: &impl Serialize) -> Result<Response, ApiError> {
        let text = serde_json::to_vec(value).map_err(|error| ApiError::internal(error.to_string()))?;
        let answer = Answer::whole(Encoding::Json.media_type(), text);
        answer.respond_as(value_of(&self.form, "jsonp"), &self.headers)
    }
}
