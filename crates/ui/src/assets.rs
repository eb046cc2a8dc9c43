//! Files of the pages: their style and their scripts, which are part of the program.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::reply::knows;

/// A file.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("../assets/style.css"),
    },
    Asset {
        name: "theme.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/theme.js"),
    },
    Asset {
        name: "live.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/live.js"),
    },
    Asset {
        name: "tail.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/tail.js"),
    },
    Asset { name: "icon.svg", media_type: "image/svg+xml", content: include_str!("../assets/icon.svg") },
];

/// What tells this program's files from another's: browsers keep them for good, under this name.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    ASSETS.each_ref().map(|asset| asset.content).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
});

/// Where a file is.
pub(crate) fn path(name: &str) -> String {
    format!("/ui/assets/{}/{name}", &*VERSION)
}

/// Answers with a file. Under this program's own name for it a browser need never ask again.
pub(crate) async fn serve(Path((version, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, "There is no such file").into_response();
    };
    let tag = format!("\"{}\"", &*VERSION);
    let caching = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    let shared = [
        (header::CACHE_CONTROL, caching),
        (header::ETAG, tag.as_str()),
        (header::CONTENT_TYPE, asset.media_type),
    ];
    if knows(&headers, &tag) {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    (shared, asset.content).into_response()
}
