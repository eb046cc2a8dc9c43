//! `/files`: sandboxes and the log, read, browsed and downloaded.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http_api::{ApiError, files};

use super::asked::Asked;
use crate::context::Agent;
use crate::files::attached;

pub(super) fn router() -> Router<Agent> {
    let mut router = Router::new();
    for suffix in ["", ".json"] {
        router = router
            .route(&format!("/files/debug{suffix}"), any(debug))
            .route(&format!("/files/read{suffix}"), any(read))
            .route(&format!("/files/browse{suffix}"), any(browse))
            .route(&format!("/files/download{suffix}"), any(download));
    }
    router
}

async fn read(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    asked.answer(&files::read(attached(&agent).await?, asked.form()).await?)
}

async fn browse(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    asked.answer(&files::browse(attached(&agent).await?, asked.form()).await?)
}

async fn download(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    files::download(attached(&agent).await?, asked.form()).await
}

async fn debug(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    asked.answer(&attached(&agent).await?)
}
