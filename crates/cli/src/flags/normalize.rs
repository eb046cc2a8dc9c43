//! Every spelling of a flag turned into one: `--work-dir=VALUE`.

use std::collections::BTreeSet;

use clap::Command;

use super::catalogue::{Known, Server, look_up};

/// A flag that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagError(pub(crate) String);

impl std::fmt::Display for FlagError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The prefixes of environment variables, the stronger first.
const PREFIXES: [&str; 2] = ["MESETA_", "MESOS_"];

struct Normalizer<'a> {
    command: &'a Command,
    server: Server,
    out: Vec<String>,
    said: BTreeSet<String>,
}

/// Rewrites the arguments behind `meseta master` or `meseta agent`, and adds what only the environment says.
///
/// # Errors
/// For flags of Mesos that Meseta does not support, and for values that cannot be read.
pub(crate) fn normalize(
    command: &Command,
    server: Server,
    arguments: &[String],
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<String>, FlagError> {
    let mut normalizer = Normalizer { command, server, out: Vec::new(), said: BTreeSet::new() };
    normalizer.arguments(arguments)?;
    let environment: Vec<_> = environment.into_iter().collect();
    for prefix in PREFIXES {
        for (variable, value) in &environment {
            // As in Mesos, the name behind the prefix is read without regard to case.
            if let Some(name) = variable.strip_prefix(prefix) {
                normalizer.variable(variable, &name.to_ascii_lowercase(), value)?;
            }
        }
    }
    Ok(normalizer.out)
}

impl Normalizer<'_> {
    fn arguments(&mut self, arguments: &[String]) -> Result<(), FlagError> {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
                self.out.push(argument.clone());
                continue;
            };
            let (spelled, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            let name = spelled.replace('-', "_");
            match self.known(&name) {
                (Known::Supported { long, switch }, negated) => {
                    let flag = format!("--{spelled}");
                    let value =
                        if switch { Some(switched(&flag, negated, value.as_deref())?) } else { value };
                    // A value of its own, as in `--port 5050`, is the next argument and follows as it is.
                    self.say(&long, value)?;
                }
                (Known::MesosOnly(values), negated) => {
                    let value = match value {
                        Some(value) => value,
                        None if negated => "false".to_owned(),
                        None if values.iter().any(|v| matches!(*v, "true" | "false")) => "true".to_owned(),
                        None => rest.next().cloned().unwrap_or_default(),
                    };
                    self.tolerate(&format!("--{spelled}"), values, &value)?;
                }
                (Known::Unknown, _) => self.out.push(argument.clone()),
            }
        }
        Ok(())
    }

    fn variable(&mut self, variable: &str, name: &str, value: &str) -> Result<(), FlagError> {
        match self.known(name) {
            (Known::Supported { long, .. }, _) if matches!(long.as_str(), "help" | "version") => Ok(()),
            (Known::Supported { long, .. }, _) if self.said.contains(&long) => Ok(()),
            (Known::Supported { long, switch }, negated) => {
                let value = if switch { switched(variable, negated, Some(value))? } else { value.to_owned() };
                self.say(&long, Some(value))
            }
            (Known::MesosOnly(values), _) => self.tolerate(variable, values, value),
            // Much else in an environment begins like this, above all in the sandbox of a task.
            (Known::Unknown, _) => Ok(()),
        }
    }

    /// What a name stands for, and whether it negates it.
    fn known(&self, name: &str) -> (Known, bool) {
        let known = look_up(self.command, self.server, name);
        if known != Known::Unknown {
            return (known, false);
        }
        match name.strip_prefix("no_").map(|name| look_up(self.command, self.server, name)) {
            Some(known @ (Known::Supported { switch: true, .. } | Known::MesosOnly(_))) => (known, true),
            _ => (Known::Unknown, false),
        }
    }

    fn say(&mut self, long: &str, value: Option<String>) -> Result<(), FlagError> {
        self.said.insert(long.to_owned());
        match value {
            None => self.out.push(format!("--{long}")),
            Some(value) => {
                let value = from_file(long, value)?;
                self.out.push(format!("--{long}={value}"));
            }
        }
        Ok(())
    }

    fn tolerate(&self, spelled: &str, values: &[&str], value: &str) -> Result<(), FlagError> {
        let same =
            |v: &&str| *v == value || (*v == "true" && value == "1") || (*v == "false" && value == "0");
        if values.iter().any(same) {
            return Ok(());
        }
        let server = self.server;
        let mut message =
            format!("{spelled} is a flag of Mesos' {server} that Meseta does not support yet; leave it out");
        if !values.is_empty() {
            message.push_str(&format!(" (only {} is as Meseta does)", values.join(" or ")));
        }
        Err(FlagError(message))
    }
}

