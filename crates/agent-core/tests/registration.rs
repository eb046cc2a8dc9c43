//! Finding, losing and finding again a master.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{FromMaster, Input, Output, Reason, Reconciliation, RunTask, TaskState, ToMaster};
use base::Uuid;
use testkit::agent::{
    AgentEnv, command_task, custom_executor, custom_task, default_executor, framework, options,
};

fn registered_as(id: &str) -> FromMaster {
    FromMaster::Registered { agent_id: id.into(), total_ping_timeout: Some(Duration::from_secs(75)) }
}

fn reregistered() -> FromMaster {
    FromMaster::Reregistered { agent_id: "S0".into(), total_ping_timeout: None, reconciliations: Vec::new() }
}

#[test]
fn the_first_attempt_is_made_at_once_and_repeated_until_it_is_answered() {
    let mut env = AgentEnv::new(options(1));
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.expect(&["register"]);
    env.advance(Duration::from_secs(1));
    env.expect(&["register"]);
    env.advance(Duration::from_secs(600));
    let attempts = env.outputs.len();
    assert!(
        (9..25).contains(&attempts),
        "{attempts} attempts in ten minutes: at most one a minute in the end"
    );
    env.forget();
    env.from_master(registered_as("S0"));
    env.expect(&["update agent"]);
    env.advance(Duration::from_secs(70));
    env.expect(&[]);
}

/// When an agent that has lost its master asks again, counted from the loss.
fn attempts(seed: u64, factor: Duration, count: usize) -> Vec<Duration> {
    const STEP: Duration = Duration::from_millis(1);
    let mut env = AgentEnv::new(agent_core::Options { registration_backoff: factor, ..options(seed) });
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.from_master(registered_as("S0"));
    env.forget();
    env.input(Input::PeerLost(AgentEnv::master()));
    let (mut at, mut since) = (Vec::new(), Duration::ZERO);
    while at.len() < count {
        env.advance(STEP);
        since += STEP;
        let asks = |o: &&Output| matches!(o, Output::Send { message: ToMaster::Reregister(_), .. });
        at.extend(std::iter::repeat_n(since, env.outputs.iter().filter(asks).count()));
        env.outputs.clear();
    }
    at
}

/// When a master fails over all agents come; so they do not come at once, and who is not answered comes less and less often.
#[test]
fn reregistrations_are_spread_and_become_rarer() {
    let factor = Duration::from_secs(1);
    let all: Vec<Vec<Duration>> = (0..40).map(|seed| attempts(seed, factor, 9)).collect();
    let first: Vec<Duration> = all.iter().map(|attempts| attempts[0]).collect();
    let tenths = |at: &Duration| at.as_millis() / 100;
    let used: std::collections::BTreeSet<u128> = first.iter().map(tenths).collect();
    assert!(used.len() >= 8 && *used.last().expect("some") <= 10, "over the whole first second: {first:?}");
    for attempts in &all {
        let mut bound = factor;
        for pair in attempts.windows(2) {
            let pause = pair[1] - pair[0];
            assert!(pause >= bound / 2 - Duration::from_millis(2), "{pause:?} of {bound:?}");
            assert!(pause <= bound + Duration::from_millis(2), "{pause:?} of {bound:?}");
            bound = (bound * 2).min(Duration::from_secs(60));
        }
    }
    let pauses = |at: usize| all.iter().map(|a| a[at + 1] - a[at]).collect::<std::collections::BTreeSet<_>>();
    assert!(pauses(0).len() > 20 && pauses(7).len() > 20, "retries are spread as well");
}

#[test]
fn an_agent_without_a_backoff_rests_all_the_same() {
    let attempts = attempts(1, Duration::ZERO, 12);
    assert!(attempts[11] > Duration::from_secs(5), "{attempts:?}");
}

#[test]
fn what_comes_before_the_registration_or_from_another_master_is_ignored() {
    let mut env = AgentEnv::new(options(1));
    env.run(&framework("f"), command_task("t", "true"));
    env.expect(&[]);
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.forget();
    env.run(&framework("f"), command_task("t", "true"));
    env.input(Input::FromMaster { from: "master@10.0.0.9:5050".into(), message: registered_as("S9") });
    env.expect(&[]);
    assert_eq!(env.core.snapshot().agent_id, None);
}

