//! Custom executors that outlive their agent and subscribe again, played by the tests, while a process stands for each on the
//! machine.

mod common;
mod life;

use std::time::Duration;

use common::executor::{EXECUTOR_ID, Stream, executor_task, send, subscribed, update, uuid};
use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, until};
use life::{Place, Process};
use proto::v1::executor::{call, event};
use proto::v1::{TaskState, TaskStatus, task_status};
use proto::{internal, v1};

struct Scene {
    executor: Stream,
    process: Process,
    master: FakeMaster,
    place: Place,
}

impl Scene {
    /// An executor whose task `t` runs.
    async fn start(place: Place) -> Self {
        let mut master = FakeMaster::start().await;
        master.point_to(place.agent());
        let process = place.start(master.address).await;
        master.take_in().await;
        master.run_for(true, executor_task("t", "exec sleep 1000"));
        let mut executor = subscribed(place.agent(), true).await;
        executor.expect(event::Type::Subscribed).await;
        executor.expect(event::Type::Launch).await;
        assert_eq!(send(place.agent(), &update("t", TaskState::TaskRunning, 1)).await.0, 202);
        assert_eq!(master.status().await.state(), TaskState::TaskRunning);
        executor.expect(event::Type::Acknowledged).await;
        Self { place, master, process, executor }
    }

    /// The agent is killed, and comes again.
    async fn again(mut self) -> Self {
        self.process.kill();
        assert!(self.executor.next().await.is_none(), "the stream ends with the agent");
        self.process = self.place.start(self.master.address).await;
        let message = self.master.take_back().await.0;
        assert_eq!((message.tasks.len(), message.executor_infos.len()), (1, 1), "{message:?}");
        self
    }

    async fn resubscribe(&mut self, subscribe: call::Subscribe) {
        let stream = Stream::resubscribe(self.place.agent(), true, subscribe).await;
        self.executor = stream.expect("the agent knows it");
    }

    /// The next status that is not the first once more: nobody knows whether the agent had written down that it was
    /// acknowledged when it was killed.
    async fn news(&mut self) -> TaskStatus {
        loop {
            let update = self.master.hear_of::<internal::StatusUpdateMessage>().await.update;
            self.master.acknowledge(&update);
            if update.status.state() != TaskState::TaskRunning {
                return update.status;
            }
        }
    }

    fn kill(&mut self, grace: Option<u64>) {
        let kill_policy = grace.map(|seconds| v1::KillPolicy {
            grace_period: Some(v1::DurationInfo {
                nanoseconds: i64::try_from(seconds).expect("few") * 1_000_000_000,
            }),
        });
        self.master.say(&internal::KillTaskMessage {
            framework_id: FRAMEWORK_ID.into(),
            task_id: "t".into(),
            kill_policy,
        });
    }

    /// Nothing is left when the executor has ended.
    async fn end(mut self) {
        self.master.say(&internal::ShutdownExecutorMessage {
            executor_id: Some(EXECUTOR_ID.into()),
            framework_id: Some(FRAMEWORK_ID.into()),
        });
        self.executor.expect(event::Type::Shutdown).await;
        self.place.kill_containers();
        until(|| self.place.leftovers().is_empty()).await;
    }
}

fn unacknowledged(status: TaskStatus) -> call::Subscribe {
    let update = call::Update { status };
    call::Subscribe { unacknowledged_updates: vec![update], ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_comes_back_with_what_it_had_no_answer_to() {
    let mut scene = Scene::start(Place::new()).await.again().await;
    let last = update("t", TaskState::TaskFinished, 2).update.expect("an update").status;
    scene.resubscribe(unacknowledged(last)).await;
    let status = scene.news().await;
    assert_eq!((status.state(), status.source()), (TaskState::TaskFinished, task_status::Source::Executor));
    let acknowledged = scene.executor.expect(event::Type::Acknowledged).await.acknowledged.expect("its part");
    assert_eq!(acknowledged.uuid[..], uuid(2));
    scene.executor.expect(event::Type::Subscribed).await;
    // It takes further tasks.
    let task =
        v1::TaskInfo { executor: executor_task("t", "exec sleep 1000").executor, ..common::task("more") };
    scene.master.say(&internal::RunTaskMessage {
        framework: v1::FrameworkInfo { checkpoint: Some(true), ..common::framework() },
        task,
        launch_executor: Some(false),
        ..Default::default()
    });
    let launch = scene.executor.expect(event::Type::Launch).await.launch.expect("its part");
    assert_eq!(launch.task.task_id.value, "more");
    scene.end().await;
}

/// The executor is told to end its task, whoever was away when the framework wanted it.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_reaches_an_executor_that_was_away() {
    let mut scene = Scene::start(Place::new()).await.again().await;
    scene.kill(Some(7));
    scene.master.until_written().await;
    let mut scene = scene.again().await;
    scene.resubscribe(call::Subscribe::default()).await;
    scene.executor.expect(event::Type::Subscribed).await;
    let kill = scene.executor.expect(event::Type::Kill).await.kill.expect("its part");
    let grace = kill.kill_policy.and_then(|policy| policy.grace_period).map(|grace| grace.nanoseconds);
    assert_eq!((kill.task_id.value.as_str(), grace), ("t", Some(7_000_000_000)));
    assert_eq!(send(scene.place.agent(), &update("t", TaskState::TaskKilled, 3)).await.0, 202);
    assert_eq!(scene.news().await.state(), TaskState::TaskKilled);
    scene.executor.expect(event::Type::Acknowledged).await;
    scene.end().await;
}

/// MESOS-8679: a kill that hangs does not stand in the way of those that follow.
#[tokio::test(flavor = "multi_thread")]
async fn every_kill_reaches_the_executor() {
    let mut scene = Scene::start(Place::new()).await;
    for grace in [Some(600), None, Some(1)] {
        scene.kill(grace);
        let kill = scene.executor.expect(event::Type::Kill).await.kill.expect("its part");
        let told = kill.kill_policy.and_then(|policy| policy.grace_period).map(|grace| grace.nanoseconds);
        assert_eq!(told, grace.map(|seconds| i64::try_from(seconds).expect("few") * 1_000_000_000));
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_does_not_come_back_in_time_is_ended() {
    let mut place = Place::new();
    place.reregistration = Duration::from_millis(300);
    let mut scene = Scene::start(place).await.again().await;
    let exited: internal::ExitedExecutorMessage = scene.master.hear_of().await;
    assert_eq!((exited.executor_id.value.as_str(), exited.slave_id.value.as_str()), (EXECUTOR_ID, AGENT_ID));
    let status = scene.news().await;
    assert_eq!(status.state(), TaskState::TaskLost);
    assert_eq!(status.reason(), task_status::Reason::ExecutorReregistrationTimeout);
    assert_eq!(status.message(), "Executor did not reregister within 300ms");
    until(|| scene.place.leftovers().is_empty()).await;
}
