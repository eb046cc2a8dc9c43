//! What an agent is started with: Mesos' flags, under their names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base::{bytes_text, duration_text};
use containerizer::{Isolation, LinuxOptions};
use http_api::LogFiles;
use proto::v1::domain_info::fault_domain::{RegionInfo, ZoneInfo};
use proto::v1::{self, DomainInfo};

use crate::logger::ContainerLogger;

/// Where a machine is, as far as failures go: machines of a zone fail together, those of a region are near each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultDomain {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The zone within it, such as `eu-central-1a`.
    pub zone: String,
}

/// Which changes of its settings an agent that is started again may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconfigurationPolicy {
    /// Any that leaves reservations, volumes and running tasks what they have.
    Any,
    /// As Mesos' `additive`: more resources and attributes, nothing else.
    Additive,
    /// As Mesos' `equal`: none.
    Equal,
}

impl ReconfigurationPolicy {
    /// Its name as a flag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Additive => "additive",
            Self::Equal => "equal",
        }
    }
}

/// What an agent does with what it finds of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recover {
    /// It goes on with it.
    Reconnect,
    /// It ends it, and then itself.
    Cleanup,
}

/// Who runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LauncherKind {
    /// Plain processes, which end with the agent.
    Posix,
    /// Control groups, namespaces and an init for each; they can outlive the agent. Needs root.
    Linux,
}

/// Options of an agent. Each is named as Mesos' flag, and has its default.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Where the master is: `zk://` or `etcd://`, or `host:port`, also several with commas between.
    pub master: String,
    /// How long a service that knows the masters may be silent before none is known any more.
    pub zk_session_timeout: Duration,
    /// Address to listen on.
    pub ip: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Host name that is told to frameworks; the address where it is `None`.
    pub hostname: Option<String>,
    /// Address under which others reach this agent, where it is not `ip`.
    pub advertise_ip: Option<IpAddr>,
    /// Port under which others reach this agent, where it is not `port`.
    pub advertise_port: Option<u16>,
    /// Where sandboxes are.
    pub work_dir: PathBuf,
    /// What the agent offers, such as `cpus:8;mem:8192;ports(web):[80-90]`; what is not named is detected.
    pub resources: Option<String>,
    /// What the agent says of itself, such as `rack:r1;zone:a`.
    pub attributes: Option<String>,
    /// Where the agent is. Masters without a domain of their own do not take agents that have one.
    pub domain: Option<FaultDomain>,
    /// The role that resources without one are reserved for.
    pub default_role: String,
    /// How long a custom executor may take to subscribe.
    pub executor_registration_timeout: Duration,
    /// How long a custom executor may take to subscribe with an agent that was started again.
    pub executor_reregistration_timeout: Duration,
    /// How long an executor may take to shut down.
    pub executor_shutdown_grace_period: Duration,
    /// Variables that custom executors and command tasks get.
    pub executor_environment_variables: BTreeMap<String, String>,
    /// Longest pause before the first attempt to register again.
    pub registration_backoff_factor: Duration,
    /// What is done with what an earlier agent left.
    pub recover: Recover,
    /// Which changes of the settings are accepted.
    pub reconfiguration_policy: ReconfigurationPolicy,
    /// Who runs containers.
    pub launcher: LauncherKind,
    /// Where the launcher keeps its records; if empty, in the work directory.
    pub runtime_dir: PathBuf,
    /// What keeps containers from the machine, where the launcher is that for Linux. Its own `runtime_dir` does not count.
    pub linux: LinuxOptions,
    /// How long executors that checkpoint are told to wait for an agent to come back.
    pub recovery_timeout: Duration,
    /// A server that sends nothing for so long is given up by the fetcher.
    pub fetcher_stall_timeout: Duration,
    /// Where relative paths of the fetcher start.
    pub frameworks_home: Option<PathBuf>,
    /// Where the fetcher keeps what tasks may share; it makes a directory of its own there.
    pub fetcher_cache_dir: PathBuf,
    /// How many bytes it may keep; nothing is kept where it is 0.
    pub fetcher_cache_size: u64,
    /// Where the hadoop client is that fetches what has other schemes; looked for where it is `None`.
    pub hadoop_home: Option<PathBuf>,
    /// How much is kept of what containers write.
    pub logger: ContainerLogger,
    /// How long the sandbox of an ended executor is kept.
    pub gc_delay: Duration,
    /// How much of the disk is to be left, as a share of the whole, before sandboxes are kept for less long.
    pub gc_disk_headroom: f64,
    /// How often it is looked how full the disk is.
    pub disk_watch_interval: Duration,
    /// Whether the sandbox of a nested container is deleted so long after its own end, not after that of its executor.
    pub gc_non_executor_container_sandboxes: bool,
    /// Whether tasks run as their own users, not as the agent's.
    pub switch_user: bool,
    /// How many ended executors of each framework are remembered.
    pub max_completed_executors_per_framework: usize,
    /// How often an idle executor stream gets a heartbeat.
    pub http_heartbeat_interval: Duration,
    /// Longest request body, in bytes.
    pub max_request_bytes: usize,
    /// How many events may wait for one executor before it is disconnected for reading too slowly.
    pub event_queue: usize,
    /// How long the disk of a volume may take to make or remove it, before the operation fails.
    pub volume_timeout: Duration,
    /// Whether orphans of tasks become children of this process, so that they cannot hide. Only for a process that has
    /// no other children than an agent's tasks.
    pub adopt_orphans: bool,
    /// Seed of the core's random choices; drawn from the system where it is `None`.
    pub seed: Option<u64>,
    /// Flags of the process around the agent, to be shown with its own.
    pub process_flags: Vec<(&'static str, String)>,
    /// Makes the process' log follow `SET_LOGGING_LEVEL`: gets Mesos' level, 0 for the usual.
    pub set_logging_level: Option<fn(u32)>,
    /// In which files the log is.
    pub log_files: LogFiles,
}

