//! The older endpoints: JSON over `GET`, and forms over `POST`.

pub(crate) mod change;
pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod help;
pub(crate) mod info;
pub(crate) mod maintenance;
pub(crate) mod prometheus;
pub(crate) mod registry;
pub(crate) mod resources;
pub(crate) mod state;

use axum::http::HeaderValue;
use axum::response::Response;
use http_api::{ApiError, TOTAL, parse_form, value_of, with_jsonp};
use serde::Serialize;

/// The parameters of a request's query.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// From the text behind the `?`.
    pub(crate) fn new(text: Option<&str>) -> Self {
        Self(parse_form(text.unwrap_or_default()))
    }

    /// All parameters.
    pub(crate) fn form(&self) -> &[(String, String)] {
        &self.0
    }

    /// A parameter that was given and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        value_of(&self.0, name).filter(|value| !value.is_empty())
    }

    /// A parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<usize>, ApiError> {
        let parse = |text: &str| {
            let wrong = |_| {
                ApiError::bad_request(format!(
                    "Failed to parse query parameter '{name}': expecting a number, not '{text}'"
                ))
            };
            text.parse().map_err(wrong)
        };
        self.get(name).map(parse).transpose()
    }

    /// The function that the answer is to call, if any.
    pub(crate) fn jsonp(&self) -> Option<&str> {
        value_of(&self.0, "jsonp")
    }

    /// An answer in JSON, wrapped as the query asks for.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<Response, ApiError> {
        let text = serde_json::to_vec(value).map_err(|error| ApiError::internal(error.to_string()))?;
        with_jsonp(text, self.jsonp())
    }

    /// The same for a part of a list, with how many entries the list has before paging.
    pub(crate) fn part(&self, value: &impl Serialize, total: usize) -> Result<Response, ApiError> {
        let mut response = self.json(value)?;
        response.headers_mut().insert(TOTAL, HeaderValue::from(total));
        Ok(response)
    }
}
