//! What is ordered of containers that are on their way out, with a launcher that does nothing by itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use agent_core::{
    CommandInfo, ContainerEvent, ContainerKind, ContainerSpec, ExecutorInfo, ExecutorKind, Input, Reason,
    ResourceLimits,
};
use base::{ContainerId, Payload};
use containerizer::{
    FetchLimits, Fetcher, GroupSpec, Known, LaunchError, LaunchSpec, Launcher, Limits, Recovered, Signal,
    Status, Usage, Visit, VisitDone,
};
use resources::Resources;
use tokio::sync::mpsc;

use super::Containers;
use crate::engine::{CoreHandle, Work};
use crate::launchers::Chosen;
use crate::metrics::Counters;
use crate::options::AgentOptions;

/// Takes orders, and says nothing of them.
#[derive(Default)]
struct Silent {
    launched: Mutex<Vec<ContainerId>>,
    destroyed: Mutex<Vec<ContainerId>>,
    /// Limits cannot be changed.
    stubborn: AtomicBool,
}

impl Launcher for Silent {
    fn launch(&self, spec: LaunchSpec) {
        self.launched.lock().expect("no panic").push(spec.container_id);
    }

    fn signal(&self, _container_id: &ContainerId, _signal: Signal) {}

    fn destroy(&self, container_id: &ContainerId) {
        self.destroyed.lock().expect("no panic").push(container_id.clone());
    }

    fn launch_group(&self, _spec: GroupSpec) -> Result<(), LaunchError> {
        Ok(())
    }

    fn enter(&self, _visit: Visit, _done: VisitDone) {}

    fn expel(&self, _number: u64) {}

    fn update(&self, _container_id: &ContainerId, _limits: &Limits) -> Result<(), LaunchError> {
        if self.stubborn.load(Ordering::Relaxed) {
            return Err(LaunchError::Prepare("update() failed".to_owned()));
        }
        Ok(())
    }

    fn recover(&self, _known: Vec<Known>) -> Recovered {
        Recovered::default()
    }

    fn forget(&self, _container_id: &ContainerId) {}

    fn status(&self, _container_id: &ContainerId) -> Status {
        Status::default()
    }

    fn usage(&self) -> BTreeMap<ContainerId, Usage> {
        BTreeMap::new()
    }

    fn shutdown(&self) {}

    fn leave(&self) {}
}

/// A group, and what is launched into it.
struct Scene {
    launcher: Arc<Silent>,
    containers: Containers,
    work: mpsc::Receiver<Work>,
    counters: Counters,
    root: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let launcher = Arc::new(Silent::default());
        let (queue, work) = mpsc::channel(16);
        let options = AgentOptions { switch_user: false, ..AgentOptions::default() };
        let containers = Containers::new(
            Chosen { launcher: Arc::clone(&launcher) as Arc<dyn Launcher>, isolation: None },
            &root.path().display().to_string(),
            Fetcher::new(FetchLimits::default(), None),
            &options,
            tokio::runtime::Handle::current(),
            CoreHandle::new(queue),
        );
        let mut scene = Self { launcher, containers, work, counters: Counters::default(), root };
        scene.containers.launch(scene.spec("g", ContainerKind::Group));
        scene.prepare().await;
        assert_eq!(scene.events(), [("g".to_owned(), "launched")]);
        scene
    }

    fn spec(&self, name: &str, kind: ContainerKind) -> ContainerSpec {
        let executor = ExecutorInfo {
            executor_id: "e".into(),
            kind: ExecutorKind::Default,
            command: None,
            resources: Resources::new(),
            shutdown_grace: None,
            unsupported: None,
            body: Payload::default(),
        };
        ContainerSpec {
            container_id: name.into(),
            parent: name.rsplit_once('.').map(|(parent, _)| parent.into()),
            kind,
            framework_id: "f".into(),
            executor_id: "e".into(),
            task_id: None,
            directory: self.root.path().join(name).display().to_string().into(),
            environment: Vec::new(),
            user: containerizer::own_user_name().into(),
            resources: Resources::new(),
            limits: ResourceLimits::default(),
            survives: false,
            volumes: Vec::new(),
            executor: Arc::new(executor),
            task: None,
        }
    }

    fn launch_task(&mut self, name: &str) {
        let command = CommandInfo { value: Some("true".into()), shell: true, ..CommandInfo::default() };
        self.containers.launch(self.spec(name, ContainerKind::Process(command)));
    }

    /// The sandbox that is being made is there.
    async fn prepare(&mut self) {
        let Some(Work::Prepared { container_id, result }) = self.work.recv().await else { panic!("work") };
        self.containers.prepared(container_id, result, &mut self.counters);
    }

    /// What the core is told.
    fn events(&mut self) -> Vec<(String, &'static str)> {
        let name = |input| match input {
            Input::Container { container_id, event } => {
                let what = match event {
                    ContainerEvent::Launched { .. } => "launched",
                    ContainerEvent::NoSandbox { .. } => "no sandbox",
                    ContainerEvent::LaunchFailed { .. } => "failed",
                    ContainerEvent::Exited { .. } => "exited",
                };
                (container_id.as_str().to_owned(), what)
            }
            other => panic!("{other:?}"),
        };
        self.containers.take_inputs().into_iter().map(name).collect()
    }
}

