//! Points in time, for people and from people. All are UTC: operators of one cluster sit in many places.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::flags;

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// `2026-11-23T04:20:00Z`; nothing for what has not been.
pub(crate) fn utc(seconds: f64) -> String {
    if seconds <= 0.0 {
        return String::new();
    }
    let whole = Duration::try_from_secs_f64(seconds).ok().and_then(|time| i64::try_from(time.as_secs()).ok());
    whole
        .and_then(|whole| Timestamp::from_second(whole).ok())
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// A point in time and how long ago that was: `2026-11-23T04:20:00Z (5m ago)`.
pub(crate) fn ago(seconds: f64, now: f64) -> String {
    let text = utc(seconds);
    match Duration::try_from_secs_f64(now - seconds) {
        _ if text.is_empty() => text,
        Ok(since) => format!("{text} ({} ago)", super::age(since)),
        Err(_) => format!("{text} (in {})", span(seconds - now)),
    }
}

/// Seconds as `90s`, `5m`, `3h`.
pub(crate) fn span(seconds: f64) -> String {
    super::age(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// Seconds since 1970 of the header `Date` of an answer.
pub(crate) fn http_date(text: &str) -> Option<f64> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    // Seconds of this century are exact.
    Some(time.as_second() as f64)
}

/// When something is to begin: `now`, `+2h`, or as in `2026-11-24T10:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// So long from now.
    In(Duration),
    /// At this time since 1970.
    At(Duration),
}

impl Start {
    /// Since 1970.
    pub(crate) fn time(self, now: Duration) -> Duration {
        match self {
            Self::In(after) => now.saturating_add(after),
            Self::At(time) => time,
        }
    }
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::In(Duration::ZERO));
        }
        if let Some(after) = text.strip_prefix('+') {
            return after.parse::<flags::Duration>().map(|after| Self::In(after.0));
        }
        let time =
            text.parse::<Timestamp>().ok().and_then(|time| Duration::try_from(time.as_duration()).ok());
        let wrong =
            || format!("`{text}` is no time; write now, +2h, or a time with its zone: 2026-11-24T10:00:00Z");
        time.map(Self::At).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        assert_eq!((utc(1_795_400_000.5), utc(0.0)), ("2026-11-23T02:13:20Z".into(), String::new()));
        assert_eq!(ago(1_795_400_000.0, 1_795_400_090.0), "2026-11-23T02:13:20Z (90s ago)");
        assert_eq!(ago(1_795_400_000.0, 1_795_399_940.0), "2026-11-23T02:13:20Z (in 60s)");
        assert_eq!(http_date("Mon, 23 Nov 2026 02:13:20 GMT"), Some(1_795_400_000.0));
        let time =
            |text: &str| text.parse::<Start>().map(|start| start.time(Duration::from_secs(100)).as_secs());
        assert_eq!(time("now"), Ok(100));
        assert_eq!(time("+2mins"), Ok(220));
        assert_eq!(time("2026-11-23T03:13:20+01:00"), Ok(1_795_400_000));
        assert!(time("tomorrow").unwrap_err().contains("`tomorrow` is no time"));
    }
}
