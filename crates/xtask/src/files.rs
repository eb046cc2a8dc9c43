//! Source files: a header that says what the file is, and a size that one idea fits in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::root;
use crate::tidy::Complaint;

/// Longest source file in lines. At 500 ask whether it is two ideas.
const MAX_LINES: usize = 800;

/// Checks each `.rs` file under `crates/` and `fuzz/`.
pub(crate) fn check() -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    for folder in ["crates", "fuzz"] {
        for file in rust_files(&root().join(folder))? {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let shown = file.strip_prefix(root()).unwrap_or(&file).display();
            let lines = text.lines().count();
            if lines > MAX_LINES {
                complaints.push(format!("{shown}: {lines} lines, more than {MAX_LINES}: split it by idea"));
            }
            if !has_header(&text) {
                complaints.push(format!("{shown}: starts without a `//!` line that says what the file is"));
            }
        }
    }
    Ok(complaints)
}

/// Whether the file starts with an inner doc comment; a `#!` attribute may stand before it.
fn has_header(text: &str) -> bool {
    text.lines().find(|l| !l.trim().is_empty() && !l.starts_with("#!")).is_some_and(|l| l.starts_with("//!"))
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|n| n != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::has_header;

    #[test]
    fn headers() {
        assert!(has_header("//! What.\nfn a() {}"));
        assert!(has_header("#![no_main]\n//! What.\n"));
        assert!(!has_header("use std::fs;\n//! Late."));
        assert!(!has_header(""));
    }
}
