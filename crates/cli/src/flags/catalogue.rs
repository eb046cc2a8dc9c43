//! Which flags Mesos' master and agent know. Those that Meseta supports are in its own argument structures; here is what
//! is said about the others.

use clap::Command;

/// Whose flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Master,
    Agent,
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Agent => "agent",
        })
    }
}

/// Flags of Mesos' master that Meseta has not: the name, and the values that ask for what it does anyway.
const MASTER: &[(&str, &[&str])] = &[
    ("acls", &[]),
    ("allocator", &["hierarchical", "HierarchicalDRF"]),
    ("authenticate_agents", &["false"]),
    ("authenticate_frameworks", &["false"]),
    ("authenticate_http_frameworks", &["false"]),
    ("authenticate_http_readonly", &["false"]),
    ("authenticate_http_readwrite", &["false"]),
    ("authentication_v0_timeout", &[]),
    ("authenticators", &[]),
    ("authorizers", &[]),
    ("credentials", &[]),
    ("firewall_rules", &[]),
    ("framework_sorter", &["drf"]),
    ("hooks", &[]),
    ("hostname_lookup", &["false"]),
    ("http_authenticators", &[]),
    ("http_framework_authenticators", &[]),
    ("initialize_driver_logging", &["true", "false"]),
    ("ip_discovery_command", &[]),
    ("log_auto_initialize", &["true"]),
    ("logbufsecs", &["0"]),
    ("master_contender", &[]),
    ("master_detector", &[]),
    ("memory_profiling", &["false"]),
    ("modules", &[]),
    ("modules_dir", &[]),
    ("rate_limits", &[]),
    ("registry_strict", &["false"]),
    ("role_sorter", &["drf"]),
    ("webui_dir", &[]),
];

/// The same for Mesos' agent.
const AGENT: &[(&str, &[&str])] = &[
    ("acls", &[]),
    ("agent_features", &[]),
    ("agent_subsystems", &[]),
    ("appc_simple_discovery_uri_prefix", &[]),
    ("appc_store_dir", &[]),
    ("authenticate_http_readonly", &["false"]),
    ("authenticate_http_readwrite", &["false"]),
    ("authenticatee", &[]),
    ("authentication_backoff_factor", &[]),
    ("authentication_timeout_max", &[]),
    ("authentication_timeout_min", &[]),
    ("authorizer", &[]),
    ("cgroups_cpu_enable_pids_and_tids_count", &["false"]),
    ("cgroups_net_cls_primary_handle", &[]),
    ("cgroups_net_cls_secondary_handles", &[]),
    ("containerizers", &["mesos"]),
    ("credential", &[]),
    ("csi_plugin_config_dir", &[]),
    ("default_container_dns", &[]),
    ("default_container_info", &[]),
    ("disk_profile_adaptor", &[]),
    ("docker", &[]),
    ("docker_config", &[]),
    ("docker_ignore_runtime", &["false"]),
    ("docker_kill_orphans", &[]),
    ("docker_mesos_image", &[]),
    ("docker_registry", &[]),
    ("docker_remove_delay", &[]),
    ("docker_socket", &[]),
    ("docker_stop_timeout", &[]),
    ("docker_store_dir", &[]),
    ("docker_volume_checkpoint_dir", &[]),
    ("docker_volume_chown", &["false"]),
    ("domain_socket_location", &[]),
    ("executor_reregistration_retry_interval", &[]),
    ("firewall_rules", &[]),
    ("hooks", &[]),
    ("hostname_lookup", &["false"]),
    ("http_authenticators", &[]),
    ("http_command_executor", &["false"]),
    ("http_credentials", &[]),
    ("http_executor_domain_sockets", &["false"]),
    ("image_gc_config", &[]),
    ("image_providers", &[]),
    ("image_provisioner_backend", &[]),
    ("initialize_driver_logging", &["true", "false"]),
    ("ip6", &[]),
    ("ip6_discovery_command", &[]),
    ("ip_discovery_command", &[]),
    ("launcher_dir", &[]),
    ("logbufsecs", &["0"]),
    ("master_detector", &[]),
    ("memory_profiling", &["false"]),
    ("modules", &[]),
    ("modules_dir", &[]),
    ("network_cni_config_dir", &[]),
    ("network_cni_metrics", &[]),
    ("network_cni_plugins_dir", &[]),
    ("network_cni_root_dir_persist", &["false"]),
    ("nvidia_gpu_devices", &[]),
    ("oversubscribed_resources_interval", &[]),
    ("perf_duration", &[]),
    ("perf_events", &[]),
    ("perf_interval", &[]),
    ("qos_controller", &[]),
    ("qos_correction_interval_min", &[]),
    ("resource_estimator", &[]),
    ("resource_provider_config_dir", &[]),
    ("sandbox_directory", &[]),
    ("secret_resolver", &[]),
    ("strict", &["true", "false"]),
    ("systemd_enable_support", &["false"]),
    ("systemd_runtime_directory", &[]),
    ("volume_gid_range", &[]),
];

/// What a flag's name, with underscores, stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Meseta has it; `switch` when it is a boolean.
    Supported { long: String, switch: bool },
    /// Mesos has it; these values may be given.
    MesosOnly(&'static [&'static str]),
    /// Nobody has it.
    Unknown,
}

/// Looks up a flag among those of clap's `command` and those of Mesos.
pub(super) fn look_up(command: &Command, server: Server, name: &str) -> Known {
    let long = name.replace('_', "-");
    if let Some(argument) = command.get_arguments().find(|a| a.get_long() == Some(long.as_str())) {
        let switch = argument.get_value_parser().type_id() == clap::builder::ValueParser::bool().type_id();
        return Known::Supported { long, switch };
    }
    if matches!(name, "help" | "version") {
        return Known::Supported { long, switch: false };
    }
    let table = match server {
        Server::Master => MASTER,
        Server::Agent => AGENT,
    };
    table.iter().find(|(n, _)| *n == name).map_or(Known::Unknown, |(_, values)| Known::MesosOnly(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_supported_is_not_listed_as_missing() {
        for (command, table) in
            [(crate::server::master_command(), MASTER), (crate::server::agent_command(), AGENT)]
        {
            let mut names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
            for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(!names.contains(&argument.replace('-', "_").as_str()), "{argument} is in both");
            }
            names.dedup();
            assert!(names.is_sorted() && names.len() == table.len());
        }
    }
}
