//! `/history`: what was used and offered of the cluster's resources, as samples in memory. A new leader begins with none.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::{Ring, Time};
use http_api::ApiError;
use resources::{Name, Quantities};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::gather::{Gathered, gathered};
use super::overview::resources;
use crate::server::Master;
use crate::v0::Query;

/// The time from one sample to the next.
const STEP: Duration = Duration::from_secs(5);
/// How many of them are kept: an hour's.
const KEPT: usize = 720;
/// Each so many'th is kept for longer: one for two minutes.
const COARSE: usize = 24;
/// How many of those are kept: a day's.
const KEPT_LONG: usize = 720;

/// The cluster at one moment.
#[derive(Clone, Debug)]
struct Sample {
    time: Time,
    total: Quantities,
    used: Quantities,
    offered: Quantities,
    agents: usize,
    tasks: usize,
}

impl Sample {
    fn of(cluster: &Gathered) -> Self {
        let shown = |all: &Quantities| -> Quantities {
            let names = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus];
            names.into_iter().map(|name| (name.clone(), all.get(&name))).collect()
        };
        Self {
            time: cluster.time,
            total: shown(&cluster.total),
            used: shown(&cluster.used),
            offered: shown(&cluster.offered),
            agents: cluster.agents.registered,
            tasks: cluster.frameworks.iter().map(|framework| framework.tasks).sum(),
        }
    }

    fn view(&self) -> Value {
        json!({
            "time": self.time.as_secs_f64(),
            "agents": self.agents,
            "tasks": self.tasks,
            "resources": resources(&self.total, &self.used, &self.offered),
        })
    }
}

/// The samples.
pub(super) struct History(Mutex<Samples>);

struct Samples {
    hour: Ring<Sample>,
    day: Ring<Sample>,
    taken: usize,
}

impl Default for History {
    fn default() -> Self {
        Self(Mutex::new(Samples { hour: Ring::new(KEPT), day: Ring::new(KEPT_LONG), taken: 0 }))
    }
}

impl History {
    fn add(&self, sample: Sample) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.taken.is_multiple_of(COARSE) {
            samples.day.push(sample.clone());
        }
        samples.taken += 1;
        samples.hour.push(sample);
    }

    fn view(&self, day: bool) -> Vec<Value> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = if day { &samples.day } else { &samples.hour };
        ring.iter().map(Sample::view).collect()
    }
}

/// Takes samples until the master ends.
pub(crate) async fn sample(master: Master, mut stopped: watch::Receiver<bool>) {
    let mut ticks = interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Without a sender the master is gone as well.
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        match gathered(&master).await {
            Ok(cluster) => master.insight.history.add(Sample::of(&cluster)),
            Err(error) => tracing::debug!("no sample of the cluster: {error}"),
        }
    }
}

/// `GET /history`; `span` is `hour` or `day`.
pub(super) async fn show(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let (day, step) = match query.get("span") {
        None | Some("hour") => (false, STEP),
        Some("day") => (true, STEP.saturating_mul(u32::try_from(COARSE).unwrap_or(u32::MAX))),
        Some(other) => {
            return Err(ApiError::bad_request(format!("Expecting 'span' to be hour or day, not '{other}'")));
        }
    };
    let samples = master.insight.history.view(day);
    query.json(&json!({ "step_secs": step.as_secs_f64(), "samples": samples }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept_in_detail_and_a_day_roughly() {
        let history = History::default();
        for n in 0..2_000_u64 {
            history.add(Sample {
                time: Time::EPOCH + STEP * u32::try_from(n).unwrap(),
                total: Quantities::new(),
                used: Quantities::new(),
                offered: Quantities::new(),
                agents: 1,
                tasks: 2,
            });
        }
        let (hour, day) = (history.view(false), history.view(true));
        assert_eq!((hour.len(), day.len()), (KEPT, 2_000_usize.div_ceil(COARSE)));
        let time = |sample: &Value| sample["time"].as_f64().unwrap();
        assert_eq!(time(hour.last().unwrap()) - time(&hour[0]), 5.0 * (KEPT as f64 - 1.0));
        assert_eq!(time(&day[1]) - time(&day[0]), 120.0);
    }
}
