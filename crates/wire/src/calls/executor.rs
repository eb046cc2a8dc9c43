//! Calls of executors to their agent.

use proto::v1::executor::{Call, call::Type};
use proto::v1::{CheckStatusInfo, TaskState, check_info, task_status};

use crate::Invalid;
use crate::invalid::{Checked, check_uuid, invalid, present};

/// Checks an executor's call; the answer to a bad one is `Failed to validate Executor::Call: ` and the reason.
///
/// # Errors
/// What is missing or does not fit.
pub fn validate_executor_call(call: &Call) -> Result<(), Invalid> {
    let Some(kind) = call.r#type.and_then(|kind| Type::try_from(kind).ok()) else {
        return invalid("Expecting 'type' to be present");
    };
    match kind {
        Type::Subscribe => present(call.subscribe.as_ref(), "subscribe").map(|_| ()),
        Type::Update => validate_update(call),
        Type::Message => present(call.message.as_ref(), "message").map(|_| ()),
        Type::Heartbeat | Type::Unknown => Ok(()),
    }
}

fn validate_update(call: &Call) -> Checked {
    let status = &present(call.update.as_ref(), "update")?.status;
    check_uuid(present(status.uuid.as_ref(), "uuid")?)?;
    let executor = &call.executor_id.value;
    if let Some(named) = &status.executor_id
        && named.value != *executor
    {
        return invalid(format!(
            "ExecutorID in Call: {executor} does not match ExecutorID in TaskStatus: {}",
            named.value
        ));
    }
    let framework = &call.framework_id.value;
    if status.source() != task_status::Source::Executor {
        return invalid(format!(
            "Received Call from executor {executor} of framework {framework} with invalid source, expecting \
             'SOURCE_EXECUTOR'"
        ));
    }
    let state = status.state();
    // Beyond Mesos: of the last two only a master can know.
    if matches!(state, TaskState::TaskStaging | TaskState::TaskUnreachable | TaskState::TaskUnknown) {
        return invalid(format!(
            "Received {} from executor {executor} of framework {framework} which is not allowed",
            state.as_str_name()
        ));
    }
    status.check_status.as_ref().map_or(Ok(()), validate_check_status)
}

fn validate_check_status(status: &CheckStatusInfo) -> Checked {
    let Some(kind) = status.r#type.and_then(|kind| check_info::Type::try_from(kind).ok()) else {
        return invalid("CheckStatusInfo must specify 'type'");
    };
    let (part, is_there) = match kind {
        check_info::Type::Command => ("command", status.command.is_some()),
        check_info::Type::Http => ("http", status.http.is_some()),
        check_info::Type::Tcp => ("tcp", status.tcp.is_some()),
        check_info::Type::Unknown => return invalid("'UNKNOWN' is not a valid check's status type"),
    };
    if is_there {
        return Ok(());
    }
    invalid(format!("Expecting '{part}' to be set for {} check's status", kind.as_str_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str) -> Result<(), String> {
        let json = format!(r#"{{"executor_id":{{"value":"e"}},"framework_id":{{"value":"f"}}{rest}}}"#);
        let call: Call = proto::json::from_slice(json.as_bytes()).unwrap();
        validate_executor_call(&call).map_err(|error| error.to_string())
    }

    #[test]
    fn each_call_needs_its_part() {
        let expecting = |part: &str| Err(format!("Expecting '{part}' to be present"));
        assert_eq!(check(""), expecting("type"));
        assert_eq!(check(r#","type":"SUBSCRIBE""#), expecting("subscribe"));
        assert_eq!(check(r#","type":"UPDATE""#), expecting("update"));
        assert_eq!(check(r#","type":"MESSAGE""#), expecting("message"));
        assert_eq!(check(r#","type":"HEARTBEAT""#), Ok(()));
    }

    #[test]
    fn updates() {
        let update = |status: &str| {
            check(&format!(r#","type":"UPDATE","update":{{"status":{{"task_id":{{"value":"t"}}{status}}}}}"#))
        };
        let uuid = r#","uuid":"H//ecgz3RDSQhSGLQUjNKw==""#;
        let err = |text: &str| Err(text.to_owned());
        assert_eq!(update(r#","state":"TASK_RUNNING""#), err("Expecting 'uuid' to be present"));
        assert_eq!(update(r#","state":"TASK_RUNNING","uuid":"YWJj""#), err("Not a valid UUID"));
        let running = |rest: &str| update(&format!(r#","state":"TASK_RUNNING"{uuid}{rest}"#));
        assert_eq!(running(r#","source":"SOURCE_EXECUTOR""#), Ok(()));
        assert_eq!(
            running(r#","source":"SOURCE_MASTER""#),
            err(
                "Received Call from executor e of framework f with invalid source, expecting 'SOURCE_EXECUTOR'"
            )
        );
        assert_eq!(
            running(r#","executor_id":{"value":"x"}"#),
            err("ExecutorID in Call: e does not match ExecutorID in TaskStatus: x")
        );
        for state in ["TASK_STAGING", "TASK_UNREACHABLE", "TASK_UNKNOWN"] {
            assert_eq!(
                update(&format!(r#","state":"{state}","source":"SOURCE_EXECUTOR"{uuid}"#)),
                Err(format!("Received {state} from executor e of framework f which is not allowed"))
            );
        }
        for (status, error) in [
            ("{}", "CheckStatusInfo must specify 'type'"),
            (r#"{"type":"UNKNOWN"}"#, "'UNKNOWN' is not a valid check's status type"),
            (r#"{"type":"COMMAND"}"#, "Expecting 'command' to be set for COMMAND check's status"),
            (r#"{"type":"HTTP"}"#, "Expecting 'http' to be set for HTTP check's status"),
            (r#"{"type":"TCP"}"#, "Expecting 'tcp' to be set for TCP check's status"),
        ] {
            let status = format!(r#","source":"SOURCE_EXECUTOR","check_status":{status}"#);
            assert_eq!(running(&status), err(error));
        }
    }
}
