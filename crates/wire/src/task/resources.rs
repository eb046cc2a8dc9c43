//! Rules for the resources of a task or an executor together.

use std::collections::BTreeMap;

use resources::{Name, Quantities, Resources, duplicate_persistence_id, validate_use};

use crate::invalid::{Checked, Invalid, ensure, invalid};

/// How to speak of those who use resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    uses: &'static str,
    duplicate: &'static str,
    of: &'static str,
    mixes: &'static str,
}

impl Words {
    pub(super) const TASK: Self = Self {
        uses: "Task uses invalid resources",
        duplicate: "Task uses duplicate persistence ID",
        of: "Invalid task resources",
        mixes: "Task mixes revocable and non-revocable resources",
    };
    pub(super) const EXECUTOR: Self = Self {
        uses: "Executor uses invalid resources",
        duplicate: "Executor uses duplicate persistence ID",
        of: "Invalid executor resources",
        mixes: "Executor mixes revocable and non-revocable resources",
    };
    pub(super) const TASK_AND_EXECUTOR: Self = Self {
        uses: "Task and its executor use invalid resources",
        duplicate: "Task and its executor use duplicate persistence ID",
        of: "Invalid task resources",
        mixes: "Task and its executor mix revocable and non-revocable resources",
    };
    pub(super) const GROUP: Self = Self {
        uses: "Task group and executor use invalid resources",
        duplicate: "Task group and executor use duplicate persistence ID",
        of: "Invalid task resources",
        mixes: "Task group and executor mix revocable and non-revocable resources",
    };
}

/// All rules, for the resources of one.
pub(super) fn check_all(resources: &Resources, words: Words) -> Checked {
    check_each(resources).map_err(|error| error.within(words.uses))?;
    check_unique_volumes(resources).map_err(|error| error.within(words.duplicate))?;
    check_one_role(resources).map_err(|error| error.within(words.of))?;
    check_revocable(resources).map_err(|error| error.within(words.mixes))
}

/// The rules for the sum of several whose own resources are good.
pub(super) fn check_together(total: &Resources, words: Words) -> Checked {
    check_unique_volumes(total).map_err(|error| error.within(words.duplicate))?;
    check_revocable(total).map_err(|error| error.within(words.mixes))
}

fn check_each(resources: &Resources) -> Checked {
    validate_use(resources.iter()).map_err(|error| Invalid::new(error.to_string()))
}

/// A GPU is had whole.
pub(crate) fn check_gpus(resources: &Resources) -> Checked {
    let gpus = resources.gpus().unwrap_or_default();
    ensure(gpus.thousandths() % 1000 == 0, "The 'gpus' resource must be an unsigned integer")
}

/// Persistence ids are unique for a role on an agent.
fn check_unique_volumes(resources: &Resources) -> Checked {
    match duplicate_persistence_id(resources.iter()) {
        Some(id) => invalid(format!("Persistence ID '{id}' is not unique")),
        None => Ok(()),
    }
}

/// Resources that name no role get that of their offer; of those that do, all name the same.
fn check_one_role(resources: &Resources) -> Checked {
    let mut roles = resources.iter().filter_map(|resource| resource.allocation.as_ref());
    let Some(first) = roles.next() else { return Ok(()) };
    match roles.find(|role| *role != first) {
        None => Ok(()),
        Some(other) => invalid(format!(
            "The resources have multiple allocation roles ('{other}' and '{first}') but only one allocation role is \
             allowed"
        )),
    }
}

fn check_revocable(resources: &Resources) -> Checked {
    let mut kinds: BTreeMap<&Name, bool> = BTreeMap::new();
    for resource in resources.iter() {
        let revocable = *kinds.entry(&resource.name).or_insert(resource.is_revocable());
        if revocable != resource.is_revocable() {
            return invalid(format!(
                "Cannot use both revocable and non-revocable '{}' at the same time",
                resource.name
            ));
        }
    }
    Ok(())
}

/// All of them together.
pub(super) fn sum<'a>(parts: impl IntoIterator<Item = Option<&'a Resources>>) -> Resources {
    let mut total = Resources::new();
    for part in parts.into_iter().flatten() {
        total += part;
    }
    total
}

