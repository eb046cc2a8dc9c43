//! `meseta agent`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use agent::{AgentOptions, AgentServer, FaultDomain, LauncherKind, ReconfigurationPolicy, Recover};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use store::url::MasterUrl;

use super::container_flags::ContainerFlags;
use super::life::{EndSignals, ProcessFlags, set_logging_level};
use super::sandbox_flags::SandboxFlags;
use crate::flags::{Bytes, Domain, Duration};

/// How long the executors may take to end; those that take longer are killed.
const END_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// The signal that ends an agent for good, as in Mesos.
const UNREGISTER: &str = "SIGUSR1";

/// The flags of `meseta agent`, named as Mesos' where Mesos has them.
#[derive(Args, Debug)]
pub(crate) struct AgentFlags {
    /// Where the master is: zk://HOST:PORT,HOST:PORT/PATH or etcd://..., a file:// with that in it, or HOST:PORT of masters
    #[arg(long, value_name = "URL", value_parser = parse_master)]
    master: String,
    /// How long ZooKeeper or etcd may be silent before no master is known any more
    #[arg(long, default_value = "10secs", value_name = "DURATION")]
    zk_session_timeout: Duration,
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0", value_name = "ADDRESS")]
    ip: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 5051)]
    port: u16,
    /// Host name told to frameworks instead of the address
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Address under which others reach this agent, if it is not --ip
    #[arg(long, value_name = "ADDRESS")]
    advertise_ip: Option<IpAddr>,
    /// Port under which others reach this agent, if it is not --port
    #[arg(long, value_name = "PORT")]
    advertise_port: Option<u16>,
    /// Where sandboxes are
    #[arg(long, default_value = "/var/lib/meseta/agent", value_name = "DIRECTORY")]
    work_dir: PathBuf,

    /// What is offered, such as 'cpus:8;mem:8192;ports(web):[80-90]'; what is not named is detected
    #[arg(long, help_heading = "Resources")]
    resources: Option<String>,
    /// What the agent says of itself, such as 'rack:r1;zone:a'
    #[arg(long, help_heading = "Resources")]
    attributes: Option<String>,
    /// Where this agent is: {"fault_domain":{"region":{"name":"R"},"zone":{"name":"Z"}}}, or the path of a file with it
    #[arg(long, value_name = "JSON", help_heading = "Resources")]
    domain: Option<Domain>,
    /// The role that resources without one are reserved for
    #[arg(long, default_value = "*", value_name = "ROLE", help_heading = "Resources")]
    default_role: String,

    /// Whether tasks run as their own users, not as the agent's
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true)]
    #[arg(value_name = "BOOL", help_heading = "Executors")]
    switch_user: bool,
    /// How long a custom executor may take to subscribe
    #[arg(long, default_value = "1mins", value_name = "DURATION", help_heading = "Executors")]
    executor_registration_timeout: Duration,
    /// How long an executor may take to shut down before it is ended by force
    #[arg(long, default_value = "5secs", value_name = "DURATION", help_heading = "Executors")]
    executor_shutdown_grace_period: Duration,
    /// Variables that executors and command tasks get, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_variables, help_heading = "Executors")]
    executor_environment_variables: Option<Variables>,
    /// How often an idle executor is sent a heartbeat
    #[arg(long, default_value = "30secs", value_name = "DURATION", help_heading = "Executors")]
    http_heartbeat_interval: Duration,
    /// How many ended executors of each framework are remembered
    #[arg(long, default_value_t = 150, value_name = "COUNT", help_heading = "Executors")]
    max_completed_executors_per_framework: usize,

    /// A server that sends nothing for so long is given up by the fetcher
    #[arg(long, default_value = "1mins", value_name = "DURATION", help_heading = "Fetcher")]
    fetcher_stall_timeout: Duration,
    /// Where relative paths of the fetcher start
    #[arg(long, value_name = "DIRECTORY", help_heading = "Fetcher")]
    frameworks_home: Option<PathBuf>,
    /// Where what tasks may share is kept; the agent makes a directory of its own there
    #[arg(long, default_value = "/tmp/mesos/fetch", value_name = "DIRECTORY", help_heading = "Fetcher")]
    fetcher_cache_dir: PathBuf,
    /// How much of it is kept; nothing with 0B
    #[arg(long, default_value = "2GB", value_name = "BYTES", help_heading = "Fetcher")]
    fetcher_cache_size: Bytes,
    /// Where the hadoop client is (as bin/hadoop) that fetches hdfs:// and whatever else it knows; otherwise it is looked
    /// for in HADOOP_HOME and PATH
    #[arg(long, value_name = "DIRECTORY", help_heading = "Fetcher")]
    hadoop_home: Option<PathBuf>,

    /// Longest pause before the first attempt to register again; 1mins at most
    #[arg(long, default_value = "1secs", value_name = "DURATION", value_parser = parse_backoff)]
    #[arg(help_heading = "Recovery")]
    registration_backoff_factor: Duration,
    /// What is done with the tasks of an earlier agent: go on with them (reconnect), or end them and exit (cleanup)
    #[arg(long, default_value = "reconnect", value_name = "HOW", value_parser = parse_recover)]
    #[arg(help_heading = "Recovery")]
    recover: Recover,
    /// Which changes of these flags an agent with running tasks accepts: any that takes nothing away that is in use, additive
    /// or equal
    #[arg(long, default_value = "any", value_name = "POLICY", value_parser = parse_policy)]
    #[arg(help_heading = "Recovery")]
    reconfiguration_policy: ReconfigurationPolicy,
    /// How long a custom executor may take to subscribe with an agent that was started again; 15secs at most
    #[arg(long, default_value = "2secs", value_name = "DURATION", value_parser = parse_reregistration_timeout)]
    #[arg(help_heading = "Recovery")]
    executor_reregistration_timeout: Duration,
    /// How long executors that checkpoint wait for an agent to come back
    #[arg(long, default_value = "15mins", value_name = "DURATION", help_heading = "Recovery")]
    recovery_timeout: Duration,

    #[command(flatten)]
    sandboxes: SandboxFlags,

    #[command(flatten)]
    containers: ContainerFlags,

    #[command(flatten)]
    process: ProcessFlags,
}