#[tokio::test]
async fn nothing_is_started_in_a_group_that_ends() {
    let mut scene = Scene::new().await;
    scene.launch_task("g.runs");
    scene.prepare().await;
    // The group waits for the one that runs, which does not end yet.
    scene.containers.destroy(&"g".into());
    assert_eq!(*scene.launcher.destroyed.lock().expect("no panic"), ["g.runs".into()]);
    scene.launch_task("g.late");
    assert_eq!(scene.events(), [("g.late".to_owned(), "exited")], "it is told at once");
    assert_eq!(*scene.launcher.launched.lock().expect("no panic"), ["g.runs".into()]);
    assert!(!scene.root.path().join("g.late").exists(), "nothing is made for it");
    // Nobody waits for it: the group ends with the one that ran.
    let exited = containerizer::ContainerEvent::Exited { container_id: "g.runs".into(), status: 9 };
    scene.containers.event(exited, &mut scene.counters);
    let destroyed = containerizer::ContainerEvent::Destroyed { container_id: "g.runs".into() };
    scene.containers.event(destroyed, &mut scene.counters);
    assert_eq!(scene.events(), [("g.runs".to_owned(), "exited")]);
    assert_eq!(scene.launcher.destroyed.lock().expect("no panic").last(), Some(&"g".into()));
    // Its control groups are being removed.
    scene.launch_task("g.later");
    assert_eq!(scene.events(), [("g.later".to_owned(), "exited")]);
    let destroyed = containerizer::ContainerEvent::Destroyed { container_id: "g".into() };
    scene.containers.event(destroyed, &mut scene.counters);
    assert_eq!(scene.events(), [("g".to_owned(), "exited")]);
    // And of one of which nothing is known any more, the same.
    scene.launch_task("g.last");
    assert_eq!(scene.events(), [("g.last".to_owned(), "exited")]);
}

/// After Mesos' `TaskLaunchContainerizerUpdateFails` and `TerminalTaskContainerizerUpdateFails*`: it could take what others were
/// promised.
#[tokio::test]
async fn a_container_whose_limits_cannot_be_changed_is_ended_for_that() {
    let mut scene = Scene::new().await;
    scene.launch_task("g.runs");
    scene.prepare().await;
    scene.containers.update(&"g".into(), &Resources::new(), ResourceLimits::default());
    assert!(scene.launcher.destroyed.lock().expect("no panic").is_empty(), "it can be changed");
    scene.launcher.stubborn.store(true, Ordering::Relaxed);
    scene.containers.update(&"g".into(), &Resources::new(), ResourceLimits::default());
    assert_eq!(*scene.launcher.destroyed.lock().expect("no panic"), ["g.runs".into()]);
    for name in ["g.runs", "g"] {
        let exited = containerizer::ContainerEvent::Exited { container_id: name.into(), status: 9 };
        if name != "g" {
            scene.containers.event(exited, &mut scene.counters);
        }
        let destroyed = containerizer::ContainerEvent::Destroyed { container_id: name.into() };
        scene.containers.event(destroyed, &mut scene.counters);
        let told = scene.containers.take_inputs();
        let [Input::Container { container_id, event: ContainerEvent::Exited { limitation, .. } }] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!(container_id.as_str(), name);
        let limitation = limitation.as_ref().expect("the reason");
        assert_eq!(limitation.reason, Reason::ContainerUpdateFailed);
        let message =
            "Failed to update resources for container: cannot prepare the container: update() failed";
        assert_eq!(limitation.message, message);
    }
}