/// Whether some port or item is in more than one of them: then the sum has fewer than all together.
pub(super) fn overlap(parts: &[&Resources]) -> bool {
    let mut one_by_one = Quantities::new();
    for part in parts {
        one_by_one += &part.counts();
    }
    sum(parts.iter().map(|part| Some(*part))).counts() != one_by_one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::resources_from_proto;

    #[track_caller]
    fn check(resources: &str, expected: &str) {
        let messages: Vec<proto::v1::Resource> = resources
            .lines()
            .map(|line| {
                proto::json::from_slice(format!("{{\"type\":\"SCALAR\",{line}}}").as_bytes()).unwrap()
            })
            .collect();
        let resources = resources_from_proto(&messages).unwrap();
        let answer = check_all(&resources, Words::TASK).map_err(String::from);
        assert_eq!(answer.err().as_deref().unwrap_or("ok"), expected);
    }

    #[test]
    fn gpus_are_whole() {
        check(r#""name":"gpus","scalar":{"value":2}"#, "ok");
        check(
            r#""name":"gpus","scalar":{"value":0.5}"#,
            "Task uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer",
        );
    }

    #[test]
    fn volumes() {
        let reserved = r#""reservations":[{"type":"STATIC","role":"a"}]"#;
        let disk = |disk: &str, rest: &str| {
            format!(r#""name":"disk","scalar":{{"value":1}},"disk":{{{disk}}}{rest}"#)
        };
        let volume = r#""volume":{"mode":"RW","container_path":"p"}"#;
        let good = format!(r#""persistence":{{"id":"i"}},{volume}"#);
        check(&disk(&good, &format!(",{reserved}")), "ok");
        for (text, rest, reason) in [
            (good.as_str(), "", "Persistent volumes cannot be created from unreserved resources"),
            (&good, r#","revocable":{}"#, "Persistent volumes cannot be created from revocable resources"),
            ("", "", "DiskInfo is set but empty"),
            (volume, "", "Non-persistent volume not supported"),
        ] {
            check(&disk(text, rest), &format!("Task uses invalid resources: Invalid DiskInfo: {reason}"));
        }
        let rest = format!(",{reserved}");
        for (text, reason) in [
            (r#""persistence":{"id":"i"}"#, "Expecting 'volume' to be set for persistent volume"),
            (
                r#""persistence":{"id":"i"},"volume":{"mode":"RW","container_path":"p","host_path":"h"}"#,
                "Expecting 'host_path' to be unset for persistent volume",
            ),
            (
                r#""persistence":{"id":"a/b"},"volume":{"mode":"RW","container_path":"p"}"#,
                "Invalid persistence ID for persistent volume: 'a/b' contains invalid characters",
            ),
        ] {
            check(&disk(text, &rest), &format!("Task uses invalid resources: Invalid DiskInfo: {reason}"));
        }
        let twice = format!("{}\n{}", disk(&good, &rest), disk(&good, &rest));
        check(&twice, "Task uses duplicate persistence ID: Persistence ID 'i' is not unique");
    }

    #[test]
    fn mixtures() {
        check(
            "\"name\":\"cpus\",\"scalar\":{\"value\":1}\n\"name\":\"cpus\",\"scalar\":{\"value\":1},\"revocable\":{}",
            "Task mixes revocable and non-revocable resources: Cannot use both revocable and non-revocable 'cpus' at \
             the same time",
        );
        check(
            "\"name\":\"cpus\",\"scalar\":{\"value\":1},\"allocation_info\":{\"role\":\"a\"}\n\
             \"name\":\"mem\",\"scalar\":{\"value\":1},\"allocation_info\":{\"role\":\"b\"}",
            "Invalid task resources: The resources have multiple allocation roles ('b' and 'a') but only one \
             allocation role is allowed",
        );
        check(
            "\"name\":\"cpus\",\"scalar\":{\"value\":1},\"revocable\":{},\
             \"reservations\":[{\"type\":\"DYNAMIC\",\"role\":\"a\"}]",
            "Task uses invalid resources: Invalid ReservationInfo: Dynamically reserved resource cpus(reservations: \
             [(DYNAMIC,a)]){REV}:1 cannot be created from revocable resources",
        );
    }
}
