//! A launcher that adopts and reaps orphans leaves those alone that somebody waits for. A program of its own, because it
//! adopts the orphans of the whole process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ContainerId;
use containerizer::{FetchLimits, FetchRequest, Fetcher, Hadoop, PosixLauncher, PosixOptions, Uri};

const PATIENCE: Duration = Duration::from_secs(60);

/// Blocks the only thread there is, so that nobody waits for children meanwhile.
fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn state(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn number_in(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned())
}

#[tokio::test(flavor = "current_thread")]
async fn a_client_of_the_fetcher_is_not_taken_for_an_orphan() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = PosixOptions { adopt_orphans: true, ..PosixOptions::default() };
    let _launcher = PosixLauncher::new(options, Arc::new(|_| {})).expect("a launcher");
    let program = directory.path().join("bin/hadoop");
    let pid_of_client = directory.path().join("client");
    fs::create_dir(directory.path().join("bin")).expect("ours");
    let go = directory.path().join("go");
    let script = format!(
        "#!/bin/sh\necho $$ > {}\necho content\nwhile ! test -e {}; do sleep 0.01; done\n",
        pid_of_client.display(),
        go.display()
    );
    fs::write(&program, script).expect("ours");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("ours");
    let hadoop = Hadoop::find(Some(directory.path())).expect("it was told where");
    let fetcher = Fetcher::new(FetchLimits::default(), None).with_other_schemes(Arc::new(hadoop));
    let sandbox = directory.path().join("sandbox");
    fs::create_dir(&sandbox).expect("ours");
    let uri = Uri {
        value: "hdfs://name/file".to_owned(),
        executable: false,
        extract: false,
        cache: false,
        output_file: None,
    };
    let container_id = ContainerId::from("c");
    let request = FetchRequest { container_id, sandbox: sandbox.clone(), user: None, uris: vec![uri] };
    let fetching = tokio::spawn(async move { fetcher.fetch(request).await });
    let mut client = None;
    while client.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        client = number_in(&pid_of_client);
    }
    // From here on this thread, which is the only one that waits for the client, does something else.
    let client = client.expect("it was awaited");
    fs::write(&go, "").expect("ours");
    wait_for("the end of the client", || state(&client).is_none_or(|state| state == 'Z'));
    let pid_of_orphan = directory.path().join("orphan");
    let line = format!("sh -c 'echo $$ > {}; exit 0' & exec sleep 0.2", pid_of_orphan.display());
    // It is not waited for by its parent, and ours when that has ended.
    let mut parent = Command::new("setsid").args(["--fork", "sh", "-c", &line]).spawn().expect("a process");
    let mut orphan = None;
    wait_for("an orphan", || {
        orphan = number_in(&pid_of_orphan);
        orphan.is_some()
    });
    let orphan = orphan.expect("it was awaited");
    wait_for("the end of the orphan", || state(&orphan).is_none());
    // Who has reaped the orphan has seen the client, too.
    assert_eq!(state(&client), Some('Z'), "somebody has waited for the client");
    // Ours or reaped: it does not matter for one that ends with 0 at once.
    let _ = parent.wait();
    fetching.await.expect("no panic").expect("the client has ended well");
    assert_eq!(fs::read_to_string(sandbox.join("file")).expect("fetched"), "content\n");
}