#[tokio::test]
async fn what_is_being_made_when_its_group_ends_is_not_started() {
    let mut scene = Scene::new().await;
    scene.launch_task("g.made");
    scene.containers.destroy(&"g".into());
    assert_eq!(scene.events(), [("g.made".to_owned(), "exited")]);
    assert_eq!(
        *scene.launcher.destroyed.lock().expect("no panic"),
        ["g".into()],
        "it has nobody to wait for"
    );
    // Its sandbox may be ready after all.
    scene.containers.prepared("g.made".into(), Ok(()), &mut scene.counters);
    assert!(scene.launcher.launched.lock().expect("no panic").is_empty());
    assert!(scene.events().is_empty());
}

/// As in Mesos, where the executor that a container is nested in is told, and the metric is of what could not be launched for
/// executors.
#[tokio::test]
async fn launches_that_fail_are_counted_where_they_are_an_executors() {
    let mut scene = Scene::new().await;
    for (name, counted) in [("g.t", 0), ("own", 1)] {
        // A process that cannot be started.
        scene.launch_task(name);
        scene.prepare().await;
        let error = LaunchError::Prepare("no room".to_owned());
        let failed = containerizer::ContainerEvent::LaunchFailed { container_id: name.into(), error };
        scene.containers.event(failed, &mut scene.counters);
        assert_eq!(scene.events(), [(name.to_owned(), "failed")]);
        assert_eq!(scene.counters.container_launch_errors, counted, "{name}");
    }
    for (name, counted) in [("g.u", 1), ("other", 2)] {
        // A sandbox that cannot be filled.
        scene.launch_task(name);
        let failed = ContainerEvent::LaunchFailed { message: "no such file".to_owned() };
        scene.containers.prepared(name.into(), Err(failed), &mut scene.counters);
        assert_eq!(scene.events(), [(name.to_owned(), "failed")]);
        assert_eq!(scene.counters.container_launch_errors, counted, "{name}");
    }
}

#[tokio::test]
async fn what_is_under_way_is_told_until_it_is_done() {
    let mut scene = Scene::new().await;
    let pending = |scene: &Scene| -> Vec<(String, &'static str)> {
        let all = scene.containers.pending().into_iter();
        all.map(|one| (one.container_id.to_string(), one.operation)).collect()
    };
    assert_eq!(pending(&scene), []);
    let of = |operation| [("g.t".to_owned(), operation)];
    scene.launch_task("g.t");
    assert_eq!(pending(&scene), of("containerizer::prepare"));
    scene.prepare().await;
    assert_eq!(pending(&scene), of("launcher::fork"));
    let launched = containerizer::ContainerEvent::Launched { container_id: "g.t".into(), pid: 1 };
    scene.containers.event(launched, &mut scene.counters);
    assert_eq!(pending(&scene), []);
    scene.containers.destroy(&"g.t".into());
    assert_eq!(pending(&scene), of("launcher::destroy"));
    let exited = containerizer::ContainerEvent::Exited { container_id: "g.t".into(), status: 9 };
    scene.containers.event(exited, &mut scene.counters);
    assert_eq!(pending(&scene), of("launcher::destroy"));
    let destroyed = containerizer::ContainerEvent::Destroyed { container_id: "g.t".into() };
    scene.containers.event(destroyed, &mut scene.counters);
    assert_eq!(pending(&scene), []);
    scene.containers.destroy(&"g".into());
    assert_eq!(pending(&scene), [("g".to_owned(), "launcher::destroy")]);
}