#[test]
fn pings_are_answered_to_the_observer() {
    let mut env = AgentEnv::registered();
    let ping = |connected| Input::FromMaster {
        from: "slave-observer(1)@127.0.0.1:5050".into(),
        message: FromMaster::Ping { connected },
    };
    env.input(ping(true));
    env.expect(&["pong to slave-observer(1)@127.0.0.1:5050"]);
    env.input(ping(false));
    env.advance(Duration::from_secs(1));
    let sent: Vec<_> = env
        .outputs
        .iter()
        .map(|o| matches!(o, Output::Send { message: ToMaster::Reregister(_), .. }))
        .collect();
    assert_eq!(&sent[..2], [false, true], "a pong, then a reregistration");
}

fn asking(id: &str, task: &str) -> FromMaster {
    let asked =
        Reconciliation { framework_id: id.into(), partition_aware: true, task_ids: vec![task.into()] };
    FromMaster::Reregistered { agent_id: "S0".into(), total_ping_timeout: None, reconciliations: vec![asked] }
}

/// The master asked about a task whose launch was still under way.
#[test]
fn a_launch_that_comes_after_its_task_was_declared_lost_is_ignored() {
    let mut env = AgentEnv::registered();
    env.from_master(asking("f", "t"));
    env.forget();
    env.run(&framework("f"), command_task("t", "true"));
    env.expect(&[]);
    assert!(env.specs.is_empty());
    let told: Vec<_> = env.updates.iter().map(|update| update.status.state).collect();
    assert_eq!(told, [TaskState::Dropped]);
}

/// The acknowledgement of a task's end came by way of another master, or the question was overtaken by it.
#[test]
fn who_asks_about_a_task_whose_end_was_acknowledged_is_told_how_it_ended() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("other", "sleep 60"));
    env.run(&framework("f"), command_task("t", "true"));
    env.launched("c2");
    env.acknowledge_all();
    env.exited("c2", 0);
    env.acknowledge_all();
    assert!(!env.core.knows_task(&"f".into(), &"t".into()));
    env.from_master(asking("f", "t"));
    let told: Vec<_> =
        env.updates.iter().map(|update| (update.status.task_id.as_str(), update.status.state)).collect();
    assert_eq!(told, [("t", TaskState::Finished)]);
}

/// The version of its resources that the agent told last.
fn version(env: &AgentEnv) -> Uuid {
    let told = env.outputs.iter().rev().find_map(|output| match output {
        Output::Send { message: ToMaster::Reregister(message), .. } => Some(message.resource_version),
        Output::Send { message: ToMaster::UpdateAgent { resource_version, .. }, .. } => {
            Some(*resource_version)
        }
        _ => None,
    });
    told.expect("the agent has registered")
}

fn run(version: Uuid, task: &str) -> FromMaster {
    FromMaster::RunTask(Box::new(RunTask {
        framework: Arc::new(framework("f")),
        task: Arc::new(command_task(task, "true")),
        resource_version: Some(version),
        launch_executor: Some(true),
    }))
}

