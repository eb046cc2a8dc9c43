//! Checks and health checks. The master has refused those that make no sense; of one that comes nevertheless there is none.

use std::time::Duration;

use agent_core::{Check, CheckStatus, HealthCheck, Probe};
use proto::v1;
use proto::v1::check_status_info as found;
use proto::v1::{check_info, health_check, network_info};

use super::info::command;

pub(super) fn check(info: &v1::CheckInfo) -> Option<Check> {
    let probe = match info.r#type() {
        check_info::Type::Command => Probe::Command(command(&info.command.as_ref()?.command)),
        check_info::Type::Http => {
            let http = info.http.as_ref()?;
            Probe::Http { https: false, port: http.port, path: http.path().into(), ipv6: false }
        }
        check_info::Type::Tcp => Probe::Tcp { port: info.tcp.as_ref()?.port, ipv6: false },
        check_info::Type::Unknown => return None,
    };
    Some(Check {
        probe,
        delay: seconds(info.delay_seconds()),
        interval: seconds(info.interval_seconds()),
        timeout: limit(info.timeout_seconds()),
    })
}

pub(super) fn health_check(info: &v1::HealthCheck) -> Option<HealthCheck> {
    let probe = match info.r#type() {
        health_check::Type::Command => Probe::Command(command(info.command.as_ref()?)),
        health_check::Type::Http => {
            let http = info.http.as_ref()?;
            Probe::Http {
                https: http.scheme() == "https",
                port: http.port,
                path: http.path().into(),
                ipv6: http.protocol() == network_info::Protocol::IPv6,
            }
        }
        health_check::Type::Tcp => {
            let tcp = info.tcp.as_ref()?;
            Probe::Tcp { port: tcp.port, ipv6: tcp.protocol() == network_info::Protocol::IPv6 }
        }
        health_check::Type::Unknown => return None,
    };
    Some(HealthCheck {
        check: Check {
            probe,
            delay: seconds(info.delay_seconds()),
            interval: seconds(info.interval_seconds()),
            timeout: limit(info.timeout_seconds()),
        },
        grace: seconds(info.grace_period_seconds()),
        consecutive_failures: info.consecutive_failures(),
    })
}

/// What a check runs, for those who look at what a task asks for.
pub(super) fn command_of(info: Option<&v1::CheckInfo>) -> Option<&v1::CommandInfo> {
    info?.command.as_ref().map(|check| &check.command)
}

pub(super) fn command_of_health(info: Option<&v1::HealthCheck>) -> Option<&v1::CommandInfo> {
    info?.command.as_ref()
}

/// What no duration can hold is as good as for ever.
fn seconds(seconds: f64) -> Duration {
    if seconds > 0.0 { Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX) } else { Duration::ZERO }
}

/// Zero is no limit.
fn limit(timeout: f64) -> Option<Duration> {
    Some(seconds(timeout)).filter(|timeout| !timeout.is_zero() && *timeout != Duration::MAX)
}

pub(super) fn check_status_to_proto(status: CheckStatus) -> v1::CheckStatusInfo {
    let mut info = v1::CheckStatusInfo::default();
    match status {
        CheckStatus::Command(exit_code) => {
            info.set_type(check_info::Type::Command);
            info.command = Some(found::Command { exit_code });
        }
        CheckStatus::Http(status_code) => {
            info.set_type(check_info::Type::Http);
            info.http = Some(found::Http { status_code });
        }
        CheckStatus::Tcp(succeeded) => {
            info.set_type(check_info::Type::Tcp);
            info.tcp = Some(found::Tcp { succeeded });
        }
    }
    info
}

pub(super) fn check_status_from_proto(info: &v1::CheckStatusInfo) -> Option<CheckStatus> {
    Some(match info.r#type() {
        check_info::Type::Command => CheckStatus::Command(info.command.as_ref()?.exit_code),
        check_info::Type::Http => CheckStatus::Http(info.http.as_ref()?.status_code),
        check_info::Type::Tcp => CheckStatus::Tcp(info.tcp.as_ref()?.succeeded),
        check_info::Type::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(json: &str) -> Option<HealthCheck> {
        health_check(&proto::json::from_slice(json.as_bytes()).expect("a health check"))
    }

    #[test]
    fn what_schedulers_leave_out_has_its_default() {
        let found = health(r#"{"type":"HTTP","http":{"port":80}}"#).expect("valid");
        let http = Probe::Http { https: false, port: 80, path: "".into(), ipv6: false };
        let secs = Duration::from_secs;
        assert_eq!(
            found,
            HealthCheck {
                check: Check { probe: http, delay: secs(15), interval: secs(10), timeout: Some(secs(20)) },
                grace: secs(10),
                consecutive_failures: 3,
            }
        );
        let info = proto::json::from_slice(br#"{"type":"TCP","tcp":{"port":7}}"#).expect("a check");
        let found = check(&info).expect("valid");
        assert_eq!(found.probe, Probe::Tcp { port: 7, ipv6: false });
        assert_eq!((found.delay, found.interval, found.timeout), (secs(15), secs(10), Some(secs(20))));
    }

    #[test]
    fn everything_is_read() {
        let found = health(
            r#"{"type":"HTTP","http":{"port":443,"scheme":"https","path":"/x","protocol":"IPv6"},"delay_seconds":0.5,
               "interval_seconds":1.5,"timeout_seconds":0,"consecutive_failures":7,"grace_period_seconds":0}"#,
        )
        .expect("valid");
        assert_eq!(found.check.probe, Probe::Http { https: true, port: 443, path: "/x".into(), ipv6: true });
        assert_eq!(found.check.delay, Duration::from_millis(500));
        assert_eq!((found.check.timeout, found.grace), (None, Duration::ZERO));
        assert_eq!(found.consecutive_failures, 7);
    }

    #[test]
    fn times_beyond_reason_are_times() {
        for (delay, expected) in [("1e300", Duration::MAX), ("-1", Duration::ZERO)] {
            let json = format!(r#"{{"type":"TCP","tcp":{{"port":1}},"delay_seconds":{delay}}}"#);
            assert_eq!(health(&json).expect("valid").check.delay, expected);
        }
        assert_eq!(seconds(f64::NAN), Duration::ZERO);
        assert_eq!(limit(f64::INFINITY), None);
    }

    #[test]
    fn what_was_found_survives_the_way_there_and_back() {
        for status in [
            CheckStatus::Command(None),
            CheckStatus::Command(Some(2)),
            CheckStatus::Http(Some(404)),
            CheckStatus::Tcp(Some(false)),
        ] {
            assert_eq!(check_status_from_proto(&check_status_to_proto(status)), Some(status));
        }
    }
}
