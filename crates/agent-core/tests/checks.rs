//! Checks and health checks of tasks: what Mesos' checkers and its command and default executors protect.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    Check, CheckId, CheckOutcome, CheckStatus, CommandInfo, FrameworkInfo, FromMaster, HealthCheck, Input,
    KillCause, Output, Probe, RunTaskGroup, TaskInfo, TaskState, ToMaster,
};
use testkit::agent::{AgentEnv, command_task, default_executor, framework, group_task, still_running};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// After a second, then every two; each may take a second.
fn every_two(probe: Probe) -> Check {
    Check { probe, delay: secs(1), interval: secs(2), timeout: Some(secs(1)) }
}

fn command(line: &str) -> Probe {
    Probe::Command(CommandInfo { value: Some(line.into()), shell: true, ..CommandInfo::default() })
}

const TCP: Probe = Probe::Tcp { port: 80, ipv6: false };

/// Without a grace period; two failures are enough.
fn health(probe: Probe) -> HealthCheck {
    HealthCheck { check: every_two(probe), grace: Duration::ZERO, consecutive_failures: 2 }
}

fn checked() -> TaskInfo {
    TaskInfo { check: Some(every_two(command("check"))), ..command_task("t", "sleep 60") }
}

fn health_checked() -> TaskInfo {
    TaskInfo { health_check: Some(health(TCP)), ..command_task("t", "sleep 60") }
}

/// A command task that runs, with everything acknowledged.
fn start(framework: &FrameworkInfo, task: TaskInfo) -> AgentEnv {
    let mut env = AgentEnv::registered();
    env.run(framework, task);
    env.launched("c1");
    env.acknowledge_all();
    env.forget();
    env
}

trait Answers {
    fn answer(&mut self, check: u64, outcome: CheckOutcome);
    fn exit_code(&mut self, check: u64, code: i32) {
        self.answer(check, CheckOutcome::Found(CheckStatus::Command(Some(code))));
    }
    fn connected(&mut self, check: u64, succeeded: bool) {
        self.answer(check, CheckOutcome::Found(CheckStatus::Tcp(Some(succeeded))));
    }
}

impl Answers for AgentEnv {
    fn answer(&mut self, check: u64, outcome: CheckOutcome) {
        self.input(Input::CheckEnded { check: CheckId(check), outcome });
        self.acknowledge_all();
    }
}

#[test]
fn a_check_tells_what_it_found_when_that_changes() {
    let mut env = start(&framework("f"), checked());
    env.advance(Duration::from_millis(999));
    env.expect(&[]);
    env.advance(Duration::from_millis(1));
    env.expect(&["check c1 1 check"]);
    env.advance(secs(60));
    env.expect(&[]); // one at a time
    env.exit_code(1, 2);
    env.expect(&["t Running Command(Some(2)) because TaskCheckStatusUpdated"]);
    env.advance(secs(2));
    env.exit_code(2, 2);
    env.expect(&["check c1 2 check"]);
    env.advance(secs(2));
    env.exit_code(3, 0);
    env.expect(&["check c1 3 check", "t Running Command(Some(0)) because TaskCheckStatusUpdated"]);
}

#[test]
fn every_status_of_a_task_with_a_check_has_a_check_status() {
    let mut env = AgentEnv::registered();
    let f = FrameworkInfo { task_killing: true, ..framework("f") };
    env.run(&f, checked());
    env.launched("c1");
    env.acknowledge_all();
    env.expect(&["launch c1 for t", "t Starting Command(None)", "t Running Command(None)"]);
    env.advance(secs(1));
    env.exit_code(1, 3);
    env.forget();
    env.kill(&f, "t");
    env.acknowledge_all();
    env.exited("c1", 15);
    env.expect(&[
        "t Killing Command(None)",
        "signal c1 15",
        "t Killed Command(None): Command terminated with signal Terminated",
    ]);
}

#[test]
fn a_check_that_fails_is_not_known_and_one_that_is_unavailable_says_nothing() {
    let mut env = start(&framework("f"), checked());
    env.advance(secs(1));
    env.answer(1, CheckOutcome::Failed("timed out".into()));
    env.expect(&["check c1 1 check"]); // it was not known before either
    env.advance(secs(2));
    env.exit_code(2, 0);
    env.forget();
    env.advance(secs(2));
    env.answer(3, CheckOutcome::Unavailable("the agent is busy".into()));
    env.expect(&["check c1 3 check"]);
    env.advance(secs(2));
    env.answer(4, CheckOutcome::Failed("timed out".into()));
    env.expect(&["check c1 4 check", "t Running Command(None) because TaskCheckStatusUpdated"]);
}

