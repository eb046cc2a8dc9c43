//! The fetcher against files, a small HTTP server and a hadoop client that is none.

mod cache;
mod fetch;
mod hadoop;
mod web;

use std::error::Error;

use containerizer::{FetchError, Uri};

fn uri(value: impl Into<String>) -> Uri {
    Uri { value: value.into(), executable: false, extract: true, cache: false, output_file: None }
}

/// What a fetch says, with all causes; `Ok` if it went well.
fn said(result: Result<(), FetchError>) -> Result<(), String> {
    result.map_err(|error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        text
    })
}
