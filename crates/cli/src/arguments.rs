//! The command line: subcommands, and the way from words to options.

use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::flags::{Server, normalize};
use crate::server::{AgentFlags, MasterFlags};
use crate::{demo, explain, failure, inspect, kill, logs, run, server, sim, up};

/// The command line of `meseta`.
#[derive(Parser)]
#[command(name = "meseta", version, about = "A cluster manager: makes one computer of many machines")]
#[command(arg_required_else_help = true, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  meseta up --agents 3                        a cluster on this machine
  meseta run 'echo hello from $(hostname)'    a command on the cluster, its output here
  meseta tasks                                what runs

Exit codes: 0 done, 1 failed, 2 wrong usage; `meseta run` ends as its command does (see its help).")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a cluster on this machine: a master and some agents
    Up(up::Options),
    /// Run a command on the cluster and show its output here
    Run(run::Options),
    /// List the tasks
    Tasks(inspect::TaskOptions),
    /// List the agents and what they have
    Agents(inspect::AgentOptions),
    /// List the frameworks
    Frameworks(inspect::FrameworkOptions),
    /// Say why a framework or a role gets no offers
    Explain(explain::Options),
    /// Show what a task has printed
    Logs(logs::Options),
    /// Kill a task
    Kill(kill::Options),
    /// Run some hundred small jobs over a cluster and show how it went
    Demo(demo::Options),
    /// Start a master
    #[command(after_help = SERVER_HELP)]
    Master(Box<MasterFlags>),
    /// Start an agent
    #[command(after_help = SERVER_HELP)]
    Agent(Box<AgentFlags>),
    /// Simulate clusters in which everything goes wrong, and verify what must hold
    Sim(sim::Options),
    /// Print the completions of a shell
    Completions(Completions),
}

const SERVER_HELP: &str = "Flags are named as those of Mesos where it has them. They may be written --work_dir or \
--work-dir, and booleans also --no-NAME. What is not on the command line is taken from MESETA_WORK_DIR, then from \
MESOS_WORK_DIR, and so for each flag. A value file://PATH is the text of that file.

Examples:
  meseta master --work_dir=/var/lib/meseta/master --ip=10.0.0.1
  meseta agent --master=10.0.0.1:5050 --work_dir=/var/lib/meseta/agent --resources='cpus:4;mem:8192'";

/// Arguments of `meseta completions`.
#[derive(Args)]
#[command(after_help = "Example:\n  meseta completions bash > /etc/bash_completion.d/meseta")]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// Prints the completions.
    pub(crate) fn run(&self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "meseta", &mut script);
        match crate::view::print(&String::from_utf8_lossy(&script)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::report(&error),
        }
    }
}

/// Reads the command line; help and mistakes are shown here and end with an exit code.
pub(crate) fn parse(
    mut words: Vec<String>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Command, ExitCode> {
    let server = match words.get(1).map(String::as_str) {
        Some("master") => Some((Server::Master, server::master_command())),
        Some("agent") => Some((Server::Agent, server::agent_command())),
        _ => None,
    };
    if let Some((server, command)) = server {
        match normalize(&command, server, &words[2..], environment) {
            Ok(flags) => words.splice(2.., flags).for_each(drop),
            Err(error) => {
                failure::tell(format_args!("error: {error}"));
                return Err(failure::USAGE.into());
            }
        }
    }
    let matches = CommandLine::command().try_get_matches_from(words);
    let parsed = matches.and_then(|matches| CommandLine::from_arg_matches(&matches));
    parsed.map(|line| line.command).map_err(|error| {
        // There is nobody to tell when even this cannot be written.
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
