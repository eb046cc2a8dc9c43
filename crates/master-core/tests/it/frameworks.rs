//! Subscription, failover, going away, teardown.

use std::sync::Arc;
use std::time::Duration;

use master_core::{
    FromAgent, Input, OperatorCall, OperatorError, Options, SchedulerCall, SchedulerEvent, TaskState, ToAgent,
};
use testkit::master::{Master, framework_info, launch, status, task};

#[test]
fn ids_are_the_masters_with_a_number() {
    let mut master = Master::default();
    assert_eq!(master.framework("a").id.as_str(), "master-0000");
    assert_eq!(master.framework("b").id.as_str(), "master-0001");
}

#[test]
fn a_new_stream_takes_over_and_the_old_one_is_told() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let first = master.framework("f");
    let offer = master.offer(&first);
    let second = master.subscribe_as(Some(&first.id), framework_info("f"));

    assert_eq!(master.expect_error(&first), "Framework failed over");
    assert!(master.is_closed(&first));
    assert!(matches!(master.next_event(&second), Some(SchedulerEvent::Subscribed(id)) if id == first.id));
    assert_eq!(master.directory[&first.id], Some(second.stream));
    assert!(matches!(master.messages_to(&pid).as_slice(), [ToAgent::UpdateFramework(_)]));

    // Calls over the old stream do nothing, and the offer that it got is void.
    master.call(&first, SchedulerCall::Teardown);
    master.accept(&second, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.expect_status(&second, TaskState::Lost);
    // The end of the old stream, told late, changes nothing.
    master.input(Input::SchedulerGone(first.connection));
    assert_eq!(master.directory[&first.id], Some(second.stream));
    assert_eq!(master.offer(&second).resources, offer.resources);
}

#[test]
fn a_framework_that_stays_away_too_long_ends() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.messages_to(&pid);
    master.input(Input::SchedulerGone(scheduler.connection));
    assert_eq!(master.directory[&scheduler.id], None);
    master.advance(Duration::from_secs(59));
    assert_eq!(master.core.snapshot(master.now).frameworks[0].tasks.len(), 1);
    master.advance(Duration::from_secs(1));

    assert!(!master.directory.contains_key(&scheduler.id));
    let messages = master.messages_to(&pid);
    assert!(messages.contains(&ToAgent::ShutdownFramework(scheduler.id.clone())), "{messages:?}");
    let completed = master.core.snapshot(master.now).completed_frameworks;
    assert_eq!(completed[0].completed_tasks.iter().map(|t| t.state).collect::<Vec<_>>(), [TaskState::Killed]);

    let late = master.subscribe_as(Some(&scheduler.id), framework_info("f"));
    assert_eq!(master.expect_error(&late), "Framework has been removed");
    assert!(master.is_closed(&late));
}

#[test]
fn a_framework_that_comes_back_in_time_keeps_its_tasks() {
    let mut master = Master::default();
    let (agent, _) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.input(Input::SchedulerGone(scheduler.connection));
    master.advance(Duration::from_secs(30));
    let back = master.subscribe_as(Some(&scheduler.id), framework_info("f"));
    master.advance(Duration::from_secs(40));
    assert!(matches!(master.next_event(&back), Some(SchedulerEvent::Subscribed(_))));
    assert_eq!(master.core.snapshot(master.now).frameworks[0].tasks.len(), 1);
}

#[test]
fn without_a_failover_timeout_the_end_of_the_stream_is_the_end() {
    let mut master = Master::default();
    let mut info = framework_info("f");
    info.failover_timeout = Duration::ZERO;
    let scheduler = master.subscribe(info);
    master.input(Input::SchedulerGone(scheduler.connection));
    master.advance(Duration::ZERO);
    assert_eq!(master.core.snapshot(master.now).completed_frameworks.len(), 1);
}

#[test]
fn an_id_of_another_master_is_taken_on_trust() {
    let mut master = Master::default();
    let (_, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.subscribe_as(Some(&"other-0007".into()), framework_info("f"));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Subscribed(_))));
    assert!(matches!(master.messages_to(&pid).as_slice(), [ToAgent::UpdateFramework(_)]));
    master.offer(&scheduler);
}

