//! What the fetcher tells the task's user: lines in the sandbox' `stderr`.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::user::{User, run_as};

/// Lost where the file cannot be opened: the fetch itself says so by failing.
pub(super) struct Log {
    file: Option<File>,
}

impl Log {
    pub(super) async fn open(sandbox: &Path, user: Option<User>) -> Self {
        let path = sandbox.join("stderr");
        let open = move || {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o644)
                .custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0))
                .open(path)
                .ok()
        };
        Self { file: run_as(user, open).await.ok().flatten() }
    }

    pub(super) fn line(&self, line: fmt::Arguments<'_>) {
        if let Some(mut file) = self.file.as_ref() {
            // One write a line, so that lines stay whole; a full disk fails the fetch itself.
            let _ = file.write_all(format!("fetcher: {line}\n").as_bytes());
        }
    }

    /// An error with all its causes.
    pub(super) fn error(&self, error: &dyn std::error::Error) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        self.line(format_args!("{text}"));
    }
}
