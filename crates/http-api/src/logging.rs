//! The level of the log, as operators see and change it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};

use crate::{ApiError, ok, parse_form, value_of};

/// Mesos' levels: 0 is what is always logged, 1 and more say more and more.
#[derive(Clone, Debug)]
pub struct Logging {
    state: Arc<Mutex<Level>>,
    apply: Option<fn(u32)>,
}

#[derive(Debug, Default)]
struct Level {
    level: u32,
    changes: u64,
}

impl Logging {
    /// Level 0. `apply` is told of each change, and makes the log follow.
    #[must_use]
    pub fn new(apply: Option<fn(u32)>) -> Self {
        Self { state: Arc::default(), apply }
    }

    /// The level now.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).level
    }

    /// Sets the level for a while; after that it is 0 again, unless it was set anew. To be called within a runtime, which
    /// keeps the time.
    pub fn set_for(&self, level: u32, duration: Duration) {
        let change = self.set(level);
        tracing::info!("the log's level is {level} for {duration:?}");
        let logging = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            logging.set_if(Some(change), 0);
        });
    }

    /// `/logging/toggle`: the level, without parameters; with `level` and `duration` it is set for that long.
    ///
    /// # Errors
    /// `400` if a parameter is missing or wrong.
    pub fn toggle(&self, query: Option<&str>) -> Result<Response, ApiError> {
        let form = parse_form(query.unwrap_or_default());
        let (level, duration) = match (value_of(&form, "level"), value_of(&form, "duration")) {
            (None, None) => return Ok(format!("{}\n", self.level()).into_response()),
            (Some(_), None) => return Err(ApiError::bad_request("Expecting 'duration=value' in query.")),
            (None, Some(_)) => return Err(ApiError::bad_request("Expecting 'level=value' in query.")),
            (Some(level), Some(duration)) => (level, duration),
        };
        let wrong = |what: &str, text: &str| ApiError::bad_request(format!("Invalid {what} '{text}'."));
        let level_set = level.parse().map_err(|_| wrong("level", level))?;
        self.set_for(level_set, duration_of(duration).ok_or_else(|| wrong("duration", duration))?);
        Ok(ok())
    }

    fn set(&self, level: u32) -> u64 {
        self.set_if(None, level)
    }

    /// Sets the level, unless the newest change is another one than `expected`. Returns the newest change.
    fn set_if(&self, expected: Option<u64>, level: u32) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.is_some_and(|change| change != state.changes) {
            return state.changes;
        }
        state.level = level;
        state.changes += 1;
        if let Some(apply) = self.apply {
            apply(level);
        }
        state.changes
    }
}

/// A duration as Mesos writes it: a number and its unit, such as `1.5mins`.
fn duration_of(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("ms", 1e-3),
        ("secs", 1.0),
        ("mins", 60.0),
        ("hrs", 3600.0),
        ("days", 86_400.0),
        ("weeks", 604_800.0),
    ];
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn toggling_takes_both_parameters_or_none() {
        let logging = Logging::new(None);
        assert!(logging.toggle(Some("level=2&duration=1.5mins")).is_ok());
        assert_eq!(logging.level(), 2);
        assert!(logging.toggle(None).is_ok());
        for query in [
            "level=2",
            "duration=5secs",
            "level=x&duration=5secs",
            "level=1&duration=5",
            "level=-1&duration=1ns",
        ] {
            let error = logging.toggle(Some(query)).unwrap_err();
            assert_eq!((error.status.as_u16(), error.message.lines().count()), (400, 1), "{query}");
        }
        assert_eq!(duration_of("1.5mins"), Some(Duration::from_secs(90)));
        assert_eq!(duration_of("1e400weeks"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_lasts_for_its_time() {
        let logging = Logging::new(None);
        logging.set_for(2, Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(logging.level(), 2);
        logging.set_for(3, Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(logging.level(), 3, "the end of the first change is not the end of the second");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(logging.level(), 0);
    }
}
