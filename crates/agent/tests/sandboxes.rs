//! What is in sandboxes, what is kept of it, and for how long.

mod common;

use std::path::{Path, PathBuf};

use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, options, shell, states, task};
use proto::v1;

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
