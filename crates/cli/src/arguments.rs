//! The command line: subcommands, and the way from words to options.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::flags::{Server, normalize};
use crate::server::{AgentFlags, MasterFlags};
use crate::{
    agents, complete, demo, doctor, events, explain, failure, frameworks, inspect, kill, logs, maintenance,
    metrics, resources, roles, run, server, sim, status, tasks, top, up,
};

/// The command line of `meseta`.
#[derive(Parser)]
#[command(name = "meseta", version, about = "A cluster manager: makes one computer of many machines")]
#[command(arg_required_else_help = true, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  meseta up --agents 3                        a cluster on this machine
  meseta run 'echo hello from $(hostname)'    a command on the cluster, its output here
  meseta status                               what there is and what is wrong
  meseta task list                            what runs
  meseta agent drain S0                       before work on a machine

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 something wrong was found (status, doctor); `meseta run` ends as its command does \
(see its help).")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// An operator's command about agents; as words it is `agent list` and the like.
    #[command(skip)]
    AgentOperation(agents::Command),
    #[command(flatten)]
    Operator(OperatorCommand),
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
    /// Start an agent; or look after those of a cluster, with `agent list`, `show`, `drain`, `gone`, `activate`, `deactivate`
    #[command(after_help = SERVER_HELP)]
    Agent(Box<AgentFlags>),
    /// Simulate clusters in which everything goes wrong, and verify what must hold
    Sim(sim::Options),
    /// Print the completions of a shell
    Completions(Completions),
}

/// What operators do.
#[derive(Subcommand)]
pub(crate) enum OperatorCommand {
    /// Show the cluster on one screen, and what is wrong
    Status(status::Options),
    /// Find what is wrong, and say what to do about it
    Doctor(doctor::Options),
    /// Show what is used at this moment, by whom
    Top(top::Options),
    /// Show what happens in the cluster, as it happens
    Events(events::Options),
    /// Look after tasks: list, show, logs, files, kill, explain
    #[command(subcommand)]
    Task(tasks::Command),
    /// Look after frameworks: list, show, teardown, explain
    #[command(subcommand)]
    Framework(frameworks::Command),
    /// Look after roles: list, show, explain
    #[command(subcommand)]
    Role(roles::Command),
    /// Look after quotas of roles: list, set, remove
    #[command(subcommand)]
    Quota(roles::quotas::Command),
    /// Look after weights of roles: list, set
    #[command(subcommand)]
    Weight(roles::weights::Command),
    /// Reserve resources of an agent for a role
    Reserve(resources::reserve::Options),
    /// Take a reservation back
    Unreserve(resources::reserve::Options),
    /// Look after persistent volumes: list, create, destroy, grow, shrink
    #[command(subcommand)]
    Volume(resources::volumes::Command),
    /// Look after maintenance of machines: status, schedule, start, stop
    #[command(subcommand)]
    Maintenance(maintenance::Command),
    /// Show what a master or an agent counts
    Metrics(metrics::Options),
}

/// The command line where it is about the agents of a cluster: `meseta agent` alone starts one, and has flags of its own.
#[derive(Parser)]
#[command(name = "meseta", version, max_term_width = 100, disable_help_subcommand = true)]
struct AgentLine {
    #[command(subcommand)]
    command: AgentWord,
}

/// The word between the program and the command.
#[derive(Subcommand)]
enum AgentWord {
    /// Look after the agents of a cluster
    #[command(subcommand)]
    Agent(agents::Command),
}

const SERVER_HELP: &str = "Flags are named as those of Mesos where it has them. They may be written --work_dir or \
--work-dir, and booleans also --no-NAME. What is not on the command line is taken from MESETA_WORK_DIR, then from \
MESOS_WORK_DIR, and so for each flag. A value file://PATH is the text of that file.

Examples:
  meseta master --work_dir=/var/lib/meseta/master --ip=10.0.0.1
  meseta agent --master=10.0.0.1:5050 --work_dir=/var/lib/meseta/agent --resources='cpus:4;mem:8192'";

/// Arguments of `meseta completions`.
#[derive(Args)]
#[command(
    after_help = "The shell asks the cluster of --master or MESETA_MASTER for ids of agents, frameworks and tasks, and for roles.

Examples:
  meseta completions bash > /etc/bash_completion.d/meseta
  meseta completions zsh > /usr/local/share/zsh/site-functions/_meseta
  meseta completions fish > ~/.config/fish/completions/meseta.fish"
)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// Prints the completions.
    pub(crate) fn run(&self) -> ExitCode {
        let printed = self.script().and_then(|script| crate::view::print(&script));
        match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::report(&error),
        }
    }

    /// Has the shell ask this program.
    fn script(&self) -> Result<String> {
        let shells = clap_complete::env::Shells::builtins();
        let shell = shells.completer(&self.shell.to_string()).context("the shell is not known")?;
        let mut script = Vec::new();
        shell.write_registration("COMPLETE", "meseta", "meseta", "meseta", &mut script)?;
        Ok(String::from_utf8(script)?)
    }
}

/// The command line as shells complete it: servers' flags beside operators' commands where both begin alike.
pub(crate) fn for_completions() -> clap::Command {
    let line = CommandLine::command().mut_subcommand("agent", agents::Command::augment_subcommands);
    complete::extended(line)
}

