//! `/metrics`: all metrics as Prometheus reads them.

use axum::extract::State;
use axum::response::Response;
use http_api::{ApiError, Exposition};

use crate::server::Master;

/// What `/metrics/snapshot` has, and how long things took.
pub(crate) async fn metrics(State(master): State<Master>) -> Result<Response, ApiError> {
    let metrics = master.metrics().await?;
    let mut exposition = Exposition::default();
    exposition.add_mesos(&metrics);
    for (family, help, timings) in master.timings() {
        exposition.add_histogram(family, help, &[], timings.histogram());
    }
    for (family, help, histogram) in master.waits().named() {
        exposition.add_histogram(family, help, &[], histogram);
    }
    master.latencies.show(&mut exposition);
    Ok(exposition.respond())
}