#[test]
fn what_must_not_change_does_not() {
    let mut master = Master::default();
    let scheduler = master.framework("f");
    let mut info = framework_info("f");
    info.principal = Some("someone".to_owned());
    let other = master.subscribe_as(Some(&scheduler.id), info);
    assert_eq!(master.expect_error(&other), "Changing framework's principal is not allowed.");
    assert!(!master.is_closed(&scheduler));

    let mut info = framework_info("f");
    info.user = "nobody".to_owned();
    let update = |info| OperatorCall::UpdateFramework {
        framework_id: scheduler.id.clone(),
        info: Box::new(info),
        suppressed_roles: Vec::new(),
        offer_constraints: Ok(Arc::default()),
    };
    let message = "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to \
                   update from 'root' to 'nobody'";
    assert_eq!(master.operator(update(info)), Err(OperatorError::BadRequest(message.to_owned())));

    let back = master.subscribe_as(
        Some(&scheduler.id),
        master_core::FrameworkInfo { user: "nobody".to_owned(), ..framework_info("f") },
    );
    assert!(matches!(master.next_event(&back), Some(SchedulerEvent::Subscribed(_))));
    let snapshot = master.core.snapshot(master.now);
    assert_eq!(snapshot.frameworks[0].info.user, "root");
    assert!(snapshot.frameworks[0].info.kept, "agents must not be told of another user");
}

#[test]
fn foreign_roles_cannot_be_suppressed() {
    let mut master = Master::default();
    let scheduler = master.framework("f");
    let call = OperatorCall::UpdateFramework {
        framework_id: scheduler.id.clone(),
        info: Box::new(framework_info("f")),
        suppressed_roles: vec!["web".into()],
        offer_constraints: Ok(Arc::default()),
    };
    let message =
        "'UpdateFramework' call is not valid: Suppressed roles { web } are not contained in the set of roles";
    assert_eq!(master.operator(call), Err(OperatorError::BadRequest(message.to_owned())));
}

#[test]
fn an_update_that_drops_a_role_withdraws_its_offers() {
    let mut master = Master::default();
    let (_, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    let mut info = framework_info("f");
    info.roles = ["web".into()].into();
    let call = OperatorCall::UpdateFramework {
        framework_id: scheduler.id.clone(),
        info: Box::new(info),
        suppressed_roles: Vec::new(),
        offer_constraints: Ok(Arc::default()),
    };
    assert_eq!(master.operator(call), Ok(()));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    assert!(matches!(master.messages_to(&pid).as_slice(), [ToAgent::UpdateFramework(_)]));
    assert_eq!(master.offer(&scheduler).role.as_str(), "web");
}

#[test]
fn root_may_be_kept_out() {
    let mut options = Options::new("master".to_owned(), 1);
    options.root_submissions = false;
    let mut master = Master::new(options);
    let scheduler = master.subscribe_as(None, framework_info("f"));
    let message = "User 'root' is not allowed to run frameworks without --root_submissions set";
    assert_eq!(master.expect_error(&scheduler), message);
}

#[test]
fn teardown_kills_and_frees() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.messages_to(&pid);
    master.call(&scheduler, SchedulerCall::Teardown);
    assert_eq!(master.messages_to(&pid), [ToAgent::ShutdownFramework(scheduler.id.clone())]);
    assert!(master.is_closed(&scheduler));
    master.expect_silence(&scheduler);
    let other = master.framework("g");
    assert_eq!(master.offer(&other).resources, offer.resources);
}

