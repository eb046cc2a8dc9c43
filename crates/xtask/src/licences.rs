//! Licences of everything that is linked: only those that an Apache-2.0 program may ship with.

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::root;
use crate::tidy::Complaint;

/// Accepted licences, by SPDX name.
const ACCEPTED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "MIT-0",
    "BSL-1.0",
    "bzip2-1.0.6",
];

/// Checks the licence expression of every package in the lock file.
pub(crate) fn check() -> Result<Vec<Complaint>> {
    let metadata =
        MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().context("cargo metadata")?;
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        match &package.license {
            Some(licence) if acceptable(licence) => {}
            Some(licence) => complaints.push(format!("{} has the licence {licence}", package.name)),
            None if package.license_file.is_some() => {}
            None => complaints.push(format!("{} names no licence", package.name)),
        }
    }
    Ok(complaints)
}

/// Whether some choice that the expression leaves is accepted: all parts of an `AND`, one part of an `OR`.
fn acceptable(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    // `A AND (B OR C)` is read as `A AND B OR C`: every AND-free run must hold an accepted name.
    plain.split(" AND ").all(|part| part.split(" OR ").any(|name| ACCEPTED.contains(&name.trim())))
}

#[cfg(test)]
mod tests {
    use super::acceptable;

    #[test]
    fn expressions() {
        assert!(acceptable("MIT OR Apache-2.0"));
        assert!(acceptable("MIT/Apache-2.0"));
        assert!(acceptable("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!acceptable("GPL-3.0"));
        assert!(!acceptable("MIT AND GPL-3.0"));
    }
}
