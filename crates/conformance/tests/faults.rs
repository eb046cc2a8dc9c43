//! What goes wrong in a cluster ends where it began: the right state and reason, one line that says why, and everything
//! else goes on. Wrong requests have a test of their own, as have the faults that Mesos was recorded with.

use std::io::{Read, Write};
use std::time::Duration;

use conformance::cluster::Cluster;
use conformance::http::{self, Request};
use conformance::processes::{self, Process};
use conformance::scenarios;
use conformance::scheduler::{Framework, Log, PATH, Scheduler, TERMINAL, text};
use conformance::tasks::{custom_task, launch, shell, task};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

fn subscribe(cluster: &Cluster, framework: &Framework) -> Scheduler {
    Scheduler::subscribe(&cluster.master.address, framework, &Log::default()).unwrap()
}

/// Launches a task that a test has made of the next offer.
fn launch_one(scheduler: &mut Scheduler, make: impl FnOnce(&Value, &str) -> Value) -> Value {
    let offer = scheduler.offer().unwrap();
    let task = make(&offer, &scheduler.framework_id);
    // The rest of the offer comes back at once, for the next task.
    let accept = json!({"offer_ids": [offer["id"]], "operations": [launch(&[task])], "filters": {"refuse_seconds": 0}});
    assert_eq!(scheduler.call("ACCEPT", json!({"accept": accept})).unwrap(), 202);
    offer
}

fn state_and_reason(status: &Value) -> (String, String) {
    (text(&status["state"]), text(&status["reason"]))
}

fn expected(state: &str, reason: &str) -> (String, String) {
    (state.to_owned(), reason.to_owned())
}

/// The cluster still takes a framework and runs its task.
fn assert_works(cluster: &Cluster) {
    let finish = scenarios::find("finish").unwrap();
    let report = scenarios::run(finish, &cluster.target()).unwrap();
    assert_eq!(report.differences, Vec::<String>::new(), "{:?}", report.log);
}

