//! What metrics are, in a sentence for each: by name, and by pattern where names are made of parts.

/// By the name of the family, before it is written as Prometheus has it.
const BY_NAME: &[(&str, &str)] = &[
    ("allocator/event_queue_dispatches", "Always 0: the allocator has no queue of its own."),
    ("allocator/mesos/allocation_runs", "Allocations so far."),
    ("allocator/mesos/event_queue_dispatches", "Always 0: the allocator has no queue of its own."),
    ("allocator/offer_filters_active", "Offers that frameworks of a role have refused for a while."),
    ("allocator/resources", "Resources of the cluster: in all, and offered or allocated."),
    ("allocator/role_shares_dominant", "The largest share that a role has of any resource."),
    ("containerizer/fetcher/cache_size_total_bytes", "How much the cache of fetched files may hold."),
    ("containerizer/fetcher/cache_size_used_bytes", "How much the cache of fetched files holds."),
    ("containerizer/fetcher/task_fetches_failed", "Containers for which something could not be fetched."),
    ("containerizer/fetcher/task_fetches_succeeded", "Containers for which everything was fetched."),
    ("containerizer/mesos/container_destroy_errors", "Containers that were not destroyed in time."),
    ("containerizer/mesos/disk/project_ids_free", "Projects for disk quotas that nobody uses."),
    ("containerizer/mesos/disk/project_ids_total", "Projects that there are for disk quotas."),
    ("containerizer/mesos/filesystem/containers_new_rootfs", "Containers with a file system of their own."),
    (
        "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
        "File systems of containers that could not be removed.",
    ),
    (
        "containerizer/mesos/provisioner/remove_container_errors",
        "Containers of whose images something could not be removed.",
    ),
    ("gc/path_removals_failed", "Sandboxes that could not be deleted."),
    ("gc/path_removals_pending", "Sandboxes that wait to be deleted."),
    ("gc/path_removals_succeeded", "Sandboxes that were deleted."),
    ("master/dropped_messages", "Messages that the master did not take, as it does not lead."),
    ("master/elected", "Whether this master leads."),
    ("master/event_queue_dispatches", "Work that waits for the master's core."),
    ("master/event_queue_http_requests", "Requests that wait for the master's core."),
    ("master/event_queue_messages", "Messages that wait for the master's core."),
    ("master/frameworks_active", "Frameworks that take offers."),
    ("master/frameworks_connected", "Frameworks whose scheduler is connected."),
    ("master/frameworks_disconnected", "Frameworks whose scheduler is away and may come back."),
    ("master/frameworks_inactive", "Frameworks that take no offers."),
    ("master/http_cache_hits", "Answers that several got who asked at the same time."),
    ("master/operations", "Operations on resources, by how they stand."),
    ("master/operations_by_type", "Operations on resources of each kind, by how they stand."),
    ("master/operator_event_stream_subscribers", "Operators who watch what changes."),
    ("master/operator_event_streams_too_slow", "Operators' streams that were closed as they were not read."),
    ("master/outstanding_offers", "Offers that nobody has answered yet."),
    ("master/recovery_slave_removals", "Agents that did not come back to this master in time."),
    (
        "master/scheduler_event_streams_too_slow",
        "Schedulers' streams that were closed as they were not read.",
    ),
    ("master/slave_registrations", "Agents that were admitted."),
    ("master/slave_removals", "Agents that were removed."),
    ("master/slave_removals/reason_registered", "Agents that were removed as another came in their place."),
    ("master/slave_removals/reason_unhealthy", "Agents that were removed as they did not answer."),
    ("master/slave_removals/reason_unregistered", "Agents that were removed as they said good-bye."),
    ("master/slave_reregistrations", "Agents that came back."),
    ("master/slave_shutdowns_canceled", "Always 0, as in Mesos."),
    ("master/slave_shutdowns_completed", "Always 0, as in Mesos."),
    ("master/slave_shutdowns_scheduled", "Always 0, as in Mesos."),
    ("master/slave_unreachable_canceled", "Agents that answered before they were given up."),
    ("master/slave_unreachable_completed", "Agents that were given up as unreachable."),
    ("master/slave_unreachable_scheduled", "Agents that did not answer and were to be given up."),
    ("master/slaves_active", "Agents that are registered and take tasks."),
    ("master/slaves_connected", "Agents that are connected."),
    ("master/slaves_disconnected", "Agents that are away and may come back."),
    ("master/slaves_inactive", "Agents whose resources are not offered."),
    ("master/slaves_unreachable", "Agents that do not answer."),
    ("master/task_reasons", "Tasks that ended, by state, source and reason."),
    ("master/uptime_secs", "How long the master has been running."),
    ("meseta/broken_assumptions", "What cannot be, and was survived; each is in the log."),
    ("meseta/checkpoint_commits", "Writes of what the agent must remember."),
    ("meseta/checkpoint_errors", "Writes of what the agent must remember that failed."),
    ("registrar/log/ensemble_size", "Always 1: there is no log of the masters' own."),
    ("registrar/log/recovered", "Whether the registry was read."),
    ("registrar/queued_operations", "Writes to the registry that are under way."),
    ("registrar/registry_size_bytes", "The size of the registry."),
    ("resource_provider_manager/events/disconnect", "Resource providers that went away."),
    ("resource_provider_manager/events/subscribe", "Resource providers that came."),
    ("resource_provider_manager/subscribed", "Resource providers that are there."),
    ("slave/container_launch_errors", "Containers of executors that could not be launched."),
    (
        "slave/executor_directory_max_allowed_age_secs",
        "How old sandboxes may become before they are deleted.",
    ),
    ("slave/executors_preempted", "Executors that had to make room for others."),
    ("slave/executors_registering", "Executors that were started and are not ready."),
    ("slave/executors_running", "Executors that run."),
    ("slave/executors_terminated", "Executors that ended."),
    ("slave/executors_terminating", "Executors that are ending."),
    ("slave/frameworks_active", "Frameworks that have something on this agent."),
    ("slave/recovery_errors", "What could not be read of what an earlier agent had left."),
    ("slave/recovery_time_secs", "How long it took to take up what an earlier agent had left."),
    ("slave/registered", "Whether this agent is registered with a master."),
    ("slave/uptime_secs", "How long the agent has been running."),
    ("system/cpus_total", "Processors of the machine."),
    ("system/load_15min", "How many processes have run or waited for a processor, over 15 minutes."),
    ("system/load_1min", "How many processes have run or waited for a processor, over a minute."),
    ("system/load_5min", "How many processes have run or waited for a processor, over 5 minutes."),
    ("system/mem_free_bytes", "Memory of the machine that is free."),
    ("system/mem_total_bytes", "Memory of the machine."),
];

