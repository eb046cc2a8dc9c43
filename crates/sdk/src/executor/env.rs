//! What the agent tells an executor in its environment.

use std::path::PathBuf;
use std::time::Duration;

use proto::v1::{ExecutorId, FrameworkId};

use crate::address::{Address, AddressError};

/// The variables that Mesos documents for executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `MESOS_AGENT_ENDPOINT`.
    pub agent: Address,
    /// `MESOS_FRAMEWORK_ID`.
    pub framework_id: FrameworkId,
    /// `MESOS_EXECUTOR_ID`.
    pub executor_id: ExecutorId,
    /// `MESOS_SANDBOX`, or `MESOS_DIRECTORY`.
    pub sandbox: Option<PathBuf>,
    /// `MESOS_CHECKPOINT`: whether the executor is to outlive its agent.
    pub checkpoint: bool,
    /// `MESOS_RECOVERY_TIMEOUT`: for how long.
    pub recovery_timeout: Duration,
    /// `MESOS_SUBSCRIPTION_BACKOFF_MAX`: the longest wait between two attempts to subscribe.
    pub subscription_backoff_max: Duration,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`: the time between SHUTDOWN and the end by force.
    pub shutdown_grace_period: Duration,
    /// `MESOS_EXECUTOR_AUTHENTICATION_TOKEN`.
    pub token: Option<String>,
}

/// The environment is not that of an executor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable is missing.
    #[error("{0} is not set; an executor is started by an agent, not by hand")]
    Missing(&'static str),
    /// A variable holds a bad address.
    #[error("{name}: {reason}")]
    Address {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: AddressError,
    },
    /// A variable holds no duration.
    #[error("{name} is `{text}`, which is no duration such as 15secs or 1.5mins")]
    Duration {
        /// The variable.
        name: &'static str,
        /// What it holds.
        text: String,
    },
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// When a variable is missing or unreadable.
    pub fn read() -> Result<Self, EnvironmentError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let need = |name| lookup(name).ok_or(EnvironmentError::Missing(name));
        let duration = |name, default| match lookup(name) {
            None => Ok(default),
            Some(text) => parse_duration(&text).ok_or(EnvironmentError::Duration { name, text }),
        };
        let name = "MESOS_AGENT_ENDPOINT";
        let agent = Address::parse(&need(name)?, 5051)
            .map_err(|reason| EnvironmentError::Address { name, reason })?;
        Ok(Self {
            agent,
            framework_id: FrameworkId { value: need("MESOS_FRAMEWORK_ID")? },
            executor_id: ExecutorId { value: need("MESOS_EXECUTOR_ID")? },
            sandbox: lookup("MESOS_SANDBOX").or_else(|| lookup("MESOS_DIRECTORY")).map(PathBuf::from),
            checkpoint: lookup("MESOS_CHECKPOINT").is_some_and(|v| v == "1" || v == "true"),
            recovery_timeout: duration("MESOS_RECOVERY_TIMEOUT", Duration::from_secs(15 * 60))?,
            subscription_backoff_max: duration("MESOS_SUBSCRIPTION_BACKOFF_MAX", Duration::from_secs(2))?,
            shutdown_grace_period: duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", Duration::from_secs(5))?,
            token: lookup("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"),
        })
    }
}

/// Durations as Mesos writes them: a number and a unit, as in `15secs`, `1.5mins`, `100ms`.
fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "secs" => 1.0,
        "mins" => 60.0,
        "hrs" => 3600.0,
        "days" => 86_400.0,
        "weeks" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn the_agents_variables_are_read() {
        let environment = Environment::from_lookup(lookup(&[
            ("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"),
            ("MESOS_FRAMEWORK_ID", "f"),
            ("MESOS_EXECUTOR_ID", "e"),
            ("MESOS_DIRECTORY", "/sandbox"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "1.5mins"),
        ]))
        .unwrap();
        assert_eq!(environment.agent.to_string(), "127.0.0.1:5051");
        assert_eq!(environment.sandbox.as_deref(), Some(std::path::Path::new("/sandbox")));
        assert!(environment.checkpoint);
        assert_eq!(environment.recovery_timeout, Duration::from_secs(90));
        assert_eq!(environment.subscription_backoff_max, Duration::from_secs(2));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let check = |set: &[(&str, &str)], part: &str| {
            let error = Environment::from_lookup(lookup(set)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check(&[], "MESOS_AGENT_ENDPOINT is not set");
        check(&[("MESOS_AGENT_ENDPOINT", ":1")], "MESOS_AGENT_ENDPOINT: `:1`");
        let whole =
            [("MESOS_AGENT_ENDPOINT", "a:1"), ("MESOS_FRAMEWORK_ID", "f"), ("MESOS_EXECUTOR_ID", "e")];
        for bad in ["soon", "5", "-1secs", "5parsecs", ""] {
            let set = [&whole[..], &[("MESOS_RECOVERY_TIMEOUT", bad)]].concat();
            check(&set, "MESOS_RECOVERY_TIMEOUT");
        }
    }
}
