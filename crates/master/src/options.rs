//! What a master is started with: Mesos' flags, under their names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base::duration_text;

/// Options of a master. Each is named as Mesos' flag, and has its default.
#[derive(Clone, Debug)]
pub struct MasterOptions {
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
    /// Where the master keeps its files. Nothing is written there yet.
    pub work_dir: Option<PathBuf>,
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
    /// How often everything that is free is offered.
    pub allocation_interval: Duration,
    /// How long a framework may hold an offer; for ever where it is `None`.
    pub offer_timeout: Option<Duration>,
    /// How many ended frameworks are remembered.
    pub max_completed_frameworks: usize,
    /// How many ended tasks of each framework are remembered.
    pub max_completed_tasks_per_framework: usize,
    /// How many unreachable tasks of each framework are remembered.
    pub max_unreachable_tasks_per_framework: usize,
    /// How many may watch the operator API's events at a time.
    pub max_operator_event_stream_subscribers: usize,
    /// Whether frameworks may run tasks as root.
    pub root_submissions: bool,
    /// How often an idle event stream gets a heartbeat. Not a flag of Mesos, where it is fixed.
    pub http_heartbeat_interval: Duration,
    /// How many events may wait for one scheduler before it is disconnected for reading too slowly.
    pub event_queue: usize,
    /// How many bytes these may have, roughly.
    pub event_queue_bytes: usize,
    /// Longest request body, in bytes.
    pub max_request_bytes: usize,
    /// Makes the process' log follow `SET_LOGGING_LEVEL`: gets Mesos' level, 0 for the usual.
    pub set_logging_level: Option<fn(u32)>,
    /// Seed of the core's random choices; drawn from the system where it is `None`.
    pub seed: Option<u64>,
}

impl Default for MasterOptions {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 5050,
            hostname: None,
            advertise_ip: None,
            advertise_port: None,
            work_dir: None,
            cluster: None,
            roles: Vec::new(),
            weights: Vec::new(),
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(600),
            allocation_interval: Duration::from_secs(1),
            offer_timeout: None,
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            max_unreachable_tasks_per_framework: 1000,
            max_operator_event_stream_subscribers: 1000,
            root_submissions: true,
            http_heartbeat_interval: Duration::from_secs(15),
            event_queue: 256 << 10,
            event_queue_bytes: 256 << 20,
            max_request_bytes: 64 << 20,
            set_logging_level: None,
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

    /// Where others reach a master that listens on `bound`.
    pub(crate) fn advertised(&self, bound: SocketAddr) -> SocketAddr {
        transport::advertised(bound, self.advertise_ip, self.advertise_port)
    }

    /// Flags by name as they are in effect, sorted, as `/flags` shows them.
    #[must_use]
    pub fn flags(&self, port: u16, hostname: &str) -> Vec<(String, String)> {
        let mut flags = vec![
            ("agent_ping_timeout", duration_text(self.agent_ping_timeout)),
            ("agent_reregister_timeout", duration_text(self.agent_reregister_timeout)),
            ("allocation_interval", duration_text(self.allocation_interval)),
            ("hostname", hostname.to_owned()),
            ("ip", self.ip.to_string()),
            ("max_agent_ping_timeouts", self.max_agent_ping_timeouts.to_string()),
            ("max_completed_frameworks", self.max_completed_frameworks.to_string()),
            ("max_completed_tasks_per_framework", self.max_completed_tasks_per_framework.to_string()),
            ("max_operator_event_stream_subscribers", self.max_operator_event_stream_subscribers.to_string()),
            ("max_unreachable_tasks_per_framework", self.max_unreachable_tasks_per_framework.to_string()),
            ("port", port.to_string()),
            ("root_submissions", self.root_submissions.to_string()),
        ];
        let optional = [
            ("advertise_ip", self.advertise_ip.map(|ip| ip.to_string())),
            ("advertise_port", self.advertise_port.map(|port| port.to_string())),
            ("cluster", self.cluster.clone()),
            ("offer_timeout", self.offer_timeout.map(duration_text)),
            ("roles", (!self.roles.is_empty()).then(|| self.roles.join(","))),
            ("work_dir", self.work_dir.as_ref().map(|dir| dir.display().to_string())),
        ];
        flags.extend(optional.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
        // What cannot be chosen here, with the value that describes what the master does.
        flags.extend(FIXED_FLAGS.iter().map(|&(name, value)| (name, value.to_owned())));
        flags.sort_unstable();
        flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Flags of Mesos that clients read and that are not options here.
const FIXED_FLAGS: [(&str, &str); 13] = [
    ("allocator", "hierarchical"),
    ("authenticate_agents", "false"),
    ("authenticate_frameworks", "false"),
    ("authenticate_http_frameworks", "false"),
    ("authenticate_http_readonly", "false"),
    ("authenticate_http_readwrite", "false"),
    ("filter_gpu_resources", "true"),
    ("framework_sorter", "drf"),
    ("logging_level", "INFO"),
    ("min_allocatable_resources", "cpus:0.01|mem:32"),
    ("publish_per_framework_metrics", "false"),
    ("role_sorter", "drf"),
    ("version", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advertised_address_can_be_reached() {
        let bound = "0.0.0.0:5050".parse().unwrap();
        assert!(!MasterOptions::default().advertised(bound).ip().is_unspecified());
        let options = MasterOptions { advertise_port: Some(80), ..MasterOptions::loopback() };
        assert_eq!(options.advertised("127.0.0.1:1".parse().unwrap()).to_string(), "127.0.0.1:80");
    }
}
