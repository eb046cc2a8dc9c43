//! What a master is started with: Mesos' flags, under their names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base::duration_text;
use http_api::{LogFiles, ServeOptions};
use master_core::RegexLimits;
use proto::v1::domain_info::fault_domain::{RegionInfo, ZoneInfo};
use proto::v1::{DomainInfo, domain_info};
use resources::{Name, Quantities, Scalar};

use crate::election::ElectionOptions;

/// Where the registry is kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum RegistryKind {
    /// In files below the work directory. In memory if there is none.
    #[default]
    Embedded,
    /// In memory: a master that is started again knows nothing of what was.
    InMemory,
}

impl RegistryKind {
    /// The flag's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::InMemory => "in_memory",
        }
    }
}

/// So many agents in so much time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemovalRate {
    /// How many.
    pub agents: u32,
    /// In which time.
    pub per: Duration,
}

impl RemovalRate {
    /// The time from one to the next.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.per.checked_div(self.agents).unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for RemovalRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.agents, duration_text(self.per))
    }
}

/// Where a machine is, as far as failures go: machines of a zone fail together, those of a region are near each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultDomain {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The zone within it, such as `eu-central-1a`.
    pub zone: String,
}

/// Options of a master. Each is named as Mesos' flag, and has its default.
#[derive(Clone, Debug)]
pub struct MasterOptions {
    /// Serves what the master's endpoints do not: it gets them, and gives back what answers in their place. The web pages.
    pub web: Option<fn(axum::Router) -> axum::Router>,
    /// Address to listen on.
    pub ip: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Host name that is told to clients; the address where it is `None`.
    pub hostname: Option<String>,
    /// Address under which others reach this master, where it is not `ip`.
    pub advertise_ip: Option<IpAddr>,
    /// Port under which others reach this master, where it is not `port`.
    pub advertise_port: Option<u16>,
    /// Where the master keeps its files: the registry, below `registry/`.
    pub work_dir: Option<PathBuf>,
    /// Where the registry is kept.
    pub registry: RegistryKind,
    /// How long reading the registry may take.
    pub registry_fetch_timeout: Duration,
    /// How long a write to the registry may take before the master gives up.
    pub registry_store_timeout: Duration,
    /// How often agents that were unreachable or gone for long are forgotten.
    pub registry_gc_interval: Duration,
    /// How long unreachable and gone agents are remembered.
    pub registry_max_agent_age: Duration,
    /// How many unreachable agents, and how many gone ones, are remembered.
    pub registry_max_agent_count: usize,
    /// Name of the cluster, for people.
    pub cluster: Option<String>,
    /// The only roles that frameworks may have; all where it is empty.
    pub roles: Vec<String>,
    /// Weights of roles.
    pub weights: Vec<(String, f64)>,
    /// How long an agent has to answer a ping.
    pub agent_ping_timeout: Duration,
    /// How many pings an agent may leave unanswered before it is unreachable.
    pub max_agent_ping_timeouts: u32,
    /// How long an agent may take to come back after its connection broke.
    pub agent_reregister_timeout: Duration,
    /// How fast agents may be marked unreachable; without limit where it is `None`.
    pub agent_removal_rate_limit: Option<RemovalRate>,
    /// The largest share of the agents in the registry that may fail to come to a new master, between 0 and 1. If it is
    /// more, the master gives up.
    pub recovery_agent_removal_limit: f64,
    /// The share of the agents in the registry that have to come to a new master before it makes offers, between 0 and 1,
    /// where there are quotas.
    pub allocator_agent_recovery_factor: f64,
    /// How long offers wait for that.
    pub allocator_recovery_timeout: Duration,
    /// How often everything that is free is offered.
    pub allocation_interval: Duration,
    /// How long a framework may hold an offer; for ever where it is `None`, as in Mesos where nothing is said.
    pub offer_timeout: Option<Duration>,
    /// The largest share of the cluster that may be on offer to one framework while others want it, between 0 and 1;
    /// without limit where it is `None`. Mesos has nothing like it.
    pub max_offered_share: Option<f64>,
    /// What an offer has to have at least: one of these. Any is good enough where there are none.
    pub min_allocatable_resources: Vec<Quantities>,
    /// Names of resources that do not count in shares.
    pub fair_sharing_excluded_resource_names: Vec<String>,
    /// Whether agents with GPUs are offered only to frameworks that say that they can use them.
    pub filter_gpu_resources: bool,
    /// A file that names the hosts whose agents are offered, one a line; those of all agents are where it is `None`.
    pub whitelist: Option<PathBuf>,
    /// Where this master is. Agents of other regions are offered only to frameworks that know about regions.
    pub domain: Option<FaultDomain>,
    /// Whether agents have to say where they are.
    pub require_agent_domain: bool,
    /// How much memory a regular expression in offer constraints may take, in bytes.
    pub offer_constraints_re2_max_mem: u64,
    /// How long the program of such a regular expression may be.
    pub offer_constraints_re2_max_program_size: u32,
    /// How many ended frameworks are remembered.
    pub max_completed_frameworks: usize,
    /// How many ended tasks of each framework are remembered.
    pub max_completed_tasks_per_framework: usize,
    /// How many unreachable tasks of each framework are remembered.
    pub max_unreachable_tasks_per_framework: usize,
    /// How many may watch the operator API's events at a time.
    pub max_operator_event_stream_subscribers: usize,
    /// Whether there are metrics of single frameworks.
    pub publish_per_framework_metrics: bool,
    /// Whether frameworks may run tasks as root.
    pub root_submissions: bool,
    /// How often an idle event stream gets a heartbeat. Not a flag of Mesos, where it is fixed.
    pub http_heartbeat_interval: Duration,
    /// How many events may wait for one scheduler before it is disconnected for reading too slowly.
    pub event_queue: usize,
    /// How many bytes these may have, roughly.
    pub event_queue_bytes: usize,
    /// How long an operator who watches may read nothing while events wait for it, before it is disconnected.
    pub watcher_patience: Duration,
    /// Longest request body, in bytes.
    pub max_request_bytes: usize,
    /// How many connections may be open to it; more wait to be accepted. Each agent has one, and the master one to each agent.
    pub max_connections: usize,
    /// Flags of the process around the master, to be shown with its own.
    pub process_flags: Vec<(&'static str, String)>,
    /// Makes the process' log follow `SET_LOGGING_LEVEL`: gets Mesos' level, 0 for the usual.
    pub set_logging_level: Option<fn(u32)>,
    /// In which files the log is.
    pub log_files: LogFiles,
    /// Where several masters elect one of them; without this the master is alone.
    pub election: Option<ElectionOptions>,
    /// Seed of the core's random choices; drawn from the system where it is `None`.
    pub seed: Option<u64>,
}

impl Default for MasterOptions {
    fn default() -> Self {
        Self {
            web: None,
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 5050,
            hostname: None,
            advertise_ip: None,
            advertise_port: None,
            work_dir: None,
            registry: RegistryKind::default(),
            registry_fetch_timeout: Duration::from_secs(60),
            registry_store_timeout: Duration::from_secs(20),
            registry_gc_interval: Duration::from_secs(15 * 60),
            registry_max_agent_age: Duration::from_secs(14 * 24 * 3600),
            registry_max_agent_count: 100 * 1024,
            cluster: None,
            roles: Vec::new(),
            weights: Vec::new(),
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(600),
            agent_removal_rate_limit: None,
            recovery_agent_removal_limit: 1.0,
            allocator_agent_recovery_factor: 0.8,
            allocator_recovery_timeout: Duration::from_secs(600),
            allocation_interval: Duration::from_secs(1),
            offer_timeout: Some(Duration::from_secs(300)),
            max_offered_share: Some(0.5),
            min_allocatable_resources: vec![
                [(Name::Cpus, Scalar::from_thousandths(10))].into_iter().collect(),
                [(Name::Mem, Scalar::whole(32))].into_iter().collect(),
            ],
            fair_sharing_excluded_resource_names: Vec::new(),
            filter_gpu_resources: true,
            whitelist: None,
            domain: None,
            require_agent_domain: false,
            offer_constraints_re2_max_mem: 4096,
            offer_constraints_re2_max_program_size: 100,
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            max_unreachable_tasks_per_framework: 1000,
            max_operator_event_stream_subscribers: 1000,
            publish_per_framework_metrics: true,
            root_submissions: true,
            http_heartbeat_interval: Duration::from_secs(15),
            event_queue: 256 << 10,
            event_queue_bytes: 256 << 20,
            watcher_patience: Duration::from_mins(1),
            max_request_bytes: 64 << 20,
            max_connections: ServeOptions::default().max_connections,
            process_flags: Vec::new(),
            set_logging_level: None,
            log_files: LogFiles::default(),
            election: None,
            seed: None,
        }
    }
}

impl MasterOptions {
    /// Options of a master for this machine only, on a free port.
    #[must_use]
    pub fn loopback() -> Self {
        Self { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, ..Self::default() }
    }

