//! What a framework keeps when its scheduler or the master is replaced, against real servers in this process.

mod cluster;

use std::time::Duration;

use cluster::{Cluster, within};
use proto::v1::{FrameworkInfo, TaskState};
use sdk::build::{Framework, Task};
use sdk::scheduler::{Event, Scheduler};

fn framework() -> Framework {
    Framework::new("survivor").failover_timeout(Duration::from_secs(600))
}

fn subscribe(cluster: &Cluster, framework: FrameworkInfo) -> Scheduler {
    Scheduler::builder(framework)
        .masters(cluster.masters())
        .max_backoff(Duration::from_millis(100))
        .start()
        .unwrap()
}

/// Launches the task on the first offer.
async fn launch(scheduler: &mut Scheduler) {
    loop {
        match scheduler.next_event().await.unwrap() {
            Event::Offers(offers) => {
                let task = Task::new("task").command("exec sleep 1000").cpus(0.1).mem(32.0).on(&offers[0]);
                return scheduler.calls().launch(&offers[..1], vec![task], Some(3600.0)).await.unwrap();
            }
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }
}

/// Waits until the scheduler is told that its task is in this state; older news may come first, even twice.
async fn until(scheduler: &mut Scheduler, state: TaskState) {
    loop {
        match scheduler.next_event().await.unwrap() {
            Event::Update(status) if status.state() == state => return,
            Event::Update(status) => assert!(
                matches!(status.state(), TaskState::TaskStarting | TaskState::TaskRunning),
                "{status:?}"
            ),
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }
}

/// Waits for the next subscription; the framework's id.
async fn subscribed(scheduler: &mut Scheduler, again: bool) -> String {
    loop {
        match scheduler.next_event().await.unwrap() {
            Event::Subscribed(subscribed) => {
                assert_eq!(subscribed.again, again);
                return subscribed.framework_id.value;
            }
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_scheduler_takes_over_and_the_old_one_is_told() {
    let cluster = Cluster::start().await;
    within(async {
        let mut first = subscribe(&cluster, framework().build());
        let id = subscribed(&mut first, false).await;
        launch(&mut first).await;
        until(&mut first, TaskState::TaskRunning).await;

        let mut second = subscribe(&cluster, framework().id(id.as_str()).build());
        assert_eq!(subscribed(&mut second, false).await, id);
        let end = loop {
            match first.next_event().await {
                Some(Event::Error(message)) => break message,
                Some(_) => {}
                None => panic!("an error is the last event"),
            }
        };
        assert_eq!(end, "Framework failed over");

        let calls = second.calls();
        calls.reconcile(vec![("task".into(), None)]).await.unwrap();
        until(&mut second, TaskState::TaskRunning).await;
        calls.kill("task".into(), None, None).await.unwrap();
        until(&mut second, TaskState::TaskKilled).await;
        second.teardown().await.unwrap();
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_finds_frameworks_and_tasks_again() {
    let cluster = Cluster::start().await;
    let mut scheduler = subscribe(&cluster, framework().checkpoint(true).build());
    let id = within(subscribed(&mut scheduler, false)).await;
    within(launch(&mut scheduler)).await;
    within(until(&mut scheduler, TaskState::TaskRunning)).await;

    let cluster = cluster.replace_master().await;
    within(async {
        assert_eq!(subscribed(&mut scheduler, true).await, id);
        let calls = scheduler.calls();
        // The master knows the task when the agent is back; until then it does not answer.
        let mut ask = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                _ = ask.tick() => calls.reconcile(vec![("task".into(), None)]).await.unwrap(),
                event = scheduler.next_event() => match event.unwrap() {
                    Event::Update(status) if status.state() == TaskState::TaskRunning => break,
                    Event::Error(message) => panic!("{message}"),
                    _ => {}
                },
            }
        }
        calls.kill("task".into(), None, None).await.unwrap();
        until(&mut scheduler, TaskState::TaskKilled).await;
        scheduler.teardown().await.unwrap();
    })
    .await;
    cluster.stop().await;
}
