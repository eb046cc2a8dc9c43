//! The recorded scenarios of a real Mesos, as far as the agent has a part in them: what it orders and what it reports.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{FrameworkInfo, FromMaster, TaskInfo, TaskState};
use testkit::agent::{
    AgentEnv, command_task, custom_executor, custom_task, default_executor, framework, with_image,
};

/// A command task whose `TASK_RUNNING` is acknowledged.
fn running(env: &mut AgentEnv, framework: &FrameworkInfo, task: TaskInfo) {
    env.run(framework, task);
    env.launched("c1");
    env.acknowledge_all();
    env.forget();
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn finish() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "true"));
    env.expect(&["launch c1 for t"]);
    env.launched("c1");
    env.expect(&["t Starting"]);
    env.acknowledge();
    env.expect(&["t Running"]);
    env.exited("c1", 0);
    env.expect(&[]);
    env.acknowledge();
    env.expect(&["t Finished: Command exited with status 0"]);
    env.acknowledge();
    env.expect(&[]);
    let seen = env.core.snapshot();
    assert!(seen.frameworks.is_empty());
    let done = &seen.completed_frameworks[0].completed_executors[0].completed[0];
    let states: Vec<_> = done.statuses.iter().map(|status| status.state).collect();
    assert_eq!(states, [TaskState::Starting, TaskState::Running, TaskState::Finished]);
}

#[test]
fn what_statuses_of_a_command_task_say_of_its_container() {
    let mut env = AgentEnv::registered();
    running(&mut env, &framework("f"), command_task("t", "true"));
    env.exited("c1", 256);
    let status = env.updates[0].status.clone();
    let container = status.container_status.clone().expect("the container is known");
    assert_eq!((container.pid, container.agent_address), (Some(100), true));
    assert_eq!(container.container_id, env.container("c1"));
    assert_eq!(status.executor_id.as_ref().map(ToString::to_string), Some("t".to_owned()));
    env.expect(&["t Failed: Command exited with status 1"]);
}

#[test]
fn fetch_failure() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "true"));
    env.launch_failed("c1", "Failed to fetch all URIs for container 'x': exited with status 1");
    env.expect(&[
        "launch c1 for t",
        "t Failed by agent because ContainerLaunchFailed: Failed to launch container: Failed to fetch all URIs for \
         container 'x': exited with status 1",
    ]);
    assert!(env.updates[0].status.container_status.is_none());
}

/// As in Mesos, where the directory of the executor is made before it is launched.
#[test]
fn what_gets_no_sandbox_is_dropped() {
    const WHY: &str = "cannot make sandbox 'x': no user 'nobody-here'";
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "true"));
    env.no_sandbox("c1", WHY);
    env.expect(&["launch c1 for t", &format!("t Lost by agent because ExecutorTerminated: {WHY}")]);
    let aware = FrameworkInfo { partition_aware: true, ..framework("g") };
    env.run(&aware, command_task("u", "true"));
    env.no_sandbox("c2", WHY);
    env.expect(&["launch c2 for u", &format!("u Dropped by agent because ExecutorTerminated: {WHY}")]);
}

#[test]
fn kill() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    running(&mut env, &f, command_task("t", "sleep 60"));
    env.kill(&f, "t");
    env.expect(&["signal c1 15"]);
    env.exited("c1", 15);
    env.expect(&["t Killed: Command terminated with signal Terminated"]);
    env.advance(secs(5));
    env.expect(&[]);
}

#[test]
fn kill_policy() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let stubborn = TaskInfo { kill_grace: Some(secs(1)), ..command_task("t", "trap '' TERM; sleep 60") };
    running(&mut env, &f, stubborn);
    env.kill(&f, "t");
    env.advance(Duration::from_millis(999));
    env.expect(&["signal c1 15"]);
    env.advance(Duration::from_millis(1));
    env.expect(&["destroy c1"]);
    env.exited("c1", 9);
    env.expect(&["t Killed: Command terminated with signal Killed"]);
}

#[test]
fn a_second_kill_can_only_hasten_the_first() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    running(&mut env, &f, command_task("t", "sleep 60"));
    let kill = |env: &mut AgentEnv, grace| {
        env.from_master(FromMaster::KillTask {
            framework_id: "f".into(),
            task_id: "t".into(),
            grace: Some(grace),
        });
    };
    kill(&mut env, secs(10));
    kill(&mut env, secs(20));
    kill(&mut env, secs(2));
    env.expect(&["signal c1 15"]);
    env.advance(secs(2));
    env.expect(&["destroy c1"]);
    env.advance(secs(7));
    env.expect(&[]);
}

