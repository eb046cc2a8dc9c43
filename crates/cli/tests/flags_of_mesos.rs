//! Every flag of Mesos' master and agent is taken, or refused by name; and the ledger has it.

mod support;

use serde_json::Value;
use support::{flags as flags_of, meseta, start, text};

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

/// What a server shows of its flags, where that is not Mesos' default: nothing of what it does not have at all.
type Differences<'a> = &'a [(&'a str, Option<&'a str>)];

const OF_MASTER: Differences<'_> = &[
    ("authentication_v0_timeout", None),
    ("authenticators", None),
    ("authorizers", None),
    ("hostname_lookup", Some("false")),
    ("http_authenticators", None),
    ("port", Some("")),
    ("registry", Some("in_memory")),
    ("webui_dir", None),
];

const OF_AGENT: Differences<'_> = &[
    ("appc_simple_discovery_uri_prefix", None),
    ("appc_store_dir", None),
    ("authenticatee", None),
    ("authentication_backoff_factor", None),
    ("authentication_timeout_max", None),
    ("authentication_timeout_min", None),
    ("authorizer", None),
    ("docker", None),
    ("docker_kill_orphans", None),
    ("docker_registry", None),
    ("docker_remove_delay", None),
    ("docker_socket", None),
    ("docker_stop_timeout", None),
    ("docker_store_dir", None),
    ("docker_volume_checkpoint_dir", None),
    ("hostname_lookup", Some("false")),
    ("launcher_dir", None),
    ("network_cni_metrics", None),
    ("perf_duration", None),
    ("perf_interval", None),
    ("port", Some("")),
    ("qos_correction_interval_min", None),
    ("reconfiguration_policy", Some("any")),
    ("runtime_dir", Some("")),
    ("sandbox_directory", None),
    ("systemd_enable_support", Some("false")),
    ("systemd_runtime_directory", None),
];

/// Compares what a server shows that was started without flags with the recorded defaults; an empty value is any.
fn compare(shown: &Value, recorded: &str, differences: Differences<'_>) {
    let defaults = flags(recorded);
    let mut wrong = Vec::new();
    for (name, default) in defaults.iter().filter(|(_, default)| !default.is_empty()) {
        let expected =
            differences.iter().find(|(other, _)| other == name).map_or(Some(*default), |(_, value)| *value);
        let found = shown[name].as_str();
        if found != expected && (expected != Some("") || found.is_none()) {
            wrong.push(format!("{name} is {found:?} and not {expected:?}"));
        }
    }
    for (name, _) in differences {
        if !defaults.iter().any(|(known, default)| known == name && !default.is_empty()) {
            wrong.push(format!("{name} has no default in Mesos"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn defaults_of_the_master() {
    let (_master, address) = start(meseta().args(["master", "--ip=127.0.0.1", "--port=0"]));
    compare(&flags_of(&address), MASTER, OF_MASTER);
}

#[test]
fn defaults_of_the_agent() {
    let directory = tempfile::tempdir().unwrap();
    let work = format!("--work_dir={}", directory.path().display());
    let (_agent, address) =
        start(meseta().args(["agent", "--master=127.0.0.1:1", "--ip=127.0.0.1", "--port=0"]).arg(work));
    compare(&flags_of(&address), AGENT, OF_AGENT);
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
