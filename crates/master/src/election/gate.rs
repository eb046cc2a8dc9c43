//! What a standby answers: it knows little, and sends everybody who wants more to the leader.

use std::borrow::Cow;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_api::ApiError;
use proto::v1::MasterInfo;

use crate::server::Master;

/// What every master answers of itself, whether it leads or not.
const OWN: [&str; 11] = [
    "/health",
    "/version",
    "/flags",
    "/metrics",
    "/metrics/snapshot",
    "/system/stats.json",
    "/redirect",
    "/files/",
    "/logging/",
    "/help",
    "/help/",
];

/// Lets requests through if this master leads, or if they ask for nothing else than this master itself.
pub(crate) async fn gate(State(master): State<Master>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix("/master").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let own = OWN.iter().any(|own| path == *own || (own.ends_with('/') && path.starts_with(own)));
    if own || master.leadership.leads() {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let began = Instant::now();
        let response = next.run(request).await;
        let route = route.as_ref().map_or("none", |route| route.as_str());
        let endpoint = route.strip_prefix("/master").filter(|rest| rest.starts_with('/')).unwrap_or(route);
        master.latencies.add(endpoint, began.elapsed());
        return response;
    }
    let Some(leader) = master.leadership.leader() else {
        return nobody().into_response();
    };
    if path.starts_with("/redirect/") {
        // It would be sent round and round.
        return ApiError::not_found("").into_response();
    }
    let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
    ApiError::redirect(&format!("{}{rest}", base(&leader))).into_response()
}

/// `/redirect`: to the leading master, which may be this one.
pub(crate) async fn redirect(State(master): State<Master>) -> ApiError {
    let leader = if master.leadership.leads() {
        Some(Cow::Owned(master.identity.master_info()))
    } else {
        master.leadership.leader().map(|leader| Cow::Owned(*leader))
    };
    leader.map_or_else(nobody, |leader| ApiError::redirect(&base(&leader)))
}

fn nobody() -> ApiError {
    ApiError::unavailable("No leader elected")
}

/// `//host:port`: whoever asked goes on with the scheme that they came with.
fn base(leader: &MasterInfo) -> String {
    let host = leader.hostname.clone().or_else(|| leader.address.as_ref()?.ip.clone()).unwrap_or_default();
    let brackets = host.contains(':') && !host.starts_with('[');
    if brackets { format!("//[{host}]:{}", leader.port) } else { format!("//{host}:{}", leader.port) }
}
