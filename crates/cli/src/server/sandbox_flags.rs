//! The flags of `meseta agent` about the life of sandboxes: what is kept in them, and for how long.

use agent::{AgentOptions, ContainerLogger};
use clap::Args;
use containerizer::{Outputs, Rotation};

use crate::flags::{Duration, PositiveDuration};

/// Named as Mesos'; those about what containers write as the parameters of Mesos' logrotate logger.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sandboxes")]
pub(crate) struct SandboxFlags {
    /// How long the sandbox of an ended executor is kept
    #[arg(long, default_value = "1weeks", value_name = "DURATION")]
    gc_delay: Duration,
    /// How much of the disk is to be left, as a share of the whole: the fuller it is the less long sandboxes are kept
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", value_parser = parse_headroom)]
    gc_disk_headroom: f64,
    /// How often it is looked how full the disk is
    #[arg(long, default_value = "1mins", value_name = "DURATION")]
    disk_watch_interval: PositiveDuration,
    /// Whether the sandboxes of a group's tasks are deleted so long after their own ends, not after that of their executor
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    gc_non_executor_container_sandboxes: bool,
    /// What is done with what containers write: files of bounded size (logrotate), or one that grows as it will (sandbox)
    #[arg(long, default_value = "logrotate", value_name = "LOGGER", value_parser = parse_logger)]
    container_logger: Logger,
    /// How large a file of what a container writes to standard output becomes
    #[arg(long, default_value = "10MB", value_name = "BYTES", value_parser = parse_size)]
    max_stdout_size: u64,
    /// How large a file of what a container writes to standard error becomes
    #[arg(long, default_value = "10MB", value_name = "BYTES", value_parser = parse_size)]
    max_stderr_size: u64,
    /// How many full files are kept of standard output, as an option of logrotate
    #[arg(long, default_value = "rotate 4", value_name = "OPTIONS", value_parser = parse_count)]
    logrotate_stdout_options: u32,
    /// How many full files are kept of standard error, as an option of logrotate
    #[arg(long, default_value = "rotate 4", value_name = "OPTIONS", value_parser = parse_count)]
    logrotate_stderr_options: u32,
    /// What the names of variables begin with by which a task changes the last four for itself
    #[arg(long, default_value = "CONTAINER_LOGGER_", value_name = "PREFIX")]
    environment_variable_prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logger {
    Logrotate,
    Sandbox,
}

/// By our names, and by that of Mesos' module.
fn parse_logger(text: &str) -> Result<Logger, String> {
    match text {
        "logrotate" | "org_apache_mesos_LogrotateContainerLogger" => Ok(Logger::Logrotate),
        "sandbox" => Ok(Logger::Sandbox),
        _ => Err("it is 'logrotate' or 'sandbox'".to_owned()),
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    agent::logger::size(text).map_err(|error| error.to_string())
}

fn parse_count(text: &str) -> Result<u32, String> {
    let mut rotation = Rotation::default();
    agent::logger::set_count(&mut rotation, text).map_err(|error| error.to_string())?;
    Ok(rotation.keep)
}

fn parse_headroom(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("Invalid value '{text}' for --gc_disk_headroom. Must be between 0.0 and 1.0"))
}

impl SandboxFlags {
    /// Enters what is said here.
    pub(super) fn apply(&self, options: AgentOptions) -> AgentOptions {
        AgentOptions {
            gc_delay: self.gc_delay.0,
            gc_disk_headroom: self.gc_disk_headroom,
            disk_watch_interval: self.disk_watch_interval.0,
            gc_non_executor_container_sandboxes: self.gc_non_executor_container_sandboxes,
            logger: self.logger(),
            ..options
        }
    }

    fn logger(&self) -> ContainerLogger {
        ContainerLogger {
            rotates: self.container_logger == Logger::Logrotate,
            outputs: Outputs {
                stdout: Rotation { max_size: self.max_stdout_size, keep: self.logrotate_stdout_options },
                stderr: Rotation { max_size: self.max_stderr_size, keep: self.logrotate_stderr_options },
            },
            environment_variable_prefix: self.environment_variable_prefix.clone(),
        }
    }
}
