//! The web pages of a real cluster: what they show, that they are well-formed, and what they say where there is nothing.

#[path = "../support/masters.rs"]
mod masters;
#[path = "../../../store/tests/services/mod.rs"]
mod services;
#[path = "../support/mod.rs"]
mod support;

#[path = "../support/scene/mod.rs"]
mod scene;

mod everything;
mod http;
mod structure;

use std::net::TcpListener;

use http::{Answer, get, get_with};
use masters::Masters;
use rustix::process::Signal;
use serde_json::Value;
use support::{Cluster, Process, text, wait_until};

/// What a user might call a task.
const NAME: &str = "<script>pwned()</script><b>\"'&";

const PAGES: [&str; 7] =
    ["/", "/ui/agents", "/ui/frameworks", "/ui/roles", "/ui/tasks", "/ui/offers", "/ui/maintenance"];

fn json(address: &str, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// A page that is as it should be.
fn page(address: &str, path: &str) -> Answer {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    check(path, &answer);
    answer
}

fn check(path: &str, answer: &Answer) {
    assert_eq!(structure::faults(&answer.body), Vec::<String>::new(), "{path}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!answer.body.contains("<script>pwned"), "{path} runs what a user wrote");
}

/// What the master explains of a task that runs.
fn running(cluster: &Cluster) -> Value {
    let master = cluster.master();
    let mut found = Value::Null;
    wait_until("the task runs", || {
        found = json(&master, "/tasks?state=TASK_RUNNING")["tasks"][0].clone();
        !found.is_null()
    });
    let (framework, task) = (found["framework_id"].as_str().unwrap(), found["id"].as_str().unwrap());
    json(&master, &format!("/explain/task?framework_id={framework}&task_id={task}"))
}

#[test]
fn every_page_shows_what_there_is() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let master = cluster.master();
    let mut run =
        Process::start(&mut cluster.command(&["run", "--name", NAME, "echo '<i>said</i>'; exec sleep 1000"]));
    assert_eq!(run.line(), "<i>said</i>");
    let task = running(&cluster);
    let [framework, id, agent] =
        ["framework_id", "id", "slave_id"].map(|name| task["task"][name].as_str().unwrap());
    let sandbox = task["sandbox"].as_str().unwrap();
    for path in PAGES {
        page(&master, path);
    }
    let escaped = "&lt;script&gt;pwned()&lt;/script&gt;";
    for (path, shown) in [
        ("/".to_owned(), "Running tasks"),
        ("/?span=day".to_owned(), "Shares by role"),
        (format!("/ui/agents/{agent}"), escaped),
        (format!("/ui/frameworks/{framework}"), escaped),
        (format!("/ui/frameworks/{framework}/explain"), "gets no offers"),
        ("/ui/roles/explain?name=*".to_owned(), "Why no offers?"),
        ("/ui/tasks?search=PWNED&state=TASK_RUNNING".to_owned(), escaped),
        ("/ui/tasks?search=nobody".to_owned(), "None of 0"),
        (format!("/ui/tasks?framework_id={framework}&sort=mem&order=des"), escaped),
        (format!("/ui/tasks/{framework}/{id}"), "Why it is TASK_RUNNING"),
        (format!("/ui/agents/{agent}/files?path={sandbox}"), "stdout"),
        (format!("/ui/agents/{agent}/file?path={sandbox}/stdout"), "&lt;i&gt;said&lt;/i&gt;"),
        (format!("/ui/agents/{agent}/file?path={sandbox}/stdout&offset=3"), "said&lt;/i&gt;"),
        (format!("/ui/agents/{agent}/file?path={sandbox}/stderr"), "The file is empty"),
    ] {
        // Where a name may be broken it is not two.
        let body = page(&master, &path).body.replace("<wbr>", "");
        assert!(body.contains(shown), "{path} does not show {shown}: {body}");
    }
    let sorted = page(&master, "/ui/tasks?sort=mem&order=des").body;
    assert!(sorted.contains("aria-sort=\"descending\""), "{sorted}");
}

#[test]
fn where_there_is_nothing_it_is_said_what_to_do() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let master = cluster.master();
    for (path, shown) in [
        ("/ui/frameworks", "No framework has subscribed"),
        ("/ui/tasks", "There is no task"),
        ("/ui/offers", "No offer is open"),
        ("/ui/maintenance", "No maintenance is planned"),
    ] {
        let answer = page(&master, path);
        assert!(answer.body.contains(shown), "{path}: {}", answer.body);
    }
    for (path, status, shown) in [
        ("/ui/nothing/here", 404, "There is no page"),
        ("/ui/agents/nobody", 404, "No agent is registered"),
        ("/ui/agents?state=nowhere", 400, "expecting one of"),
        ("/ui/roles?sort=x", 400, "expecting one of"),
        ("/ui/frameworks/nobody", 404, "No framework is known"),
        ("/ui/tasks/nobody/%3Cb%3E", 404, "No task found"),
        ("/ui/agents/nobody/files?path=/x", 404, "No agent is registered"),
        ("/ui/agents/nobody/file", 404, "No path is given"),
        ("/ui/tasks?sort=%3Cb%3E", 400, "expecting one of"),
        ("/ui/offers?sort=x", 400, "expecting one of"),
        ("/ui/roles/explain?name=nobody", 404, "No framework has the role"),
    ] {
        let answer = get(&master, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        check(path, &answer);
        assert!(answer.body.contains(shown), "{path}: {}", answer.body);
    }
    // What is not the pages' is the master's still.
    assert_eq!(get(&master, "/nothing").body.trim(), "404 Not Found.");
    assert_eq!(get(&master, "/agents/nobody/files/delete?path=/").status, 404);
}

#[test]
fn browsers_keep_what_does_not_change() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let master = cluster.master();
    let whole = page(&master, "/ui/maintenance");
    let tag = whole.header("etag").unwrap();
    let again = get_with(&master, "/ui/maintenance", &[("If-None-Match", tag)]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let part = get_with(&master, "/ui/maintenance", &[("meseta-fragment", "1"), ("If-None-Match", tag)]);
    assert_eq!((part.status, part.header("meseta-fragment")), (200, Some("1")), "it is another answer");
    assert!(
        part.body.starts_with("<div class=\"head\">") && whole.body.contains(&part.body),
        "{}",
        part.body
    );
    let assets: Vec<&str> = whole.body.split('"').filter(|text| text.starts_with("/ui/assets/")).collect();
    assert_eq!(assets.len(), 5, "{assets:?}");
    for path in assets {
        let asset = get(&master, path);
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.header("cache-control").unwrap().contains("immutable"), "{path}");
        let tag = asset.header("etag").unwrap();
        assert_eq!(get_with(&master, path, &[("If-None-Match", tag)]).status, 304);
        let (_, name) = path.rsplit_once('/').unwrap();
        let old = get(&master, &format!("/ui/assets/0/{name}"));
        assert_eq!(
            (old.status, old.header("cache-control")),
            (200, Some("no-cache")),
            "another version's name"
        );
    }
}

