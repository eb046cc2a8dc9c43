//! Clients in Python that were not written for Meseta, installed for the tests beside their own build.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where the scripts of a client are: `tests/NAME` of the repository.
#[must_use]
pub fn scripts(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

/// The interpreter that has the packages which `tests/NAME/setup.sh` installs. Quick when they are there.
pub fn interpreter(name: &str) -> Result<String> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    let target = target.context("no target directory above the program")?;
    let setup = Command::new("sh").arg(scripts(name).join("setup.sh")).arg(target.join(name)).output()?;
    ensure!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
    Ok(String::from_utf8(setup.stdout)?.trim().to_owned())
}