impl Default for AgentOptions {
    fn default() -> Self {
        Self {
            master: String::new(),
            zk_session_timeout: Duration::from_secs(10),
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 5051,
            hostname: None,
            advertise_ip: None,
            advertise_port: None,
            work_dir: PathBuf::from("/var/lib/meseta/agent"),
            resources: None,
            attributes: None,
            domain: None,
            default_role: "*".to_owned(),
            executor_registration_timeout: Duration::from_secs(60),
            executor_reregistration_timeout: Duration::from_secs(2),
            executor_shutdown_grace_period: Duration::from_secs(5),
            recover: Recover::Reconnect,
            reconfiguration_policy: ReconfigurationPolicy::Any,
            launcher: LauncherKind::Posix,
            runtime_dir: PathBuf::new(),
            linux: LinuxOptions::new(Isolation::usual(), PathBuf::new()),
            executor_environment_variables: BTreeMap::new(),
            registration_backoff_factor: Duration::from_secs(1),
            recovery_timeout: Duration::from_secs(15 * 60),
            fetcher_stall_timeout: Duration::from_secs(60),
            frameworks_home: None,
            fetcher_cache_dir: PathBuf::from("/tmp/mesos/fetch"),
            fetcher_cache_size: 2 << 30,
            hadoop_home: None,
            logger: ContainerLogger::default(),
            gc_delay: Duration::from_secs(7 * 24 * 60 * 60),
            gc_disk_headroom: 0.1,
            disk_watch_interval: Duration::from_secs(60),
            gc_non_executor_container_sandboxes: false,
            switch_user: true,
            max_completed_executors_per_framework: 150,
            http_heartbeat_interval: Duration::from_secs(30),
            max_request_bytes: 64 << 20,
            event_queue: 16 << 10,
            volume_timeout: Duration::from_secs(30),
            adopt_orphans: false,
            seed: None,
            process_flags: Vec::new(),
            set_logging_level: None,
            log_files: LogFiles::default(),
        }
    }
}

