//! From Mesos' names of metrics to Prometheus': `master/uptime_secs` is `mesos_master_uptime_seconds`.
//!
//! What a name has of data (roles, resources, reasons) becomes labels. Names begin with `mesos_` and go on as those of
//! `mesos_exporter` do, `mesos_master_...` and `mesos_slave_...`, so that queries written for it need little change; what only
//! Meseta has begins with `meseta_`.

use super::help;

/// A metric as Prometheus has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) family: String,
    pub(super) labels: Vec<(&'static str, String)>,
    /// Whether it only grows.
    pub(super) counter: bool,
    pub(super) help: String,
}

/// What begins so is counted.
const COUNTED_PREFIXES: [&str; 17] = [
    "containerizer/fetcher/task_fetches_",
    "gc/path_removals_failed",
    "gc/path_removals_succeeded",
    "master/dropped_",
    "master/http_cache_hits",
    "master/invalid_",
    "master/messages_",
    "master/recovery_slave_",
    "master/slave_re",
    "master/slave_shutdowns_",
    "master/slave_un",
    "master/valid_",
    "meseta/broken_assumptions",
    "meseta/checkpoint_commits",
    "resource_provider_manager/events/",
    "slave/invalid_",
    "slave/valid_",
];

/// What ends so is counted.
const COUNTED_SUFFIXES: [&str; 12] = [
    "/executors_preempted",
    "/executors_terminated",
    "/tasks_dropped",
    "/tasks_error",
    "/tasks_failed",
    "/tasks_finished",
    "/tasks_gone",
    "/tasks_gone_by_operator",
    "/tasks_killed",
    "/tasks_lost",
    "_errors",
    "_too_slow",
];

/// The metric of a name; nothing for what histograms tell better.
pub(super) fn named(name: &str) -> Option<Named> {
    if name.ends_with("_ms") || name.contains("_ms/") {
        return None;
    }
    if let Some(rest) = name.strip_prefix("master/frameworks/") {
        return of_framework(rest);
    }
    let with_labels =
        quota(name).or_else(|| of_role(name)).or_else(|| amount(name)).or_else(|| of_tasks(name));
    let (family, labels) = with_labels.unwrap_or_else(|| (name.to_owned(), Vec::new()));
    let counter = counts(name);
    let help = help::of(&family).unwrap_or_else(|| format!("Mesos' metric {family}."));
    Some(Named { family: family_name(&family, counter), labels, counter, help })
}

fn counts(name: &str) -> bool {
    COUNTED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || COUNTED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        || name.starts_with("master/task_")
}

fn family_name(name: &str, counter: bool) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let clean = clean.strip_suffix("_secs").map_or(clean.clone(), |base| format!("{base}_seconds"));
    // The suffix tells a counter.
    let base = clean.strip_suffix("_total").unwrap_or(&clean);
    let suffix = if counter { "_total" } else { "" };
    if base.starts_with("meseta_") { format!("{base}{suffix}") } else { format!("mesos_{base}{suffix}") }
}