#[test]
fn pages_and_files_are_compressed_for_who_wants_that_and_stay_the_same() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let master = cluster.master();
    let path = "/ui/tasks?search=nothing-has-this-name";
    let plain = page(&master, path);
    assert_eq!(plain.header("content-encoding"), None);
    let style = plain.body.split('"').find(|text| text.ends_with("style.css")).unwrap();
    for (path, headers) in [
        (path, [("Accept-Encoding", "gzip"), ("X", "x")]),
        (path, [("Accept-Encoding", "gzip"), ("meseta-fragment", "1")]),
        (style, [("Accept-Encoding", "gzip"), ("X", "x")]),
    ] {
        let whole = get_with(&master, path, &headers[1..]);
        let packed = get_with(&master, path, &headers);
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert!(packed.length * 2 < whole.length, "{path}: {} of {}", packed.length, whole.length);
        // A browser sends the tag back as it came, and is told that nothing has changed; so is who has the whole.
        for (has, tag) in [("packed", packed.header("etag")), ("whole", whole.header("etag"))] {
            let again = get_with(&master, path, &[headers[0], headers[1], ("If-None-Match", tag.unwrap())]);
            assert_eq!((again.status, again.length), (304, 0), "{path}: who has it {has}");
        }
        let vary: Vec<&str> = packed.headers("vary").collect();
        assert!(vary.contains(&"accept-encoding"), "{path}: {vary:?}");
        assert!(path == style || vary.contains(&"meseta-fragment"), "{path}: {vary:?}");
    }
}

