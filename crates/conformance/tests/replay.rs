//! The recorded conversation of Mesos' master and agent, with either side replaced by ours.

use conformance::cluster::{self, Cluster};
use conformance::libprocess::Peer;
use conformance::{ports, processes, replay};

use std::time::Duration;

#[test]
fn our_master_answers_the_recorded_agent_as_the_recorded_master_did() {
    let mut cluster = Cluster::start(0).unwrap();
    let differences =
        replay::as_agent::run(&cluster.master.address).unwrap_or_else(|e| vec![format!("{e:#}")]);
    let running = cluster.master.is_running();
    assert!(
        differences.is_empty() && running,
        "{}\n\nmaster:\n{}",
        differences.join("\n"),
        cluster.master.log()
    );
}

#[test]
fn our_agent_answers_the_recorded_master_as_the_recorded_agent_did() {
    let directory = tempfile::tempdir().unwrap();
    let master = Peer::listen(ports::free()).unwrap();
    let mut agent = cluster::agent(master.address(), directory.path(), 0, &[]).unwrap();
    let differences = replay::as_master::run(master, &mut agent).unwrap_or_else(|e| vec![format!("{e:#}")]);
    let left = processes::wait_until_nothing_lives_in(directory.path(), Duration::from_secs(30));
    cluster::kill_all_in(directory.path());
    assert!(differences.is_empty(), "{}\n\nagent:\n{}", differences.join("\n"), agent.log());
    assert_eq!(left, [], "left behind");
}
