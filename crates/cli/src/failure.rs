//! How failures are shown: what was wrong, why, and what to do about it.

use std::process::ExitCode;

use sdk::address::AddressError;
use sdk::operator::{ExchangeError, OperatorError};

/// Exit code of a command that failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code of a wrong command line.
pub(crate) const USAGE: u8 = 2;
/// Exit code of a command that was to find what is wrong, and found something.
pub(crate) const FOUND: u8 = 3;

/// What is wrong with a command line, where only the command itself can tell.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A wrong command line.
pub(crate) fn usage(what: impl Into<String>) -> anyhow::Error {
    Usage(what.into()).into()
}

/// Exit code of `meseta run` when the command could not be run, or nobody knows how it ended.
pub(crate) const NOT_RUN: u8 = 125;

/// Shows an error and the errors that caused it on standard error.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        // Whoever read the output has seen enough.
        return ExitCode::SUCCESS;
    }
    tell(format_args!("error: {error:#}"));
    if let Some(hint) = hint(error) {
        tell(format_args!("hint: {hint}"));
    }
    let usage = error.chain().any(|cause| cause.is::<AddressError>() || cause.is::<Usage>());
    ExitCode::from(if usage { USAGE } else { FAILED })
}

/// Says something on standard error. Where nobody listens any more, such as after the end of the terminal, there is
/// still work to be done: it is not a reason to panic, as `eprintln!` does.
pub(crate) fn tell(what: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Whether output could not be written because its reader is gone.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.map(std::io::Error::kind).any(|kind| kind == std::io::ErrorKind::BrokenPipe)
}

fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let mut io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    if io.any(|error| error.kind() == std::io::ErrorKind::AddrInUse) {
        return Some(
            "another server has this port, maybe that of another cluster; choose one with --port, or 0 for any",
        );
    }
    let unreachable = error.chain().any(|cause| {
        matches!(cause.downcast_ref::<ExchangeError>(), Some(ExchangeError::Connect { .. }))
            || matches!(
                cause.downcast_ref::<OperatorError>(),
                Some(OperatorError::Exchange(ExchangeError::Connect { .. }) | OperatorError::NoLeader { .. })
            )
    });
    unreachable.then_some(
        "start a cluster on this machine with `meseta up`, or say where yours is with --master HOST:PORT or \
         MESETA_MASTER",
    )
}
