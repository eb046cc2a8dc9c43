//! Pages as answers: whole, or only their content for who has the rest, with an `ETag`.

use std::hash::{DefaultHasher, Hasher as _};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::Markup;

use crate::parts::layout::{self, Section};
use crate::parts::trouble;
use crate::request::{Ask, FRAGMENT};
use crate::source::Trouble;

/// What a page shows.
pub(crate) struct Drawn {
    /// Its title, as the browser's window has it.
    pub(crate) title: String,
    /// Its content.
    pub(crate) content: Markup,
    /// Whether it keeps itself up to date.
    pub(crate) live: bool,
}

impl Drawn {
    /// A page that keeps itself up to date.
    pub(crate) fn live(title: impl Into<String>, content: Markup) -> Self {
        Self { title: title.into(), content, live: true }
    }

    /// A page that stays as it is.
    pub(crate) fn still(title: impl Into<String>, content: Markup) -> Self {
        Self { title: title.into(), content, live: false }
    }
}

/// The answer with a page, or with why there is none.
pub(crate) fn page(ask: &Ask, section: Section, drawn: Result<Drawn, Trouble>) -> Response {
    let (status, drawn) = match drawn {
        Ok(drawn) => (StatusCode::OK, drawn),
        Err(Trouble::Elsewhere(leader)) => return elsewhere(ask, &leader),
        Err(trouble) => (trouble.status(), trouble::page(&trouble)),
    };
    let fragment = ask.wants_fragment();
    let text =
        if fragment { drawn.content.into_string() } else { layout::page(section, &drawn).into_string() };
    answer(&ask.headers, status, fragment, text)
}

/// To the same page of the leading master.
fn elsewhere(ask: &Ask, leader: &str) -> Response {
    let location = format!("{leader}{}", ask.path_and_query());
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}

/// Whether a request has what this tag stands for. A tag that came back weak was sent with a compressed answer: it is the same.
pub(crate) fn knows(request: &HeaderMap, tag: &str) -> bool {
    let all = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = all.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn answer(request: &HeaderMap, status: StatusCode, fragment: bool, text: String) -> Response {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    let tag = format!("\"{:016x}\"", hasher.finish());
    let known = knows(request, &tag);
    let mut response = if known && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (status, text).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static(FRAGMENT));
    if fragment {
        headers.insert(FRAGMENT, HeaderValue::from_static("1"));
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_known_whether_or_not_they_came_back_weak() {
        let knows = |value: &'static str| {
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            knows(&request, "\"1f\"")
        };
        assert!(["\"1f\"", "W/\"1f\"", "\"2e\", W/\"1f\""].into_iter().all(knows));
        assert!(!["1f", "\"1\"", "W/\"1ff\"", "", "*x"].into_iter().any(knows));
        assert!(!super::knows(&HeaderMap::new(), "\"1f\""));
    }
}
