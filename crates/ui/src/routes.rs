//! Which path shows which page.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;

use crate::{assets, pages};

/// What a page may do: show what this master serves, and nothing else. No inline scripts or styles, so that whatever gets
/// into a page from users can do nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Adds the pages to what a master serves: `api` answers everything but `/` and what is below `/ui/`.
pub fn serve(api: Router) -> Router {
    Router::new()
        .route("/", get(pages::overview::show))
        .route("/ui/agents", get(pages::agents::show))
        .route("/ui/agents/{id}", get(pages::agent::show))
        .route("/ui/agents/{id}/files", get(pages::files::browse))
        .route("/ui/agents/{id}/file", get(pages::files::view))
        .route("/ui/frameworks", get(pages::frameworks::show))
        .route("/ui/frameworks/{id}", get(pages::framework::show))
        .route("/ui/frameworks/{id}/explain", get(pages::explain::framework))
        .route("/ui/roles", get(pages::roles::show))
        .route("/ui/roles/explain", get(pages::explain::role))
        .route("/ui/tasks", get(pages::tasks::show))
        .route("/ui/tasks/{framework}/{task}", get(pages::task::show))
        .route("/ui/offers", get(pages::offers::show))
        .route("/ui/maintenance", get(pages::maintenance::show))
        .route("/ui/assets/{version}/{name}", get(assets::serve))
        .route("/ui/{*rest}", get(pages::unknown))
        .layer(from_fn(with_headers))
        .with_state(api.clone())
        .fallback_service(api)
}

async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
