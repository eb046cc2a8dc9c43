//! `hdfs://` and whatever else a hadoop client knows, through that client.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::scheme::{Fetching, Scheme, Sink, SinkError};
use crate::children::{self, Awaited};
use crate::user::User;

/// How much of what the client says about a failure is kept.
const MAX_COMPLAINT: u64 = 4096;
const BUFFER: usize = 64 << 10;

/// How the names of variables begin that are settings of the agent; some are secrets.
const OWN: [&str; 3] = ["MESETA_", "MESOS_", "LIBPROCESS_"];

/// Why the client did not bring it.
#[derive(Debug, thiserror::Error)]
enum HadoopError {
    #[error("cannot run '{}'", .0.display())]
    Run(PathBuf, #[source] io::Error),
    #[error("cannot read what the hadoop client writes")]
    Read(#[source] io::Error),
    #[error("the hadoop client wrote nothing for {0} s")]
    Stalled(u64),
    #[error("the hadoop client ended with {0}: {1}")]
    Failed(std::process::ExitStatus, String),
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// A hadoop client: `hadoop fs -cat`.
pub struct Hadoop {
    program: PathBuf,
    home: Option<PathBuf>,
}

impl Hadoop {
    /// The client below `home` (`hadoop_home`), else that of `HADOOP_HOME` or `PATH`, if there is one.
    #[must_use]
    pub fn find(home: Option<&Path>) -> Option<Self> {
        if let Some(home) = home {
            // Where it was said to be, even if it is not there yet: then its absence is the reason that is told.
            return Some(Self { program: home.join("bin/hadoop"), home: Some(home.to_owned()) });
        }
        let runs = |program: &PathBuf| {
            std::fs::metadata(program)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let below_home =
            std::env::var_os("HADOOP_HOME").map(|home: OsString| PathBuf::from(home).join("bin/hadoop"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = below_home
            .into_iter()
            .chain(std::env::split_paths(&path).map(|directory| directory.join("hadoop")))
            .find(runs)?;
        Some(Self { program, home: None })
    }

    async fn run(&self, uri: &str, user: Option<&User>, sink: &mut Sink<'_>) -> Result<(), HadoopError> {
        let mut command = Command::new(&self.program);
        command.args(["fs", "-cat", uri]).current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        withhold(&mut command, std::env::vars_os().map(|(name, _)| name));
        if let Some(home) = &self.home {
            command.env("HADOOP_HOME", home);
        }
        if let Some(user) = user {
            // Groups, which `Command` would leave out, may be what the client's configuration is readable by.
            become_user(&mut command, user);
        }
        // Who reaps orphans is to know that we wait for it.
        let (_awaited, mut child) = {
            let _forking = children::forking();
            let child = command.spawn().map_err(|error| HadoopError::Run(self.program.clone(), error))?;
            let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
            (pid.map(Awaited::new), child)
        };
        let (mut content, complaint) = (child.stdout.take(), child.stderr.take());
        // Where the copying fails the client is killed by being dropped.
        let complaints = async { Ok(all_of(complaint).await) };
        let ((), complaint) = tokio::try_join!(copy(content.as_mut(), sink), complaints)?;
        let status = child.wait().await.map_err(HadoopError::Read)?;
        if status.success() { Ok(()) } else { Err(HadoopError::Failed(status, complaint)) }
    }
}

/// The client runs as the task's user, who can read its environment: the agent's own settings are none of it.
fn withhold(command: &mut Command, names: impl Iterator<Item = OsString>) {
    for name in names {
        if OWN.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
            command.env_remove(name);
        }
    }
}

#[expect(unsafe_code, reason = "a step between fork and exec")]
fn become_user(command: &mut Command, user: &User) {
    let switch = user.switcher();
    // SAFETY: the closure only makes system calls; all that it needs was allocated before.
    unsafe { command.pre_exec(switch) };
}

async fn copy(
    content: Option<&mut (impl AsyncRead + Unpin)>,
    sink: &mut Sink<'_>,
) -> Result<(), HadoopError> {
    let Some(content) = content else { return Ok(()) };
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = tokio::time::timeout(sink.stall(), content.read(&mut buffer)).await;
        match read.map_err(|_| HadoopError::Stalled(sink.stall().as_secs()))?.map_err(HadoopError::Read)? {
            0 => return Ok(()),
            count => sink.write(&buffer[..count]).await?,
        }
    }
}

/// The beginning of a complaint; the rest is read, so that who writes it can go on, and forgotten.
async fn all_of(complaint: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut complaint) = complaint else { return String::new() };
    let mut text = Vec::new();
    // What cannot be read is not told; the exit status is.
    let _ = (&mut complaint).take(MAX_COMPLAINT).read_to_end(&mut text).await;
    let _ = tokio::io::copy(&mut complaint, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Scheme for Hadoop {
    fn fetch<'a>(&'a self, uri: &'a str, user: Option<&'a User>, sink: &'a mut Sink<'_>) -> Fetching<'a> {
        Box::pin(async move { Ok(self.run(uri, user, sink).await?) })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_client_does_not_see_the_agents_settings() {
        let names =
            ["HADOOP_HOME", "JAVA_HOME", "LIBPROCESS_IP", "MESETA_MASTER", "MESOS_CREDENTIAL", "PATH"];
        let mut command = Command::new("hadoop");
        withhold(&mut command, names.iter().map(OsString::from));
        let withheld: Vec<_> = command.as_std().get_envs().collect();
        let expected: [(&OsStr, Option<&OsStr>); 3] =
            ["LIBPROCESS_IP", "MESETA_MASTER", "MESOS_CREDENTIAL"].map(|name| (OsStr::new(name), None));
        assert_eq!(withheld, expected);
    }
}
