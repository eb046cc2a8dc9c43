//! From arguments to tasks.

use anyhow::{Context, Result};
use proto::v1::framework_info::capability;
use proto::v1::{FrameworkInfo, Offer, TaskInfo};
use sdk::build::{Framework, Quantities, Task, uri};

use super::Options;

/// What is to be run.
#[derive(Debug)]
pub(super) struct Spec {
    template: Task,
    name: String,
    /// Tells the tasks of this run from those of others.
    run: String,
    pub(super) quantities: Quantities,
    pub(super) instances: usize,
}

/// Master and tasks wait so long for this process when the connection is lost.
const FAILOVER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

impl Spec {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let name = options.name.clone().unwrap_or_else(|| program(&options.command));
        let mut template = Task::new("").name(&name).quantities(options.quantities());
        template = if options.no_shell {
            template.program(&options.command[0], &options.command)
        } else {
            template.command(options.command.join(" "))
        };
        for variable in &options.env {
            let (name, value) = match variable.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => {
                    (variable.as_str(), std::env::var(variable).with_context(|| format!("--env {variable}"))?)
                }
            };
            anyhow::ensure!(!name.is_empty(), "--env {variable}: the variable has no name");
            template = template.env(name, value);
        }
        for value in &options.uri {
            template = template.uri(uri(located(value), false));
        }
        if let Some(user) = &options.user {
            template = template.user(user);
        }
        let instances = usize::try_from(options.instances)?;
        Ok(Self { template, run: crate::random::word(), name, quantities: options.quantities(), instances })
    }

    /// The framework that runs it.
    pub(super) fn framework(&self, options: &Options) -> FrameworkInfo {
        let mut framework = Framework::new(format!("meseta run {}", self.name))
            .roles([&options.role])
            .failover_timeout(FAILOVER_TIMEOUT);
        if let Some(user) = &options.user {
            framework = framework.user(user);
        }
        if options.gpus > 0 {
            framework = framework.capability(capability::Type::GpuResources);
        }
        let hostname = own_hostname();
        FrameworkInfo { hostname, ..framework.build() }
    }

    /// The id of an instance, counted from 0.
    pub(super) fn id(&self, instance: usize) -> String {
        let name: String = self.name.chars().map(|c| if plain(c) { c } else { '-' }).take(40).collect();
        match self.instances {
            1 => format!("{name}-{}", self.run),
            _ => format!("{name}-{}-{instance}", self.run),
        }
    }

    /// The task of an instance.
    pub(super) fn task(&self, instance: usize, offer: &Offer) -> TaskInfo {
        let mut task = self.template.clone().on(offer);
        task.task_id = self.id(instance).into();
        task
    }
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The name of the program that a command line begins with.
fn program(command: &[String]) -> String {
    let words = command.iter().flat_map(|part| part.split_whitespace());
    // Assignments may stand before the program.
    let word = words.filter(|word| !word.contains('=')).map(|word| word.trim_start_matches("./")).next();
    let name = word.and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let name: String = name.chars().take_while(|c| plain(*c)).collect();
    if name.is_empty() { "run".to_owned() } else { name }
}

/// A path that exists here is taken as seen from the agent's root.
fn located(uri: &str) -> String {
    if uri.contains("://") || uri.starts_with('/') {
        return uri.to_owned();
    }
    match std::fs::canonicalize(uri) {
        Ok(path) => path.display().to_string(),
        Err(_) => uri.to_owned(),
    }
}

/// The name of this machine, for operators who wonder where the scheduler runs.
fn own_hostname() -> Option<String> {
    let system = rustix::system::uname();
    system.nodename().to_str().ok().filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_program() {
        for (command, name) in [
            ("make -j4", "make"),
            ("/usr/bin/env python3", "env"),
            ("A=1 B=2 sleep 3", "sleep"),
            ("[ -f x ]", "run"),
            ("ls;pwd", "ls"),
        ] {
            assert_eq!(program(&[command.to_owned()]), name, "{command}");
        }
    }
}
