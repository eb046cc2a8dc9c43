//! Every flag of Mesos' master and agent is taken, or refused by name; and the ledger has it.

mod support;

use support::{meseta, text};

const MASTER: &str = include_str!("../../conformance/data/flags/flags_master.tsv");
const AGENT: &str = include_str!("../../conformance/data/flags/flags_agent.tsv");
const LEDGER: &str = include_str!("../../../COMPAT.md");

/// The flags of a recording, and their defaults.
fn flags(recorded: &str) -> Vec<(&str, &str)> {
    let lines = recorded.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().unwrap(), fields.nth(1).unwrap_or_default())
        })
        .collect()
}

/// What is wrong with how a server takes a flag, if anything is.
fn wrong(server: &[&str], name: &str, default: &str) -> Option<String> {
    // Some value that no flag minds of those that have no default, and a port that there is not, so that nothing starts.
    let value = if default.is_empty() { "x" } else { default };
    let output = meseta().args(server).args([&format!("--{name}={value}"), "--port=99999"]).output().unwrap();
    let said = text(&output.stderr);
    let taken = said.contains("99999");
    let named =
        said.contains(&format!("--{name}")) || said.contains(&format!("--{}", name.replace('_', "-")));
    if output.status.code() != Some(2) || said.contains("unexpected argument") || !(taken || named) {
        return Some(format!("--{name}={value}: {said}"));
    }
    let in_ledger = LEDGER.contains(&format!("`{name}`"));
    (!in_ledger).then(|| format!("--{name} is not in the ledger"))
}

fn check(server: &[&str], recorded: &str, least: usize) {
    let flags = flags(recorded);
    assert!(flags.len() > least, "{}", flags.len());
    // These print something and end.
    let others = flags.iter().filter(|(name, _)| !matches!(*name, "help" | "version" | "port"));
    let wrong: Vec<String> = others.filter_map(|(name, default)| wrong(server, name, default)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn flags_of_the_master() {
    check(&["master"], MASTER, 70);
}

#[test]
fn flags_of_the_agent() {
    check(&["agent", "--master=127.0.0.1:1"], AGENT, 120);
}
