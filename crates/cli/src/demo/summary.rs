//! How the jobs went.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use proto::v1::TaskState;
use serde::Serialize;

use crate::cluster::state_name;
use crate::view::{self, Column, Output, Table};

/// One job that has ended.
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) agent: String,
    pub(super) state: TaskState,
    pub(super) message: String,
    /// From the accept to the news that it runs; none when it never did.
    pub(super) running: Option<Duration>,
    pub(super) expected: bool,
}

/// What is shown at the end.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    jobs: usize,
    seconds: f64,
    states: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<&'static str, usize>,
    agents: BTreeMap<String, usize>,
    /// Milliseconds from accept to running: half of the jobs are below the first, all but one in a hundred below the
    /// second.
    accept_to_running_ms: [f64; 2],
    /// Jobs that did not end as they should.
    pub(super) surprises: Vec<String>,
}

const JOB_COLUMNS: &[Column] = &[Column("KIND", false), Column("JOBS", true)];
const STATE_COLUMNS: &[Column] = &[Column("STATE", false), Column("JOBS", true)];
const AGENT_COLUMNS: &[Column] = &[Column("AGENT", false), Column("JOBS", true)];

impl Summary {
    pub(super) fn new(ended: &[Ended], took: Duration) -> Self {
        let mut latencies: Vec<_> = ended.iter().filter_map(|job| job.running).collect();
        latencies.sort_unstable();
        let mut summary = Self {
            jobs: ended.len(),
            seconds: took.as_secs_f64(),
            states: BTreeMap::new(),
            kinds: BTreeMap::new(),
            agents: BTreeMap::new(),
            accept_to_running_ms: [50, 99]
                .map(|percent| percentile(&latencies, percent).as_secs_f64() * 1000.0),
            surprises: Vec::new(),
        };
        for job in ended {
            *summary.states.entry(state_name(job.state)).or_default() += 1;
            *summary.kinds.entry(job.kind).or_default() += 1;
            *summary.agents.entry(job.agent.clone()).or_default() += 1;
            if !job.expected {
                summary.surprises.push(format!("{}: {} {}", job.id, state_name(job.state), job.message));
            }
        }
        summary
    }

    /// Prints it.
    pub(super) fn show(&self, output: Output) -> Result<()> {
        match output {
            Output::Json => view::print(&format!("{}\n", serde_json::to_string(self)?)),
            Output::Table => view::print(&self.text()),
        }
    }

    fn text(&self) -> String {
        let states = self.states.iter().map(|(state, count)| (*state, *count));
        let mut text = counts(JOB_COLUMNS, self.kinds.iter().map(|(kind, count)| (*kind, *count)));
        text.push('\n');
        text.push_str(&counts(STATE_COLUMNS, states));
        text.push('\n');
        text.push_str(&counts(
            AGENT_COLUMNS,
            self.agents.iter().map(|(agent, count)| (agent.as_str(), *count)),
        ));
        let [half, most] = self.accept_to_running_ms;
        text.push_str(&format!(
            "\n{} jobs in {:.1} s; from accept to running {half:.1} ms (p50), {most:.1} ms (p99)\n",
            self.jobs, self.seconds
        ));
        match self.surprises.len() {
            0 => text.push_str("All ended as they should; those that failed did so on purpose.\n"),
            count => {
                text.push_str(&format!("{count} did not end as they should:\n"));
                for surprise in self.surprises.iter().take(10) {
                    text.push_str(&format!("  {surprise}\n"));
                }
            }
        }
        text.push('\n');
        text
    }
}

fn counts<'a>(columns: &'static [Column], rows: impl Iterator<Item = (&'a str, usize)>) -> String {
    let mut table = Table::new(columns);
    for (name, count) in rows {
        table.row([(name.to_owned(), view::state_colour(name)), (count.to_string(), None)]);
    }
    table.render()
}

/// The smallest of the sorted values that at least so many percent do not exceed; nothing of nothing.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&values[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn what_went_otherwise_is_named() {
        let job = |id: &str, state, expected| Ended {
            id: id.into(),
            kind: "sum",
            agent: "a:1".into(),
            state,
            message: "Command exited with status 1".into(),
            running: Some(Duration::from_millis(7)),
            expected,
        };
        let ended = [job("x", TaskState::TaskFinished, true), job("y", TaskState::TaskFailed, false)];
        let summary = Summary::new(&ended, Duration::from_secs(2));
        assert_eq!(summary.surprises, ["y: FAILED Command exited with status 1"]);
        let text = summary.text();
        for part in ["FINISHED     1\n", "a:1       2\n", "2 jobs in 2.0 s", "7.0 ms (p50)", "1 did not end"]
        {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
