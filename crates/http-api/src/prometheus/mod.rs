//! Metrics for Prometheus: the text that it reads at `/metrics`.
//!
//! There is no second set of counters: what is shown at `/metrics/snapshot` is shown here under names that Prometheus likes
//! ([`names`]), beside histograms of how long things take ([`Histogram`]).

mod help;
mod histogram;
mod latencies;
mod names;

pub use histogram::Histogram;
pub use latencies::Latencies;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use names::{Named, named};

/// The media type of the text.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics that are being put together.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
}

/// All metrics of a name, which differ by their labels.
#[derive(Debug)]
struct Family {
    kind: &'static str,
    help: String,
    /// Lines behind the family's name: suffix, labels and value.
    lines: String,
}

impl Exposition {
    /// Adds all metrics of `/metrics/snapshot`. What is told by histograms is left out.
    pub fn add_mesos<'a>(&mut self, metrics: impl IntoIterator<Item = (&'a String, &'a f64)>) {
        for (name, value) in metrics {
            let Some(Named { family, labels, counter, help }) = named(name) else { continue };
            let kind = if counter { "counter" } else { "gauge" };
            self.line(&family, kind, &help, "", &labels, *value);
        }
    }

    /// Adds a histogram of seconds.
    pub fn add_histogram(
        &mut self,
        family: &str,
        help: &str,
        labels: &[(&str, &str)],
        histogram: &Histogram,
    ) {
        let snapshot = histogram.snapshot();
        for (bound, count) in snapshot.buckets {
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.line(family, "histogram", help, "_bucket", &labels, count as f64);
        }
        self.line(family, "histogram", help, "_sum", labels, snapshot.sum);
        self.line(family, "histogram", help, "_count", labels, snapshot.count as f64);
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.families {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {}\n# TYPE {name} {}\n{}",
                family.help, family.kind, family.lines
            );
        }
        text
    }

    /// `200` with the text.
    #[must_use]
    pub fn respond(&self) -> Response {
        let mut response = Response::new(Body::from(self.text()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }

    fn line<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &str,
        kind: &'static str,
        help: &str,
        suffix: &str,
        labels: &[(N, V)],
        value: f64,
    ) {
        let new = || Family { kind, help: help.replace('\n', " "), lines: String::new() };
        let lines = &mut self.families.entry(name.to_owned()).or_insert_with(new).lines;
        lines.push_str(name);
        lines.push_str(suffix);
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(lines, "{before}{}=\"{}\"", label.as_ref(), escaped(value.as_ref()));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(lines, "{after} {value}");
    }
}

/// A label's value as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_family_has_its_help_and_type_once() {
        let metrics: BTreeMap<String, f64> = [
            ("master/elected", 1.0),
            ("master/task_lost/source_master/reason_x", 2.0),
            ("master/task_failed/source_slave/reason_y", 0.5),
            ("registrar/state_store_ms/p99", 3.0),
            ("allocator/mesos/roles/a/\"b\\/shares/dominant", 0.25),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut exposition = Exposition::default();
        exposition.add_mesos(&metrics);
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3));
        exposition.add_histogram("took_seconds", "How long.", &[("endpoint", "/state")], &histogram);
        let text = exposition.text();
        assert_eq!(text.matches("# TYPE mesos_master_task_reasons_total counter\n").count(), 1, "{text}");
        for line in [
            "mesos_master_elected 1\n",
            "mesos_master_task_reasons_total{state=\"task_lost\",source=\"source_master\",reason=\"reason_x\"} 2\n",
            "mesos_allocator_role_shares_dominant{role=\"a/\\\"b\\\\\"} 0.25\n",
            "took_seconds_bucket{endpoint=\"/state\",le=\"0.0025\"} 0\n",
            "took_seconds_bucket{endpoint=\"/state\",le=\"0.005\"} 1\n",
            "took_seconds_bucket{endpoint=\"/state\",le=\"+Inf\"} 1\n",
            "took_seconds_sum{endpoint=\"/state\"} 0.003\n",
            "took_seconds_count{endpoint=\"/state\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("p99") && !text.contains("state_store"), "{text}");
    }
}
