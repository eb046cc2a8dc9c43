//! What neither the compiler nor the linter checks.

use anyhow::{Result, bail};

use crate::{compat, files, layers, licences};

/// A rule that was broken, with where and what to do.
pub(crate) type Complaint = String;

/// Runs all checks and prints every complaint, not only the first.
pub(crate) fn run() -> Result<()> {
    let mut complaints: Vec<Complaint> = Vec::new();
    complaints.extend(layers::check()?);
    complaints.extend(files::check()?);
    complaints.extend(licences::check()?);
    complaints.extend(compat::check()?);
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if !complaints.is_empty() {
        bail!("{} complaints", complaints.len());
    }
    eprintln!("tidy: layers, files, licences and the compatibility table are in order");
    Ok(())
}
