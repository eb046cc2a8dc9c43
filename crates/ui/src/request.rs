//! What a reader asks for: a page, with parameters.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use crate::format::encode;
use crate::source::Source;

/// How many entries a list shows at once.
pub(crate) const PAGE: usize = 50;

/// The header with which a page asks for its own content again, without what is around it.
pub(crate) const FRAGMENT: &str = "meseta-fragment";

/// A request for a page.
pub(crate) struct Ask {
    uri: Uri,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    query: BTreeMap<String, String>,
    /// The master's endpoints, as this reader may see them.
    pub(crate) source: Source,
}

impl FromRequestParts<Router> for Ask {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Router) -> Result<Self, Self::Rejection> {
        let uri = parts.uri.clone();
        // A query that cannot be read has nothing to say.
        let query = Query::try_from_uri(&uri).map(|Query(query)| query).unwrap_or_default();
        let headers = parts.headers.clone();
        Ok(Self { source: Source::new(api, &headers), uri, headers, query })
    }
}

impl Ask {
    /// A parameter that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The path of the page.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The path with its query.
    pub(crate) fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |whole| whole.as_str())
    }

    /// Whether only the content is wanted.
    pub(crate) fn wants_fragment(&self) -> bool {
        self.headers.contains_key(FRAGMENT)
    }

    /// At which entry the list begins.
    pub(crate) fn offset(&self) -> usize {
        self.get("offset").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The query with some parameters in other values; one that is empty is left out.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut query: BTreeMap<&str, &str> =
            self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        query.extend(changes.iter().copied());
        let pairs: Vec<String> = query
            .iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        if pairs.is_empty() { self.path().to_owned() } else { format!("{}?{}", self.path(), pairs.join("&")) }
    }

    /// The parameters of a list for the master: those of `names` that were given, the order, and which page.
    pub(crate) fn list(&self, path: &str, names: &[&str], sort: &str, order: &str) -> String {
        let mut asked = format!("{path}?limit={PAGE}&offset={}", self.offset());
        for name in names {
            if let Some(value) = self.get(name) {
                asked.push_str(&format!("&{name}={}", encode(value)));
            }
        }
        let sort = self.get("sort").unwrap_or(sort);
        let order = if self.get("order").unwrap_or(order) == "des" { "des" } else { "asc" };
        if !sort.is_empty() {
            asked.push_str(&format!("&sort={}&order={order}", encode(sort)));
        }
        asked
    }
}
