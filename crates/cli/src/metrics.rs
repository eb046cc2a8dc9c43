//! `meseta metrics`: what a master or an agent counts.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use clap::Args;
use sdk::{Address, Operator};

use crate::cluster::{Connection, agent_id, find_agent};
use crate::view::{self, Output};

/// Where they are.
const PATH: &str = "/metrics/snapshot";

/// Arguments of `meseta metrics`.
#[derive(Args)]
#[command(after_help = "JSON: an object of names and numbers.

Examples:
  meseta metrics tasks_
  meseta metrics 'master/frameworks/*/tasks/*' registrar
  meseta metrics --agent S0 containerizer --output json")]
pub(crate) struct Options {
    /// Only those in whose name there is one of these; with a * it stands for the whole name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Those of the agent with this id, the end of one (S0), or this host, instead of the master's
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// Shows metrics.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let mut metrics: BTreeMap<String, f64> = match &options.agent {
        None => operator.get_as(PATH).await?,
        Some(agent) => {
            let agent = find_agent(&operator, agent).await?;
            let address = agent.pid.as_deref().and_then(Address::from_pid);
            let address =
                address.with_context(|| format!("agent {} has told no address", agent_id(&agent)))?;
            Operator::agent(address).get_as(PATH).await?
        }
    };
    metrics.retain(|name, _| {
        options.names.is_empty() || options.names.iter().any(|wanted| matches(wanted, name))
    });
    if metrics.is_empty() {
        bail!("no metric is called like {}; `meseta metrics` shows all names", options.names.join(" or "));
    }
    match options.output {
        Output::Json => view::print_json(&metrics),
        Output::Table => {
            let width = metrics.keys().map(String::len).max().unwrap_or(0);
            let line = |(name, value): (&String, &f64)| format!("{name:width$}  {value}\n");
            view::print(&metrics.iter().map(line).collect::<String>())
        }
    }
}

/// Whether a name is wanted: by a part of it, or by a pattern in which `*` is anything.
fn matches(wanted: &str, name: &str) -> bool {
    let Some((first, rest)) = wanted.split_once('*') else { return name.contains(wanted) };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.len() >= last.len() && left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_by_parts_and_patterns() {
        for (wanted, name, expected) in [
            ("tasks_", "master/tasks_running", true),
            ("tasks_", "master/uptime_secs", false),
            ("master/*", "master/tasks_running", true),
            ("*_running", "master/tasks_running", true),
            ("*_run", "master/tasks_running", false),
            ("m*/tasks*ing", "master/tasks_running", true),
            ("a*a", "a", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(wanted, name), expected, "{wanted} {name}");
        }
    }
}