impl AgentOptions {
    /// Options of an agent for this machine only, on a free port.
    #[must_use]
    pub fn loopback(master: impl Into<String>, work_dir: impl Into<PathBuf>) -> Self {
        Self {
            master: master.into(),
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            work_dir: work_dir.into(),
            ..Self::default()
        }
    }

    /// Where others reach an agent that listens on `bound`.
    pub(crate) fn advertised(&self, bound: SocketAddr) -> SocketAddr {
        transport::advertised(bound, self.advertise_ip, self.advertise_port)
    }

    /// Flags by name as they are in effect, sorted, as `/flags` shows them.
    #[must_use]
    pub fn flags(&self, port: u16, hostname: &str) -> BTreeMap<String, String> {
        let text = |name: &str, value: String| (name.to_owned(), value);
        let mut flags: BTreeMap<String, String> =
            FIXED_FLAGS.iter().map(|&(name, value)| text(name, value.to_owned())).collect();
        flags.extend([
            text("default_role", self.default_role.clone()),
            text("executor_registration_timeout", duration_text(self.executor_registration_timeout)),
            text("executor_reregistration_timeout", duration_text(self.executor_reregistration_timeout)),
            text(
                "launcher",
                match self.launcher {
                    LauncherKind::Posix => "posix".to_owned(),
                    LauncherKind::Linux => "linux".to_owned(),
                },
            ),
            text("reconfiguration_policy", self.reconfiguration_policy.as_str().to_owned()),
            text(
                "recover",
                match self.recover {
                    Recover::Reconnect => "reconnect".to_owned(),
                    Recover::Cleanup => "cleanup".to_owned(),
                },
            ),
            text("isolation", self.linux.isolation.to_string()),
            text("runtime_dir", self.runtime_dir.display().to_string()),
            text("executor_shutdown_grace_period", duration_text(self.executor_shutdown_grace_period)),
            text("fetcher_cache_dir", self.fetcher_cache_dir.display().to_string()),
            text("fetcher_cache_size", bytes_text(self.fetcher_cache_size)),
            text("fetcher_stall_timeout", duration_text(self.fetcher_stall_timeout)),
            text(
                "frameworks_home",
                self.frameworks_home.as_ref().map_or_else(String::new, |p| p.display().to_string()),
            ),
            text("disk_watch_interval", duration_text(self.disk_watch_interval)),
            text("gc_delay", duration_text(self.gc_delay)),
            text("gc_disk_headroom", self.gc_disk_headroom.to_string()),
            text("gc_non_executor_container_sandboxes", self.gc_non_executor_container_sandboxes.to_string()),
            text("hostname", hostname.to_owned()),
            text("http_heartbeat_interval", duration_text(self.http_heartbeat_interval)),
            text("ip", self.ip.to_string()),
            text("master", self.master.clone()),
            text(
                "max_completed_executors_per_framework",
                self.max_completed_executors_per_framework.to_string(),
            ),
            text("port", port.to_string()),
            text("recovery_timeout", duration_text(self.recovery_timeout)),
            text("registration_backoff_factor", duration_text(self.registration_backoff_factor)),
            text("switch_user", self.switch_user.to_string()),
            text("work_dir", self.work_dir.display().to_string()),
            text("zk_session_timeout", duration_text(self.zk_session_timeout)),
        ]);
        flags.extend(self.linux_flags().map(|(name, value)| text(name, value)));
        flags.extend(self.process_flags.iter().map(|(name, value)| text(name, value.clone())));
        flags.extend(self.logger.flags().map(|(name, value)| text(name, value)));
        let optional = [
            ("advertise_ip", self.advertise_ip.map(|ip| ip.to_string())),
            ("advertise_port", self.advertise_port.map(|port| port.to_string())),
            ("attributes", self.attributes.clone()),
            ("domain", self.domain.as_ref().map(|domain| proto::json::to_string(&domain.to_proto()))),
            ("cgroups_pids_limit", self.linux.pids_limit.map(|limit| limit.to_string())),
            ("default_container_shm_size", self.linux.shm_size.map(bytes_text)),
            ("hadoop_home", self.hadoop_home.as_ref().map(|path| path.display().to_string())),
            ("resources", self.resources.clone()),
            (
                "seccomp_config_dir",
                self.linux.seccomp_config_dir.as_ref().map(|path| path.display().to_string()),
            ),
            ("seccomp_profile_name", self.linux.seccomp_profile.clone()),
        ];
        let optional = optional.into_iter().chain(self.log_files.flags());
        flags.extend(optional.filter_map(|(name, value)| value.map(|value| text(name, value))));
        flags
    }
}

