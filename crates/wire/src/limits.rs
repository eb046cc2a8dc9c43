//! How much one message may ask for. Mesos has few such bounds; without them a message of some megabytes would keep the
//! master busy for minutes. Each is far above what anybody has been seen to need, and what is over it is told so in one
//! line.

use proto::v1::scheduler::OfferConstraints;
use proto::v1::{FrameworkInfo, Resource};
use proto::{MapEntry, Message};
use resources::{Resources, Scalar};

use crate::Invalid;
use crate::invalid::{Checked, invalid};

/// Resources of one task, executor or operation: they are compared with each other. An agent has some tens, and one
/// operation that makes hundreds of volumes is a large one.
const MAX_RESOURCES: usize = 1_024;

/// Resources of one agent, with all its reservations and volumes.
pub(crate) const MAX_AGENT_RESOURCES: usize = 16_384;

/// Tasks of a group, which are launched as one message and run in one container.
const MAX_GROUP: usize = 1_024;

/// Roles of a framework: it takes its turn in each of them, and a change of one looks at all.
const MAX_ROLES: usize = 1_024;

/// Conditions of a framework's offer constraints, or alternatives of its offer filters, over all its roles: they are
/// looked at for each agent.
const MAX_CONDITIONS: usize = 1_024;

/// What an operator sets for one role, in bytes: some stores take half a megabyte for all that is written at once.
const MAX_KEPT: usize = 64 << 10;

/// A machine's host name, in bytes: DNS knows no longer one.
const MAX_HOSTNAME: usize = 255;

/// Of `mem` and `disk`, in megabytes.
const EXABYTE: i64 = 1_099_511_627_776;
/// Of everything else.
const TRILLION: i64 = 1_000_000_000_000;

pub(crate) fn check_resource_count(resources: &[Resource]) -> Checked {
    at_most(MAX_RESOURCES, resources.len(), "resources")
}

pub(crate) fn check_group_size(tasks: usize) -> Checked {
    at_most(MAX_GROUP, tasks, "tasks in a group")
}

pub(crate) fn check_role_count(info: &FrameworkInfo) -> Checked {
    at_most(MAX_ROLES, info.roles.len(), "roles")
}

pub(crate) fn check_filter_count(info: &FrameworkInfo) -> Checked {
    let filters = info.offer_filters.iter().filter_map(MapEntry::value);
    let least = filters.filter_map(|filters| filters.min_allocatable_resources.as_ref());
    at_most(MAX_CONDITIONS, least.map(|least| least.quantities.len()).sum(), "quantities in offer filters")
}

pub(crate) fn check_condition_count(constraints: &OfferConstraints) -> Checked {
    let roles = constraints.role_constraints.iter().filter_map(MapEntry::value);
    let groups = roles.flat_map(|role| &role.groups);
    let conditions = groups.map(|group| group.attribute_constraints.len()).sum();
    at_most(MAX_CONDITIONS, conditions, "attribute constraints in offer constraints")
}

/// What the registry is to keep must not be too large for its store.
pub(crate) fn check_kept_size(message: &impl Message) -> Checked {
    let size = message.encoded_len();
    if size <= MAX_KEPT {
        return Ok(());
    }
    invalid(format!("It takes {size} bytes, more than the {MAX_KEPT} that the registry takes"))
}

pub(crate) fn check_hostname_length(hostname: &str) -> Checked {
    at_most(MAX_HOSTNAME, hostname.len(), "bytes in a host name")
}

fn at_most(most: usize, given: usize, what: &str) -> Checked {
    if given <= most {
        return Ok(());
    }
    invalid(format!("At most {most} {what} are supported, not {given}"))
}

/// Sums over all agents and roles must fit into 64 bits of thousandths.
pub(crate) fn check_not_too_large(name: &str, amount: Scalar) -> Checked {
    let (most, words) = match name {
        "mem" | "disk" => (EXABYTE, "1 exabyte (1099511627776)"),
        _ => (TRILLION, "1 trillion (1000000000000)"),
    };
    if amount <= Scalar::whole(most) {
        return Ok(());
    }
    invalid(format!("{{'{name}': {amount}}} is invalid: values greater than {words} are not supported"))
}

/// Checks that sums of what an agent has can be counted.
///
/// # Errors
/// What there is too much of.
pub fn validate_agent_total(total: &Resources) -> Result<(), Invalid> {
    total.quantities().iter().try_for_each(|(name, amount)| check_not_too_large(name.as_str(), amount))
}

#[cfg(test)]
mod tests {
    use proto::v1::ExecutorInfo;
    use proto::v1::{TaskGroupInfo, TaskInfo, offer};

    use super::*;

    fn read<M: proto::Message + Default + proto::Described>(json: &str) -> M {
        proto::json::from_slice(json.as_bytes()).unwrap()
    }

    fn many(one: &str, count: usize) -> String {
        vec![one; count].join(",")
    }