#[test]
fn a_command_finds_itself_where_its_task_is() {
    let probe = CommandInfo {
        value: Some("check".into()),
        shell: true,
        environment: vec![("A".into(), "2".into())],
        user: Some("somebody".into()),
        ..CommandInfo::default()
    };
    let command = CommandInfo {
        value: Some("sleep 60".into()),
        shell: true,
        environment: vec![("A".into(), "1".into()), ("B".into(), "1".into())],
        user: Some("nobody".into()),
        ..CommandInfo::default()
    };
    let check = Some(every_two(Probe::Command(probe)));
    let mut env = start(&framework("f"), TaskInfo { check, command: Some(command), ..command_task("t", "") });
    env.advance(secs(1));
    let Some(Output::PerformCheck(order)) = env.outputs.last() else { panic!("{:?}", env.outputs) };
    let place = order.place.as_ref().expect("a command has a place");
    let (spec, own) = (&place.spec, &env.specs["c1"]);
    assert_eq!((&spec.user, &spec.directory, &place.output), (&own.user, &own.directory, &own.directory));
    let value = |name: &str| spec.environment.iter().rfind(|(n, _)| &**n == name).map(|(_, v)| v.to_string());
    assert_eq!((value("A"), value("B")), (Some("2".into()), Some("1".into())));
    assert_eq!(value("MESOS_SANDBOX").as_deref(), Some(&*spec.directory));
    assert_eq!(order.timeout, Some(secs(1)));
}

#[test]
fn health_passing() {
    let mut env = start(&framework("f"), health_checked());
    env.advance(secs(1));
    env.connected(1, true);
    env.expect(&["check c1 1 :80", "t Running healthy because TaskHealthCheckStatusUpdated"]);
    env.advance(secs(2));
    env.connected(2, true);
    env.expect(&["check c1 2 :80"]);
    env.exited("c1", 0);
    env.expect(&["t Finished: Command exited with status 0"]);
}

#[test]
fn health_failing() {
    let f = FrameworkInfo { task_killing: true, ..framework("f") };
    let mut env = start(&f, health_checked());
    env.advance(secs(1));
    env.connected(1, false);
    env.expect(&["check c1 1 :80", "t Running unhealthy because TaskHealthCheckStatusUpdated"]);
    env.advance(secs(2));
    env.connected(2, false);
    env.expect(&[
        "check c1 2 :80",
        "t Running unhealthy because TaskHealthCheckStatusUpdated",
        "signal c1 15",
        "t Killing",
    ]);
    env.advance(secs(3));
    env.expect(&["destroy c1"]); // nothing is checked any more
    env.exited("c1", 9);
    env.expect(&["t Killed unhealthy: Command terminated with signal Killed"]);
}

#[test]
fn an_unhealthy_task_has_its_own_grace_period_and_ends_as_killed_whatever_it_says() {
    let task = TaskInfo { kill_grace: Some(secs(10)), ..health_checked() };
    let mut env = start(&framework("f"), task);
    for check in [1, 2] {
        env.advance(secs(2));
        env.connected(check, false);
    }
    env.forget();
    env.advance(secs(9));
    env.expect(&[]);
    env.exited("c1", 0);
    env.expect(&["t Killed unhealthy: Command exited with status 0"]);
}

