//! Every flag of Mesos' master and agent is taken, or refused by name, as the ledger says.

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

/// What the ledger says of a flag.
#[derive(Clone, Debug, PartialEq)]
enum Promise {
    /// Meseta has it.
    Taken,
    /// Only these values may be given.
    Fixed(Vec<String>),
    /// No value may be given.
    Refused,
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the ledger's table below a heading says of each flag: those before "(accepted as ...)" in a row are fixed.
fn ledger(heading: &str) -> Vec<(String, Promise)> {
    let table = LEDGER.split_once(heading).expect("the table").1;
    let table = table.split_once("\n#").expect("what comes behind it").0;
    let mut promises = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [_, mut flags, state] = cells[..] else { panic!("not three cells: {row}") };
        while let Some((names, (values, rest))) =
            flags.split_once("(accepted as ").and_then(|(names, rest)| Some((names, rest.split_once(')')?)))
        {
            let fixed = Promise::Fixed(quoted(values));
            promises.extend(quoted(names).into_iter().map(|name| (name, fixed.clone())));
            flags = rest;
        }
        let refused = state.starts_with("refused");
        assert!(
            !refused || state.starts_with("refused:") || state.contains("as on the master"),
            "no reason: {row}"
        );
        let promise = if refused { Promise::Refused } else { Promise::Taken };
        promises.extend(quoted(flags).into_iter().map(|name| (name, promise.clone())));
    }
    promises
}

/// How a server takes a value of a flag.
#[derive(Debug, PartialEq)]
enum Answer {
    /// It has the flag: it takes the value, or says what is wrong with it.
    Taken,
    /// It says that Mesos has the flag and Meseta does not.
    Refused,
    /// Anything else.
    Other,
}

/// Gives a server a flag; and what it says.
fn give(server: &[&str], name: &str, value: &str) -> (Answer, String) {
    // With a port that there is not, so that nothing starts.
    let output = meseta().args(server).args([&format!("--{name}={value}"), "--port=99999"]).output().unwrap();
    let said = text(&output.stderr);
    let refusal = format!("--{name} is a flag of Mesos' {} that Meseta does not support yet", server[0]);
    let about_value = [format!("'--{}", name.replace('_', "-")), format!("--{name} is true or false")];
    let answer = match () {
        () if output.status.code() != Some(2) || said.contains("unexpected argument") => Answer::Other,
        () if said.contains(&refusal) => Answer::Refused,
        () if said.contains("99999") || about_value.iter().any(|about| said.contains(about)) => Answer::Taken,
        () => Answer::Other,
    };
    (answer, said)
}

/// What a server does otherwise than it is promised; `default` is Mesos', empty where there is none.
fn broken(server: &[&str], name: &str, default: &str, promise: &Promise) -> Vec<String> {
    // Some value that a flag without a default may well not like; but it has it, or not.
    let some = if default.is_empty() { "x" } else { default };
    let expected = match promise {
        Promise::Taken => vec![(some, Answer::Taken)],
        Promise::Refused => vec![(some, Answer::Refused)],
        Promise::Fixed(values) => values
            .iter()
            .map(|value| (value.as_str(), Answer::Taken))
            .chain([("no-such-value", Answer::Refused)])
            .collect(),
    };
    let mut broken = Vec::new();
    for (value, expected) in expected {
        let (answer, said) = give(server, name, value);
        // What Mesos has for a default is no wrong value here.
        let default_is_wrong = *promise == Promise::Taken && !default.is_empty() && !said.contains("99999");
        if answer != expected || default_is_wrong {
            broken.push(format!("--{name}={value} is {promise:?} and was {answer:?}: {said}"));
        }
    }
    broken
}

/// Every flag of Mesos is in the ledger's table once, and every flag of the table is treated as is said there.
fn check(server: &[&str], recorded: &str, heading: &str, least: usize) {
    let flags = flags(recorded);
    assert!(flags.len() > least, "{}", flags.len());
    let promises = ledger(heading);
    let mut wrong = Vec::new();
    for (name, _) in &flags {
        let rows = promises.iter().filter(|(promised, _)| promised == name).count();
        if rows != 1 {
            wrong.push(format!("--{name} is {rows} times in the ledger"));
        }
    }
    for (name, promise) in &promises {
        // The first two print something and end.
        let is_flag =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_flag && !matches!(name.as_str(), "help" | "version" | "port") {
            let default = flags.iter().find(|(known, _)| known == name).map_or("", |(_, default)| *default);
            wrong.extend(broken(server, name, default, promise));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn flags_of_the_master() {
    check(&["master"], MASTER, "\n### Of the master\n", 70);
}

#[test]
fn flags_of_the_agent() {
    check(&["agent", "--master=127.0.0.1:1"], AGENT, "\n### Of the agent\n", 120);
}