/// Waits for a process of the cluster's tasks whose command contains `text`. A shell that has yet to become it is not meant.
fn process_of(cluster: &Cluster, text: &str) -> Process {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let found = processes::living_in(cluster.directory());
        if let Some(process) =
            found.iter().find(|p| p.command.contains(text) && !p.command.starts_with("sh -c"))
        {
            return process.clone();
        }
        assert!(std::time::Instant::now() < deadline, "no process '{text}' among {found:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill_9(process: &Process) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(process.pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn post(address: &str, path: &str, content_type: &str, body: &[u8]) -> http::Response {
    let request = Request { method: "POST".into(), path: path.into(), ..Request::default() };
    let request = request.header("Content-Type", content_type).body(body.to_vec());
    http::send(address, &request, LIMIT).unwrap()
}

#[test]
fn malformed_bodies_get_a_line_that_says_so() {
    let cluster = Cluster::start(1).unwrap();
    let (master, agent) = (cluster.master.address.clone(), cluster.agents[0].address.clone());
    for (address, path) in
        [(&master, PATH), (&master, "/api/v1"), (&agent, "/api/v1/executor"), (&agent, "/api/v1")]
    {
        for (content_type, body) in [
            ("application/json", &b"{\"type\": "[..]),
            ("application/x-protobuf", b"\xff\xff"),
            ("application/json", b"\xff\xfe"),
        ] {
            let response = post(address, path, content_type, body);
            let text = response.text();
            assert_eq!(response.head.status, 400, "{path} {content_type}: {text}");
            assert!(text.starts_with("Failed to parse body into"), "{path} {content_type}: {text}");
            assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        }
    }
    assert_works(&cluster);
}

#[test]
fn malformed_messages_between_master_and_agent_are_dropped() {
    let cluster = Cluster::start(1).unwrap();
    let sides = [
        (&cluster.master.address, "master", "RegisterSlaveMessage"),
        (&cluster.master.address, "master", "StatusUpdateMessage"),
        (&cluster.agents[0].address, "slave(1)", "RunTaskMessage"),
        (&cluster.agents[0].address, "slave(1)", "KillTaskMessage"),
    ];
    for (address, process, name) in sides {
        for body in [&b"\xff\xff\xff"[..], b"", b"\x0a\x7f"] {
            let request = Request {
                method: "POST".into(),
                path: format!("/{process}/mesos.internal.{name}"),
                ..Request::default()
            };
            let request = request.header("Libprocess-From", "x@127.0.0.1:9").body(body.to_vec());
            let status = http::send(address, &request, LIMIT).unwrap().head.status;
            assert!(status == 202 || status == 400, "{name}: {status}");
        }
    }
    assert_works(&cluster);
}

#[test]
fn an_unknown_stream_id_is_refused_and_the_framework_lives_on() {
    let cluster = Cluster::start(1).unwrap();
    let scheduler = subscribe(&cluster, &Framework::default());
    let call = json!({"type": "REVIVE", "framework_id": {"value": scheduler.framework_id}});
    for (stream, says) in [(Some("not-a-stream"), "didn't match"), (None, "Mesos-Stream-Id")] {
        let mut request = Request::json(PATH, &call);
        if let Some(stream) = stream {
            request = request.header("Mesos-Stream-Id", stream);
        }
        let response = http::send(&cluster.master.address, &request, LIMIT).unwrap();
        assert_eq!(response.head.status, 400);
        assert!(response.text().contains(says), "{}", response.text());
    }
    assert_eq!(scheduler.call("REVIVE", json!({})).unwrap(), 202);
}

#[test]
fn an_offer_can_be_accepted_once() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    let offer = launch_one(&mut scheduler, |offer, _| task(offer, "first", "sleep 60"));
    scheduler.running().unwrap();
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "second", "true")])]).unwrap();
    let lost = scheduler.update(&["TASK_LOST"], 40).unwrap();
    assert_eq!(text(&lost["task_id"]["value"]), "second");
    assert_eq!(state_and_reason(&lost), expected("TASK_LOST", "REASON_INVALID_OFFERS"));
    assert!(text(&lost["message"]).contains("is no longer valid"), "{lost}");
    scheduler.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn the_id_of_a_running_task_cannot_be_used_again() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    launch_one(&mut scheduler, |offer, _| task(offer, "t", "sleep 60"));
    scheduler.running().unwrap();
    launch_one(&mut scheduler, |offer, _| task(offer, "t", "true"));
    let refused = scheduler.terminal().unwrap();
    assert_eq!(state_and_reason(&refused), expected("TASK_ERROR", "REASON_TASK_INVALID"));
    assert_eq!(text(&refused["message"]), "Task has duplicate ID: t");
    // The first one is not touched.
    scheduler.kill("t").unwrap();
    assert_eq!(text(&scheduler.terminal().unwrap()["state"]), "TASK_KILLED");
}

#[test]
fn an_executor_that_never_registers_is_ended() {
    // Long enough for its process to be there, on a busy machine too: one that never was could not be launched.
    let cluster = Cluster::with_flags(1, &[], &["--executor_registration_timeout=5secs"]).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    launch_one(&mut scheduler, |offer, framework| {
        custom_task(offer, framework, "t", "e", &shell("sleep 60"))
    });
    let failed = scheduler.terminal().unwrap();
    assert_eq!(state_and_reason(&failed), expected("TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT"));
    assert_eq!(text(&failed["source"]), "SOURCE_AGENT");
    assert!(text(&failed["message"]).contains("did not register within 5secs"), "{failed}");
    scheduler.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
    assert_works(&cluster);
}

