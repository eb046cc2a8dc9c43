//! `meseta master`.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use master::{ElectionOptions, End, FaultDomain, MasterOptions, MasterServer, RegistryKind, RemovalRate};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::url::MasterUrl;

use super::life::{EndSignals, ProcessFlags, set_logging_level};
use crate::flags::{
    Bound, Bytes, Domain, Duration, Percent, PositiveDuration, QuantitySets, Rate, Share, Weights,
};

/// The flags of `meseta master`, named as Mesos' where Mesos has them.
#[derive(Args, Debug)]
pub(crate) struct MasterFlags {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0", value_name = "ADDRESS")]
    ip: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 5050)]
    port: u16,
    /// Host name told to clients instead of the address
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Address under which others reach this master, if it is not --ip
    #[arg(long, value_name = "ADDRESS")]
    advertise_ip: Option<IpAddr>,
    /// Port under which others reach this master, if it is not --port
    #[arg(long, value_name = "PORT")]
    advertise_port: Option<u16>,
    /// Where the master keeps its files
    #[arg(long, value_name = "DIRECTORY")]
    work_dir: Option<PathBuf>,
    /// Name of the cluster, for people
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,

    /// Where several masters elect one of them: zk://HOST:PORT,HOST:PORT/PATH, etcd://..., or a file:// with that in it
    #[arg(long, value_name = "URL", value_parser = parse_zk, help_heading = "Election")]
    zk: Option<MasterUrl>,
    /// How long a leader may be silent before another one is elected
    #[arg(long, default_value = "10secs", value_name = "DURATION", help_heading = "Election")]
    zk_session_timeout: Duration,
    /// Taken for Mesos' sake; the registry is kept by ZooKeeper or etcd, which have quorums of their own
    #[arg(long, value_name = "COUNT", help_heading = "Election")]
    quorum: Option<u32>,

    /// The only roles that frameworks may have, separated by commas; all without this
    #[arg(long, value_name = "ROLES", value_delimiter = ',', help_heading = "Sharing")]
    roles: Vec<String>,
    /// Weights of roles, such as ads=2,web=1.5
    #[arg(long, value_name = "WEIGHTS", help_heading = "Sharing")]
    weights: Option<Weights>,
    /// How often everything that is free is offered
    #[arg(long, default_value = "1secs", value_name = "DURATION", help_heading = "Sharing")]
    allocation_interval: Duration,
    /// How long a framework may hold an offer; `none` is for ever, as in Mesos where this is not given
    #[arg(long, default_value = "5mins", value_name = "DURATION", help_heading = "Sharing")]
    offer_timeout: Bound<PositiveDuration>,
    /// The largest share of the cluster that is on offer to one framework while others want it; `none` is no limit, as
    /// in Mesos
    #[arg(long, default_value = "0.5", value_name = "SHARE", help_heading = "Sharing")]
    max_offered_share: Bound<Share>,
    /// What an offer has to have at least, such as cpus:1;mem:32|disk:1: one of the sets between the bars
    #[arg(long, default_value = "cpus:0.01|mem:32", value_name = "SETS", help_heading = "Sharing")]
    min_allocatable_resources: QuantitySets,
    /// Resources that do not count in shares, such as gpus, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Sharing")]
    fair_sharing_excluded_resource_names: Vec<String>,
    /// Whether agents with GPUs are offered only to frameworks that say that they can use them
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true)]
    #[arg(value_name = "BOOL", help_heading = "Sharing")]
    filter_gpu_resources: bool,
    /// File with the host names of the agents to be offered, one a line; it is read again every 5 seconds
    #[arg(long, value_name = "FILE", help_heading = "Sharing")]
    whitelist: Option<PathBuf>,
    /// Most memory that a regular expression in offer constraints may take
    #[arg(long, default_value = "4KB", value_name = "BYTES", help_heading = "Sharing")]
    offer_constraints_re2_max_mem: Bytes,
    /// Longest program that a regular expression in offer constraints may have
    #[arg(long, default_value_t = 100, value_name = "SIZE", help_heading = "Sharing")]
    offer_constraints_re2_max_program_size: u32,
    /// Whether there are metrics of single frameworks: with many frameworks they are many
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true)]
    #[arg(value_name = "BOOL", help_heading = "Sharing")]
    publish_per_framework_metrics: bool,
    /// Whether frameworks may run tasks as root
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true)]
    #[arg(value_name = "BOOL", help_heading = "Sharing")]
    root_submissions: bool,

    /// How long an agent has to answer a ping
    #[arg(long, default_value = "15secs", value_name = "DURATION", help_heading = "Agents")]
    agent_ping_timeout: Duration,
    /// How many pings an agent may leave unanswered before it is unreachable
    #[arg(long, default_value_t = 5, value_name = "COUNT", help_heading = "Agents")]
    max_agent_ping_timeouts: u32,
    /// How long an agent whose connection broke may take to come back
    #[arg(long, default_value = "10mins", value_name = "DURATION", help_heading = "Agents")]
    agent_reregister_timeout: Duration,

    /// How fast agents that do not answer are marked unreachable, such as 1/10mins; without limit where it is not given
    #[arg(long, value_name = "COUNT/DURATION", help_heading = "Agents")]
    agent_removal_rate_limit: Option<Rate>,
    /// The largest part of the agents known before that may fail to come to a master that starts; if it is more, the master
    /// gives up
    #[arg(long, default_value = "100%", value_name = "PERCENT", help_heading = "Agents")]
    recovery_agent_removal_limit: Percent,
    /// The share of the agents known before that have to come to a master that starts before it makes offers, where there
    /// are quotas
    #[arg(long, default_value = "0.8", value_name = "SHARE", help_heading = "Agents")]
    allocator_agent_recovery_factor: Share,
    /// How long offers wait for that
    #[arg(long, default_value = "10mins", value_name = "DURATION", help_heading = "Agents")]
    allocator_recovery_timeout: Duration,

    /// Where it is remembered which agents there are, quotas and weights: `embedded` is below --work_dir, if there is one
    #[arg(long, default_value = "embedded", value_name = "WHERE", help_heading = "Registry")]
    registry: Registry,
    /// How long reading the registry may take
    #[arg(long, default_value = "1mins", value_name = "DURATION", help_heading = "Registry")]
    registry_fetch_timeout: Duration,
    /// How long a write to the registry may take before the master gives up
    #[arg(long, default_value = "20secs", value_name = "DURATION", help_heading = "Registry")]
    registry_store_timeout: Duration,
    /// How often agents are forgotten that were unreachable or gone for long
    #[arg(long, default_value = "15mins", value_name = "DURATION", help_heading = "Registry")]
    registry_gc_interval: Duration,
    /// How long unreachable and gone agents are remembered
    #[arg(long, default_value = "2weeks", value_name = "DURATION", help_heading = "Registry")]
    registry_max_agent_age: Duration,
    /// How many unreachable agents, and how many gone ones, are remembered
    #[arg(long, default_value_t = 102_400, value_name = "COUNT", help_heading = "Registry")]
    registry_max_agent_count: usize,

    /// Where this master is: {"fault_domain":{"region":{"name":"R"},"zone":{"name":"Z"}}}, or the path of a file with it
    #[arg(long, value_name = "JSON", help_heading = "Agents")]
    domain: Option<Domain>,
    /// Whether agents have to say where they are
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true)]
    #[arg(value_name = "BOOL", help_heading = "Agents")]
    require_agent_domain: bool,

    /// How many ended frameworks are remembered
    #[arg(long, default_value_t = 50, value_name = "COUNT", help_heading = "Memory")]
    max_completed_frameworks: usize,
    /// How many ended tasks of each framework are remembered
    #[arg(long, default_value_t = 1000, value_name = "COUNT", help_heading = "Memory")]
    max_completed_tasks_per_framework: usize,
    /// How many unreachable tasks of each framework are remembered
    #[arg(long, default_value_t = 1000, value_name = "COUNT", help_heading = "Memory")]
    max_unreachable_tasks_per_framework: usize,
    /// How many may watch the operator API's events at a time
    #[arg(long, default_value_t = 1000, value_name = "COUNT", help_heading = "Memory")]
    max_operator_event_stream_subscribers: usize,

    #[command(flatten)]
    process: ProcessFlags,
}

