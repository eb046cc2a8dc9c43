//! `meseta`: the servers, a local cluster, and the user's commands, in one binary.
//!
//! This file only dispatches. The commands' arguments are read in [`arguments`]; how failures are shown, and with which
//! exit codes, is in [`failure`].

mod agents;
mod arguments;
mod cluster;
mod complete;
mod demo;
mod doctor;
mod events;
mod explain;
mod failure;
mod flags;
mod frameworks;
mod hangup;
mod inspect;
mod kill;
mod logs;
mod lookup;
mod maintenance;
mod metrics;
mod random;
#[cfg(test)]
mod recorded;
mod resources;
mod roles;
mod run;
mod server;
mod sim;
mod status;
mod tail;
mod tasks;
mod top;
mod up;
mod view;

use std::process::ExitCode;

use anyhow::Result;

use arguments::{Command, OperatorCommand};

/// Messages are decoded by threads of the runtime and freed by the core's, a few dozen pieces each: the system's allocator
/// takes a quarter of a busy master's time for that.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A shell that asks for completions is answered here, and the program ends.
    clap_complete::CompleteEnv::with_factory(arguments::for_completions).complete();
    let command = match arguments::parse(std::env::args().collect(), std::env::vars()) {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    let result = match &command {
        Command::Completions(options) => return options.run(),
        // One thread: the children of `up` are tied to the thread that started them.
        Command::Up(_) => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    let is_run = matches!(command, Command::Run(_));
    let outcome = result.map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(dispatch(command));
        // Reads of standard input or of names that are under way must not hold up the end.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = failure::report(&error);
            // The codes of `run` are those of its command, but for this one.
            if is_run { ExitCode::from(failure::NOT_RUN) } else { code }
        }
    }
}

/// Runs a command; the number is the exit code.
async fn dispatch(command: Command) -> Result<u8> {
    match command {
        Command::Master(flags) => server::run_master(*flags).await.map(|()| 0),
        Command::Agent(flags) => server::run_agent(*flags).await.map(|()| 0),
        Command::AgentOperation(command) => Box::pin(agents::run(command)).await.map(|()| 0),
        Command::Operator(command) => Box::pin(operator(command)).await,
        Command::Up(options) => up::run(options).await,
        Command::Demo(options) => demo::run_on(options).await,
        Command::Run(options) => Box::pin(run::run(options)).await,
        Command::Tasks(options) => inspect::tasks(options).await.map(|()| 0),
        Command::Agents(options) => inspect::agents(options).await.map(|()| 0),
        Command::Frameworks(options) => inspect::frameworks(options).await.map(|()| 0),
        Command::Explain(options) => explain::run(options).await.map(|()| 0),
        Command::Logs(options) => logs::run(options).await.map(|()| 0),
        Command::Kill(options) => kill::run(options).await.map(|()| 0),
        Command::Sim(options) => sim::run(&options),
        Command::Completions(_) => Ok(0),
    }
}

/// Runs a command of operators; the number is the exit code.
async fn operator(command: OperatorCommand) -> Result<u8> {
    use OperatorCommand as C;
    match command {
        C::Status(options) => return status::run(options).await,
        C::Doctor(options) => return doctor::run(options).await,
        C::Events(options) => return events::run(options).await,
        C::Top(options) => return top::run(options).await,
        C::Framework(command) => frameworks::run(command).await,
        C::Task(command) => tasks::run(command).await,
        C::Role(command) => roles::run(command).await,
        C::Quota(command) => roles::quotas::run(command).await,
        C::Weight(command) => roles::weights::run(command).await,
        C::Reserve(options) => resources::reserve::reserve(options).await,
        C::Unreserve(options) => resources::reserve::unreserve(options).await,
        C::Volume(command) => resources::volumes::run(command).await,
        C::Maintenance(command) => maintenance::run(command).await,
        C::Metrics(options) => metrics::run(options).await,
    }?;
    Ok(0)
}
