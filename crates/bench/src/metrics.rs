//! How long a master takes to tell its metrics when it has thousands of frameworks, each with metrics of its own. After Mesos'
//! `MasterMetricsQuery` benchmark.

use anyhow::Result;
use clap::Args;

use crate::full_cluster::{FullCluster, get, post};
use crate::returning::Shape;

#[derive(Args)]
pub(crate) struct Options {
    /// Frameworks with two running tasks each; a ninth as many have ended. Those of Mesos' benchmark without any.
    frameworks: Vec<u32>,
    /// How often each is asked for.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
}

/// Those of Mesos' benchmark.
const FRAMEWORKS: [u32; 4] = [90, 900, 9_000, 18_000];

pub(crate) async fn run(options: &Options) -> Result<()> {
    let all = if options.frameworks.is_empty() { &FRAMEWORKS[..] } else { &options.frameworks };
    for frameworks in all.iter().copied() {
        let shape = Shape { agents: 1, frameworks, tasks: 2, completed: 0, ended: frameworks / 9 };
        let cluster = FullCluster::start(shape).await?;
        let address = cluster.address;
        let call = r#"{"type":"GET_METRICS","get_metrics":{}}"#;
        for (name, request) in [
            ("/metrics/snapshot", get(address, "/metrics/snapshot")),
            ("GET_METRICS in protobuf", post(address, call, "application/x-protobuf")),
            ("GET_METRICS in JSON", post(address, call, "application/json")),
            ("/metrics", get(address, "/metrics")),
        ] {
            cluster.measure(name, &request, options.rounds).await?;
        }
        cluster.report_memory();
        println!();
    }
    Ok(())
}