/// Variables by name; a type of its own, for clap would take a map as many values.
#[derive(Clone, Debug)]
struct Variables(BTreeMap<String, String>);

fn parse_variables(text: &str) -> Result<Variables, String> {
    serde_json::from_str(text)
        .map(Variables)
        .map_err(|error| format!("not a JSON object of strings: {error}"))
}

fn parse_recover(text: &str) -> Result<Recover, String> {
    match text {
        "reconnect" => Ok(Recover::Reconnect),
        "cleanup" => Ok(Recover::Cleanup),
        _ => Err("it is 'reconnect' or 'cleanup'".to_owned()),
    }
}

fn parse_policy(text: &str) -> Result<ReconfigurationPolicy, String> {
    let all = [ReconfigurationPolicy::Any, ReconfigurationPolicy::Additive, ReconfigurationPolicy::Equal];
    let found = all.into_iter().find(|policy| policy.as_str() == text);
    found.ok_or_else(|| "it is 'any', 'additive' or 'equal'".to_owned())
}

/// As Mesos, so that tasks whose executors hang are told of in time.
fn parse_reregistration_timeout(text: &str) -> Result<Duration, String> {
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(15);
    let timeout: Duration = text.parse()?;
    if timeout.0 > LONGEST {
        return Err("Expected `--executor_reregistration_timeout` to be not more than 15secs".to_owned());
    }
    Ok(timeout)
}

/// As Mesos: no attempt waits longer.
fn parse_backoff(text: &str) -> Result<Duration, String> {
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);
    let factor: Duration = text.parse()?;
    if factor.0 > LONGEST {
        return Err("Expected `--registration_backoff_factor` to be not more than 1mins".to_owned());
    }
    Ok(factor)
}