/// Where tasks are, or how they ended.
const TASKS: &[(&str, &str)] = &[
    ("dropped", "Tasks that never started, as they did not reach their agent or it refused them."),
    ("error", "Tasks whose descriptions were wrong."),
    ("failed", "Tasks that ended badly."),
    ("finished", "Tasks that ended well."),
    ("gone", "Tasks that are no more, as their agents or executors are not."),
    ("gone_by_operator", "Tasks of agents that operators have declared gone."),
    ("killed", "Tasks that were killed."),
    ("killing", "Tasks that are being killed."),
    ("lost", "Tasks that are lost, for frameworks that know no better word."),
    ("running", "Tasks that run."),
    ("staging", "Tasks that are on their way."),
    ("starting", "Tasks that are starting."),
    ("unreachable", "Tasks of agents that do not answer."),
];

/// What frameworks of a role do, and what its quota does.
const ROLES: &[(&str, &str)] = &[
    ("frameworks", "Frameworks that have a role."),
    ("frameworks_constrained", "Frameworks of a role that want offers of some agents only."),
    ("frameworks_inactive", "Frameworks of a role that are disconnected or deactivated."),
    ("frameworks_refusing", "Frameworks of a role that have refused something for a while."),
    ("frameworks_suppressed", "Frameworks of a role that want no offers."),
    ("guarantees_open", "Guarantees of a role that are not fulfilled."),
    ("limits_reached", "Limits of a role that are reached."),
];

