//! Calls of schedulers.

use proto::v1::FrameworkId;
use proto::v1::scheduler::{Call, call::Type};

use crate::Invalid;
use crate::invalid::{Checked, check_uuid, ensure, invalid, present};

/// Checks a scheduler's call; the answer to a bad one is `Failed to validate scheduler::Call: ` and the reason.
///
/// # Errors
/// What is missing or does not fit.
pub fn validate_scheduler_call(call: &Call) -> Result<(), Invalid> {
    let Some(kind) = call.r#type.and_then(|kind| Type::try_from(kind).ok()) else {
        return invalid("Expecting 'type' to be present");
    };
    if kind == Type::Subscribe {
        let subscribe = present(call.subscribe.as_ref(), "subscribe")?;
        return same_framework(call, subscribe.framework_info.id.as_ref(), "subscribe");
    }
    present(call.framework_id.as_ref(), "framework_id")?;
    let there = |is_present: bool, part: &str| match is_present {
        true => Ok(()),
        false => invalid(format!("Expecting '{part}' to be present")),
    };
    match kind {
        Type::Subscribe | Type::Teardown | Type::Revive | Type::Suppress | Type::Unknown => Ok(()),
        Type::Accept => there(call.accept.is_some(), "accept"),
        Type::Decline => there(call.decline.is_some(), "decline"),
        Type::AcceptInverseOffers => there(call.accept_inverse_offers.is_some(), "accept_inverse_offers"),
        Type::DeclineInverseOffers => there(call.decline_inverse_offers.is_some(), "decline_inverse_offers"),
        Type::Kill => there(call.kill.is_some(), "kill"),
        Type::Shutdown => there(call.shutdown.is_some(), "shutdown"),
        Type::Acknowledge => check_uuid(&present(call.acknowledge.as_ref(), "acknowledge")?.uuid),
        Type::AcknowledgeOperationStatus => {
            let acknowledge =
                present(call.acknowledge_operation_status.as_ref(), "acknowledge_operation_status")?;
            check_uuid(&acknowledge.uuid)?;
            there(acknowledge.agent_id.is_some(), "agent_id")
        }
        Type::Reconcile => there(call.reconcile.is_some(), "reconcile"),
        Type::ReconcileOperations => there(call.reconcile_operations.is_some(), "reconcile_operations"),
        Type::Message => there(call.message.is_some(), "message"),
        Type::Request => there(call.request.is_some(), "request"),
        Type::UpdateFramework => {
            let update = present(call.update_framework.as_ref(), "update_framework")?;
            same_framework(call, update.framework_info.id.as_ref(), "update_framework")
        }
    }
}

/// The call and the description in it must be about the same framework; no id and an empty one are the same.
fn same_framework(call: &Call, described: Option<&FrameworkId>, part: &str) -> Checked {
    let text = |id: Option<&FrameworkId>| id.map(|id| id.value.clone()).unwrap_or_default();
    ensure(
        text(call.framework_id.as_ref()) == text(described),
        &format!("'framework_id' differs from '{part}.framework_info.id'"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), String> {
        let call: Call = proto::json::from_slice(json.as_bytes()).unwrap();
        validate_scheduler_call(&call).map_err(|error| error.to_string())
    }

    fn expecting(part: &str) -> Result<(), String> {
        Err(format!("Expecting '{part}' to be present"))
    }

    #[test]
    fn each_call_needs_its_part() {
        assert_eq!(check("{}"), expecting("type"));
        assert_eq!(check(r#"{"type":"NO_SUCH_TYPE"}"#), expecting("type"));
        assert_eq!(check(r#"{"type":"SUBSCRIBE"}"#), expecting("subscribe"));
        for kind in [
            "ACCEPT",
            "DECLINE",
            "ACCEPT_INVERSE_OFFERS",
            "DECLINE_INVERSE_OFFERS",
            "KILL",
            "SHUTDOWN",
            "ACKNOWLEDGE",
            "ACKNOWLEDGE_OPERATION_STATUS",
            "RECONCILE",
            "RECONCILE_OPERATIONS",
            "MESSAGE",
            "REQUEST",
            "UPDATE_FRAMEWORK",
        ] {
            assert_eq!(check(&format!(r#"{{"type":"{kind}"}}"#)), expecting("framework_id"), "{kind}");
            let call = format!(r#"{{"type":"{kind}","framework_id":{{"value":"f"}}}}"#);
            assert_eq!(check(&call), expecting(&kind.to_lowercase()), "{kind}");
        }
        for kind in ["TEARDOWN", "REVIVE", "SUPPRESS", "UNKNOWN"] {
            assert_eq!(
                check(&format!(r#"{{"type":"{kind}","framework_id":{{"value":"f"}}}}"#)),
                Ok(()),
                "{kind}"
            );
        }
    }

    #[test]
    fn both_ids_of_a_framework_agree() {
        let subscribe = |outer: &str, inner: &str| {
            check(&format!(
                r#"{{"type":"SUBSCRIBE"{outer},"subscribe":{{"framework_info":{{"user":"u","name":"n"{inner}}}}}}}"#
            ))
        };
        let (outer, inner) = (r#","framework_id":{"value":"a"}"#, r#","id":{"value":"a"}"#);
        assert_eq!(subscribe("", ""), Ok(()));
        assert_eq!(subscribe(outer, inner), Ok(()));
        let differs = Err("'framework_id' differs from 'subscribe.framework_info.id'".to_owned());
        assert_eq!(subscribe(outer, ""), differs);
        assert_eq!(subscribe("", inner), differs);
        let update = r#"{"type":"UPDATE_FRAMEWORK","framework_id":{"value":"a"},
            "update_framework":{"framework_info":{"user":"u","name":"n"}}}"#;
        let differs = Err("'framework_id' differs from 'update_framework.framework_info.id'".to_owned());
        assert_eq!(check(update), differs);
    }

    #[test]
    fn acknowledgements_have_a_uuid() {
        let acknowledge = |uuid: &str| {
            check(&format!(
                r#"{{"type":"ACKNOWLEDGE","framework_id":{{"value":"f"}},
                    "acknowledge":{{"agent_id":{{"value":"a"}},"task_id":{{"value":"t"}},"uuid":"{uuid}"}}}}"#
            ))
        };
        assert_eq!(acknowledge("H//ecgz3RDSQhSGLQUjNKw=="), Ok(()));
        assert_eq!(acknowledge("YWJj"), Err("Not a valid UUID".to_owned()));
        let operation = r#"{"type":"ACKNOWLEDGE_OPERATION_STATUS","framework_id":{"value":"f"},
            "acknowledge_operation_status":{"uuid":"H//ecgz3RDSQhSGLQUjNKw==","operation_id":{"value":"o"}}}"#;
        assert_eq!(check(operation), expecting("agent_id"));
    }
}
