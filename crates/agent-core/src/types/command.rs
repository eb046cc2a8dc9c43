//! What a container runs: a command line, its environment and what is fetched for it.

use std::sync::Arc;

/// A command as a scheduler described it (`CommandInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CommandInfo {
    /// The shell command line, or the executable's path where `shell` is false.
    pub value: Option<Arc<str>>,
    /// Whether `value` is given to `/bin/sh -c`.
    pub shell: bool,
    /// The arguments where `shell` is false, `argv[0]` included.
    pub arguments: Vec<Arc<str>>,
    /// Variables that the scheduler set, in its order.
    pub environment: Vec<(Arc<str>, Arc<str>)>,
    /// What is fetched into the sandbox before the command starts.
    pub uris: Vec<Uri>,
    /// Whom to run as; the framework's user if unset.
    pub user: Option<Arc<str>>,
}

/// One thing to fetch into a sandbox (`CommandInfo.URI`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// Where it is: `http(s)://`, `file://` or a path.
    pub value: Arc<str>,
    /// Whether the file becomes executable (and is then never extracted).
    pub executable: bool,
    /// Whether a known archive is unpacked; true where the scheduler was silent.
    pub extract: bool,
    /// Whether the fetcher's cache may serve it.
    pub cache: bool,
    /// The name in the sandbox, possibly with directories; the last part of `value` if unset.
    pub output_file: Option<Arc<str>>,
}