/// Reads the command line; help and mistakes are shown here and end with an exit code.
pub(crate) fn parse(
    mut words: Vec<String>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Command, ExitCode> {
    // A server takes flags only: any other word is an operator's, if need be a mistyped one.
    let of_agents = words.get(1).is_some_and(|word| word == "agent")
        && words.get(2).is_some_and(|word| !word.starts_with('-'));
    if of_agents {
        let parsed = AgentLine::try_parse_from(words);
        return parsed
            .map(|AgentLine { command: AgentWord::Agent(command) }| Command::AgentOperation(command))
            .map_err(told);
    }
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
    parsed.map(|line| line.command).map_err(told)
}

/// What the library says of numbers, and what people are told instead.
const LIBRARY_WORDS: [(&str, &str); 5] = [
    ("invalid digit found in string", "expected a whole number"),
    ("invalid float literal", "expected a number"),
    ("cannot parse integer from empty string", "expected a whole number"),
    ("cannot parse float from empty string", "expected a number"),
    ("number too large to fit in target type", "the number is too large"),
];

/// Tells help and mistakes; the exit code that belongs to them.
fn told(error: clap::Error) -> ExitCode {
    let plain = error.render().to_string();
    match LIBRARY_WORDS.iter().find(|(words, _)| plain.contains(words)) {
        Some((words, ours)) => failure::tell(format_args!("{}", plain.replace(words, ours).trim_end())),
        // There is nobody to tell when even this cannot be written.
        None => drop(error.print()),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
        AgentLine::command().debug_assert();
    }

    fn parsed(line: &str) -> Result<Command, ExitCode> {
        parse(line.split_whitespace().map(ToOwned::to_owned).collect(), [])
    }

    #[test]
    fn every_command_of_operators_is_read() {
        for line in [
            "status",
            "status -o json",
            "doctor --no-agents",
            "top --by agent --count 1",
            "events --type task_added",
            "task list --framework a --agent b --role c --state running,lost --search d --limit 3 -o wide",
            "task show a",
            "task logs a -f",
            "task files a b",
            "task kill a --no-wait",
            "task explain a -o json",
            "tasks --all",
            "agents -o json",
            "frameworks",
            "kill a",
            "logs a",
            "explain role a",
            "framework list --role a --search b",
            "framework show a",
            "framework teardown a --yes",
            "framework explain a",
            "role list",
            "role show a",
            "role explain a",
            "quota list",
            "quota set a --guarantee cpus:1 --limit cpus:2;mem:3 --force",
            "quota remove a",
            "weight list",
            "weight set a=2 b=3",
            "reserve a cpus:1 --role b --role b/c --principal p --label k=v",
            "unreserve a cpus:1 --role b",
            "volume list",
            "volume create a b --size 1 --role c",
            "volume destroy a b --yes",
            "volume grow a b --by 1",
            "volume shrink a b --by 1",
            "maintenance status",
            "maintenance schedule",
            "maintenance schedule a --start now --duration 1hrs",
            "maintenance schedule a --remove",
            "maintenance schedule --file -",
            "maintenance schedule --clear",
            "maintenance start a b",
            "maintenance stop a",
            "metrics a b --agent c",
        ] {
            assert!(parsed(&format!("meseta {line}")).is_ok(), "{line}");
        }
    }

    /// The commands below one that have none below themselves.
    fn leaves<'a>(command: &'a clap::Command, path: &str, found: &mut Vec<(String, &'a clap::Command)>) {
        let path = format!("{path} {}", command.get_name());
        if command.has_subcommands() {
            command.get_subcommands().for_each(|below| leaves(below, &path, found));
        } else {
            found.push((path, command));
        }
    }

    #[test]
    fn every_help_has_an_example() {
        let (line, agents) = (CommandLine::command(), AgentLine::command());
        let mut found = Vec::new();
        leaves(&line, "", &mut found);
        leaves(&agents, "", &mut found);
        assert!(found.len() > 45, "{}", found.len());
        for (path, command) in found {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{path}");
            let is_wide = |value: &clap::builder::PossibleValue| value.get_name() == "wide";
            let forms =
                command.get_arguments().any(|argument| argument.get_possible_values().iter().any(is_wide));
            assert!(!forms || help.contains("JSON:"), "{path}: the shape of its JSON is not told");
        }
    }

    #[test]
    fn agents_are_looked_after_and_started() {
        for line in [
            "list --state active,drained",
            "show a",
            "drain a --grace 1mins --wait --timeout 5s",
            "gone a --yes",
            "activate a",
            "reactivate a",
            "deactivate a",
        ] {
            let command = parsed(&format!("meseta agent {line}"));
            assert!(matches!(command, Ok(Command::AgentOperation(_))), "{line}");
        }
        assert!(matches!(parsed("meseta agent --master=a:5050"), Ok(Command::Agent(_))));
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "task list --state busy",
            "agent list --state busy",
            "events --type task",
            "quota set a --limit cpus",
            "weight set a",
            "reserve a cpus:1",
            "volume grow a b",
            "maintenance schedule a --file b",
            "maintenance schedule --start now",
            "framework",
            "task",
            "top --interval 0s",
            "agent drain",
        ] {
            assert!(parsed(&format!("meseta {line}")).is_err(), "{line}");
        }
    }
}