/// The agent reaches the master, which does not reach the agent: the master takes it in, launches, gives up what does not
/// answer, and does so again. Then all of that arrives. Only what follows the last that the agent has told is not given up.
#[test]
fn launches_that_answer_an_earlier_reregistration_are_dropped() {
    let mut env = AgentEnv::registered();
    let mut versions = Vec::new();
    env.advance(Duration::from_secs(76));
    for _ in 0..3 {
        versions.push(version(&env));
        env.advance(Duration::from_secs(60));
    }
    versions.push(version(&env));
    env.forget();
    for (number, version) in versions.iter().enumerate() {
        env.from_master(reregistered());
        env.from_master(run(*version, &format!("t{number}")));
    }
    let launched: Vec<&str> = env
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::LaunchContainer(spec) => spec.task_id.as_ref().map(|id| id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(launched, ["t3"]);
    let dropped: Vec<_> =
        env.updates.iter().map(|update| (update.status.task_id.as_str(), update.status.reason)).collect();
    let outdated = Some(Reason::InvalidOffers);
    assert_eq!(dropped[..3], [("t0", outdated), ("t1", outdated), ("t2", outdated)]);
}

/// An order of the master that led before, or of this one before it was told what the agent has: what the agent has just told of
/// would be gone without a word. The master repeats what it still wants.
#[test]
fn nothing_is_ended_on_orders_that_came_before_the_registration() {
    let mut env = AgentEnv::registered();
    env.advance(Duration::from_secs(76));
    env.from_master(reregistered());
    let former = version(&env);
    env.from_master(run(former, "timely"));
    let e = custom_executor("e");
    env.run(&framework("f"), custom_task("t", &e));
    env.launched("c2");
    env.input(Input::PeerLost(AgentEnv::master()));
    env.forget();
    // What would take the place of what is not ended is not begun.
    env.from_master(run(former, "late"));
    assert_eq!(env.specs.len(), 2);
    env.forget();
    let orders = || {
        let executor = FromMaster::ShutdownExecutor { framework_id: "f".into(), executor_id: "e".into() };
        [executor, FromMaster::ShutdownFramework("f".into())]
    };
    for order in orders() {
        env.from_master(order);
    }
    env.expect(&[]);
    assert!(env.core.knows_task(&"f".into(), &"t".into()));
    env.advance(Duration::from_secs(1));
    env.from_master(reregistered());
    for order in orders() {
        env.from_master(order);
    }
    env.exited("c2", 9);
    env.exited("c1", 9);
    assert!(!env.core.knows_task(&"f".into(), &"t".into()));
}

#[test]
fn a_master_that_does_not_ping_is_lost() {
    let mut env = AgentEnv::registered();
    env.advance(Duration::from_secs(75));
    env.expect(&[]);
    env.advance(Duration::from_secs(1));
    assert!(!env.outputs.is_empty());
    assert_eq!(env.core.snapshot().master, None);
}

#[test]
fn a_reregistration_tells_everything_and_repeats_what_was_not_acknowledged() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, command_task("t", "sleep 60"));
    env.launched("c1");
    env.acknowledge();
    env.run(&f, command_task("staging", "sleep 60"));
    env.run_group(&f, &default_executor("pod"), &["a"]);
    env.forget();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.exited("c1", 0);
    env.expect(&[]);
    env.advance(Duration::from_secs(1));
    let Some(Output::Send { message: ToMaster::Reregister(message), .. }) = env.outputs.first() else {
        panic!("a reregistration comes first: {:?}", env.outputs);
    };
    let executors: Vec<_> =
        message.executors.iter().map(|(_, executor)| executor.executor_id.to_string()).collect();
    assert_eq!(executors, ["pod"], "executors of command tasks are not told");
    assert_eq!(message.frameworks.len(), 1);
    env.forget();
    env.from_master(reregistered());
    env.expect(&["update agent", "t Running latest Finished"]);
    env.acknowledge_all();
    env.expect(&["t Finished: Command exited with status 0"]);
}

#[test]
fn another_leader_is_told_as_well() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.forget();
    env.input(Input::MasterDetected(None));
    env.input(Input::MasterDetected(Some("master@10.0.0.2:5050".into())));
    env.advance(Duration::from_secs(1));
    let to: Vec<_> = env
        .outputs
        .iter()
        .map(|o| match o {
            Output::Send { to, message: ToMaster::Reregister(_) } => to.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(to.iter().all(|to| to == "master@10.0.0.2:5050") && !to.is_empty(), "{to:?}");
    env.forget();
    env.kill(&framework("f"), "t");
    env.expect(&[]);
}

/// After `FaultToleranceTest.SlaveReregisterOnZKExpiration`: a session that was lost and made anew shows the same leader again.
#[test]
fn the_same_leader_is_told_again_when_it_is_found_again() {
    let mut env = AgentEnv::registered();
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.advance(Duration::from_secs(1));
    let told = |output: &&Output| matches!(output, Output::Send { message: ToMaster::Reregister(_), .. });
    assert!(env.outputs.iter().any(|output| told(&output)), "{:?}", env.outputs);
}

#[test]
fn tasks_that_only_the_master_knows_are_lost() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_secs(1));
    env.forget();
    let asked = |id: &str, partition_aware| Reconciliation {
        framework_id: id.into(),
        partition_aware,
        task_ids: vec!["t".into(), "x".into()],
    };
    env.from_master(FromMaster::Reregistered {
        agent_id: "S0".into(),
        total_ping_timeout: None,
        reconciliations: vec![asked("f", false), asked("gone", true)],
    });
    env.expect(&[
        "update agent",
        "x Lost by agent because Reconciliation: Reconciliation: task unknown to the agent",
        "t Dropped by agent because Reconciliation: Reconciliation: task unknown to the agent",
        "x Dropped by agent because Reconciliation: Reconciliation: task unknown to the agent",
    ]);
    env.acknowledge_all();
}

