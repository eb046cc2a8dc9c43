//! Tasks, agents, frameworks and roles, with quotas and weights.

use sdk::build::Framework;
use sdk::{Masters, Scheduler};
use serde_json::Value;

use crate::support::{Cluster, text, wait_until};
use crate::{done, only, refused, shown, start, string};

#[test]
fn tasks_are_looked_after() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let run = start(&cluster, "web", "echo ready; mkdir deep; echo hello > deep/file; exec sleep 1000");
    let _other = start(&cluster, "db", "echo ready; exec sleep 1000");

    let tasks = cluster.json(&["task", "list", "--search", "WEB", "-o", "json"]);
    let task = only(&tasks);
    let id = string(&task["id"]);
    assert_eq!(
        (&task["state"], &task["name"], &task["role"]),
        (&"RUNNING".into(), &"web".into(), &"*".into())
    );
    let agent = string(&task["agent_id"]);
    let framework = string(&task["framework_id"]);
    for (filter, value, count) in [
        ("--framework", framework.as_str(), 1),
        ("--framework", "meseta run web", 1),
        ("--framework", "another", 0),
        ("--role", "*", 2),
        ("--role", "ads", 0),
        ("--state", "running", 2),
        ("--state", "failed", 0),
        ("--limit", "1", 1),
        ("--search", "", 2),
    ] {
        let found = cluster.json(&["task", "list", filter, value, "-o", "json"]);
        assert_eq!(found.as_array().unwrap().len(), count, "{filter} {value}: {found}");
    }
    let here = cluster.json(&["task", "list", "--agent", &agent, "-o", "json"]);
    assert!(
        here.as_array().unwrap().iter().all(|task| task["agent_id"] == *agent) && here[0]["id"].is_string()
    );
    assert!(done(&cluster, &["task", "list", "--limit", "1"]).contains("only 1 are shown, there are more"));
    assert!(shown(&cluster, &["task", "list", "-o", "wide"]).contains(&framework));
    refused(
        &cluster,
        &["task", "list", "--agent", "nowhere"],
        1,
        "no agent has the id or the name `nowhere`",
    );
    refused(&cluster, &["task", "list", "--limit", "0"], 2, "--limit 0 would show nothing");

    let task = cluster.json(&["task", "show", &id, "-o", "json"]);
    let history: Vec<&Value> =
        task["history"].as_array().unwrap().iter().map(|moment| &moment["state"]).collect();
    assert_eq!(history, ["STARTING", "RUNNING"], "{task}");
    assert!(shown(&cluster, &["task", "show", "web"]).contains("State      RUNNING\n"));
    let why = cluster.json(&["task", "explain", &id, "-o", "json"]);
    assert_eq!((&why["because"], &why["agent_state"]), (&"It runs.".into(), &"active".into()), "{why}");

    assert_eq!(shown(&cluster, &["task", "logs", &id]), "ready\n");
    wait_until("the file is there", || {
        cluster.meseta(&["task", "logs", &id, "--file", "deep/file"]).stdout == b"hello\n"
    });
    let files = cluster.json(&["task", "files", &id, "-o", "json"]);
    let paths: Vec<&str> =
        files.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(["deep", "stderr", "stdout"].iter().all(|path| paths.contains(path)), "{files}");
    let files = cluster.json(&["task", "files", &id, "deep", "-o", "json"]);
    assert_eq!((&only(&files)["path"], &files[0]["size"]), (&"deep/file".into(), &6.into()));
    assert!(shown(&cluster, &["task", "files", &id]).contains("deep/\n"));
    refused(&cluster, &["task", "files", &id, "nothing"], 1, "no listing of /nothing of the sandbox");

    done(&cluster, &["task", "kill", &id]);
    assert_eq!(run.end().0.code(), Some(143));
    let told = shown(&cluster, &["task", "explain", &id]);
    assert!(told.contains("is KILLED since ") && told.contains("because somebody asked for it"), "{told}");
    let failed = cluster.meseta(&["run", "--name", "broken", "exit 7"]);
    assert_eq!(failed.status.code(), Some(7));
    let told = shown(&cluster, &["task", "explain", "broken"]);
    assert!(
        told.contains("Command exited with status 7") && told.contains("What helps  Look into stdout"),
        "{told}"
    );
    for words in
        [["task", "show", "x"], ["task", "explain", "x"], ["task", "files", "x"], ["task", "kill", "x"]]
    {
        refused(&cluster, &words, 1, "no task has the id `x`");
    }
}