#[test]
fn frameworks_that_want_task_killing_get_it() {
    let mut env = AgentEnv::registered();
    let f = FrameworkInfo { task_killing: true, ..framework("f") };
    running(&mut env, &f, command_task("t", "sleep 60"));
    env.kill(&f, "t");
    env.expect(&["t Killing", "signal c1 15"]);
    env.exited("c1", 15);
    env.acknowledge();
    env.expect(&["t Killed: Command terminated with signal Terminated"]);
}

#[test]
fn max_completion() {
    let mut env = AgentEnv::registered();
    let f = FrameworkInfo { task_killing: true, ..framework("f") };
    running(&mut env, &f, TaskInfo { max_completion_time: Some(secs(2)), ..command_task("t", "sleep 60") });
    env.advance(secs(2));
    env.expect(&["signal c1 15"]);
    env.advance(Duration::from_millis(500));
    env.expect(&["destroy c1"]);
    env.exited("c1", 15);
    env.expect(&["t Failed because MaxCompletionTimeReached: Command terminated with signal Terminated"]);
}

#[test]
fn a_task_that_is_killed_while_it_is_launched() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, command_task("t", "sleep 60"));
    env.kill(&f, "t");
    env.expect(&["launch c1 for t", "destroy c1"]);
    env.launch_failed("c1", "destroyed");
    env.expect(&["t Killed by agent because TaskKilledDuringLaunch: Killed before delivery to the executor"]);
}

#[test]
fn a_launch_that_crosses_the_kill() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, command_task("t", "sleep 60"));
    env.kill(&f, "t");
    env.launched("c1");
    env.exited("c1", 9);
    env.expect(&["launch c1 for t", "destroy c1", "t Killed: Command terminated with signal Killed"]);
}

#[test]
fn kill_unknown() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    running(&mut env, &f, command_task("t", "sleep 60"));
    env.kill(&f, "nope");
    env.expect(&["nope Lost by agent because ExecutorTerminated: Cannot find executor"]);
    env.kill(&framework("another"), "t");
    env.expect(&[]);
}

#[test]
fn shutdown_while_running() {
    let mut env = AgentEnv::registered();
    running(&mut env, &framework("f"), command_task("t", "sleep 60"));
    env.from_master(FromMaster::ShutdownFramework("f".into()));
    env.expect(&["signal c1 15"]);
    env.exited("c1", 15);
    env.expect(&[]);
    let seen = env.core.snapshot();
    assert_eq!((seen.frameworks.len(), seen.completed_frameworks.len()), (0, 1));
}

#[test]
fn updates_for_a_framework_that_is_gone_are_given_up() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    running(&mut env, &f, command_task("t", "exit"));
    env.exited("c1", 0);
    env.kill(&f, "nope");
    env.acknowledge(); // of the first of the two
    env.forget();
    // The framework has nothing here any more but an update about a task that nobody knew.
    assert!(env.core.snapshot().frameworks.is_empty());
    env.from_master(FromMaster::ShutdownFramework("f".into()));
    env.advance(secs(60));
    env.expect(&[]);
}

#[test]
fn pod_finish() {
    let mut env = AgentEnv::registered();
    let pod = default_executor("pod");
    env.run_group(&framework("f"), &pod, &["a", "b"]);
    env.expect(&["launch c1 for pod"]);
    env.launched("c1");
    env.expect(&["a Starting", "launch c2 in c1 for pod", "b Starting", "launch c3 in c1 for pod"]);
    assert_eq!(
        env.specs["c3"].directory,
        format!("{}/containers/{}", env.specs["c1"].directory, child(&env, "c3")).into()
    );
    env.acknowledge_all();
    env.launched("c2");
    env.launched("c3");
    env.expect(&["a Running", "b Running"]);
    env.acknowledge_all();
    env.exited("c2", 0);
    env.exited("c3", 0);
    env.expect(&[
        "update c1 to cpus:0.2; mem:64; disk:16",
        "a Finished: Command exited with status 0",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "b Finished: Command exited with status 0",
    ]);
    env.acknowledge();
    env.expect(&[]);
    env.acknowledge();
    env.expect(&[]);
    env.advance(Duration::from_millis(50)); // a scheduler may want to answer with another group or its own end
    env.expect(&["destroy c1"]);
    env.exited("c1", 0);
    env.expect(&["executor pod exited 0"]);
    assert!(env.core.snapshot().frameworks.is_empty());
}