/// Takes what may name a master; whether a host does is found out by resolving it. What a file says is read by the agent.
fn parse_master(text: &str) -> Result<String, String> {
    if text.contains("://") {
        text.parse::<MasterUrl>().map_err(|error| error.to_string())?;
    }
    Ok(text.to_owned())
}

impl AgentFlags {
    fn options(&self) -> AgentOptions {
        AgentOptions {
            process_flags: self.process.shown(),
            set_logging_level: Some(set_logging_level),
            log_files: self.process.log_files(),
            master: self.master.clone(),
            zk_session_timeout: self.zk_session_timeout.0,
            ip: self.ip,
            port: self.port,
            hostname: self.hostname.clone(),
            advertise_ip: self.advertise_ip,
            advertise_port: self.advertise_port,
            work_dir: self.work_dir.clone(),
            resources: self.resources.clone(),
            attributes: self.attributes.clone(),
            domain: self
                .domain
                .clone()
                .map(|domain| FaultDomain { region: domain.region, zone: domain.zone }),
            default_role: self.default_role.clone(),
            executor_registration_timeout: self.executor_registration_timeout.0,
            executor_shutdown_grace_period: self.executor_shutdown_grace_period.0,
            executor_environment_variables: self
                .executor_environment_variables
                .clone()
                .map(|variables| variables.0)
                .unwrap_or_default(),
            registration_backoff_factor: self.registration_backoff_factor.0,
            recovery_timeout: self.recovery_timeout.0,
            recover: self.recover,
            reconfiguration_policy: self.reconfiguration_policy,
            executor_reregistration_timeout: self.executor_reregistration_timeout.0,
            fetcher_stall_timeout: self.fetcher_stall_timeout.0,
            frameworks_home: self.frameworks_home.clone(),
            fetcher_cache_dir: self.fetcher_cache_dir.clone(),
            fetcher_cache_size: self.fetcher_cache_size.0,
            hadoop_home: self.hadoop_home.clone(),
            switch_user: self.switch_user,
            max_completed_executors_per_framework: self.max_completed_executors_per_framework,
            http_heartbeat_interval: self.http_heartbeat_interval.0,
            launcher: self.containers.launcher(),
            runtime_dir: self.containers.runtime_dir(),
            linux: self.containers.options(),
            // This process has no children but its tasks.
            adopt_orphans: true,
            ..self.sandboxes.apply(AgentOptions::default())
        }
    }
}

/// Serves until a signal ends it. Its tasks end with it, or are there for the next agent if they can be.
pub(crate) async fn run(flags: AgentFlags) -> Result<()> {
    flags.process.begin("agent")?;
    let mut signals = EndSignals::listen()?;
    let options = flags.options();
    // Tasks that can outlive the agent do, unless it is to go for good, or belongs to a cluster that ends with it.
    let tasks_stay = options.launcher == LauncherKind::Linux && !flags.process.is_child();
    let cleanup = options.recover == Recover::Cleanup;
    let server = AgentServer::start(options)
        .await
        .with_context(|| format!("the agent cannot start on {}:{}", flags.ip, flags.port))?;
    flags.process.announce(server.address().to_string())?;
    let outcome = tokio::select! {
        signal = signals.next() => {
            if tasks_stay && signal != UNREGISTER {
                server.leave().await;
                return Ok(());
            }
            // The master hears of it, and the tasks get their grace periods.
            server.unregister(format!("the agent got {}", signal)).await;
            tokio::select! {
                _ = tokio::time::timeout(END_PATIENCE, server.terminated()) => {}
                // Who asks twice does not want to wait. The parent of a local cluster passes on what a terminal has
                // already sent to all.
                _ = signals.next(), if !flags.process.is_child() => {}
            }
            Ok(())
        }
        end = server.terminated() => if cleanup { Ok(()) } else { Err(anyhow!("{}", end.reason)) },
    };
    server.shutdown().await;
    outcome
}
