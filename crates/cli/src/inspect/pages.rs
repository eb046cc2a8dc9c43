//! Long lists fetched page by page. A master that knows our parameters picks and counts, so that a page is all that has to
//! come; for one that does not (Mesos pages `/tasks` only) everything is picked here.

use std::collections::HashSet;

use anyhow::Result;
use sdk::Operator;
use sdk::operator::form_escape;
use serde::de::DeserializeOwned;

/// The least that is asked for at once.
const PAGE: usize = 500;
/// What is asked for where everything is wanted.
const EVERYTHING: usize = 1_000_000_000;

/// Entries of a list, and whether there are more.
#[derive(Debug)]
pub(crate) struct Picked<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) more: bool,
}

/// Asks for the list at `path` until `limit` entries are to be kept, or there are no more. Entries are known by their
/// `key`: while pages are fetched, entries come and go, so that one may come twice.
pub(crate) async fn fetch<A: DeserializeOwned, T>(
    operator: &Operator,
    (path, query): (&str, &[(&str, String)]),
    limit: Option<usize>,
    list: impl Fn(A) -> Vec<T>,
    key: impl Fn(&T) -> String,
    keep: impl Fn(&T) -> bool,
) -> Result<Picked<T>> {
    let page = limit.map_or(EVERYTHING, |limit| limit.saturating_add(1).max(PAGE));
    let filters: String =
        query.iter().map(|(name, value)| format!("&{name}={}", form_escape(value))).collect();
    let mut picked = Picked { entries: Vec::new(), more: false };
    let mut seen = HashSet::new();
    let mut offset = 0;
    loop {
        let asked = format!("{path}?limit={page}&offset={offset}{filters}");
        let (answer, _) = operator.get_listing::<A>(&asked).await?;
        let entries = list(answer);
        let count = entries.len();
        let mut new = 0;
        for entry in entries {
            if !seen.insert(key(&entry)) {
                continue;
            }
            new += 1;
            if keep(&entry) {
                if limit.is_some_and(|limit| picked.entries.len() >= limit) {
                    picked.more = true;
                    return Ok(picked);
                }
                picked.entries.push(entry);
            }
        }
        // One that does not page gives everything at once, and again.
        if count != page || new == 0 {
            return Ok(picked);
        }
        offset += count;
    }
}