    /// Where the registry is really kept.
    pub(crate) fn registry_kind(&self) -> RegistryKind {
        let lasting = self.work_dir.is_some() || self.election.is_some();
        if lasting { self.registry } else { RegistryKind::InMemory }
    }

    /// Where others reach a master that listens on `bound`.
    pub(crate) fn advertised(&self, bound: SocketAddr) -> SocketAddr {
        transport::advertised(bound, self.advertise_ip, self.advertise_port)
    }

    /// How much a regular expression in offer constraints may cost.
    pub(crate) fn regex_limits(&self) -> RegexLimits {
        RegexLimits {
            max_mem: self.offer_constraints_re2_max_mem,
            max_program_size: usize::try_from(self.offer_constraints_re2_max_program_size)
                .unwrap_or(usize::MAX),
        }
    }

    fn zk_session_timeout(&self) -> Duration {
        self.election.as_ref().map_or(Duration::from_secs(10), |election| election.session_timeout)
    }

    /// Flags by name as they are in effect, sorted, as `/flags` shows them.
    #[must_use]
    pub fn flags(&self, port: u16, hostname: &str) -> Vec<(String, String)> {
        let mut flags = vec![
            ("agent_ping_timeout", duration_text(self.agent_ping_timeout)),
            ("agent_reregister_timeout", duration_text(self.agent_reregister_timeout)),
            ("allocation_interval", duration_text(self.allocation_interval)),
            ("filter_gpu_resources", self.filter_gpu_resources.to_string()),
            ("hostname", hostname.to_owned()),
            ("ip", self.ip.to_string()),
            ("max_agent_ping_timeouts", self.max_agent_ping_timeouts.to_string()),
            ("max_completed_frameworks", self.max_completed_frameworks.to_string()),
            ("max_completed_tasks_per_framework", self.max_completed_tasks_per_framework.to_string()),
            ("max_operator_event_stream_subscribers", self.max_operator_event_stream_subscribers.to_string()),
            ("max_unreachable_tasks_per_framework", self.max_unreachable_tasks_per_framework.to_string()),
            ("min_allocatable_resources", sets_text(&self.min_allocatable_resources)),
            ("offer_constraints_re2_max_mem", bytes_text(self.offer_constraints_re2_max_mem)),
            (
                "offer_constraints_re2_max_program_size",
                self.offer_constraints_re2_max_program_size.to_string(),
            ),
            ("allocator_agent_recovery_factor", self.allocator_agent_recovery_factor.to_string()),
            ("allocator_recovery_timeout", duration_text(self.allocator_recovery_timeout)),
            ("port", port.to_string()),
            ("publish_per_framework_metrics", self.publish_per_framework_metrics.to_string()),
            ("recovery_agent_removal_limit", percent_text(self.recovery_agent_removal_limit)),
            ("registry", self.registry_kind().as_str().to_owned()),
            ("registry_fetch_timeout", duration_text(self.registry_fetch_timeout)),
            ("registry_gc_interval", duration_text(self.registry_gc_interval)),
            ("registry_max_agent_age", duration_text(self.registry_max_agent_age)),
            ("registry_max_agent_count", self.registry_max_agent_count.to_string()),
            ("registry_store_timeout", duration_text(self.registry_store_timeout)),
            ("require_agent_domain", self.require_agent_domain.to_string()),
            ("root_submissions", self.root_submissions.to_string()),
            ("zk_session_timeout", duration_text(self.zk_session_timeout())),
        ];
        let optional = [
            ("advertise_ip", self.advertise_ip.map(|ip| ip.to_string())),
            ("advertise_port", self.advertise_port.map(|port| port.to_string())),
            ("agent_removal_rate_limit", self.agent_removal_rate_limit.map(|rate| rate.to_string())),
            ("cluster", self.cluster.clone()),
            ("domain", self.domain.as_ref().map(|domain| proto::json::to_string(&domain.to_proto()))),
            ("fair_sharing_excluded_resource_names", listed(&self.fair_sharing_excluded_resource_names)),
            ("max_offered_share", self.max_offered_share.map(|share| share.to_string())),
            ("offer_timeout", self.offer_timeout.map(duration_text)),
            ("roles", listed(&self.roles)),
            ("whitelist", self.whitelist.as_ref().map(|path| path.display().to_string())),
            ("weights", weights_text(&self.weights)),
            ("zk", self.election.as_ref().map(|election| election.url.to_string())),
            ("work_dir", self.work_dir.as_ref().map(|dir| dir.display().to_string())),
        ];
        let optional = optional.into_iter().chain(self.log_files.flags());
        flags.extend(optional.filter_map(|(name, value)| value.map(|value| (name, value))));
        // What cannot be chosen here, with the value that describes what the master does.
        flags.extend(FIXED_FLAGS.iter().map(|&(name, value)| (name, value.to_owned())));
        flags.extend(self.process_flags.iter().cloned());
        flags.sort_unstable();
        flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl FaultDomain {
    /// `mesos.v1.DomainInfo`.
    pub(crate) fn to_proto(&self) -> DomainInfo {
        let region = RegionInfo { name: self.region.clone() };
        let zone = ZoneInfo { name: self.zone.clone() };
        DomainInfo { fault_domain: Some(domain_info::FaultDomain { region, zone }) }
    }
}

/// A list with commas, if there is anything in it.
fn listed(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(","))
}

/// Sets of quantities as the flag has them: `cpus:1;mem:32|disk:1`.
fn sets_text(sets: &[Quantities]) -> String {
    let set = |set: &Quantities| {
        let amounts: Vec<_> = set.iter().map(|(name, amount)| format!("{name}:{amount}")).collect();
        amounts.join(";")
    };
    sets.iter().map(set).collect::<Vec<_>>().join("|")
}

/// Weights as the flag has them: `a=2,b=0.5`.
fn weights_text(weights: &[(String, f64)]) -> Option<String> {
    let weights: Vec<String> = weights.iter().map(|(role, weight)| format!("{role}={weight}")).collect();
    listed(&weights)
}

/// A share as the flag has it: `100%`.
fn percent_text(share: f64) -> String {
    format!("{}%", share * 100.0)
}

/// A number of bytes in the largest unit that leaves no rest.
fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes, 0);
    while amount > 0 && amount.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        amount /= 1024;
        unit += 1;
    }
    format!("{amount}{}", UNITS[unit])
}

