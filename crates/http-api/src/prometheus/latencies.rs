//! How long requests took, by endpoint.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::{Exposition, Histogram};

/// A histogram for each endpoint. What is counted ends with the head of the answer: how long the body takes is the reader's
/// affair.
#[derive(Debug, Default)]
pub struct Latencies(RwLock<BTreeMap<Box<str>, Arc<Histogram>>>);

impl Latencies {
    /// A request to an endpoint took so long. Endpoints are routes, of which there are few, and not paths.
    pub fn add(&self, endpoint: &str, took: Duration) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(endpoint).cloned();
        let histogram = known.unwrap_or_else(|| {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(endpoint.into()).or_default())
        });
        histogram.observe(took);
    }

    /// Adds all of them to what Prometheus reads.
    pub fn show(&self, exposition: &mut Exposition) {
        let help = "Time from a request to the head of its answer.";
        for (endpoint, histogram) in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            let labels = [("endpoint", &**endpoint)];
            exposition.add_histogram("meseta_http_request_seconds", help, &labels, histogram);
        }
    }
}