fn child(env: &AgentEnv, name: &str) -> String {
    env.container(name).as_str().rsplit('.').next().unwrap_or_default().to_owned()
}

/// A group of two that runs.
fn pod(env: &mut AgentEnv, f: &FrameworkInfo) {
    env.run_group(f, &default_executor("pod"), &["a", "b"]);
    for container in ["c1", "c2", "c3"] {
        env.launched(container);
    }
    env.acknowledge_all();
    env.forget();
}

#[test]
fn pod_one_fails() {
    let mut env = AgentEnv::registered();
    pod(&mut env, &framework("f"));
    env.exited("c2", 256);
    env.expect(&[
        "update c1 to cpus:0.2; mem:64; disk:16",
        "a Failed: Command exited with status 1",
        "signal c3 15",
    ]);
    env.exited("c3", 15);
    env.expect(&[
        "update c1 to cpus:0.1; mem:32; disk:16",
        "b Killed: Command terminated with signal Terminated",
    ]);
    env.acknowledge_all();
    env.advance(Duration::from_millis(50));
    env.exited("c1", 9);
    env.expect(&["destroy c1", "executor pod exited 9"]);
}

#[test]
fn pod_kill_one() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    pod(&mut env, &f);
    env.kill(&f, "a");
    env.expect(&["signal c2 15"]);
    env.exited("c2", 15);
    env.expect(&[
        "update c1 to cpus:0.2; mem:64; disk:16",
        "a Killed: Command terminated with signal Terminated",
        "signal c3 15",
    ]);
}

#[test]
fn one_task_that_finishes_leaves_the_others_of_its_group_alone() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    pod(&mut env, &f);
    env.exited("c2", 0);
    env.acknowledge_all();
    env.expect(&["update c1 to cpus:0.2; mem:64; disk:16", "a Finished: Command exited with status 0"]);
    env.run_group(&f, &default_executor("pod"), &["x"]);
    env.expect(&["update c1 to cpus:0.3; mem:96; disk:16", "x Starting", "launch c4 in c1 for pod"]);
    env.launched("c4");
    env.exited("c4", 256);
    env.acknowledge_all();
    env.expect(&[
        "update c1 to cpus:0.2; mem:64; disk:16",
        "x Running latest Failed",
        "x Failed: Command exited with status 1",
    ]);
}

#[test]
fn a_groups_executor_waits_a_minute_for_acknowledgements() {
    let mut env = AgentEnv::registered();
    pod(&mut env, &framework("f"));
    env.exited("c2", 0);
    env.exited("c3", 0);
    env.forget();
    env.advance(secs(59));
    env.updates.clear();
    env.forget();
    env.advance(secs(1));
    env.expect(&["destroy c1"]);
    env.exited("c1", 9);
    env.expect(&["executor pod exited 9"]);
}

#[test]
fn a_group_that_is_killed_before_its_executor_is_up() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run_group(&f, &default_executor("pod"), &["a", "b"]);
    env.kill(&f, "b");
    let why = "Killed by agent because TaskKilledDuringLaunch: A task within the task group was killed before delivery \
               to the executor";
    env.expect(&[
        "launch c1 for pod",
        "update c1 to cpus:0.2; mem:64; disk:16",
        &format!("a {why}"),
        "update c1 to cpus:0.1; mem:32; disk:16",
        &format!("b {why}"),
        "destroy c1",
    ]);
    env.acknowledge_all();
    env.exited("c1", 9);
    env.expect(&["executor pod exited 9"]);
}

#[test]
fn executor_shutdown() {
    let mut env = AgentEnv::registered();
    env.run_group(&framework("f"), &default_executor("pod"), &["a"]);
    env.launched("c1");
    env.launched("c2");
    env.acknowledge_all();
    env.forget();
    env.from_master(FromMaster::ShutdownExecutor { framework_id: "f".into(), executor_id: "pod".into() });
    env.expect(&["signal c2 15"]);
    env.advance(secs(5));
    env.expect(&["destroy c2", "destroy c2"]);
    env.exited("c2", 9);
    env.expect(&["a Killed: Command terminated with signal Killed", "destroy c1"]);
    env.exited("c1", 0);
    env.expect(&["executor pod exited 0"]);
}