/// The value of a boolean flag.
fn switched(spelled: &str, negated: bool, value: Option<&str>) -> Result<String, FlagError> {
    let value = match value {
        None => true,
        Some("true" | "1") => true,
        Some("false" | "0") => false,
        Some(other) => {
            return Err(FlagError(format!("{spelled} is true or false, not `{other}`")));
        }
    };
    Ok((value != negated).to_string())
}

/// Flags that name a file which is read again and again: `file://PATH` is its path.
const PATHS: [&str; 1] = ["whitelist"];

/// The text of the file that a value `file://PATH` names; any other value as it is.
fn from_file(long: &str, value: String) -> Result<String, FlagError> {
    let Some(path) = value.strip_prefix("file://") else { return Ok(value) };
    if PATHS.contains(&long) {
        return Ok(path.to_owned());
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| FlagError(format!("--{long}={value}: the file cannot be read: {error}")))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn command() -> Command {
        Command::new("agent")
            .arg(Arg::new("work_dir").long("work-dir"))
            .arg(Arg::new("port").long("port"))
            .arg(Arg::new("whitelist").long("whitelist"))
            .arg(
                Arg::new("switch_user")
                    .long("switch-user")
                    .num_args(0..=1)
                    .require_equals(true)
                    .value_parser(clap::builder::ValueParser::bool()),
            )
    }

    fn check(arguments: &[&str], environment: &[(&str, &str)], expect: &[&str]) {
        let arguments: Vec<_> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let environment = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        assert_eq!(normalize(&command(), Server::Agent, &arguments, environment).unwrap(), expect);
    }

    fn refuse(arguments: &[&str], environment: &[(&str, &str)], part: &str) {
        let arguments: Vec<_> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let environment = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let error = normalize(&command(), Server::Agent, &arguments, environment).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn every_spelling_is_one() {
        for spelled in ["--work_dir=/x", "--work-dir=/x"] {
            check(&[spelled], &[], &["--work-dir=/x"]);
        }
        check(&["--work_dir", "/x", "--port", "1"], &[], &["--work-dir", "/x", "--port", "1"]);
        for (spelled, value) in [
            ("--switch_user", "true"),
            ("--switch-user=1", "true"),
            ("--switch_user=false", "false"),
            ("--no-switch_user", "false"),
            ("--no-switch-user", "false"),
        ] {
            check(&[spelled], &[], &[&format!("--switch-user={value}")]);
        }
        refuse(&["--switch_user=maybe"], &[], "--switch_user is true or false, not `maybe`");
    }

    #[test]
    fn the_environment_is_weaker_than_the_command_line() {
        let both = [("MESOS_WORK_DIR", "/mesos"), ("MESETA_WORK_DIR", "/meseta"), ("MESOS_SANDBOX", "/s")];
        check(&[], &both, &["--work-dir=/meseta"]);
        check(&[], &both[..1], &["--work-dir=/mesos"]);
        check(&[], &[("MESOS_work_dir", "/lower")], &["--work-dir=/lower"]);
        check(&[], &[("MESOS_SWITCH_USER", "0")], &["--switch-user=false"]);
        check(&["--work_dir=/here"], &both, &["--work-dir=/here"]);
        check(&["--work-dir", "/here"], &both, &["--work-dir", "/here"]);
    }

    #[test]
    fn what_mesos_knows_and_meseta_does_not_is_refused_by_name() {
        let refused = "--perf_events is a flag of Mesos' agent that Meseta does not support yet";
        refuse(&["--perf_events=cycles"], &[], refused);
        refuse(&["--containerizers", "docker"], &[], "only mesos is as Meseta does");
        refuse(&["--credential=x"], &[], "--credential is a flag of Mesos' agent");
        refuse(&[], &[("MESOS_CREDENTIAL", "x")], "MESOS_CREDENTIAL is a flag of Mesos' agent");
        check(
            &["--containerizers=mesos", "--no-cgroups_cpu_enable_pids_and_tids_count", "--logbufsecs", "0"],
            &[],
            &[],
        );
        check(&[], &[("MESOS_HTTP_COMMAND_EXECUTOR", "0")], &[]);
        refuse(&["--http_command_executor"], &[], "does not support");
        // What nobody knows is left for clap to refuse, with a suggestion.
        check(&["--wrok_dir=/x"], &[], &["--wrok_dir=/x"]);
    }

    #[test]
    fn values_may_stand_in_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "/from/file\n").unwrap();
        check(&[&format!("--work_dir=file://{}", file.path().display())], &[], &["--work-dir=/from/file"]);
        check(&["--whitelist=file:///a/list"], &[], &["--whitelist=/a/list"]);
        refuse(&["--work_dir=file:///nosuch"], &[], "--work-dir=file:///nosuch: the file cannot be read");
    }
}