#[test]
fn flapping_health_is_told_each_time() {
    let mut env = start(&framework("f"), health_checked());
    for (check, healthy) in (1..).zip([false, true, false, true]) {
        env.advance(secs(2));
        env.connected(check, healthy);
    }
    let told = env.outputs.iter().filter_map(|output| match output {
        Output::Send { message: ToMaster::StatusUpdate(update), .. } => update.status.healthy,
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [false, true, false, true]);
}

#[test]
fn a_check_and_a_health_check_say_together_what_is_known() {
    let task = TaskInfo { health_check: Some(health(TCP)), ..checked() };
    let mut env = start(&framework("f"), task);
    env.advance(secs(1));
    env.expect(&["check c1 1 check", "check c1 2 :80"]);
    env.connected(2, true);
    env.exit_code(1, 4);
    env.expect(&[
        "t Running healthy Command(None) because TaskHealthCheckStatusUpdated",
        "t Running healthy Command(Some(4)) because TaskCheckStatusUpdated",
    ]);
    let known = env.core.snapshot().frameworks[0].executors[0].launched[0].clone();
    assert_eq!(known.statuses.len(), 2, "Starting and the newest of Running: {known:?}");
    for check in [3, 5] {
        env.advance(secs(2));
        env.connected(check + 1, false);
        env.exit_code(check, 4);
    }
    env.forget();
    env.exited("c1", 15);
    env.expect(&["t Killed unhealthy Command(None): Command terminated with signal Terminated"]);
}

#[test]
fn what_is_under_way_when_the_kill_begins_is_called_off() {
    let f = framework("f");
    let mut env = start(&f, TaskInfo { kill_grace: Some(secs(60)), ..checked() });
    env.advance(secs(1));
    env.kill(&f, "t");
    env.expect(&["check c1 1 check", "cancel check 1", "signal c1 15"]);
    env.exit_code(1, 0);
    env.advance(secs(30));
    env.expect(&[]);
}

#[test]
fn an_answer_that_comes_after_the_end_is_dropped() {
    let mut env = start(&framework("f"), health_checked());
    env.advance(secs(1));
    env.exited("c1", 0);
    env.acknowledge_all();
    env.expect(&["check c1 1 :80", "cancel check 1", "t Finished: Command exited with status 0"]);
    env.connected(1, true);
    env.advance(secs(30));
    env.expect(&[]);
}

#[test]
fn a_task_that_never_ran_is_never_checked() {
    let f = framework("f");
    let mut env = AgentEnv::registered();
    env.run(&f, checked());
    env.advance(secs(20));
    env.expect(&["launch c1 for t"]);
    env.kill(&f, "t");
    env.launched("c1");
    env.advance(secs(20));
    env.expect(&["destroy c1"]);
}

#[test]
fn an_interval_of_nothing_leaves_the_agent_time_for_others() {
    let check = Check { delay: Duration::ZERO, interval: Duration::ZERO, ..every_two(TCP) };
    let mut env = start(&framework("f"), TaskInfo { check: Some(check), ..command_task("t", "sleep 60") });
    env.advance(Duration::ZERO);
    env.connected(1, true);
    env.forget();
    env.advance(Duration::from_millis(9));
    env.expect(&[]);
    env.advance(Duration::from_millis(1));
    env.expect(&["check c1 2 :80"]);
}

/// A group of two, `a` with a health check, both running in `c2` and `c3`.
fn group(f: &FrameworkInfo) -> AgentEnv {
    let mut env = AgentEnv::registered();
    let executor = default_executor("e");
    let checked = TaskInfo { health_check: Some(health(TCP)), ..group_task("a", &executor) };
    env.from_master(FromMaster::RunTaskGroup(Box::new(RunTaskGroup {
        framework: Arc::new(f.clone()),
        executor: executor.clone(),
        tasks: vec![Arc::new(checked), Arc::new(group_task("b", &executor))],
        resource_version: None,
        launch_executor: None,
    })));
    env.launched("c1");
    env.launched("c2");
    env.launched("c3");
    env.acknowledge_all();
    env.forget();
    env
}

#[test]
fn an_unhealthy_task_takes_its_group_with_it() {
    let mut env = group(&framework("f"));
    env.advance(secs(1));
    env.connected(1, false);
    env.advance(secs(2));
    env.connected(2, false);
    env.expect(&[
        "check c2 1 :80",
        "a Running unhealthy because TaskHealthCheckStatusUpdated",
        "check c2 2 :80",
        "a Running unhealthy because TaskHealthCheckStatusUpdated",
        "signal c2 15",
    ]);
    env.exited("c2", 15);
    env.exited("c3", 15);
    env.expect(&[
        "update c1 to cpus:0.2; mem:64; disk:16",
        "a Killed unhealthy: Command terminated with signal Terminated",
        "signal c3 15",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "b Killed unhealthy: Command terminated with signal Terminated",
    ]);
}

#[test]
fn what_a_command_of_a_group_says_goes_to_its_executor() {
    let mut env = AgentEnv::registered();
    let executor = default_executor("e");
    let checked = TaskInfo { check: Some(every_two(command("check"))), ..group_task("a", &executor) };
    env.from_master(FromMaster::RunTaskGroup(Box::new(RunTaskGroup {
        framework: Arc::new(framework("f")),
        executor: executor.clone(),
        tasks: vec![Arc::new(checked)],
        resource_version: None,
        launch_executor: None,
    })));
    env.launched("c1");
    env.launched("c2");
    env.advance(secs(1));
    let Some(Output::PerformCheck(order)) = env.outputs.last() else { panic!("{:?}", env.outputs) };
    let place = order.place.as_ref().expect("a command has a place");
    assert_eq!(place.spec.directory, env.specs["c2"].directory);
    assert_eq!(place.output, env.specs["c1"].directory);
}

#[test]
fn checks_go_on_when_the_agent_was_restarted() {
    let f = FrameworkInfo { checkpoint: true, ..framework("f") };
    let mut env = start(&f, TaskInfo { check: Some(every_two(command("check"))), ..health_checked() });
    env.advance(secs(1));
    env.exit_code(1, 7);
    env.connected(2, false);
    let mut env = env.again(still_running);
    // It is more than their delay since the task began. What was found and how often it failed is known.
    env.advance(Duration::ZERO);
    env.exit_code(1, 7);
    env.expect(&["check c1 1 check", "check c1 2 :80"]);
    env.reregister();
    env.forget();
    env.connected(2, false);
    env.expect(&[
        "t Running unhealthy Command(Some(7)) because TaskHealthCheckStatusUpdated",
        "signal c1 15",
    ]);
}

#[test]
fn a_kill_for_its_health_goes_on_when_the_agent_was_restarted() {
    let f = FrameworkInfo { checkpoint: true, ..framework("f") };
    let mut env = start(&f, health_checked());
    for check in [1, 2] {
        env.advance(secs(2));
        env.connected(check, false);
    }
    let record = env.memory.progress.values().next().and_then(|progress| progress.kill);
    assert_eq!(record.map(|kill| kill.cause), Some(KillCause::Unhealthy));
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.exited("c1", 15);
    env.expect(&["t Killed unhealthy: Command terminated with signal Terminated"]);
}

#[test]
fn a_task_that_is_killed_is_not_ended_for_its_age() {
    let f = framework("f");
    let task = TaskInfo {
        max_completion_time: Some(secs(5)),
        kill_grace: Some(secs(20)),
        ..command_task("t", "sleep 60")
    };
    let mut env = start(&f, task);
    env.advance(secs(4));
    env.kill(&f, "t");
    env.expect(&["signal c1 15"]);
    env.advance(secs(19));
    env.expect(&[]);
    env.exited("c1", 15);
    assert_eq!(env.updates[0].status.state, TaskState::Killed);
    assert_eq!(env.updates[0].status.reason, None);
}

/// A scheduler that was away for long finds every state, the newest of what was said in each, and the end.
#[test]
fn updates_that_wait_are_bounded_and_what_must_be_seen_is_kept() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), checked());
    env.launched("c1");
    env.advance(secs(1));
    for check in 1..=1000 {
        let outcome =
            CheckOutcome::Found(CheckStatus::Command(Some(i32::try_from(check % 7).expect("small"))));
        env.input(Input::CheckEnded { check: CheckId(check), outcome });
        env.advance(secs(2));
        if check % 30 == 0 {
            let from = "slave-observer(1)@127.0.0.1:5050".into();
            env.input(Input::FromMaster { from, message: FromMaster::Ping { connected: true } });
        }
    }
    env.exited("c1", 0);
    let mut seen = Vec::new();
    while let Some(update) = env.updates.front() {
        seen.push((update.status.state, update.status.check_status));
        env.acknowledge();
    }
    assert!(seen.len() <= 257, "{}", seen.len());
    let mut states: Vec<_> = seen.iter().map(|(state, _)| *state).collect();
    states.dedup();
    assert_eq!(states, [TaskState::Starting, TaskState::Running, TaskState::Finished]);
    let newest = seen.iter().rev().find(|(state, _)| *state == TaskState::Running).expect("it ran");
    assert_eq!(newest.1, Some(CheckStatus::Command(Some(1000 % 7))));
}
