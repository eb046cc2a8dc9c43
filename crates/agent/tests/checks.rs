//! Checks of real tasks: commands in their containers, HTTP and TCP, as Mesos' `check_tests` and `health_check_tests` have
//! them. Commands run in containers with control groups and namespaces, as root.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use agent::{AgentOptions, AgentServer, Isolation};
use common::groups::{Groups, linux};
use common::pods::group;
use common::{FRAMEWORK_ID, FakeMaster, command_task, framework, options, shell, states, task, until};
use proto::{internal, v1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ISOLATION: &str = "cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid,namespaces/ipc";

fn isolated(mut options: AgentOptions) -> AgentOptions {
    options.linux.isolation = Isolation::parse(ISOLATION).expect("known isolators");
    options
}

/// At once, then every 50 ms; patient.
fn check(json: &str) -> Option<v1::CheckInfo> {
    let json = format!(r#"{{"delay_seconds":0,"interval_seconds":0.05,{json}}}"#);
    Some(proto::json::from_slice(json.as_bytes()).expect("a check"))
}

/// The same, without a grace period.
fn health_check(json: &str) -> Option<v1::HealthCheck> {
    let json = format!(r#"{{"delay_seconds":0,"interval_seconds":0.05,"grace_period_seconds":0,{json}}}"#);
    Some(proto::json::from_slice(json.as_bytes()).expect("a health check"))
}

fn command(line: &str) -> String {
    format!(r#""type":"COMMAND","command":{{"command":{{"value":"{line}"}}}}"#)
}

fn health_command(line: &str) -> String {
    format!(r#""type":"COMMAND","command":{{"value":"{line}"}}"#)
}

/// Statuses until one is as wanted.
async fn status_where(master: &mut FakeMaster, wanted: impl Fn(&v1::TaskStatus) -> bool) -> v1::TaskStatus {
    loop {
        let status = master.status().await;
        assert!(!common::is_terminal(status.state()) || wanted(&status), "it ended: {status:?}");
        if wanted(&status) {
            return status;
        }
    }
}

fn exit_code(status: &v1::TaskStatus) -> Option<i32> {
    status.check_status.as_ref()?.command.as_ref()?.exit_code
}

fn status_code(status: &v1::TaskStatus) -> Option<u32> {
    status.check_status.as_ref()?.http.as_ref()?.status_code
}

fn succeeded(status: &v1::TaskStatus) -> Option<bool> {
    status.check_status.as_ref()?.tcp.as_ref()?.succeeded
}

async fn end(master: &mut FakeMaster, agent: AgentServer, task: &str) -> Vec<v1::TaskStatus> {
    master.say(&internal::KillTaskMessage {
        framework_id: FRAMEWORK_ID.into(),
        task_id: task.into(),
        ..Default::default()
    });
    let statuses = master.statuses().await;
    agent.shutdown().await;
    statuses
}

/// A command check is told when it changes; it shares the task's directory and environment.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_sees_what_its_task_sees() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let agent = master.agent(isolated(linux(master.address, work_dir.path()))).await;
    let mut checked = command_task("t", "sleep 1; touch made; sleep 600");
    let variable = v1::environment::Variable {
        name: "MINE".to_owned(),
        value: Some("task".to_owned()),
        ..Default::default()
    };
    if let Some(command) = &mut checked.command {
        command.environment = Some(v1::Environment { variables: vec![variable] });
    }
    checked.check = check(&command("test $MINE = task || exit 9; test -e made && exit 3; exit 2"));
    master.run(checked);
    let first = master.status().await;
    assert_eq!(first.state(), v1::TaskState::TaskStarting);
    assert!(first.check_status.is_some() && exit_code(&first).is_none(), "{first:?}");
    let found = status_where(&mut master, |status| exit_code(status).is_some()).await;
    assert_eq!(exit_code(&found), Some(2));
    assert_eq!(found.reason(), v1::task_status::Reason::TaskCheckStatusUpdated);
    let next = master.status().await;
    assert_eq!(exit_code(&next), Some(3), "only changes are told: {next:?}");
    let last = end(&mut master, agent, "t").await.pop().expect("an end");
    assert_eq!((last.state(), exit_code(&last)), (v1::TaskState::TaskKilled, None));
}

/// A command that hangs is ended in its time with all that it started, again and again, and its task with it at last.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_hangs_is_unhealthy_and_leaves_nothing() {
    for launcher in ["linux", "posix"] {
        let work_dir = tempfile::tempdir().expect("a directory");
        let _groups = Groups::of(work_dir.path());
        let mut master = FakeMaster::start().await;
        let options = if launcher == "linux" {
            isolated(linux(master.address, work_dir.path()))
        } else {
            options(master.address, work_dir.path())
        };
        let agent = master.agent(options).await;
        let mut checked = command_task("t", "sleep 600");
        let hangs = format!(
            r#"{},"timeout_seconds":0.3,"consecutive_failures":2"#,
            health_command("sleep 77771 & sleep 77771")
        );
        checked.health_check = health_check(&hangs);
        master.run(checked);
        let statuses = master.statuses().await;
        let told = ["TASK_STARTING", "TASK_RUNNING", "TASK_RUNNING", "TASK_RUNNING", "TASK_KILLED"];
        assert_eq!(states(&statuses), told, "{launcher}");
        let healthy: Vec<_> = statuses.iter().map(|status| status.healthy).collect();
        assert_eq!(healthy, [None, None, Some(false), Some(false), Some(false)], "{launcher}");
        until(|| processes_with("77771") == 0).await;
        agent.shutdown().await;
    }
}

fn processes_with(marker: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("readable").flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(marker)).count()
}

/// A web server that answers with this status code; 302 leads to `/there`, where all is well.
async fn web(code: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 1024];
            let count = stream.read(&mut request).await.unwrap_or(0);
            let there = request[..count].starts_with(b"GET /there ");
            let code = if there { 200 } else { code.load(Ordering::Relaxed) };
            let answer = format!("HTTP/1.1 {code} X\r\nLocation: /there\r\nContent-Length: 2\r\n\r\nok");
            // Who asks may have gone away.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_asked_and_told_when_it_changes() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let code = Arc::new(AtomicU16::new(302));
    let port = web(Arc::clone(&code)).await;
    let mut checked = command_task("t", "sleep 600");
    checked.check = check(&format!(r#""type":"HTTP","http":{{"port":{port},"path":"/here"}}"#));
    checked.health_check =
        health_check(&format!(r#""type":"HTTP","http":{{"port":{port}}},"consecutive_failures":1"#));
    master.run(checked);
    status_where(&mut master, |status| status.healthy == Some(true) && status_code(status) == Some(200))
        .await;
    code.store(404, Ordering::Relaxed);
    // Whichever of the two comes first: in the end the task is gone for its health.
    let last = loop {
        let status = master.status().await;
        if common::is_terminal(status.state()) {
            break status;
        }
        assert!(matches!(status_code(&status), Some(200 | 404)), "{status:?}");
    };
    assert_eq!((last.state(), last.healthy), (v1::TaskState::TaskKilled, Some(false)));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_is_tried_and_told_when_it_changes() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let mut checked = command_task("t", "sleep 600");
    checked.check = check(&format!(r#""type":"TCP","tcp":{{"port":{port}}}"#));
    master.run(checked);
    status_where(&mut master, |status| succeeded(status) == Some(true)).await;
    drop(listener);
    let next = master.status().await;
    assert_eq!(succeeded(&next), Some(false));
    end(&mut master, agent, "t").await;
}

/// Tasks of a group are checked each in its own container; an unhealthy one takes the others along. What the checks say goes to
/// the executor's sandbox.
#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_group_are_checked_each_by_itself() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let agent = master.agent(isolated(linux(master.address, work_dir.path()))).await;
    let a = v1::TaskInfo {
        command: Some(shell("touch here; sleep 600")),
        check: check(&command("test -e here && exit 4; exit 5")),
        ..task("a")
    };
    let b = v1::TaskInfo {
        command: Some(shell("sleep 600")),
        health_check: health_check(&format!(
            r#"{},"consecutive_failures":1"#,
            health_command(
                "test -e here && exit 0; while ! test -e ../../fail; do sleep 0.01; done; echo said; exit 1"
            )
        )),
        ..task("b")
    };
    master.say(&group(vec![a, b]));
    let found = status_where(&mut master, |status| exit_code(status) == Some(4)).await;
    assert_eq!(found.task_id.value, "a");
    let runs = work_dir.path().join("slaves").join(common::AGENT_ID).join("frameworks").join(FRAMEWORK_ID);
    let sandbox = runs.join("executors/pod/runs/latest");
    std::fs::write(sandbox.join("fail"), "").expect("the executor's sandbox");
    let ends = master.ends(2).await;
    let ends: Vec<_> =
        ends.iter().map(|end| (end.task_id.value.as_str(), end.state(), end.healthy)).collect();
    let killed = |id| (id, v1::TaskState::TaskKilled, Some(false));
    assert_eq!(ends, [killed("a"), killed("b")]);
    assert!(std::fs::read_to_string(sandbox.join("stderr")).is_ok_and(|said| said.contains("said")));
    agent.shutdown().await;
}

/// Checks of a task that outlived its agent go on, with what was known of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_checked_by_the_next_agent_too() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let options = || isolated(linux(master.address, work_dir.path()));
    let first = options();
    let again = options();
    let agent = master.agent(first).await;
    let mut checked = command_task("t", "sleep 600");
    checked.check = check(&command("test -e second && exit 2; exit 1"));
    master.say(&internal::RunTaskMessage {
        framework: v1::FrameworkInfo { checkpoint: Some(true), ..framework() },
        task: checked,
        launch_executor: Some(true),
        ..Default::default()
    });
    let found = status_where(&mut master, |status| exit_code(status) == Some(1)).await;
    let known = found.uuid.clone();
    let container = found.container_status.and_then(|status| status.container_id).expect("it has one").value;
    agent.leave().await;
    let agent = AgentServer::start(again).await.expect("the next agent");
    master.point_at(&agent);
    let reregister: internal::ReregisterSlaveMessage = loop {
        let heard = master.hear().await;
        if heard.name.ends_with("ReregisterSlaveMessage") {
            break proto::decode(&heard.body).expect("it is what its name says");
        }
    };
    assert_eq!(reregister.tasks.len(), 1);
    master
        .say(&internal::SlaveReregisteredMessage { slave_id: common::AGENT_ID.into(), ..Default::default() });
    let sandbox = work_dir.path().join("slaves").join(common::AGENT_ID).join("frameworks").join(FRAMEWORK_ID);
    std::fs::write(sandbox.join("executors/t/runs").join(container).join("second"), "").expect("the sandbox");
    let next = loop {
        let heard = master.hear().await;
        if heard.name.ends_with("StatusUpdateMessage") {
            let message: internal::StatusUpdateMessage = proto::decode(&heard.body).expect("an update");
            master.acknowledge(&message.update);
            // One whose acknowledgement was not written down before the agent went comes once more.
            if message.update.status.uuid != known {
                break message.update.status;
            }
        }
    };
    assert_eq!(exit_code(&next), Some(2), "what was known is not told again: {next:?}");
    end(&mut master, agent, "t").await;
}

/// A server that speaks TLS, with a certificate that nobody has signed and that is for another name.
const TLS_SERVER: &str = "
import http.server, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204 if self.path == '/fine' else 503)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('certificate', 'key')
server.socket = context.wrap_socket(server.socket, server_side=True)
open('port.new', 'w').write(str(server.server_address[1]))
import os; os.rename('port.new', 'port')
server.serve_forever()";

/// Starts such a server in a directory; its port.
async fn tls_server(directory: &std::path::Path) -> (std::process::Child, u16) {
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=somebody.else", "-days", "1", "-keyout", "key", "-out", "certificate"])
        .current_dir(directory)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = std::process::Command::new("python3")
        .args(["-c", TLS_SERVER])
        .current_dir(directory)
        .spawn()
        .expect("python3 is installed");
    until(|| directory.join("port").exists()).await;
    let port = std::fs::read_to_string(directory.join("port")).expect("written");
    (server, port.parse().expect("a number"))
}

/// The certificate is not looked at, as in Mesos; that TLS is spoken is.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_tls_is_asked() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let (mut server, port) = tls_server(work_dir.path()).await;
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, &work_dir.path().join("agent"))).await;
    let mut checked = command_task("t", "sleep 600");
    checked.check = check(&format!(r#""type":"HTTP","http":{{"port":{port},"path":"/fine"}}"#));
    let http = format!(
        r#""type":"HTTP","http":{{"port":{port},"scheme":"https","path":"/fine"}},"consecutive_failures":0"#
    );
    checked.health_check = health_check(&http);
    master.run(checked);
    status_where(&mut master, |status| status.healthy == Some(true)).await;
    // Whom nobody asks over TLS: the check has no scheme, and finds nobody who speaks plainly.
    let last = end(&mut master, agent, "t").await;
    assert!(last.iter().all(|status| status_code(status).is_none()), "{last:?}");

    let agent = master.agent(options(master.address, &work_dir.path().join("other"))).await;
    let mut checked = command_task("t", "sleep 600");
    let sick = format!(
        r#""type":"HTTP","http":{{"port":{port},"scheme":"https","path":"/sick"}},"consecutive_failures":1"#
    );
    checked.health_check = health_check(&sick);
    master.run(checked);
    let statuses = master.statuses().await;
    assert_eq!(states(&statuses).last(), Some(&"TASK_KILLED"));
    assert!(statuses.iter().any(|status| status.healthy == Some(false)), "{statuses:?}");
    agent.shutdown().await;
    server.kill().expect("ours");
    server.wait().expect("ours");
}