#[test]
fn executor_exits() {
    let mut env = AgentEnv::registered();
    let e = custom_executor("e");
    env.run(&framework("f"), custom_task("t", &e));
    env.launched("c1");
    env.exited("c1", 256);
    env.expect(&[
        "launch c1 for e",
        "executor e exited 256",
        "t Failed by agent because ExecutorTerminated: Executor terminated",
    ]);
}

#[test]
fn environment() {
    let mut env = AgentEnv::registered();
    let mut task = command_task("t", "env");
    let role = resources::Role::star();
    task.resources.allocate(&role);
    env.run(&framework("f"), task);
    let spec = &env.specs["c1"];
    let lines: Vec<String> = spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let sandbox = format!("/var/lib/agent/slaves/S0/frameworks/f/executors/t/runs/{}", spec.container_id);
    let mut expected = vec![
        "LIBPROCESS_IP=127.0.0.1".to_owned(),
        "LIBPROCESS_PORT=0".to_owned(),
        "MESOS_AGENT_ENDPOINT=127.0.0.1:5051".to_owned(),
        "MESOS_ALLOCATION_ROLE=*".to_owned(),
        "MESOS_CHECKPOINT=0".to_owned(),
        format!("MESOS_DIRECTORY={sandbox}"),
        "MESOS_EXECUTOR_ID=t".to_owned(),
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs".to_owned(),
        "MESOS_FRAMEWORK_ID=f".to_owned(),
        "MESOS_HTTP_COMMAND_EXECUTOR=0".to_owned(),
        format!("MESOS_SANDBOX={sandbox}"),
        "MESOS_SLAVE_ID=S0".to_owned(),
        "MESOS_SLAVE_PID=slave(1)@127.0.0.1:5051".to_owned(),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
    ];
    let mut lines = lines;
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn executor_environment() {
    let mut env = AgentEnv::registered();
    let mut e = Arc::unwrap_or_clone(custom_executor("e"));
    if let Some(command) = &mut e.command {
        command.environment.push(("MINE".into(), "1".into()));
    }
    env.run(&FrameworkInfo { checkpoint: true, ..framework("f") }, custom_task("t", &Arc::new(e)));
    let spec = &env.specs["c1"];
    let value =
        |name: &str| spec.environment.iter().rfind(|(n, _)| &**n == name).map(|(_, value)| value.to_string());
    assert_eq!(value("MESOS_CHECKPOINT").as_deref(), Some("1"));
    assert_eq!(value("MESOS_RECOVERY_TIMEOUT").as_deref(), Some("15mins"));
    assert_eq!(value("MESOS_SUBSCRIPTION_BACKOFF_MAX").as_deref(), Some("2secs"));
    assert_eq!(value("MINE").as_deref(), Some("1"));
    assert_eq!(value("MESOS_ALLOCATION_ROLE"), None);
    assert_eq!(spec.resources.to_string(), "cpus:0.2; mem:64; disk:16");
}

#[test]
fn drain() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    running(&mut env, &f, command_task("t", "sleep 60"));
    env.from_master(FromMaster::Drain { max_grace: Some(Duration::ZERO), mark_gone: false });
    env.expect(&["signal c1 15"]);
    env.run(&f, command_task("late", "true"));
    env.expect(&[
        "late Lost by agent because AgentDraining: Task was received while agent was already draining",
    ]);
    env.updates.clear();
    env.exited("c1", 15);
    env.expect(&["t Killed because AgentDraining: Command terminated with signal Terminated"]);
    assert!(env.core.snapshot().drain.is_some());
    env.acknowledge();
    assert!(env.core.snapshot().drain.is_none());
}

#[test]
fn what_cannot_be_given_is_not_launched() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let failed = |id: &str| {
        format!("{id} Failed by agent because ContainerLaunchFailed: Failed to launch container: no images")
    };
    env.run(&f, TaskInfo { unsupported: Some("no images".into()), ..command_task("t", "sleep 60") });
    env.expect(&[&failed("t")]);
    env.run_group(&f, &with_image(default_executor("g")), &["a", "b"]);
    env.expect(&[&failed("a"), &failed("b")]);
    env.run(&f, custom_task("c", &with_image(custom_executor("e"))));
    env.expect(&[&failed("c")]);
    // What runs the task is no longer the agent.
    let own = custom_executor("own");
    env.run(&f, TaskInfo { unsupported: Some("no images".into()), ..custom_task("d", &own) });
    env.expect(&["launch c1 for own"]);
    assert_eq!(env.core.snapshot().counts.unsupported_launches, 3);
}
