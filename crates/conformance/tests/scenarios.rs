//! Every scenario against the real binary, each on a cluster of its own, and nothing left running after it.

use conformance::cluster::Cluster;
use conformance::scenarios;

/// As the recordings' agent was started.
const ISOLATED: [&str; 2] =
    ["--launcher=linux", "--isolation=cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux"];

fn agrees_with_mesos(name: &str, agent_flags: &[&str]) {
    let scenario = scenarios::find(name).expect("a scenario has the name of its test");
    let cluster = Cluster::with_flags(1, &[], agent_flags).unwrap();
    let report = scenarios::run(scenario, &cluster.target()).unwrap();
    let log: Vec<String> = report.log.entries().iter().map(ToString::to_string).collect();
    assert!(report.differences.is_empty(), "{}\n\nseen:\n{}", report.differences.join("\n"), log.join("\n"));
    assert_eq!(cluster.leftovers(), [], "left behind");
}

macro_rules! tests {
    ($($name:ident)*; isolated $($isolated:ident)*) => {
        $(#[test]
        fn $name() {
            agrees_with_mesos(stringify!($name), &[]);
        })*

        $(#[test]
        fn $isolated() {
            agrees_with_mesos(stringify!($isolated), &ISOLATED);
        })*

        #[test]
        fn every_scenario_has_a_test() {
            let tested = [$(stringify!($name)),*, $(stringify!($isolated)),*];
            let missing: Vec<_> = scenarios::ALL.iter().map(|s| s.name).filter(|n| !tested.contains(n)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    };
}

/// Commands that check a task, in a container of namespaces and control groups and in one of plain processes.
#[test]
fn commands_check_plain_processes_too() {
    for name in ["health_failing", "health_passing", "check_command"] {
        agrees_with_mesos(name, &["--launcher=posix", "--isolation=posix/cpu,posix/mem"]);
    }
}

tests! {
    bad_offer bad_offer_partition_aware bad_reserve bad_roles bad_task_id decline_revive duplicate_task environment
    executor_environment executor_exits executor_shutdown fail failover fetch_failure finish kill kill_policy
    kill_unknown max_completion negative no_command no_resources not_found_exec not_found_shell operation_feedback
    pod_finish pod_kill_one pod_one_fails reconcile reconcile_partition_aware reserve_create_launch
    shutdown_while_running signal too_big wrong_agent;
    isolated check_command health_failing health_passing oom
}