    #[track_caller]
    fn refused(answer: Checked, expected: &str) {
        assert_eq!(answer.unwrap_err().reason(), expected);
    }

    const CPUS: &str = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":0.001}}"#;

    #[test]
    fn resources_of_tasks_executors_and_operations() {
        let task = |count, of_executor| {
            let executor = format!(
                r#"{{"executor_id":{{"value":"e"}},"command":{{"value":"x"}},"resources":[{}]}}"#,
                many(CPUS, of_executor)
            );
            let task: TaskInfo = read(&format!(
                r#"{{"name":"t","task_id":{{"value":"t"}},"agent_id":{{"value":"a"}},"resources":[{}],
                    "executor":{executor}}}"#,
                many(CPUS, count)
            ));
            crate::validate_task(&task)
        };
        let expected = "At most 1024 resources are supported, not 1025";
        assert_eq!(task(1024, 1024), Ok(()));
        refused(task(1025, 1), expected);
        refused(task(1, 1025), expected);
        for (kind, field) in [("RESERVE", "resources"), ("RESERVE", "source"), ("DESTROY", "volumes")] {
            let operation = |count| {
                let part = kind.to_lowercase();
                let text = format!(r#"{{"type":"{kind}","{part}":{{"{field}":[{}]}}}}"#, many(CPUS, count));
                crate::operation_from_proto(&read::<offer::Operation>(&text)).map(|_| ())
            };
            assert_eq!(operation(1024), Ok(()));
            refused(operation(1025), expected);
        }
    }

    #[test]
    fn resources_of_an_agent() {
        let check = |count| crate::resources_from_proto(&vec![read::<Resource>(CPUS); count]);
        assert_eq!(check(16_384).unwrap().to_string(), "cpus:16.384");
        assert_eq!(
            check(16_385).unwrap_err().to_string(),
            "Resource 'cpus:0.001' is invalid: it is one of 16385, and at most 16384 are supported"
        );
    }

    #[test]
    fn tasks_of_a_group() {
        let tasks = many(r#"{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"}}"#, 1025);
        let group: TaskGroupInfo = read(&format!(r#"{{"tasks":[{tasks}]}}"#));
        let executor: ExecutorInfo = read(r#"{"executor_id":{"value":"e"},"type":"DEFAULT"}"#);
        let expected = "At most 1024 tasks in a group are supported, not 1025";
        refused(crate::validate_task_group(&group, &executor), expected);
    }

    #[test]
    fn roles_filters_and_constraints_of_a_framework() {
        let check = |fields: &str| {
            let json =
                format!(r#"{{"user":"u","name":"n","capabilities":[{{"type":"MULTI_ROLE"}}],{fields}}}"#);
            crate::validate_framework_info(&read(&json))
        };
        let roles = |count: usize| {
            let roles: Vec<_> = (0..count).map(|role| format!(r#""r{role}""#)).collect();
            check(&format!(r#""roles":[{}]"#, roles.join(",")))
        };
        assert_eq!(roles(1024), Ok(()));
        refused(roles(1025), "At most 1024 roles are supported, not 1025");
        let filters = |count| {
            let least = many(r#"{"quantities":{"cpus":{"value":1}}}"#, count);
            let one = format!(r#"{{"min_allocatable_resources":{{"quantities":[{least}]}}}}"#);
            check(&format!(r#""offer_filters":{{"a":{one},"b":{one}}}"#))
        };
        assert_eq!(filters(512), Ok(()));
        refused(filters(513), "At most 1024 quantities in offer filters are supported, not 1026");
        let constraints = |count| {
            let exists = r#"{"selector":{"attribute_name":"rack"},"predicate":{"exists":{}}}"#;
            let group = format!(r#"{{"attribute_constraints":[{}]}}"#, many(exists, count));
            let role = format!(r#"{{"groups":[{group},{group}]}}"#);
            let constraints = read(&format!(r#"{{"role_constraints":{{"a":{role}}}}}"#));
            let info = r#"{"user":"u","name":"n","roles":["a"],"capabilities":[{"type":"MULTI_ROLE"}]}"#;
            crate::validate_offer_constraints(&read(info), &constraints)
        };
        assert_eq!(constraints(512), Ok(()));
        refused(
            constraints(513),
            "At most 1024 attribute constraints in offer constraints are supported, not 1026",
        );
    }

    #[test]
    fn totals_of_agents_can_be_summed_up() {
        let check = |text| validate_agent_total(&Resources::parse(text).unwrap());
        assert_eq!(check("cpus:1000000000000;disk:1099511627776;ports:[1-9]"), Ok(()));
        refused(
            check("cpus:600000000000;cpus(a):600000000000"),
            "{'cpus': 1200000000000} is invalid: values greater than 1 trillion (1000000000000) are not supported",
        );
        assert!(check("mem:1e300").is_err());
    }
}
