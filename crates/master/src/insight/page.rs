//! The parameters of lists: which part of them, in which order, and what to look for.

use axum::http::HeaderValue;
use axum::response::Response;
use http_api::ApiError;

use crate::v0::Query;

/// How many entries a list has where the query does not say.
const DEFAULT_LIMIT: usize = 100;

/// The header that says how many entries match before paging.
const TOTAL: &str = "meseta-total";

/// What of a list is asked for.
pub(super) struct Page<'a> {
    query: &'a Query,
    offset: usize,
    limit: usize,
}

impl<'a> Page<'a> {
    /// Reads it from a query.
    pub(super) fn new(query: &'a Query) -> Result<Self, ApiError> {
        let offset = query.number("offset")?.unwrap_or(0);
        let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT);
        match query.get("order") {
            None | Some("asc" | "des") => Ok(Self { query, offset, limit }),
            Some(other) => {
                Err(ApiError::bad_request(format!("Expecting 'order' to be asc or des, not '{other}'")))
            }
        }
    }

    /// Whether the largest comes first.
    pub(super) fn descending(&self) -> bool {
        self.query.get("order") == Some("des")
    }

    /// Whether one of these texts has what is looked for.
    pub(super) fn finds(&self, texts: &[&str]) -> bool {
        self.query.get("search").is_none_or(|wanted| {
            let wanted = wanted.to_lowercase();
            texts.iter().any(|text| text.to_lowercase().contains(&wanted))
        })
    }

    /// Whether a parameter is missing or has this value.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.query.get(name).is_none_or(|wanted| wanted == value)
    }

    /// The column to sort by.
    pub(super) fn column(&self, columns: &[&str]) -> Result<&'a str, ApiError> {
        match self.query.get("sort") {
            Some(column) if columns.contains(&column) => Ok(column),
            None => Ok(""),
            Some(other) => Err(ApiError::bad_request(format!(
                "Expecting 'sort' to be one of {}, not '{other}'",
                columns.join(", ")
            ))),
        }
    }

    /// The part that is asked for.
    pub(super) fn cut<T>(&self, mut all: Vec<T>) -> Vec<T> {
        if self.descending() {
            all.reverse();
        }
        all.into_iter().skip(self.offset).take(self.limit).collect()
    }
}

/// Says how many entries match before paging.
pub(super) fn with_total(mut response: Response, total: usize) -> Response {
    response.headers_mut().insert(TOTAL, HeaderValue::from(total));
    response
}