#[test]
fn files_come_through_the_master_as_long_as_their_agent_answers() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let master = cluster.master();
    let run = cluster.meseta(&["run", "head -c 3000000 /dev/zero | tr '\\0' x; exec sleep 0.01"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let tasks = json(&master, "/tasks");
    let [framework, id, agent] =
        ["framework_id", "id", "slave_id"].map(|name| tasks["tasks"][0][name].as_str().unwrap());
    let task = json(&master, &format!("/explain/task?framework_id={framework}&task_id={id}"));
    let sandbox = task["sandbox"].as_str().unwrap();
    let through =
        |what: &str, rest: &str| get(&master, &format!("/agents/{agent}/files/{what}?path={sandbox}{rest}"));
    assert_eq!(through("download", "/stdout").body.len(), 3_000_000);
    let piece = through("read", "/stdout&offset=2999990&length=100");
    assert_eq!(piece.body, r#"{"data":"xxxxxxxxxx","offset":2999990}"#);
    let listed: Value = serde_json::from_str(&through("browse", "").body).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    // Neither the agent's refusals nor what is not in a sandbox get lost on the way.
    assert_eq!((through("read", "/none&offset=0").status, through("read", "/../../x").status), (404, 400));
    assert_eq!(through("read", "/stdout&offset=x").status, 400);
    let agent_process = u32::try_from(cluster.pids()[1]).unwrap();
    support::signal(agent_process, Signal::KILL);
    wait_until("the agent is gone", || through("browse", "").status == 502);
    let path = format!("/ui/agents/{agent}/files?path={sandbox}");
    let answer = get(&master, &path);
    assert_eq!(answer.status, 502);
    check(&path, &answer);
    assert!(answer.body.contains("cannot be asked for its files"), "{}", answer.body);
}

#[test]
fn a_failed_task_says_why_and_is_among_the_events() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let master = cluster.master();
    assert_eq!(cluster.meseta(&["run", "--name", "bad", "exit 3"]).status.code(), Some(3));
    let tasks = json(&master, "/tasks?state=TASK_FAILED");
    let [framework, id] = ["framework_id", "id"].map(|name| tasks["tasks"][0][name].as_str().unwrap());
    let task = json(&master, &format!("/explain/task?framework_id={framework}&task_id={id}"));
    let why = task["why"].to_string();
    assert!(why.contains("without success") && why.contains("Command exited with status 3"), "{why}");
    assert!(task["help"].to_string().contains("stderr"), "{task}");
    let states: Vec<&str> =
        task["history"].as_array().unwrap().iter().map(|status| status["state"].as_str().unwrap()).collect();
    assert_eq!(states.last(), Some(&"TASK_FAILED"), "{states:?}");
    let events = json(&master, &format!("/events?framework_id={framework}"))["events"].clone();
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["FRAMEWORK_REMOVED", "TASK_FAILED", "FRAMEWORK_ADDED"]);
    let newest = events[0]["number"].as_u64().unwrap();
    assert_eq!(json(&master, &format!("/events?after={newest}"))["events"], Value::Array(Vec::new()));
    let overview = page(&master, "/").body;
    assert!(overview.contains("1 task failed within ten minutes"), "{overview}");
    for (path, refused) in [
        ("/explain/task?framework_id=x", "Missing 'task_id'"),
        ("/history?span=year", "hour or day"),
        ("/offers?order=up", "one of asc, des"),
        ("/events?limit=many", "expecting a number"),
    ] {
        let answer = get(&master, path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.contains(refused) && answer.body.lines().count() == 1, "{path}: {}", answer.body);
    }
}

