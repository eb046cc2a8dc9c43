//! Asking before something that cannot be taken back.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

use crate::failure::usage;

/// Asks whether to go on, unless `yes` says so already.
///
/// # Errors
/// When the answer is anything but yes, or nobody can be asked.
pub(crate) fn confirm(what: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(usage(format!("{what} Nobody is here to be asked: say --yes if that is meant")));
    }
    let mut err = std::io::stderr();
    write!(err, "{what} Go on? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("nothing was done");
    }
    Ok(())
}