#[test]
fn agents_are_drained_and_come_back_or_are_gone() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let run = start(&cluster, "sleeper", "echo ready; exec sleep 1000");
    let task = cluster.json(&["task", "list", "-o", "json"]);
    let id = string(&only(&task)["agent_id"]);
    let end = id.rsplit('-').next().unwrap().to_owned();

    let agent = cluster.json(&["agent", "show", &end, "-o", "json"]);
    assert_eq!(
        (&agent["id"], &agent["reachable"], &agent["state"]),
        (&id.as_str().into(), &true.into(), &"active".into())
    );
    assert_eq!(only(&agent["tasks"])["state"], "RUNNING");
    let told = shown(&cluster, &["agent", "show", &string(&agent["address"])]);
    assert!(told.contains("Work dir") && told.contains("sleeper-"), "{told}");
    refused(&cluster, &["agent", "show", "S77"], 1, "`meseta agent list` lists them");
    assert!(shown(&cluster, &["agent", "list", "-o", "wide"]).contains("VERSION"));

    assert!(done(&cluster, &["agent", "drain", &end, "--wait", "--grace", "1s"]).contains("is drained"));
    assert_eq!(run.end().0.code(), Some(143));
    let drained = cluster.json(&["agent", "list", "--state", "drained", "-o", "json"]);
    assert_eq!(only(&drained)["id"], *id);
    let told = shown(&cluster, &["status"]);
    assert!(told.contains("1 active, 1 drained") && told.contains("NOTE     drained agents: 1"), "{told}");
    done(&cluster, &["agent", "activate", &end]);
    assert_eq!(
        cluster.json(&["agent", "list", "--state", "active", "-o", "json"]).as_array().unwrap().len(),
        2
    );
    done(&cluster, &["agent", "deactivate", &id]);
    assert_eq!(only(&cluster.json(&["agent", "list", "--state", "deactivated", "-o", "json"]))["id"], *id);

    refused(&cluster, &["agent", "gone", &end], 2, "Nobody is here to be asked: say --yes");
    refused(&cluster, &["agent", "drain", &end, "--mark-gone"], 2, "say --yes");
    done(&cluster, &["agent", "gone", &end, "--yes"]);
    assert_eq!(cluster.json(&["agent", "list", "-o", "json"]).as_array().unwrap().len(), 1);
    // It is listed where it is asked for, with its host and since when.
    let gone = cluster.json(&["agent", "list", "--state", "gone,unreachable", "-o", "json"]);
    let (gone, drained) = (only(&gone), only(&drained));
    assert_eq!((&gone["id"], &gone["state"]), (&id.as_str().into(), &"gone".into()));
    assert_eq!(gone["hostname"], drained["hostname"]);
    assert!(gone["since"].as_f64() >= drained["since"].as_f64(), "{gone} {drained}");
    let told = shown(&cluster, &["agent", "list", "--state", "gone"]);
    assert!(told.contains("FOR") && told.contains(&id), "{told}");
    refused(&cluster, &["agent", "activate", &id], 1, "refused REACTIVATE_AGENT with 4");
    refused(&cluster, &["agent", "activate", &end], 1, "no agent has the id");
}