type Labelled = (String, Vec<(&'static str, String)>);

/// `allocator/mesos/quota/roles/ROLE/resources/RESOURCE/WHAT`. A role may have slashes in it.
fn quota(name: &str) -> Option<Labelled> {
    let rest = name.strip_prefix("allocator/mesos/quota/roles/")?;
    let (rest, what) = rest.rsplit_once('/')?;
    let (rest, resource) = rest.rsplit_once('/')?;
    let role = rest.strip_suffix("/resources")?;
    Some((
        format!("allocator/quota_{what}"),
        vec![("role", role.to_owned()), ("resource", resource.to_owned())],
    ))
}

/// `allocator/mesos/roles/ROLE/shares/dominant`, `allocator/mesos/offer_filters/roles/ROLE/active`,
/// `allocator/mesos/resources/RESOURCE/WHAT`, `allocator/meseta/roles/ROLE/WHAT`.
fn of_role(name: &str) -> Option<Labelled> {
    if let Some(rest) = name.strip_prefix("allocator/mesos/roles/") {
        let role = rest.strip_suffix("/shares/dominant")?;
        return Some(("allocator/role_shares_dominant".to_owned(), vec![("role", role.to_owned())]));
    }
    if let Some(rest) = name.strip_prefix("allocator/mesos/offer_filters/roles/") {
        let role = rest.strip_suffix("/active")?;
        return Some(("allocator/offer_filters_active".to_owned(), vec![("role", role.to_owned())]));
    }
    if let Some(rest) = name.strip_prefix("allocator/mesos/resources/") {
        let (resource, what) = rest.rsplit_once('/')?;
        let labels = vec![("resource", resource.to_owned()), ("type", what.to_owned())];
        return Some(("allocator/resources".to_owned(), labels));
    }
    let (role, what) = name.strip_prefix("allocator/meseta/roles/")?.rsplit_once('/')?;
    Some((format!("meseta/allocator/role_{what}"), vec![("role", role.to_owned())]))
}

/// What follows `master/frameworks/`: `NAME/ID/WHAT`, the name percent-encoded. Sums are left out: Prometheus adds up itself.
fn of_framework(rest: &str) -> Option<Named> {
    let (name, rest) = rest.split_once('/')?;
    let (id, what) = rest.split_once('/')?;
    let (kind, value) = what.split_once('/').unwrap_or((what, ""));
    let state = |name: &str| vec![("state", name.to_owned())];
    let of_type = |name: &str| vec![("type", name.to_owned())];
    let (family, counter, more, help) = match (kind, value) {
        ("subscribed", _) => ("subscribed", false, Vec::new(), "Whether its scheduler is connected."),
        (_, "") => return None,
        ("calls", value) => ("calls", true, of_type(value), "Calls of the framework."),
        ("events", value) => ("events", true, of_type(value), "Events that the framework was sent."),
        ("offers", value) => ("offers", true, of_type(value), "What became of the framework's offers."),
        ("operations", value) => ("operations", true, of_type(value), "What the framework did with offers."),
        ("tasks", value) => match value.split_once('/')? {
            ("active", name) => ("tasks", false, state(name), "Tasks of the framework."),
            (_, name) => ("tasks_ended", true, state(name), "Tasks of the framework that ended."),
        },
        ("roles", value) => {
            let role = value.strip_suffix("/suppressed")?;
            let labels = vec![("role", role.to_owned())];
            ("role_suppressed", false, labels, "Whether the framework wants no offers for a role.")
        }
        _ => return None,
    };
    let mut labels = vec![("framework", crate::form::decode(name)), ("framework_id", id.to_owned())];
    labels.extend(more);
    let family = family_name(&format!("master/framework_{family}"), counter);
    Some(Named { family, labels, counter, help: help.to_owned() })
}

/// `SIDE/RESOURCE_total` and `_used`, the resource also with `_revocable`.
fn amount(name: &str) -> Option<Labelled> {
    let (side, rest) = name.split_once('/').filter(|(side, _)| matches!(*side, "master" | "slave"))?;
    let (resource, kind) = rest.rsplit_once('_').filter(|(_, kind)| matches!(*kind, "total" | "used"))?;
    let base = resource.strip_suffix("_revocable").unwrap_or(resource);
    matches!(base, "cpus" | "mem" | "disk" | "gpus")
        .then(|| (format!("{side}/{resource}"), vec![("type", kind.to_owned())]))
}

/// `master/task_STATE/SOURCE/REASON`, `master/operations/STATE` and `master/operations/KIND/STATE`.
fn of_tasks(name: &str) -> Option<Labelled> {
    let parts: Vec<&str> = name.strip_prefix("master/")?.split('/').collect();
    let label = |name: &'static str, value: &str| (name, value.to_owned());
    match parts[..] {
        [state, source, reason] if state.starts_with("task_") => {
            let labels = vec![label("state", state), label("source", source), label("reason", reason)];
            Some(("master/task_reasons".to_owned(), labels))
        }
        ["operations", state] => Some(("master/operations".to_owned(), vec![label("state", state)])),
        ["operations", kind, state] => {
            Some(("master/operations_by_type".to_owned(), vec![label("type", kind), label("state", state)]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snake_case_and_data_is_in_labels() {
        for (name, family, labels) in [
            ("master/uptime_secs", "mesos_master_uptime_seconds", ""),
            ("master/messages_kill_task", "mesos_master_messages_kill_task_total", ""),
            ("master/cpus_total", "mesos_master_cpus", "type=total"),
            ("slave/mem_revocable_used", "mesos_slave_mem_revocable", "type=used"),
            ("master/cpus_percent", "mesos_master_cpus_percent", ""),
            ("system/cpus_total", "mesos_system_cpus", ""),
            ("master/tasks_lost", "mesos_master_tasks_lost_total", ""),
            ("master/slaves_active", "mesos_master_slaves_active", ""),
            (
                "master/slave_removals/reason_unhealthy",
                "mesos_master_slave_removals_reason_unhealthy_total",
                "",
            ),
            (
                "master/operations/launch/finished",
                "mesos_master_operations_by_type",
                "type=launch,state=finished",
            ),
            (
                "allocator/mesos/quota/roles/a/b/resources/cpus/limit",
                "mesos_allocator_quota_limit",
                "role=a/b,resource=cpus",
            ),
            ("allocator/meseta/roles/*/frameworks", "meseta_allocator_role_frameworks", "role=*"),
            (
                "master/frameworks/a%2Fb%20c/x-0001/calls/accept",
                "mesos_master_framework_calls_total",
                "framework=a/b c,framework_id=x-0001,type=accept",
            ),
            (
                "master/frameworks/a/x-0001/tasks/active/task_running",
                "mesos_master_framework_tasks",
                "framework=a,framework_id=x-0001,state=task_running",
            ),
            (
                "master/frameworks/a/x-0001/roles/r/s/suppressed",
                "mesos_master_framework_role_suppressed",
                "framework=a,framework_id=x-0001,role=r/s",
            ),
            ("meseta/checkpoint_commits", "meseta_checkpoint_commits_total", ""),
        ] {
            let found = named(name).unwrap();
            let shown: Vec<String> =
                found.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
            assert_eq!((found.family.as_str(), shown.join(",").as_str()), (family, labels), "{name}");
        }
        assert_eq!(named("allocator/mesos/allocation_run_ms"), None);
        assert_eq!(named("master/frameworks/a/x-0001/calls"), None);
    }
}
