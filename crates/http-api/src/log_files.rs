//! Where a server's log is to be found, if it is in a file.

use std::path::PathBuf;

/// `--log_dir` and `--external_log_file`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFiles {
    /// Where the server writes its log, beside its standard error.
    pub dir: Option<PathBuf>,
    /// The file to which somebody else writes what the server says, such as a supervisor.
    pub external: Option<PathBuf>,
}

impl LogFiles {
    /// The file that a server writes: `meseta-master.log`.
    #[must_use]
    pub fn own(&self, server: &str) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(format!("meseta-{server}.log")))
    }

    /// The file that operators see. As in Mesos, that of somebody else comes before that of the server.
    #[must_use]
    pub fn shown(&self, server: &str) -> Option<PathBuf> {
        self.external.clone().or_else(|| self.own(server))
    }

    /// The flags that were given.
    #[must_use]
    pub fn flags(&self) -> [(&'static str, Option<String>); 2] {
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [("external_log_file", text(&self.external)), ("log_dir", text(&self.dir))]
    }
}
