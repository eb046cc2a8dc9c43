//! The file that names the hosts whose agents are offered: read when the master starts, and again and again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use master_core::Input;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::engine::CoreHandle;

/// How often the file is read.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tells the core of what the file says whenever that has changed, until the server stops.
///
/// As long as the file has not been read once, all agents are offered, as in Mesos; one that cannot be read any more
/// leaves everything as it was.
pub(crate) async fn watch(path: PathBuf, core: CoreHandle, mut stopped: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: Option<BTreeSet<String>> = None;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            // Also when nobody could say it any more.
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let hosts = match read(&path).await {
            Ok(hosts) => hosts,
            Err(error) => {
                tracing::error!(
                    "the whitelist {} cannot be read: {error}; it stays as it was",
                    path.display()
                );
                continue;
            }
        };
        if known.as_ref() == Some(&hosts) {
            continue;
        }
        tracing::info!("the whitelist names {} hosts now", hosts.len());
        known = Some(hosts.clone());
        if core.input(Input::Whitelist(Some(hosts))).await.is_err() {
            return;
        }
    }
}

async fn read(path: &Path) -> std::io::Result<BTreeSet<String>> {
    let text = tokio::fs::read_to_string(path).await?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::engine::Work;

    #[tokio::test(start_paused = true)]
    async fn changes_are_told_and_a_lost_file_changes_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a\n\nb\n").unwrap();
        let (queue, mut work) = mpsc::channel(8);
        let (stop, stopped) = watch::channel(false);
        let watching = tokio::spawn(watch(file.path().to_owned(), CoreHandle::new(queue), stopped));
        let mut told = async || match work.recv().await {
            Some(Work::Input(Input::Whitelist(hosts))) => hosts.unwrap().into_iter().collect::<Vec<_>>(),
            _ => panic!("something else came"),
        };
        assert_eq!(told().await, ["a", "b"]);
        std::fs::write(file.path(), "").unwrap();
        assert!(told().await.is_empty());
        let path = file.path().to_owned();
        drop(file);
        tokio::time::sleep(INTERVAL * 3).await;
        std::fs::write(&path, "c").unwrap();
        assert_eq!(told().await, ["c"]);
        std::fs::remove_file(path).unwrap();
        stop.send_replace(true);
        watching.await.unwrap();
    }
}
