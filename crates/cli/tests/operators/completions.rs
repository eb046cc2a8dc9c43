//! What a shell offers for the words of a command line, as it asks for it.

use crate::support::{Cluster, meseta, text, wait_until};
use crate::{done, only, start, string};

/// What is offered for the last of the words, one to a line.
fn offered(master: &str, words: &[&str]) -> Vec<String> {
    let mut command = meseta();
    command
        .env("MESETA_MASTER", master)
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .args(["--", "meseta"])
        .args(words);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{words:?}");
    text(&output.stdout).lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn what_the_cluster_has_is_offered() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let _run = start(&cluster, "web", "echo ready; exec sleep 1000");
    let master = cluster.master();
    let task = only(&cluster.json(&["task", "list", "-o", "json"])).clone();
    let (id, framework) = (string(&task["id"]), string(&task["framework_id"]));
    let agent = string(&cluster.json(&["agent", "list", "-o", "json"])[0]["id"]);
    let has = |words: &[&str], wanted: &str| {
        // What is counted may be a second old.
        let what = format!("{words:?} has {wanted}");
        wait_until(&what, || offered(&master, words).iter().any(|word| word == wanted));
    };
    has(&["agent", "show", ""], "S0");
    has(&["agent", "drain", "S"], "S1");
    has(&["agent", "gone", &agent[..8]], &agent);
    has(&["metrics", "--agent", ""], "S0");
    has(&["task", "show", "w"], &id);
    has(&["kill", ""], &id);
    has(&["framework", "show", &framework[..8]], &framework);
    done(&cluster, &["weight", "set", "ads/web=2"]);
    has(&["role", "show", ""], "ads/web");
    // A shell would put files in its place.
    assert!(!offered(&master, &["role", "show", ""]).contains(&"*".to_owned()));
    // Commands and flags, too; servers' flags beside operators' words.
    has(&["ta"], "task");
    has(&["agent", "dr"], "drain");
    has(&["agent", "--work"], "--work-dir");
    assert_eq!(offered(&master, &["task", "show", "nothing-begins-so"]), [""; 0]);
    // The hosts are the same, and so do not say which agent is meant.
    let host = string(&cluster.json(&["agent", "list", "-o", "json"])[0]["hostname"]);
    assert!(!offered(&master, &["agent", "show", ""]).contains(&host));
    // What is on the line counts before the environment.
    let words = ["task", "show", "--master", &master, ""];
    assert!(offered("127.0.0.1:1", &words).contains(&id));
}

#[test]
fn nothing_is_said_where_no_master_answers() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for master in ["127.0.0.1:1", silent.as_str(), "zk://127.0.0.1:1/mesos", "no address:x"] {
        for words in
            [["task", "show", "x"], ["agent", "show", "x"], ["role", "show", "x"], ["framework", "show", "x"]]
        {
            assert_eq!(offered(master, &words), [""; 0], "{master}");
        }
    }
}
