//! `conformance --master A --agent B [NAME...]`: compares a running cluster with the recordings.
//!
//! The cluster may be Meseta's or Mesos' own. Names are those of scenarios, and `wrong_requests`; without names all are run.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use conformance::scenarios::{self, Target};
use conformance::wrong_requests;

const USAGE: &str = "usage: conformance --master IP:PORT --agent IP:PORT [-v] [NAME...]";

struct Options {
    target: Target,
    verbose: bool,
    names: Vec<String>,
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut arguments = arguments.peekable();
    let (mut master, mut agent, mut verbose, mut names) = (None, None, false, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--master" => master = arguments.next(),
            "--agent" => agent = arguments.next(),
            "-v" => verbose = true,
            unknown if unknown.starts_with('-') => bail!("unknown flag {unknown}\n{USAGE}"),
            name => names.push(name.to_owned()),
        }
    }
    let target = Target { master: master.context(USAGE)?, agent: agent.context(USAGE)? };
    Ok(Options { target, verbose, names })
}

fn main() -> Result<ExitCode> {
    let options = options(std::env::args().skip(1))?;
    let mut names = options.names.clone();
    if names.is_empty() {
        names.extend(scenarios::ALL.iter().map(|s| s.name.to_owned()));
        names.push("wrong_requests".into());
    }
    let mut failed = 0;
    for name in &names {
        let differences = match scenarios::find(name) {
            _ if name == "wrong_requests" => {
                let cases = wrong_requests::cases()?;
                cases.iter().flat_map(|case| wrong_requests::differences(case, &options.target)).collect()
            }
            Some(scenario) => {
                let report = scenarios::run(scenario, &options.target)?;
                if options.verbose {
                    report.log.entries().iter().for_each(|entry| println!("    {entry}"));
                }
                report.differences
            }
            None => bail!("no scenario is called '{name}'"),
        };
        println!("{name}: {}", if differences.is_empty() { "as Mesos" } else { "differs" });
        differences.iter().for_each(|difference| println!("  {difference}"));
        failed += usize::from(!differences.is_empty());
    }
    println!("{} passed, {failed} failed", names.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
