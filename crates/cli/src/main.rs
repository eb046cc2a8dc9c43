//! `meseta`: the servers, a local cluster, and the user's commands, in one binary.
//!
//! This file only dispatches. The commands' arguments are read in [`arguments`]; how failures are shown, and with which
//! exit codes, is in [`failure`].

mod arguments;
mod cluster;
mod demo;
mod explain;
mod failure;
mod flags;
mod hangup;
mod inspect;
mod kill;
mod logs;
mod random;
mod run;
mod server;
mod sim;
mod tail;
mod up;
mod view;

use std::process::ExitCode;

use anyhow::Result;

use arguments::Command;

/// Messages are decoded by threads of the runtime and freed by the core's, a few dozen pieces each: the system's allocator
/// takes a quarter of a busy master's time for that.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