#[test]
fn an_executor_that_is_killed_fails_its_tasks_and_no_others() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    let executor = shell(&format!("exec {}", env!("CARGO_BIN_EXE_conformance-executor")));
    launch_one(&mut scheduler, |offer, framework| custom_task(offer, framework, "custom", "e", &executor));
    if scheduler.running().is_none() {
        let printed = scenarios::sandbox_file(&cluster.agents[0].address, &scheduler.framework_id, "stderr");
        panic!("the executor does not run; it printed {printed:?}, its agent:\n{}", cluster.agents[0].log());
    }
    launch_one(&mut scheduler, |offer, _| task(offer, "other", "sleep 60"));
    scheduler.running().unwrap();

    kill_9(&process_of(&cluster, "conformance-executor"));
    let failure = scheduler.wait("FAILURE", 40).unwrap();
    assert_eq!(text(&failure["failure"]["executor_id"]["value"]), "e");
    assert_eq!(failure["failure"]["status"], 9, "the wait status of a process that signal 9 ended");
    let failed = scheduler.terminal().unwrap();
    assert_eq!(text(&failed["task_id"]["value"]), "custom");
    assert_eq!(state_and_reason(&failed), expected("TASK_FAILED", "REASON_EXECUTOR_TERMINATED"));

    scheduler.kill("other").unwrap();
    let killed = scheduler.terminal().unwrap();
    assert_eq!(
        (text(&killed["task_id"]["value"]), text(&killed["state"])),
        ("other".into(), "TASK_KILLED".into())
    );
    scheduler.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn a_uri_that_fails_fails_its_task() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    // The master answers, but not with that file.
    let missing = format!("http://{}/no-such-file", cluster.master.address);
    for (n, uri) in [missing.as_str(), "http://127.0.0.1:1/refused", "nosuchscheme://x/y", "/nosuch/file"]
        .iter()
        .enumerate()
    {
        launch_one(&mut scheduler, |offer, _| {
            let mut task = task(offer, &format!("t{n}"), "true");
            task["command"]["uris"] = json!([{"value": uri}]);
            task
        });
        let failed = scheduler.terminal().unwrap();
        assert_eq!(
            state_and_reason(&failed),
            expected("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED"),
            "{uri}"
        );
        let message = text(&failed["message"]);
        assert!(
            message.starts_with("Failed to launch container: Failed to fetch all URIs"),
            "{uri}: {message}"
        );
    }
    scheduler.end().unwrap();
    assert_works(&cluster);
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let cluster = Cluster::start(1).unwrap();
    let sides = [
        (&cluster.master.address, PATH),
        (&cluster.master.address, "/api/v1"),
        (&cluster.agents[0].address, "/api/v1/executor"),
    ];
    for (address, path) in sides {
        // Announced: refused by the announcement alone.
        let mut stream = http::connect(address, Some(LIMIT)).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
        write!(stream, "{head}Content-Length: 1000000000000\r\n\r\n").unwrap();
        assert_eq!(status_line(stream), "413", "{path}, announced");

        // Not announced: refused when it gets too long; the sender cannot send it to its end.
        let mut stream = http::connect(address, Some(LIMIT)).unwrap();
        write!(stream, "{head}Transfer-Encoding: chunked\r\n\r\n").unwrap();
        let answers = stream.try_clone().unwrap();
        let reader = std::thread::spawn(move || status_line(answers));
        let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
        let sent = (0..2048).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
        assert!(sent < 2048, "{path}: two GiB were taken");
        assert_eq!(reader.join().unwrap(), "413", "{path}, in chunks");
    }
    assert_works(&cluster);
}

/// The status that a connection answers with.
fn status_line(mut stream: impl Read) -> String {
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    String::from_utf8_lossy(&first[9..]).into_owned()
}