/// A framework that does nothing, until it is dropped.
async fn idle(master: &str, role: &str) -> Scheduler {
    let framework = Framework::new("idle").roles([role]).build();
    let mut scheduler =
        Scheduler::builder(framework).masters(Masters::parse(master).unwrap()).start().unwrap();
    while scheduler.calls().framework_id().is_none() {
        scheduler.next_event().await.unwrap();
    }
    scheduler
}

#[test]
fn frameworks_and_roles_are_looked_after() {
    let cluster = Cluster::start(&["--agents", "1", "--resources", "cpus:4;mem:512;disk:100"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scheduler = runtime.block_on(idle(&cluster.master(), "ads"));

    let listed = cluster.json(&["framework", "list", "--role", "ads", "--search", "IDLE", "-o", "json"]);
    let id = string(&only(&listed)["id"]);
    assert_eq!(
        cluster.json(&["framework", "list", "--state", "inactive", "-o", "json"]),
        Value::Array(vec![])
    );
    let framework = cluster.json(&["framework", "show", "idle", "-o", "json"]);
    assert_eq!((&framework["id"], &framework["state"]), (&id.as_str().into(), &"active".into()));
    assert!(shown(&cluster, &["framework", "show", &id]).contains("None of its tasks run."));
    assert!(shown(&cluster, &["framework", "explain", "idle"]).contains(&id));
    refused(&cluster, &["framework", "show", "nobody"], 1, "no framework has the id or the name `nobody`");

    let role = cluster.json(&["role", "show", "ads", "-o", "json"]);
    assert_eq!((&role["weight"], &role["frameworks"][0]), (&1.0.into(), &id.as_str().into()), "{role}");
    assert!(shown(&cluster, &["role", "explain", "ads"]).contains("ads"));
    refused(&cluster, &["role", "show", "nobodys"], 1, "there is no role `nobodys`");

    done(&cluster, &["weight", "set", "ads=2.5", "batch=3"]);
    let weights = cluster.json(&["weight", "list", "-o", "json"]);
    assert!(
        weights.as_array().unwrap().contains(&serde_json::json!({ "role": "ads", "weight": 2.5 })),
        "{weights}"
    );
    assert!(shown(&cluster, &["role", "list", "-o", "wide"]).contains("2.5"));

    done(&cluster, &["quota", "set", "ads", "--guarantee", "cpus:1", "--limit", "cpus:2;mem:256"]);
    let quota = cluster.json(&["quota", "list", "-o", "json"]);
    assert_eq!(only(&quota)["limits"], serde_json::json!({ "cpus": 2.0, "mem": 256.0 }), "{quota}");
    assert!(shown(&cluster, &["quota", "list"]).contains("cpus:1"));
    refused(&cluster, &["quota", "set", "ads", "--guarantee", "cpus:100"], 1, "refused UPDATE_QUOTA with 4");
    refused(&cluster, &["quota", "set", "ads"], 2, "give --guarantee, --limit or both");
    done(&cluster, &["quota", "set", "ads", "--guarantee", "cpus:100", "--force"]);
    let status = cluster.meseta(&["status"]);
    assert_eq!(status.status.code(), Some(3), "{}", text(&status.stdout));
    assert!(
        text(&status.stdout).contains("WARNING  roles are guaranteed 100 of cpus, and the cluster has 4")
    );
    assert_eq!(cluster.meseta(&["doctor", "-o", "json"]).status.code(), Some(3));
    done(&cluster, &["quota", "remove", "ads"]);
    refused(&cluster, &["quota", "remove", "ads"], 1, "the role `ads` has no quota");

    refused(&cluster, &["framework", "teardown", "idle"], 2, "will be ended, with 0 tasks. Nobody is here");
    assert!(done(&cluster, &["framework", "teardown", "idle", "--yes"]).contains("has been torn down"));
    refused(&cluster, &["framework", "teardown", &id, "--yes"], 1, "has ended already");
    assert_eq!(only(&cluster.json(&["framework", "list", "--all", "-o", "json"]))["state"], "completed");
    drop(scheduler);
}