/// Quotas of roles.
const QUOTAS: &[(&str, &str)] = &[
    ("consumed", "What a role has of its quota: in use, or reserved."),
    ("guarantee", "What a role is guaranteed."),
    ("limit", "The most that a role may have."),
    ("offered_or_allocated", "What a role is offered or has."),
];

/// What a family of metrics is.
pub(super) fn of(family: &str) -> Option<String> {
    let found = |table: &[(&str, &str)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
    };
    if let Some(text) = found(BY_NAME, family) {
        return Some(text);
    }
    if let Some(what) = family.strip_prefix("allocator/quota_") {
        return found(QUOTAS, what);
    }
    if let Some(what) = family.strip_prefix("meseta/allocator/role_") {
        return found(ROLES, what);
    }
    let (side, rest) = family.split_once('/').filter(|(side, _)| matches!(*side, "master" | "slave"))?;
    if let Some(state) = rest.strip_prefix("tasks_") {
        return found(TASKS, state);
    }
    let of_messages = [
        ("messages_", "that came"),
        ("valid_", "that were taken"),
        ("invalid_", "that were wrong, and not taken"),
    ];
    for (prefix, what) in of_messages {
        if let Some(kind) = rest.strip_prefix(prefix) {
            return Some(format!("Messages and calls {what}: {}.", kind.replace('_', " ")));
        }
    }
    let (resource, share) = rest.strip_suffix("_percent").map_or((rest, false), |resource| (resource, true));
    let (resource, kind) =
        resource.strip_suffix("_revocable").map_or((resource, ""), |base| (base, "revocable "));
    let (_, resource) =
        [("cpus", "processors"), ("mem", "memory in MB"), ("disk", "disk in MB"), ("gpus", "GPUs")]
            .into_iter()
            .find(|(name, _)| *name == resource)?;
    let whose = if side == "master" { "the cluster" } else { "the agent" };
    Some(if share {
        format!("How much of the {kind}{resource} of {whose} is in use, between 0 and 1.")
    } else {
        format!("The {kind}{resource} of {whose}, in all and in use.")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::names::named;
    use super::*;

    const RECORDED: [&str; 2] = [
        include_str!("../../../conformance/data/endpoints/master.get.metrics_snapshot.200.json"),
        include_str!("../../../conformance/data/endpoints/agent.get.metrics_snapshot.200.json"),
    ];

    #[test]
    fn each_metric_of_mesos_is_explained_and_each_of_a_family_alike() {
        let mut explained: BTreeMap<String, String> = BTreeMap::new();
        for recorded in RECORDED {
            let recorded: BTreeMap<String, f64> = serde_json::from_str(recorded).expect("a recording");
            assert!(recorded.len() > 60);
            for name in recorded.keys().filter(|name| !name.starts_with("master/frameworks/")) {
                let Some(found) = named(name) else { continue };
                assert!(!found.help.contains("Mesos' metric"), "{name}");
                assert!(
                    found.help.ends_with('.') && found.help.lines().count() == 1,
                    "{name}: {}",
                    found.help
                );
                let before = explained.entry(found.family).or_insert_with(|| found.help.clone());
                assert_eq!(*before, found.help, "{name}");
            }
        }
        assert!(explained.len() > 150, "{}", explained.len());
    }

    #[test]
    fn what_is_made_of_parts_is_explained_by_them() {
        for (family, expected) in [
            ("master/cpus_percent", "How much of the processors of the cluster is in use, between 0 and 1."),
            ("slave/mem_revocable", "The revocable memory in MB of the agent, in all and in use."),
            ("master/messages_kill_task", "Messages and calls that came: kill task."),
            ("allocator/quota_limit", "The most that a role may have."),
        ] {
            assert_eq!(of(family).as_deref(), Some(expected), "{family}");
        }
        assert_eq!(of("master/nosuch"), None);
    }
}