impl MasterFlags {
    fn options(&self) -> MasterOptions {
        MasterOptions {
            ip: self.ip,
            port: self.port,
            hostname: self.hostname.clone(),
            advertise_ip: self.advertise_ip,
            advertise_port: self.advertise_port,
            work_dir: self.work_dir.clone(),
            cluster: self.cluster.clone(),
            roles: filled(&self.roles),
            weights: self.weights.clone().map(|weights| weights.0).unwrap_or_default(),
            agent_ping_timeout: self.agent_ping_timeout.0,
            max_agent_ping_timeouts: self.max_agent_ping_timeouts,
            registry: match self.registry {
                Registry::Embedded => RegistryKind::Embedded,
                Registry::InMemory => RegistryKind::InMemory,
            },
            registry_fetch_timeout: self.registry_fetch_timeout.0,
            registry_store_timeout: self.registry_store_timeout.0,
            registry_gc_interval: self.registry_gc_interval.0,
            registry_max_agent_age: self.registry_max_agent_age.0,
            registry_max_agent_count: self.registry_max_agent_count,
            agent_removal_rate_limit: self
                .agent_removal_rate_limit
                .map(|rate| RemovalRate { agents: rate.count, per: rate.per }),
            recovery_agent_removal_limit: self.recovery_agent_removal_limit.0,
            allocator_agent_recovery_factor: self.allocator_agent_recovery_factor.0,
            allocator_recovery_timeout: self.allocator_recovery_timeout.0,
            allocation_interval: self.allocation_interval.0,
            offer_timeout: self.offer_timeout.0.map(|timeout| timeout.0),
            max_offered_share: self.max_offered_share.0.map(|share| share.0),
            min_allocatable_resources: self.min_allocatable_resources.0.clone(),
            fair_sharing_excluded_resource_names: filled(&self.fair_sharing_excluded_resource_names),
            filter_gpu_resources: self.filter_gpu_resources,
            // An old way to say that there is none.
            whitelist: self.whitelist.clone().filter(|path| path.as_os_str() != "*"),
            domain: self
                .domain
                .clone()
                .map(|domain| FaultDomain { region: domain.region, zone: domain.zone }),
            require_agent_domain: self.require_agent_domain,
            offer_constraints_re2_max_mem: self.offer_constraints_re2_max_mem.0,
            offer_constraints_re2_max_program_size: self.offer_constraints_re2_max_program_size,
            max_completed_frameworks: self.max_completed_frameworks,
            max_completed_tasks_per_framework: self.max_completed_tasks_per_framework,
            max_unreachable_tasks_per_framework: self.max_unreachable_tasks_per_framework,
            max_operator_event_stream_subscribers: self.max_operator_event_stream_subscribers,
            agent_reregister_timeout: self.agent_reregister_timeout.0,
            publish_per_framework_metrics: self.publish_per_framework_metrics,
            root_submissions: self.root_submissions,
            process_flags: self.process.shown(),
            set_logging_level: Some(set_logging_level),
            log_files: self.process.log_files(),
            election: self
                .zk
                .clone()
                .map(|url| ElectionOptions { url, session_timeout: self.zk_session_timeout.0 }),
            web: Some(ui::serve),
            ..MasterOptions::default()
        }
    }
}