#[test]
fn samples_and_counts_follow_the_cluster() {
    let cluster = Cluster::start(&["--agents", "1", "--resources", "cpus:8;mem:1000;disk:500"]);
    let master = cluster.master();
    let mut run = Process::start(&mut cluster.command(&[
        "run",
        "--cpus",
        "2",
        "--mem",
        "100",
        "echo on; exec sleep 1000",
    ]));
    assert_eq!(run.line(), "on");
    wait_until("the overview counts the task", || {
        let overview = json(&master, "/overview");
        overview["resources"]["cpus"]["used"] == 2.0 && overview["tasks"]["by_state"]["TASK_RUNNING"] == 1
    });
    let overview = json(&master, "/overview");
    assert_eq!(overview["resources"]["mem"]["total"], 1000.0);
    assert_eq!(
        (&overview["agents"]["registered"], &overview["frameworks"]["active"]),
        (&1.into(), &1.into())
    );
    wait_until("a sample has it", || {
        let history = json(&master, "/history");
        let samples = history["samples"].as_array().unwrap();
        samples
            .last()
            .is_some_and(|sample| sample["resources"]["cpus"]["used"] == 2.0 && sample["tasks"] == 1)
    });
    assert_eq!(json(&master, "/history?span=day")["step_secs"], 120.0);
    let frameworks = json(&master, "/state-summary/frameworks?sort=cpus&order=des&limit=1");
    assert_eq!(frameworks["frameworks"][0]["used"]["cpus"], 2.0);
    assert_eq!(get(&master, "/state-summary/frameworks?search=nobody").header("meseta-total"), Some("0"));
    run.signal(Signal::TERM);
    run.end();
    wait_until("the framework is over", || {
        json(&master, "/state-summary/frameworks?state=completed")["frameworks"][0]["state"] == "completed"
    });
}

/// It stays where it was last, until somebody says that it is gone.
#[test]
fn an_agent_that_is_lost_is_shown_with_since_when() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let master = cluster.master();
    let agents = json(&master, "/slaves");
    let id = agents["slaves"][0]["id"].as_str().unwrap();
    let shows = |path: &str, what: &str| {
        let answer = page(&master, path);
        assert!(answer.body.contains(what), "{path} does not show {what}: {}", answer.body);
    };
    for (command, state, means) in [
        ("deactivate", "deactivated", "because an operator wants that"),
        ("activate", "active", "Capabilities"),
        ("drain", "drained", "its machine may be worked on"),
    ] {
        let done = cluster.meseta(&["agent", command, id]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let badge = format!("</svg>{state}</span>");
        wait_until(&format!("the agent is {state}"), || page(&master, "/ui/agents").body.contains(&badge));
        shows(&format!("/ui/agents?state={state}"), id);
        shows(&format!("/ui/agents/{id}"), means);
    }
    assert!(cluster.meseta(&["agent", "gone", id, "--yes"]).status.success());
    let list = page(&master, "/ui/agents").body;
    assert!(!list.contains(id) && list.contains("1 agent is gone for good"), "{list}");
    shows("/ui/agents?state=gone", id);
    shows(&format!("/ui/agents/{id}"), "gone for good");
    shows("/ui/agents?state=unreachable", "None of 0");
}

/// Whichever master somebody asks, what is shown is the leader's.
#[test]
fn a_standby_leads_the_reader_to_the_leader() {
    let masters = Masters::start();
    let (leader, standby) = (&masters.leader, &masters.standby);
    for path in PAGES.into_iter().chain(["/ui/tasks?state=TASK_RUNNING&sort=name", "/ui/agents/nobody"]) {
        let answer = get(standby, path);
        assert_eq!(answer.status, 307, "{path}: {}", answer.body);
        assert_eq!(answer.header("location"), Some(&*format!("//{leader}{path}")), "{path}");
        // What keeps a page up to date sees that, too, and then loads the whole page anew.
        assert_eq!(get_with(standby, path, &[("meseta-fragment", "1")]).status, 307, "{path}");
    }
    page(leader, "/ui/tasks?state=TASK_RUNNING&sort=name");
}

#[test]
fn a_master_that_does_not_lead_explains_itself() {
    // Nobody is there to elect it.
    let port = conformance::ports::free();
    let zookeeper = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--zk=zk://{}/mesos", zookeeper.local_addr().unwrap());
    let address = format!("127.0.0.1:{port}");
    let _master = Process::start(support::meseta().args([
        "master",
        "--ip=127.0.0.1",
        &format!("--port={port}"),
        &url,
        "--quorum=1",
    ]));
    wait_until("it listens", || std::net::TcpStream::connect(&address).is_ok());
    for path in PAGES {
        let answer = get(&address, path);
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        check(path, &answer);
        assert!(answer.body.contains("No leading master"), "{path}: {}", answer.body);
    }
}