/// The answer to an earlier attempt to register comes after the order that answers a later one.
#[test]
fn tasks_of_a_framework_that_is_ending_are_not_told_as_lost() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    env.from_master(FromMaster::ShutdownFramework("f".into()));
    env.forget();
    let framework_id = "f".into();
    env.from_master(FromMaster::Reregistered {
        agent_id: "S0".into(),
        total_ping_timeout: None,
        reconciliations: vec![Reconciliation {
            framework_id,
            partition_aware: true,
            task_ids: vec!["x".into()],
        }],
    });
    env.expect(&[]);
}

/// One master has ended the framework, and its scheduler has subscribed with the next, which knows nothing of that.
#[test]
fn what_a_master_believes_of_a_framework_that_is_ending_is_put_right_when_it_is_gone() {
    let launch = |env: &mut AgentEnv| env.run(&framework("f"), command_task("late", "true"));
    let ask = |env: &mut AgentEnv| {
        let asked =
            Reconciliation { framework_id: "f".into(), partition_aware: true, task_ids: vec!["late".into()] };
        env.from_master(FromMaster::Reregistered {
            agent_id: "S0".into(),
            total_ping_timeout: None,
            reconciliations: vec![asked],
        });
    };
    for believes in [launch as fn(&mut AgentEnv), ask] {
        let mut env = AgentEnv::registered();
        env.run(&framework("f"), command_task("t", "sleep 60"));
        env.launched("c1");
        env.from_master(FromMaster::ShutdownFramework("f".into()));
        env.forget();
        believes(&mut env);
        env.expect(&[]);
        env.exited("c1", 15);
        env.forget();
        env.advance(Duration::from_secs(1));
        let told = |output: &&Output| matches!(output, Output::Send { message: ToMaster::Reregister(_), .. });
        assert!(env.outputs.iter().any(|output| told(&output)));
        env.forget();
        // Now nobody is ending any more, and the question is answered.
        ask(&mut env);
        env.expect(&[
            "update agent",
            "late Dropped by agent because Reconciliation: Reconciliation: task unknown to the agent",
        ]);
    }
}

#[test]
fn an_agent_that_is_not_wanted_ends_its_executors_and_itself() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    env.forget();
    env.from_master(FromMaster::Shutdown { message: "Agent has been marked gone".to_owned() });
    env.expect(&["signal c1 15"]);
    env.run(&framework("g"), command_task("late", "true"));
    env.expect(&[]);
    env.exited("c1", 15);
    env.expect(&["terminate: Agent has been marked gone"]);
}

#[test]
fn an_operators_shutdown_unregisters() {
    let mut env = AgentEnv::registered();
    env.input(Input::Shutdown { reason: "SIGTERM".to_owned() });
    env.expect(&["unregister", "terminate: SIGTERM"]);
}

#[test]
fn a_registration_under_another_id_is_set_right() {
    let mut env = AgentEnv::registered();
    env.from_master(FromMaster::Registered { agent_id: "S1".into(), total_ping_timeout: None });
    assert!(!env.core.is_registered());
    env.advance(Duration::from_secs(2));
    let again = |output: &Output| matches!(output, Output::Send { message: ToMaster::Reregister(message), .. } if message.agent_id.as_str() == "S0");
    assert!(env.outputs.iter().any(again), "{:?}", env.outputs);
}

/// How many ends of executors the agent has told since it was made to forget.
fn exits(env: &AgentEnv) -> usize {
    let exit = |o: &&Output| matches!(o, Output::Send { message: ToMaster::ExitedExecutor { .. }, .. });
    env.outputs.iter().filter(exit).count()
}