#[test]
fn killing_a_tasks_process_leaves_the_others_running() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    for (id, seconds) in [("victim", "61"), ("other", "62")] {
        launch_one(&mut scheduler, |offer, _| task(offer, id, &format!("exec sleep {seconds}")));
        scheduler.running().unwrap();
    }
    kill_9(&process_of(&cluster, "sleep 61"));
    let failed = scheduler.terminal().unwrap();
    assert_eq!(
        (text(&failed["task_id"]["value"]), text(&failed["state"])),
        ("victim".into(), "TASK_FAILED".into())
    );
    assert_eq!(text(&failed["message"]), "Command terminated with signal Killed");
    assert_eq!(process_of(&cluster, "sleep 62").command, "sleep 62");
    scheduler.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn killing_an_agent_loses_its_tasks_and_no_others() {
    let ping = ["--agent_ping_timeout=200ms", "--max_agent_ping_timeouts=2"];
    let mut cluster = Cluster::with_flags(2, &ping, &[]).unwrap();
    let mut scheduler = subscribe(
        &cluster,
        &Framework::default().capable_of("PARTITION_AWARE").with("checkpoint", json!(true)),
    );
    // One task on each agent.
    let mut agents = Vec::new();
    while agents.len() < 2 {
        let offer = scheduler.offer().unwrap();
        if !agents.contains(&offer["agent_id"]) {
            let id = format!("t{}", agents.len());
            agents.push(offer["agent_id"].clone());
            scheduler.accept(&offer["id"], &[launch(&[task(&offer, &id, "exec sleep 60")])]).unwrap();
            scheduler.running().unwrap();
        }
    }
    let id_of_first = {
        let state = cluster.agents[0].get("/state").unwrap();
        json!({"value": state["id"]})
    };
    let lost = agents.iter().position(|id| *id == id_of_first).unwrap();
    cluster.agents[0].kill();

    let unreachable = scheduler.update(&["TASK_UNREACHABLE"], 40).unwrap();
    assert_eq!(text(&unreachable["task_id"]["value"]), format!("t{lost}"));
    assert_eq!(text(&unreachable["reason"]), "REASON_AGENT_REMOVED");
    cluster.wait_for_agents(1).unwrap();

    let kept = format!("t{}", 1 - lost);
    scheduler.kill(&kept).unwrap();
    let killed = scheduler.update(&["TASK_KILLED"], 40).unwrap();
    assert_eq!(text(&killed["task_id"]["value"]), kept);
    scheduler.end().unwrap();
    cluster.agents.remove(0);
    assert_works(&cluster);
}

#[test]
fn an_agent_that_is_killed_and_started_again_clears_up_and_works() {
    let mut cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    launch_one(&mut scheduler, |offer, _| task(offer, "t", "exec sleep 61"));
    scheduler.running().unwrap();
    let orphan = process_of(&cluster, "sleep 61");
    cluster.agents[0].restart().unwrap();

    let lost = scheduler.terminal().unwrap();
    assert_eq!(text(&lost["state"]), "TASK_LOST", "{lost}");
    let deadline = std::time::Instant::now() + LIMIT;
    while processes::living_in(cluster.directory()).contains(&orphan) {
        assert!(std::time::Instant::now() < deadline, "the task runs on without an agent");
        std::thread::sleep(Duration::from_millis(5));
    }
    cluster.wait_for_agents(1).unwrap();
    scheduler.end().unwrap();
    assert_works(&cluster);
}

#[test]
fn a_killed_framework_takes_its_tasks_along_and_nothing_else() {
    let cluster = Cluster::start(1).unwrap();
    let mut dying = subscribe(&cluster, &Framework::default());
    let offer = dying.offer().unwrap();
    // The rest of the offer is for the other one.
    dying.accept(&offer["id"], &[launch(&[task(&offer, "t", "exec sleep 61")])]).unwrap();
    dying.running().unwrap();
    let mut other = subscribe(&cluster, &Framework::default());
    launch_one(&mut other, |offer, _| task(offer, "t", "exec sleep 62"));
    other.running().unwrap();

    let gone = process_of(&cluster, "sleep 61");
    let id = dying.framework_id.clone();
    dying.vanish();
    let deadline = std::time::Instant::now() + LIMIT;
    while processes::living_in(cluster.directory()).contains(&gone) {
        assert!(std::time::Instant::now() < deadline, "the task of the dead framework runs on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let frameworks = cluster.master.get("/frameworks").unwrap();
    let completed = frameworks["completed_frameworks"].as_array().unwrap();
    assert!(completed.iter().any(|f| f["id"] == id.as_str()), "{frameworks}");

    assert_eq!(process_of(&cluster, "sleep 62").command, "sleep 62");
    other.kill("t").unwrap();
    assert_eq!(text(&other.update(TERMINAL, 40).unwrap()["state"]), "TASK_KILLED");
    other.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn a_task_without_resources_is_refused() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, &Framework::default());
    launch_one(&mut scheduler, |offer, _| {
        let mut task = task(offer, "t", "true");
        task["resources"] = json!([]);
        task
    });
    let refused = scheduler.terminal().unwrap();
    assert_eq!(state_and_reason(&refused), expected("TASK_ERROR", "REASON_TASK_INVALID"));
    assert_eq!(text(&refused["message"]), "Task uses no resources");
}
