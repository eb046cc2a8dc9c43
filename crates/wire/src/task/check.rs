//! Checks and health checks.

use proto::v1::{CheckInfo, CommandInfo, HealthCheck, check_info, health_check};

use super::check_command;
use crate::invalid::{Checked, ensure, invalid};

pub(super) fn check_health_check(check: &HealthCheck) -> Checked {
    use health_check::Type;
    let Some(kind) = check.r#type.and_then(|kind| Type::try_from(kind).ok()) else {
        return invalid("HealthCheck must specify 'type'");
    };
    match kind {
        Type::Command => {
            let Some(command) = &check.command else {
                return invalid("Expecting 'command' to be set for COMMAND health check");
            };
            has_value(command, "Command health check")?;
            check_command(command)
                .map_err(|error| error.within("Health check's `CommandInfo` is invalid"))?;
        }
        Type::Http => {
            let Some(http) = &check.http else {
                return invalid("Expecting 'http' to be set for HTTP health check");
            };
            if let Some(scheme) = http.scheme.as_deref().filter(|scheme| !matches!(*scheme, "http" | "https"))
            {
                return invalid(format!("Unsupported HTTP health check scheme: '{scheme}'"));
            }
            is_path(http.path.as_deref(), "HTTP health check")?;
        }
        Type::Tcp => ensure(check.tcp.is_some(), "Expecting 'tcp' to be set for TCP health check")?,
        Type::Unknown => return invalid("'UNKNOWN' is not a valid health check type"),
    }
    not_negative("delay_seconds", check.delay_seconds)?;
    not_negative("grace_period_seconds", check.grace_period_seconds)?;
    not_negative("interval_seconds", check.interval_seconds)?;
    not_negative("timeout_seconds", check.timeout_seconds)
}

pub(super) fn check_check(check: &CheckInfo) -> Checked {
    use check_info::Type;
    let Some(kind) = check.r#type.and_then(|kind| Type::try_from(kind).ok()) else {
        return invalid("CheckInfo must specify 'type'");
    };
    match kind {
        Type::Command => {
            let Some(part) = &check.command else {
                return invalid("Expecting 'command' to be set for COMMAND check");
            };
            has_value(&part.command, "Command check")?;
            check_command(&part.command).map_err(|error| error.within("Check's `CommandInfo` is invalid"))?;
        }
        Type::Http => {
            let Some(http) = &check.http else {
                return invalid("Expecting 'http' to be set for HTTP check");
            };
            is_path(http.path.as_deref(), "HTTP check")?;
        }
        Type::Tcp => ensure(check.tcp.is_some(), "Expecting 'tcp' to be set for TCP check")?,
        Type::Unknown => return invalid("'UNKNOWN' is not a valid check type"),
    }
    not_negative("delay_seconds", check.delay_seconds)?;
    not_negative("interval_seconds", check.interval_seconds)?;
    not_negative("timeout_seconds", check.timeout_seconds)
}

fn has_value(command: &CommandInfo, what: &str) -> Checked {
    let kind = if command.shell() { "shell command" } else { "executable path" };
    ensure(command.value.is_some(), &format!("{what} must contain '{kind}'"))
}

fn is_path(path: Option<&str>, what: &str) -> Checked {
    match path {
        Some(path) if !path.starts_with('/') => {
            invalid(format!("The path '{path}' of {what} must start with '/'"))
        }
        _ => Ok(()),
    }
}

fn not_negative(field: &str, seconds: Option<f64>) -> Checked {
    ensure(seconds.is_none_or(|seconds| seconds >= 0.0), &format!("Expecting '{field}' to be non-negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(json: &str) -> String {
        let check: HealthCheck = proto::json::from_slice(json.as_bytes()).unwrap();
        check_health_check(&check).err().map(String::from).unwrap_or_default()
    }

    fn plain(json: &str) -> String {
        let check: CheckInfo = proto::json::from_slice(json.as_bytes()).unwrap();
        check_check(&check).err().map(String::from).unwrap_or_default()
    }

    #[test]
    fn health_checks() {
        for (json, expected) in [
            ("{}", "HealthCheck must specify 'type'"),
            (r#"{"type":"UNKNOWN"}"#, "'UNKNOWN' is not a valid health check type"),
            (r#"{"type":"COMMAND"}"#, "Expecting 'command' to be set for COMMAND health check"),
            (r#"{"type":"COMMAND","command":{}}"#, "Command health check must contain 'shell command'"),
            (
                r#"{"type":"COMMAND","command":{"shell":false}}"#,
                "Command health check must contain 'executable path'",
            ),
            (
                r#"{"type":"COMMAND","command":{"value":"x","environment":{"variables":[{"name":"X"}]}}}"#,
                "Health check's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a value \
                 set",
            ),
            (r#"{"type":"COMMAND","command":{"value":"x"}}"#, ""),
            (r#"{"type":"HTTP"}"#, "Expecting 'http' to be set for HTTP health check"),
            (
                r#"{"type":"HTTP","http":{"port":1,"scheme":"ftp"}}"#,
                "Unsupported HTTP health check scheme: 'ftp'",
            ),
            (
                r#"{"type":"HTTP","http":{"port":1,"path":"x"}}"#,
                "The path 'x' of HTTP health check must start with '/'",
            ),
            (r#"{"type":"HTTP","http":{"port":1,"scheme":"https","path":"/x"}}"#, ""),
            (r#"{"type":"TCP"}"#, "Expecting 'tcp' to be set for TCP health check"),
            (r#"{"type":"TCP","tcp":{"port":1}}"#, ""),
        ] {
            assert_eq!(health(json), expected, "{json}");
        }
        for field in ["delay_seconds", "grace_period_seconds", "interval_seconds", "timeout_seconds"] {
            let json = format!(r#"{{"type":"TCP","tcp":{{"port":1}},"{field}":-1}}"#);
            assert_eq!(health(&json), format!("Expecting '{field}' to be non-negative"));
        }
    }

    #[test]
    fn checks() {
        for (json, expected) in [
            ("{}", "CheckInfo must specify 'type'"),
            (r#"{"type":"UNKNOWN"}"#, "'UNKNOWN' is not a valid check type"),
            (r#"{"type":"COMMAND"}"#, "Expecting 'command' to be set for COMMAND check"),
            (r#"{"type":"COMMAND","command":{"command":{}}}"#, "Command check must contain 'shell command'"),
            (r#"{"type":"COMMAND","command":{"command":{"value":"x"}}}"#, ""),
            (r#"{"type":"HTTP"}"#, "Expecting 'http' to be set for HTTP check"),
            (
                r#"{"type":"HTTP","http":{"port":1,"path":"x"}}"#,
                "The path 'x' of HTTP check must start with '/'",
            ),
            (r#"{"type":"TCP"}"#, "Expecting 'tcp' to be set for TCP check"),
            (
                r#"{"type":"TCP","tcp":{"port":1},"delay_seconds":-1}"#,
                "Expecting 'delay_seconds' to be non-negative",
            ),
        ] {
            assert_eq!(plain(json), expected, "{json}");
        }
    }
}