/// Flags of Mesos that clients read and that are not options here.
const FIXED_FLAGS: [(&str, &str); 15] = [
    ("allocator", "hierarchical"),
    ("authenticate_agents", "false"),
    ("authenticate_frameworks", "false"),
    ("authenticate_http_frameworks", "false"),
    ("authenticate_http_readonly", "false"),
    ("authenticate_http_readwrite", "false"),
    ("framework_sorter", "drf"),
    ("help", "false"),
    ("hostname_lookup", "false"),
    ("log_auto_initialize", "true"),
    ("logbufsecs", "0"),
    ("memory_profiling", "false"),
    ("registry_strict", "false"),
    ("role_sorter", "drf"),
    ("version", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_shown_as_they_are_given() {
        let options = MasterOptions {
            domain: Some(FaultDomain { region: "r".into(), zone: "z".into() }),
            fair_sharing_excluded_resource_names: vec!["gpus".into(), "ports".into()],
            ..MasterOptions::default()
        };
        let flags = options.flags(1, "h");
        let shown = |name: &str| flags.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        for (name, expected) in [
            ("min_allocatable_resources", "cpus:0.01|mem:32"),
            ("offer_constraints_re2_max_mem", "4KB"),
            ("offer_constraints_re2_max_program_size", "100"),
            ("fair_sharing_excluded_resource_names", "gpus,ports"),
            ("domain", r#"{"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}"#),
            ("offer_timeout", "5mins"),
        ] {
            assert_eq!(shown(name), Some(expected), "{name}");
        }
        assert!(flags.is_sorted() && shown("whitelist").is_none());
        assert_eq!(["0B", "1000B", "1MB"], [0, 1000, 1 << 20].map(bytes_text).as_slice());
    }

    #[test]
    fn the_advertised_address_can_be_reached() {
        let bound = "0.0.0.0:5050".parse().unwrap();
        assert!(!MasterOptions::default().advertised(bound).ip().is_unspecified());
        let options = MasterOptions { advertise_port: Some(80), ..MasterOptions::loopback() };
        assert_eq!(options.advertised("127.0.0.1:1".parse().unwrap()).to_string(), "127.0.0.1:80");
    }
}