/// A URL of a service that elects; masters that are named one by one elect nobody.
fn parse_zk(text: &str) -> Result<MasterUrl, String> {
    match text.parse::<MasterUrl>() {
        Ok(MasterUrl::Addresses(_)) => {
            Err("expected: zk://HOST:PORT/PATH or etcd://HOST:PORT/PATH".to_owned())
        }
        Ok(url) => Ok(url),
        Err(error) => Err(error.to_string()),
    }
}

/// Where the registry is kept.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Registry {
    #[value(alias = "replicated_log")]
    Embedded,
    #[value(name = "in_memory")]
    InMemory,
}

/// The entries of a list with commas that have something in them.
fn filled(entries: &[String]) -> Vec<String> {
    entries.iter().filter(|entry| !entry.is_empty()).cloned().collect()
}

/// Open files that are no connections: the log, the registry, what the runtime has.
const OTHER_FILES: u64 = 64;

/// Takes as many open files as may be had, and returns how many connections may be accepted. Every agent needs two: its own
/// and the master's to it. If all files went to those that come, nobody could be answered.
fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!("cannot open more than {:?} files: {error}", limit.current);
            limit.current
        }
    };
    acceptable(allowed)
}

/// How many connections may be accepted where so many files may be open; `None` is any number.
fn acceptable(open_files: Option<u64>) -> usize {
    let most = open_files.map_or(u64::MAX, |files| files.saturating_sub(OTHER_FILES).max(2) / 2);
    // Nobody has more, and the semaphore that counts them has a limit of its own.
    usize::try_from(most).unwrap_or(MOST_CONNECTIONS).min(MOST_CONNECTIONS)
}

/// More agents than this no master has.
const MOST_CONNECTIONS: usize = 1 << 20;

/// Serves until a signal ends it. One of several masters that has led and lost that begins anew, as a standby that knows
/// nothing of what was: as if a supervisor had started its process again, which is what Mesos leaves to one.
pub(crate) async fn run(flags: MasterFlags) -> Result<()> {
    flags.process.begin("master")?;
    let mut signals = EndSignals::listen()?;
    let max_connections = raise_open_files();
    if flags.quorum.is_some() {
        tracing::info!("--quorum has no effect: the registry is not replicated by the masters");
    }
    let mut options = MasterOptions { max_connections, ..flags.options() };
    let mut announced = false;
    loop {
        let server = MasterServer::start(options.clone())
            .await
            .with_context(|| format!("the master cannot start on {}:{}", flags.ip, flags.port))?;
        if !std::mem::replace(&mut announced, true) {
            flags.process.announce(server.address().to_string())?;
            options.port = server.port();
        }
        let end = tokio::select! {
            _ = signals.next() => None,
            end = server.ended() => Some(end),
        };
        server.shutdown().await;
        match end {
            None => return Ok(()),
            Some(End::Deposed(reason)) => {
                tracing::warn!("beginning anew as a standby: {reason}");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Some(End::Refused(reason)) => bail!("this master can never lead: {reason}"),
            Some(End::Broken) => bail!("the master has ended by itself; its log says why"),
        }
    }
}
