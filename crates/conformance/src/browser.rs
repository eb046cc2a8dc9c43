//! The web pages of a master in Chromium, driven by Playwright with `tests/browser/check.py`. Screenshots stay in
//! `target/browser/screenshots`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::python::{interpreter, scripts};

/// What was looked at, and what was wrong.
#[derive(Debug)]
pub struct Report {
    /// The names of the pages.
    pub pages: Vec<String>,
    /// A line for each fault.
    pub faults: Vec<String>,
}

/// Looks at the pages of the master at `address`. What `what` and `part` may be, the script says.
pub fn check(address: &str, what: &str, part: &str) -> Result<Report> {
    let python = interpreter("browser")?;
    // The interpreter is in `venv/bin` of the environment.
    let directory = Path::new(&python).ancestors().nth(3).context("an interpreter without a directory")?;
    let check = Command::new(&python)
        .arg(scripts("browser").join("check.py"))
        .arg(address)
        .arg(directory.join("screenshots"))
        .args([what, part])
        .output()?;
    let said = String::from_utf8_lossy(&check.stdout);
    ensure!(check.status.success(), "{said}{}", String::from_utf8_lossy(&check.stderr));
    let report: Value = serde_json::from_str(&said).with_context(|| said.clone().into_owned())?;
    let lines = |name: &str| {
        let lines = report[name].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    };
    Ok(Report { pages: lines("pages"), faults: lines("faults") })
}
