//! The flags of master and agent in the real binary, and the rest of the command line.

mod support;

use support::{flags, meseta, start, text};

#[test]
fn the_master_takes_every_spelling() {
    let (_master, address) = start(
        meseta()
            .args([
                "master",
                "--ip=127.0.0.1",
                "--port",
                "0",
                "--agent_ping_timeout=3secs",
                "--no-root_submissions",
            ])
            .args(["--max-completed-frameworks=7"])
            .env("MESOS_ALLOCATION_INTERVAL", "5secs")
            .env("MESOS_OFFER_TIMEOUT", "1mins")
            .env("MESETA_OFFER_TIMEOUT", "2mins")
            .env("MESOS_AGENT_PING_TIMEOUT", "9secs"),
    );
    let flags = flags(&address);
    for (name, value) in [
        ("agent_ping_timeout", "3secs"),
        ("root_submissions", "false"),
        ("max_completed_frameworks", "7"),
        ("allocation_interval", "5secs"),
        ("offer_timeout", "2mins"),
        ("ip", "127.0.0.1"),
    ] {
        assert_eq!(flags[name], value, "{name} in {flags}");
    }
}

#[test]
fn the_agent_takes_every_spelling() {
    let (_master, master) = start(meseta().args(["master", "--ip=127.0.0.1", "--port=0"]));
    let directory = tempfile::tempdir().unwrap();
    let resources = directory.path().join("resources");
    std::fs::write(&resources, "cpus:3;mem:100\n").unwrap();
    let (_agent, address) = start(
        meseta()
            .args(["agent", "--ip=127.0.0.1", "--port=0", "--no-switch_user", "--launcher=posix"])
            .arg(format!("--resources=file://{}", resources.display()))
            .env("MESOS_MASTER", master)
            .env("MESETA_WORK_DIR", directory.path().join("work"))
            .env("MESOS_ATTRIBUTES", "rack:r1"),
    );
    let flags = flags(&address);
    for (name, value) in
        [("switch_user", "false"), ("resources", "cpus:3;mem:100"), ("attributes", "rack:r1")]
    {
        assert_eq!(flags[name], value, "{name} in {flags}");
    }
    assert!(directory.path().join("work").is_dir());
}

#[test]
fn an_agent_is_told_to_unregister_and_to_end() {
    let (_master, master) = start(meseta().args(["master", "--ip=127.0.0.1", "--port=0"]));
    let directory = tempfile::tempdir().unwrap();
    let (agent, _) = start(
        meseta()
            .args(["agent", "--ip=127.0.0.1", "--port=0", "--resources=cpus:1;mem:100;disk:1"])
            .args(["--master", &master])
            .arg(format!("--work_dir={}", directory.path().display())),
    );
    agent.signal(rustix::process::Signal::USR1);
    let (status, _, log) = agent.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("SIGUSR1"), "{log}");
}

fn refused(words: &[&str], code: i32, parts: &[&str]) {
    let output = meseta().args(words).output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {err}");
    assert!(parts.iter().all(|part| err.contains(part)), "{words:?}: {err}");
}

#[test]
fn bad_input_is_named() {
    refused(&["master", "--zk=zk://a:2181"], 2, &["--zk", "'zk://a:2181/' names no path"]);
    refused(&["master", "--zk=a:5050"], 2, &["--zk", "expected: zk://HOST:PORT/PATH or etcd://"]);
    refused(&["master", "--zk=zk://jake@a/mesos"], 2, &["expected user:password before the @"]);
    refused(
        &["agent", "--master=x:1", "--isolation=cgroups/gpu"],
        2,
        &["--isolation", "unknown isolator 'cgroups/gpu'", "cgroups/cpu"],
    );
    refused(
        &["agent", "--master=x:1", "--isolation=namespaces/pid"],
        2,
        &["'namespaces/pid' needs 'filesystem/linux'"],
    );
    refused(&["master", "--wrok_dir=x"], 2, &["unexpected argument '--wrok_dir'", "--work-dir"]);
    refused(&["master", "--port=99999"], 2, &["99999", "--port"]);
    refused(&["master", "--allocation_interval=5"], 2, &["`5` is no duration", "15secs"]);
    refused(&["master", "--root_submissions=maybe"], 2, &["true or false, not `maybe`"]);
    refused(&["master", "--weights=a=-1"], 2, &["the weight -1 of a is not positive"]);
    refused(&["agent"], 2, &["--master"]);
    refused(
        &["agent", "--master=x:1", "--registration_backoff_factor=61secs"],
        2,
        &["--registration_backoff_factor", "not more than 1mins"],
    );
    refused(
        &["agent", "--master=etcd://a:2379/m?what=x", "--ip=127.0.0.1", "--port=0"],
        2,
        &["--master", "unknown option 'what=x'", "ca=FILE"],
    );
    refused(
        &["agent", "--master=127.0.0.1:1", "--ip=127.0.0.1", "--port=0", "--resources=cpus:x"],
        1,
        &["cpus"],
    );
    refused(&["tasks", "--master", "zk://a:x/mesos"], 2, &["not an address: 'a:x'", "host:port"]);
    refused(&["tasks", "--master", "a:b"], 2, &["its port is no port number", "127.0.0.1:5050"]);
    refused(&["run"], 2, &["<COMMAND>"]);
    refused(&["run", "--cpus", "-1", "true"], 2, &["-1"]);
    refused(&["run", "--env", "NOT_SET_ANYWHERE", "true"], 125, &["--env NOT_SET_ANYWHERE"]);
    refused(&["frobnicate"], 2, &["frobnicate"]);
    // What is no flag is taken for an operator's word, and a number that is none is told in words for people.
    refused(&["agent", "shw", "S0"], 2, &["unrecognized subcommand 'shw'", "'show'"]);
    refused(&["master", "--port=x"], 2, &["invalid value 'x' for '--port <PORT>': expected a whole number"]);
    let size = ["volume", "create", "S0", "a", "--size", "x", "--role", "r"];
    refused(&size, 2, &["for '--size <MB>': expected a number"]);
    refused(&["up", "--agents", "0"], 2, &["0 is not in 1..=100"]);
    refused(&["up", "--exit-after-demo"], 2, &["--demo"]);
}

#[test]
fn help_and_completions_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = meseta().args(["completions", shell]).output().unwrap();
        let script = text(&output.stdout);
        assert!(
            output.status.success() && script.contains("COMPLETE=") && script.contains("meseta"),
            "{shell}: {script}"
        );
    }
    let help = text(&meseta().arg("--help").output().unwrap().stdout);
    for command in
        ["up", "run", "tasks", "agents", "frameworks", "explain", "logs", "kill", "demo", "master", "agent"]
    {
        assert!(help.contains(&format!("  {command} ")), "{command} is not in\n{help}");
        let help = text(&meseta().args([command, "--help"]).output().unwrap().stdout);
        assert!(help.contains("Example"), "{command} has no example:\n{help}");
    }
    assert!(text(&meseta().arg("--version").output().unwrap().stdout).starts_with("meseta 0.1"));
}
