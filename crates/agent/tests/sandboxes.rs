//! What is in sandboxes, what is kept of it, and for how long.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use agent::{AgentOptions, AgentServer};
use common::pods::group;
use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, command_task, json, options, shell, states, task, until};
use proto::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const RAN: [&str; 3] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"];

fn executor(work_dir: &Path, name: &str) -> PathBuf {
    work_dir.join(format!("slaves/{AGENT_ID}/frameworks/{FRAMEWORK_ID}/executors/{name}"))
}

fn with_variables(id: &str, line: &str, variables: &[(&str, &str)]) -> v1::TaskInfo {
    let variable = |(name, value): &(&str, &str)| v1::environment::Variable {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        ..Default::default()
    };
    let environment = v1::Environment { variables: variables.iter().map(variable).collect() };
    let command = v1::CommandInfo { environment: Some(environment), ..shell(line) };
    v1::TaskInfo { command: Some(command), ..task(id) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_says_how_much_of_its_output_is_kept() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let variables = [
        ("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "8KB"),
        ("CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "rotate 2"),
    ];
    master.run(with_variables("t", "head -c 30000 /dev/zero; head -c 20000 /dev/zero >&2", &variables));
    assert_eq!(states(&master.statuses().await), RAN);
    let run = executor(work_dir.path(), "t").join("runs/latest");
    let size = |name: &str| std::fs::metadata(run.join(name)).ok().map(|metadata| metadata.len());
    let sizes = ["stdout", "stdout.1", "stdout.2", "stdout.3", "stderr", "stderr.1"].map(size);
    assert_eq!(sizes, [Some(5424), Some(8192), Some(8192), None, Some(20000), None]);

    master.run(with_variables("wrong", "true", &[("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "1B")]));
    let statuses = master.statuses().await;
    assert_eq!(states(&statuses), ["TASK_FAILED"]);
    let message = statuses[0].message();
    assert!(message.contains("Failed to load container logger settings: '1B' is no size"), "{message}");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_makes_sandboxes_go_before_their_time() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    // All of the disk is to be free, so that it is always too full.
    let settings = AgentOptions {
        gc_disk_headroom: 1.0,
        disk_watch_interval: Duration::from_millis(50),
        ..options(master.address, work_dir.path())
    };
    let agent = master.agent(settings).await;
    master.run(command_task("t", "echo words"));
    assert_eq!(states(&master.statuses().await), RAN);
    let framework = executor(work_dir.path(), "t").join("../..");
    until(|| !framework.exists()).await;
    let counted = async {
        loop {
            let metrics = json(agent.address(), "/metrics/snapshot").await;
            // The directory is gone a moment before that is counted.
            if metrics["gc/path_removals_succeeded"] == 1.0 {
                break metrics;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let metrics = tokio::time::timeout(common::PATIENCE, counted).await.expect("in time");
    assert_eq!(metrics["slave/executor_directory_max_allowed_age_secs"], 0.0);
    assert_eq!(metrics["gc/path_removals_failed"], 0.0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_agent_left_goes_by_its_age() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    for id in ["old", "new"] {
        master.run(command_task(id, "true"));
        assert_eq!(states(&master.statuses().await), RAN);
    }
    let metrics = json(agent.address(), "/metrics/snapshot").await;
    assert_eq!(metrics["slave/executor_directory_max_allowed_age_secs"], 544_320.0);
    assert_eq!(metrics["gc/path_removals_pending"], 2.0);
    agent.shutdown().await;
    let (old, new) = (executor(work_dir.path(), "old"), executor(work_dir.path(), "new"));
    let ten_days_ago = SystemTime::now() - Duration::from_secs(10 * 86_400);
    let run = std::fs::File::open(old.join("runs/latest")).expect("it is kept for a week");
    run.set_modified(ten_days_ago).expect("ours");
    // Of an agent that was here before, of which nothing else is known.
    let stranger = work_dir.path().join("slaves/S9/frameworks/f/executors/e/runs/c");
    std::fs::create_dir_all(&stranger).expect("ours");
    std::fs::File::open(&stranger).and_then(|open| open.set_modified(ten_days_ago)).expect("ours");

    let agent = AgentServer::start(options(master.address, work_dir.path())).await.expect("an agent");
    until(|| !old.exists() && !work_dir.path().join("slaves/S9").exists()).await;
    assert!(new.join("runs/latest").exists());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_of_a_groups_task_can_go_before_that_of_its_executor() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let settings = AgentOptions {
        gc_delay: Duration::ZERO,
        gc_non_executor_container_sandboxes: true,
        ..options(master.address, work_dir.path())
    };
    let agent = master.agent(settings).await;
    master.say(&group(vec![command_task("short", "true"), command_task("long", "sleep 1000")]));
    while master.status().await.state() != v1::TaskState::TaskFinished {}
    let containers = executor(work_dir.path(), "pod").join("runs/latest/containers");
    until(|| std::fs::read_dir(&containers).is_ok_and(|entries| entries.count() == 1)).await;
    agent.shutdown().await;
}

/// Serves one file, slowly, and counts how often.
async fn counting_server() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/file", listener.local_addr().expect("bound"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                if request.starts_with(b"GET") {
                    counter.fetch_add(1, Ordering::Relaxed);
                    // Long enough for a second task to ask, too, if it were to.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nfetched";
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (url, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tasks_at_once_share_what_is_fetched() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let (url, asked) = counting_server().await;
    let mut master = FakeMaster::start().await;
    let settings = AgentOptions {
        fetcher_cache_dir: work_dir.path().join("cache"),
        fetcher_cache_size: 100,
        ..options(master.address, work_dir.path())
    };
    let agent = master.agent(settings).await;
    let with = |id: &str| {
        let uri = v1::command_info::Uri { value: url.clone(), cache: Some(true), ..Default::default() };
        let command = v1::CommandInfo { uris: vec![uri], ..shell("grep -q fetched file") };
        v1::TaskInfo { command: Some(command), ..task(id) }
    };
    for id in ["a", "b"] {
        master.run(with(id));
    }
    let statuses = [master.statuses().await, master.statuses().await].concat();
    let finished = |status: &&v1::TaskStatus| status.state() == v1::TaskState::TaskFinished;
    assert_eq!(statuses.iter().filter(finished).count(), 2);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "one download serves both");
    let metrics = json(agent.address(), "/metrics/snapshot").await;
    for (name, value) in [
        ("task_fetches_succeeded", 2.0),
        ("task_fetches_failed", 0.0),
        ("cache_size_total_bytes", 100.0),
        ("cache_size_used_bytes", 7.0),
    ] {
        assert_eq!(metrics[format!("containerizer/fetcher/{name}")], value, "{name}");
    }
    // What was kept is lost: it is fetched anew, and nobody notices.
    for kept in walk(&work_dir.path().join("cache")) {
        std::fs::write(kept, "dam").expect("ours");
    }
    master.run(with("c"));
    assert_eq!(states(&master.statuses().await), RAN);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let stderr = std::fs::read_to_string(executor(work_dir.path(), "c").join("runs/latest/stderr"));
    let stderr = stderr.expect("the fetcher writes there");
    assert!(stderr.contains(&url), "{stderr}");
    agent.shutdown().await;
}

/// With `--fetcher_stall_timeout`.
#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_stalls_fails_its_task_in_its_time() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/file", listener.local_addr().expect("bound"));
    let stalls = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the fetcher");
        // An answer before the question is none.
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut asked).await.expect("a request"), 0);
        }
        let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbegun";
        stream.write_all(begun).await.expect("it reads");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await
    });
    let mut master = FakeMaster::start().await;
    let settings = AgentOptions {
        fetcher_stall_timeout: Duration::from_millis(500),
        ..options(master.address, work_dir.path())
    };
    let agent = master.agent(settings).await;
    let uri = v1::command_info::Uri { value: url, ..Default::default() };
    let command = v1::CommandInfo { uris: vec![uri], ..shell("true") };
    master.run(v1::TaskInfo { command: Some(command), ..task("t") });
    let statuses = master.statuses().await;
    assert_eq!(states(&statuses), ["TASK_FAILED"]);
    assert_eq!(statuses[0].reason(), v1::task_status::Reason::ContainerLaunchFailed);
    assert!(statuses[0].message().contains("the server sent nothing for"), "{statuses:?}");
    // The connection does not outlive it.
    let _ = tokio::time::timeout(common::PATIENCE, stalls).await.expect("the fetcher hangs up");
    let metrics = json(agent.address(), "/metrics/snapshot").await;
    assert_eq!(metrics["containerizer/fetcher/task_fetches_failed"], 1.0);
    agent.shutdown().await;
}

/// All files below a directory.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