impl AgentOptions {
    /// Those of the Linux launcher and its isolators.
    fn linux_flags(&self) -> impl Iterator<Item = (&'static str, String)> {
        let linux = &self.linux;
        [
            ("cgroups_destroy_timeout", duration_text(linux.destroy_timeout)),
            ("cgroups_enable_cfs", linux.cfs.to_string()),
            ("cgroups_hierarchy", linux.cgroups_hierarchy.display().to_string()),
            ("cgroups_limit_swap", linux.limit_swap.to_string()),
            ("cgroups_root", linux.cgroups_root.clone()),
            ("container_disk_watch_interval", duration_text(linux.disk_interval)),
            ("container_ports_watch_interval", duration_text(linux.ports_interval)),
            ("disallow_sharing_agent_ipc_namespace", linux.forbid_sharing_ipc.to_string()),
            ("disallow_sharing_agent_pid_namespace", linux.forbid_sharing_pids.to_string()),
            ("enforce_container_disk_quota", linux.enforce_disk.to_string()),
            ("enforce_container_ports", linux.enforce_ports.to_string()),
            ("revocable_cpu_low_priority", linux.revocable_cpus_give_way.to_string()),
            ("xfs_kill_containers", linux.end_beyond_quota.to_string()),
            ("xfs_project_range", ranges_text(&linux.project_ids)),
            ("xfs_quota_headroom", bytes_text(linux.quota_headroom)),
        ]
        .into_iter()
    }
}

impl FaultDomain {
    pub(crate) fn to_proto(&self) -> DomainInfo {
        let region = RegionInfo { name: self.region.clone() };
        let zone = ZoneInfo { name: self.zone.clone() };
        DomainInfo { fault_domain: Some(v1::domain_info::FaultDomain { region, zone }) }
    }
}

/// As Mesos writes ranges: `[1-2, 5-9]`.
fn ranges_text(ranges: &[(u32, u32)]) -> String {
    let texts: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
    format!("[{}]", texts.join(", "))
}

/// Flags of Mesos that clients read and that are not options here, with the value that describes what the agent does.
const FIXED_FLAGS: &[(&str, &str)] = &[
    ("authenticate_http_readonly", "false"),
    ("authenticate_http_readwrite", "false"),
    ("cgroups_cpu_enable_pids_and_tids_count", "false"),
    ("containerizers", "mesos"),
    ("docker_ignore_runtime", "false"),
    ("docker_volume_chown", "false"),
    ("help", "false"),
    ("hostname_lookup", "false"),
    ("http_command_executor", "false"),
    ("http_executor_domain_sockets", "false"),
    ("logbufsecs", "0"),
    ("memory_profiling", "false"),
    ("network_cni_root_dir_persist", "false"),
    ("oversubscribed_resources_interval", "15secs"),
    ("strict", "true"),
    ("systemd_enable_support", "false"),
    ("version", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_as_mesos_writes_them() {
        let flags = AgentOptions::default().flags(1, "host");
        assert_eq!(flags["gc_delay"], "1weeks");
        assert_eq!(flags["recovery_timeout"], "15mins");
        assert_eq!(flags["fetcher_cache_size"], "2GB");
        assert_eq!(flags["registration_backoff_factor"], "1secs");
        assert_eq!((flags["port"].as_str(), flags["hostname"].as_str()), ("1", "host"));
        assert!(!flags.contains_key("attributes"));
    }
}