#[test]
fn the_end_of_an_executor_is_told_once_there_is_a_master_again() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, custom_task("t", &custom_executor("e")));
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_millis(1_100));
    env.forget();
    env.launch_failed("c1", "no");
    assert_eq!(exits(&env), 0);
    env.from_master(reregistered());
    assert_eq!(exits(&env), 1);
}

/// The master drops from its books what an attempt does not name, and may launch an executor of the same name at once.
#[test]
fn the_end_of_an_executor_that_the_last_attempt_does_not_name_is_not_told() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), custom_task("t", &custom_executor("e")));
    env.input(Input::PeerLost(AgentEnv::master()));
    env.launch_failed("c1", "no");
    env.forget();
    env.advance(Duration::from_millis(1_100));
    env.from_master(reregistered());
    env.advance(Duration::from_secs(70));
    assert_eq!(exits(&env), 0);
}

/// The first launch in the executor `e`, by a master that knows this version of the resources.
fn start_executor(version: Uuid) -> FromMaster {
    FromMaster::RunTask(Box::new(RunTask {
        framework: Arc::new(framework("f")),
        task: Arc::new(custom_task("t", &custom_executor("e"))),
        resource_version: Some(version),
        launch_executor: Some(true),
    }))
}

/// The master sent it before it heard the last attempt, and has forgotten the executor since. By now it may have launched the next
/// one of that name; Mesos' agent tells it that this one has ended.
#[test]
fn an_executor_of_an_outdated_launch_is_not_said_to_have_ended() {
    let mut env = AgentEnv::registered();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_millis(1_100));
    env.from_master(reregistered());
    let former = version(&env);
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_millis(1_100));
    env.forget();
    for answered in [false, true] {
        if answered {
            env.from_master(reregistered());
        }
        env.from_master(start_executor(former));
    }
    let dropped: Vec<_> = env.updates.iter().map(|update| update.status.reason).collect();
    assert_eq!(dropped[0], Some(Reason::InvalidOffers));
    assert_eq!(exits(&env), 0);
}

/// Two attempts and one answer: the last may be lost, and then nobody else tells the master that it waits for nothing.
#[test]
fn an_executor_of_an_outdated_launch_has_ended_if_the_last_attempt_is_never_answered() {
    let mut env = AgentEnv::registered();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_millis(1_100));
    let former = version(&env);
    env.advance(Duration::from_secs(3));
    assert_ne!(version(&env), former, "it has asked again");
    env.from_master(reregistered());
    env.from_master(start_executor(former));
    env.forget();
    for _ in 0..30 {
        assert_eq!(exits(&env), 0);
        env.advance(Duration::from_secs(15));
        env.from_master(FromMaster::Ping { connected: true });
        if exits(&env) > 0 {
            break;
        }
    }
    assert_eq!(exits(&env), 1);
}

/// The answer to the first attempt comes after the second one was made, which the master takes for an agent's that it has struck
/// off meanwhile: it believes what that one told, and has listened to nothing that came before it.
#[test]
fn what_has_ended_since_the_last_attempt_is_told_again_when_that_is_answered() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, custom_task("e1", &custom_executor("e")));
    env.run(&f, command_task("t", "true"));
    env.launched("c2");
    env.acknowledge_all();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.exited("c2", 0);
    env.advance(Duration::from_secs(3));
    let attempts =
        env.outputs.iter().filter(|o| matches!(o, Output::Send { message: ToMaster::Reregister(_), .. }));
    assert!(attempts.count() > 1, "{:?}", env.outputs);
    env.from_master(reregistered());
    env.acknowledge_all();
    env.launch_failed("c1", "no");
    env.acknowledge_all();
    assert!(!env.core.knows_task(&"f".into(), &"t".into()));
    env.forget();
    env.from_master(reregistered());
    // The master may have launched another executor of that name meanwhile, which it would take for the one that ended.
    assert_eq!(exits(&env), 0);
    let told: Vec<_> =
        env.updates.iter().map(|update| (update.status.task_id.as_str(), update.status.state)).collect();
    assert_eq!(told, [("t", TaskState::Finished), ("e1", TaskState::Failed)]);
}

