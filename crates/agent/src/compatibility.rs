//! Whether an agent that was started with other settings may go on as the one that was here before.

use proto::{v0, v1};
use resources::{Range, Ranges, Resources};

use crate::options::ReconfigurationPolicy;

/// What may not change, and has.
///
/// Whatever the policy, resources that reservations, volumes or running tasks need must still be there; that is the core's
/// to find out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "configuration change not permitted under '--reconfiguration_policy={policy}': {what}; undo the change, permit it by \
     another policy, or start once with '--recover=cleanup' to begin as a new agent"
)]
pub struct IncompatibleError {
    policy: &'static str,
    what: String,
}

/// Compares how an agent described itself with how it does now.
pub(crate) fn check(
    policy: ReconfigurationPolicy,
    before: &v0::SlaveInfo,
    now: &v0::SlaveInfo,
) -> Result<(), IncompatibleError> {
    let found = match policy {
        ReconfigurationPolicy::Any => Ok(()),
        ReconfigurationPolicy::Additive => only_additions(before, now),
        ReconfigurationPolicy::Equal => no_change(before, now),
    };
    found.map_err(|what| IncompatibleError { policy: policy.as_str(), what })
}

fn no_change(before: &v0::SlaveInfo, now: &v0::SlaveInfo) -> Result<(), String> {
    place(before, now, before.domain != now.domain)?;
    let (old, new) = (resources(before), resources(now));
    if old != new {
        return Err(format!("resources changed from {old} to {new}"));
    }
    if before.attributes != now.attributes {
        return Err("attributes changed".to_owned());
    }
    Ok(())
}

fn only_additions(before: &v0::SlaveInfo, now: &v0::SlaveInfo) -> Result<(), String> {
    place(before, now, before.domain.is_some() && before.domain != now.domain)?;
    let (old, new) = (resources(before), resources(now));
    if !new.contains(&old) {
        return Err(format!("resources {new} lack some of {old}"));
    }
    for attribute in &before.attributes {
        let same = now.attributes.iter().find(|other| other.name == attribute.name);
        if !same.is_some_and(|other| extends(attribute, other)) {
            return Err(format!("attribute '{}' is gone or has changed", attribute.name));
        }
    }
    Ok(())
}

fn place(before: &v0::SlaveInfo, now: &v0::SlaveInfo, moved: bool) -> Result<(), String> {
    if before.hostname != now.hostname {
        return Err(format!("hostname changed from {} to {}", before.hostname, now.hostname));
    }
    if before.port != now.port {
        let port = |info: &v0::SlaveInfo| info.port.unwrap_or(5051);
        return Err(format!("port changed from {} to {}", port(before), port(now)));
    }
    if moved {
        return Err("domain changed".to_owned());
    }
    Ok(())
}

fn resources(info: &v0::SlaveInfo) -> Resources {
    // It was valid when the agent was described; what is not any more counts as nothing.
    wire::resources_from_proto(&info.resources).unwrap_or_default()
}

/// Whether an attribute is the same, or has more of its ranges.
fn extends(before: &v1::Attribute, now: &v1::Attribute) -> bool {
    let ranges = |attribute: &v1::Attribute| {
        let all = attribute.ranges.as_ref()?.range.iter().map(|r| Range { begin: r.begin, end: r.end });
        Ranges::new(all).ok()
    };
    match (ranges(before), ranges(now)) {
        (Some(before), Some(now)) => now.contains(&before),
        _ => before == now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(resources: &str, hostname: &str, attributes: &[(&str, &str)]) -> v0::SlaveInfo {
        let resources = Resources::parse(resources).expect("well formed");
        let text = |value: &str| v1::value::Text { value: value.to_owned() };
        v0::SlaveInfo {
            hostname: hostname.to_owned(),
            resources: wire::resources_to_proto(&resources),
            attributes: attributes
                .iter()
                .map(|(name, value)| v1::Attribute {
                    name: (*name).to_owned(),
                    r#type: v1::value::Type::Text.into(),
                    text: Some(text(value)),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }
    }

    #[test]
    fn each_policy_permits_what_it_says() {
        use ReconfigurationPolicy::{Additive, Any, Equal};
        let before = info("cpus:4;ports:[1-9]", "h", &[("rack", "r1")]);
        let cases = [
            (info("cpus:4;ports:[1-9]", "h", &[("rack", "r1")]), &[Any, Additive, Equal][..]),
            (info("cpus:5;mem:1;ports:[1-9]", "h", &[("rack", "r1"), ("zone", "a")]), &[Any, Additive]),
            (info("cpus:3;ports:[1-9]", "h", &[("rack", "r1")]), &[Any]),
            (info("cpus:4;ports:[1-8]", "h", &[("rack", "r1")]), &[Any]),
            (info("cpus:4;ports:[1-9]", "h", &[("rack", "r2")]), &[Any]),
            (info("cpus:4;ports:[1-9]", "h", &[]), &[Any]),
            (info("cpus:4;ports:[1-9]", "other", &[("rack", "r1")]), &[Any]),
        ];
        for (now, permitted) in cases {
            for policy in [Any, Additive, Equal] {
                let checked = check(policy, &before, &now);
                assert_eq!(checked.is_ok(), permitted.contains(&policy), "{policy:?}: {checked:?}");
            }
        }
        let error = check(Equal, &before, &info("cpus:4", "h", &[])).expect_err("less");
        assert!(
            error.to_string().contains("'--reconfiguration_policy=equal': resources changed from"),
            "{error}"
        );
    }
}