/// After `MasterTest.MaxCompletedFrameworksFlag`.
#[test]
fn so_many_frameworks_that_ended_are_remembered() {
    for max_completed_frameworks in 0..3 {
        let options = Options { max_completed_frameworks, ..Options::new("master".to_owned(), 1) };
        let mut master = Master::new(options);
        let ids = ["a", "b"].map(|name| {
            let scheduler = master.framework(name);
            master.call(&scheduler, SchedulerCall::Teardown);
            scheduler.id
        });
        let kept: Vec<_> = master
            .core
            .snapshot(master.now)
            .completed_frameworks
            .iter()
            .map(|ended| ended.id.clone())
            .collect();
        assert_eq!(kept, ids[2 - max_completed_frameworks..], "the newest");
    }
}

/// After `MasterTest.MaxCompletedTasksPerFrameworkFlag` and `ShutdownFrameworkWhileTaskRunning`.
#[test]
fn so_many_tasks_of_a_framework_that_ended_are_remembered() {
    for kept in 0..3 {
        let options =
            Options { max_completed_tasks_per_framework: kept, ..Options::new("master".to_owned(), 1) };
        let mut master = Master::new(options);
        let (agent, _) = master.agent("h", "cpus:4;mem:4096");
        let scheduler = master.framework("f");
        let offer = master.offer(&scheduler);
        let tasks = ["a", "b"].map(|id| task(id, &agent, "cpus:1;mem:32"));
        master.accept(&scheduler, &offer.id, [launch(tasks)]);
        master.call(&scheduler, SchedulerCall::Teardown);
        let completed = master.core.snapshot(master.now).completed_frameworks;
        let tasks: Vec<_> = completed[0].completed_tasks.iter().map(|task| task.state).collect();
        assert_eq!(tasks, vec![TaskState::Killed; kept]);
    }
}

#[test]
fn what_a_framework_does_is_counted_until_it_is_forgotten() {
    let mut master =
        Master::new(Options { max_completed_frameworks: 1, ..Options::new("master".to_owned(), 1) });
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    let launched = [task("t", &agent, "cpus:1;mem:32"), task("u", &agent, "cpus:99;mem:32")];
    master.accept(&scheduler, &offer.id, [launch(launched)]);
    master.expect_status(&scheduler, TaskState::Error);
    for (number, state) in [(1, TaskState::Running), (2, TaskState::Finished)] {
        let update = status(&scheduler.id, &agent, &"t".into(), state, number);
        master.from_agent(&pid, FromAgent::StatusUpdate(update));
        master.expect_status(&scheduler, state);
    }
    master.call(&scheduler, SchedulerCall::Revive(Vec::new()));
    let offer = master.offer(&scheduler);
    let refuse = Duration::from_secs(5);
    master.call(
        &scheduler,
        SchedulerCall::Decline { offer_ids: vec![offer.id.clone(), "gone".into()], refuse },
    );

    let counts = master.core.framework_counts().remove(&scheduler.id).unwrap();
    assert_eq!(counts.calls, [("ACCEPT", 1), ("DECLINE", 1), ("REVIVE", 1), ("SUBSCRIBE", 1)].into());
    assert_eq!(counts.operations, [("LAUNCH", 1)].into(), "one task was refused");
    assert_eq!(counts.ended_tasks, [(TaskState::Finished, 1)].into(), "the refused one never was one");
    assert_eq!(counts.events["SUBSCRIBED"], 1);
    assert_eq!(counts.events["UPDATE"], 3);
    assert_eq!((counts.offers_accepted, counts.offers_declined, counts.offers_rescinded), (1, 1, 0));
    assert_eq!(counts.offers_sent, 2);

    let second = master.subscribe_as(Some(&scheduler.id), framework_info("f"));
    let counts = master.core.framework_counts().remove(&scheduler.id).unwrap();
    assert_eq!((counts.events["ERROR"], counts.events["SUBSCRIBED"], counts.calls["SUBSCRIBE"]), (1, 2, 2));
    master.call(&second, SchedulerCall::Teardown);
    let counts = master.core.framework_counts().remove(&scheduler.id).unwrap();
    assert_eq!(counts.calls["TEARDOWN"], 1);
    let other = master.framework("other");
    master.call(&other, SchedulerCall::Teardown);
    assert_eq!(master.core.framework_counts().keys().collect::<Vec<_>>(), [&other.id]);
}