/// The end of an executor is not told again once another one of its name runs: the master would take it for that one's.
#[test]
fn the_end_of_an_executor_is_not_taken_for_that_of_the_next_one_of_its_name() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, custom_task("t", &custom_executor("e")));
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_secs(3));
    env.from_master(reregistered());
    env.launch_failed("c1", "no");
    env.acknowledge_all();
    let version = version(&env);
    let mut launch = custom_task("t2", &custom_executor("e"));
    launch.name = "second".into();
    env.from_master(FromMaster::RunTask(Box::new(RunTask {
        framework: Arc::new(f),
        task: Arc::new(launch),
        resource_version: Some(version),
        launch_executor: Some(true),
    })));
    assert!(env.core.knows_task(&"f".into(), &"t2".into()));
    env.forget();
    env.from_master(reregistered());
    assert_eq!(exits(&env), 0);
}

/// An answer that was under way when the master was lost says nothing of what that master believes now.
#[test]
fn an_answer_to_no_attempt_registers_nobody() {
    let mut env = AgentEnv::registered();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.from_master(reregistered());
    assert!(!env.core.is_registered());
    env.advance(Duration::from_secs(1));
    env.from_master(reregistered());
    assert!(env.core.is_registered());
}

/// After `SlaveTest.PingTimeoutNoPings` and `SlaveTest.PingTimeoutSomePings`.
#[test]
fn the_master_says_after_how_long_without_a_ping_it_is_lost() {
    for (said, limit) in [(Some(10), 10), (None, 75)] {
        for pings in [0, 3] {
            let mut env = AgentEnv::new(options(1));
            env.input(Input::MasterDetected(Some(AgentEnv::master())));
            let total_ping_timeout = said.map(Duration::from_secs);
            env.from_master(FromMaster::Registered { agent_id: "S0".into(), total_ping_timeout });
            for _ in 0..pings {
                env.advance(Duration::from_secs(limit - 1));
                env.from_master(FromMaster::Ping { connected: true });
            }
            env.forget();
            env.advance(Duration::from_secs(limit - 1));
            env.expect(&[]);
            assert!(env.core.is_registered());
            env.advance(Duration::from_secs(3));
            assert!(!env.core.is_registered());
            let asks = |o: &Output| matches!(o, Output::Send { message: ToMaster::Reregister(_), .. });
            assert!(env.outputs.iter().any(asks), "{said:?} with {pings} pings: {:?}", env.outputs);
        }
    }
}

/// After `SlaveTest.ResourceVersions`; but a version is given up with the registration that it was told in.
#[test]
fn each_registration_names_the_version_of_the_resources() {
    let mut env = AgentEnv::new(options(1));
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    let first = env.outputs.iter().find_map(|output| match output {
        Output::Send { message: ToMaster::Register { resource_version, .. }, .. } => Some(*resource_version),
        _ => None,
    });
    env.from_master(registered_as("S0"));
    assert_eq!(Some(version(&env)), first);
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_secs(1));
    let again = version(&env);
    assert_ne!(Some(again), first);
    env.from_master(reregistered());
    env.from_master(run(again, "t"));
    assert!(env.core.knows_task(&"f".into(), &"t".into()) && env.specs.len() == 1);
}

/// The master hears the first attempt and not the second. The answer to the first is taken for one to the second, which cannot be
/// told; but what follows names the second, by which the master knows.
#[test]
fn what_follows_an_answer_names_the_last_attempt_whichever_it_answers() {
    let mut env = AgentEnv::registered();
    env.input(Input::PeerLost(AgentEnv::master()));
    let attempt = |env: &mut AgentEnv| {
        env.forget();
        let asked = |o: &Output| matches!(o, Output::Send { message: ToMaster::Reregister(_), .. });
        while !env.outputs.iter().any(asked) {
            env.advance(Duration::from_millis(10));
        }
        version(env)
    };
    let (heard, lost) = (attempt(&mut env), attempt(&mut env));
    assert_ne!(heard, lost);
    env.forget();
    env.from_master(reregistered());
    assert_eq!(version(&env), lost);
    // What the master launches upon the attempt that it heard is void.
    env.from_master(run(heard, "t"));
    assert!(env.specs.is_empty());
    env.forget();
    env.from_master(FromMaster::Ping { connected: false });
    assert!(!env.core.is_registered());
    let third = attempt(&mut env);
    assert!(third != heard && third != lost);
}
