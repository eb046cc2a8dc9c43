//! Operations on a real agent's resources, their directories, and what is left of both when the agent comes again.

mod common;
mod life;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::{AgentOptions, AgentServer};
use common::{
    AGENT_ID, FRAMEWORK_ID, FakeMaster, PATIENCE, command_task, http, json, options, scalar, states, until,
};
use life::Place;
use proto::{internal, v1};
use tempfile::TempDir;

const RAN: [&str; 3] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"];

fn disk(amount: f64) -> v1::Resource {
    v1::Resource { allocation_info: None, ..scalar("disk", amount) }
}

fn reserved(amount: f64) -> v1::Resource {
    let reservation = v1::resource::ReservationInfo {
        r#type: Some(v1::resource::reservation_info::Type::Dynamic.into()),
        role: Some("scen".to_owned()),
        ..Default::default()
    };
    v1::Resource { reservations: vec![reservation], ..disk(amount) }
}

fn volume(id: &str, amount: f64) -> v1::Resource {
    let disk = v1::resource::DiskInfo {
        persistence: Some(v1::resource::disk_info::Persistence { id: id.to_owned(), ..Default::default() }),
        volume: Some(v1::Volume {
            container_path: "data".to_owned(),
            mode: v1::volume::Mode::Rw.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    v1::Resource { disk: Some(disk), ..reserved(amount) }
}

fn on_behalf(resource: v1::Resource) -> v1::Resource {
    let role = v1::resource::AllocationInfo { role: Some("scen".to_owned()) };
    v1::Resource { allocation_info: Some(role), ..resource }
}

fn reserve(amount: f64) -> v1::offer::Operation {
    let reserve = v1::offer::operation::Reserve { resources: vec![reserved(amount)], ..Default::default() };
    operation(v1::offer::operation::Type::Reserve, |operation| operation.reserve = Some(reserve))
}

fn create(volumes: Vec<v1::Resource>) -> v1::offer::Operation {
    let create = v1::offer::operation::Create { volumes };
    operation(v1::offer::operation::Type::Create, |operation| operation.create = Some(create))
}

fn destroy(volumes: Vec<v1::Resource>) -> v1::offer::Operation {
    let destroy = v1::offer::operation::Destroy { volumes };
    operation(v1::offer::operation::Type::Destroy, |operation| operation.destroy = Some(destroy))
}

fn operation(
    kind: v1::offer::operation::Type,
    fill: impl FnOnce(&mut v1::offer::Operation),
) -> v1::offer::Operation {
    let mut operation =
        v1::offer::Operation { r#type: Some(kind.into()), id: Some("op".into()), ..Default::default() };
    fill(&mut operation);
    operation
}

fn uuid(number: u8) -> v1::Uuid {
    v1::Uuid { value: vec![number; 16].into() }
}

fn apply(master: &mut FakeMaster, number: u8, operation: v1::offer::Operation, version: &v1::Uuid) {
    master.say(&internal::ApplyOperationMessage {
        framework_id: Some(FRAMEWORK_ID.into()),
        operation_info: operation,
        operation_uuid: uuid(number),
        resource_version_uuid: internal::ResourceVersionUuid {
            resource_provider_id: None,
            uuid: version.clone(),
        },
    });
}

async fn status(master: &mut FakeMaster) -> internal::UpdateOperationStatusMessage {
    master.expect::<internal::UpdateOperationStatusMessage>().await
}

fn acknowledge(master: &mut FakeMaster, update: &internal::UpdateOperationStatusMessage) {
    master.say(&internal::AcknowledgeOperationStatusMessage {
        status_uuid: update.status.uuid.clone().expect("it wants an acknowledgement"),
        operation_uuid: update.operation_uuid.clone().expect("it is named"),
        resource_provider_id: None,
    });
}

/// An agent that is registered, with a hundred megabytes of disk reserved.
struct Scene {
    work_dir: TempDir,
    master: FakeMaster,
    options: AgentOptions,
    agent: AgentServer,
    version: v1::Uuid,
}

impl Scene {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory")).await
    }

    async fn start_in(work_dir: TempDir) -> Self {
        let mut master = FakeMaster::start().await;
        let options = options(master.address, work_dir.path());
        let agent = AgentServer::start(options.clone()).await.expect("an agent");
        let version = master.register(&agent).await.resource_version_uuid.expect("a version");
        let mut scene = Self { work_dir, master, options, agent, version };
        scene.carry_out(1, reserve(100.0)).await;
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.work_dir.path().join(path)
    }

    fn apply(&mut self, number: u8, operation: v1::offer::Operation) {
        apply(&mut self.master, number, operation, &self.version);
    }

    /// An operation that has to succeed.
    async fn carry_out(&mut self, number: u8, operation: v1::offer::Operation) {
        self.apply(number, operation);
        let update = status(&mut self.master).await;
        let message = &update.status.message;
        assert_eq!(update.status.state(), v1::OperationState::OperationFinished, "{message:?}");
        assert_eq!(update.operation_uuid, Some(uuid(number)));
        acknowledge(&mut self.master, &update);
    }

    /// A task with a volume.
    fn run(&mut self, id: &str, line: &str, user: Option<&str>, volume: v1::Resource) {
        let mut task = command_task(id, line);
        task.command.as_mut().expect("a command").user = user.map(str::to_owned);
        task.resources.push(on_behalf(volume));
        self.master.run(task);
    }

    /// The agent is ended, and another one begins where it was. It listens, and has not been taken in.
    async fn restart(mut self) -> Self {
        self.agent.shutdown().await;
        self.agent = AgentServer::start(self.options.clone()).await.expect("an agent");
        self.master.point_at(&self.agent);
        self
    }

    async fn end(self) {
        self.agent.shutdown().await;
    }
}

/// What is reserved, all in all.
fn amount(message: &internal::ReregisterSlaveMessage) -> f64 {
    message.checkpointed_resources.iter().filter_map(|r| r.scalar.as_ref()).map(|scalar| scalar.value).sum()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_outlive_their_tasks_and_the_agent_and_end_with_destroy() {
    let mut scene = Scene::start().await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    let directory = scene.path("volumes/roles/scen/v");
    assert!(directory.is_dir());
    scene.run("writer", "echo precious > data/file && ls -l data > listing", None, volume("v", 10.0));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    assert_eq!(std::fs::read_to_string(directory.join("file")).expect("written"), "precious\n");

    let mut scene = scene.restart().await;
    let (message, update) = scene.master.take_back().await;
    assert_eq!(message.slave.id, Some(AGENT_ID.into()));
    // What the master assumed before is not what it may assume now.
    let version = update.resource_version_uuid.clone().expect("a version");
    assert_ne!(std::mem::replace(&mut scene.version, version.clone()), version);
    assert_eq!((message.checkpointed_resources.len(), amount(&message)), (2, 100.0));
    assert_eq!(update.operations.expect("always").operations, []);

    scene.run("reader", "test $(cat data/file) = precious", None, volume("v", 10.0));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    scene.carry_out(3, destroy(vec![volume("v", 10.0)])).await;
    assert!(!directory.exists());
    until(|| names(&scene.path("volumes/removed")).is_empty()).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_without_acknowledgement_is_repeated_by_the_next_life() {
    let mut scene = Scene::start().await;
    scene.apply(2, reserve(50.0));
    let first = status(&mut scene.master).await;
    let mut scene = scene.restart().await;
    let (_, update) = scene.master.take_back().await;
    let told = update.operations.expect("always").operations;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].uuid, &told[0].info), (&uuid(2), &reserve(50.0)));
    assert_eq!(told[0].latest_status, first.status);
    let again = status(&mut scene.master).await;
    assert_eq!(again, first);
    acknowledge(&mut scene.master, &again);
    scene.master.until_written().await;
    let mut scene = scene.restart().await;
    let (_, update) = scene.master.take_back().await;
    assert_eq!(update.operations.expect("always").operations, []);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_cannot_be_made_fails_the_operation() {
    let mut scene = Scene::start().await;
    std::fs::write(scene.path("volumes"), "in the way").expect("ours");
    scene.apply(2, create(vec![volume("v", 10.0)]));
    let failed = status(&mut scene.master).await;
    assert_eq!(failed.status.state(), v1::OperationState::OperationFailed);
    let message = failed.status.message.clone().expect("a reason");
    assert!(
        message.starts_with("cannot make persistent volume '/") && message.contains("/scen/v': "),
        "{message}"
    );
    // The master took the volume for made: it is told what there is.
    let (message, _) = scene.master.take_back().await;
    assert_ne!(message.resource_version_uuid, Some(scene.version.clone()));
    assert_eq!(message.checkpointed_resources, [reserved(100.0)]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_volume_is_used_by_several_tasks() {
    let mut scene = Scene::start().await;
    let shared = v1::Resource { shared: Some(v1::resource::SharedInfo::default()), ..volume("v", 10.0) };
    scene.carry_out(2, create(vec![shared.clone()])).await;
    let wait = "touch data/one; until test -e data/other; do sleep 0.01; done";
    for (id, line) in [("one", wait), ("other", "touch data/other")] {
        scene.run(id, line, None, shared.clone());
    }
    let statuses: Vec<_> =
        scene.master.statuses().await.into_iter().chain(scene.master.statuses().await).collect();
    assert_eq!(states(&statuses).iter().filter(|state| **state == "TASK_FINISHED").count(), 2);
    scene.end().await;
}

/// A task whose user is not the agent's may write to its volume. Only root gives anything away.
#[tokio::test(flavor = "multi_thread")]
async fn a_volume_belongs_to_the_user_of_its_task() {
    assert!(rustix::process::getuid().is_root(), "this test needs root");
    let work_dir = tempfile::Builder::new().prefix("volumes").tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(work_dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let mut scene = Scene::start_in(work_dir).await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    scene.run("t", "echo x > data/file", Some("nobody"), volume("v", 10.0));
    assert_eq!(states(&scene.master.statuses().await), RAN);
    let owner = std::fs::metadata(scene.path("volumes/roles/scen/v")).expect("there").uid();
    assert_ne!(owner, 0);
    scene.end().await;
}

/// Whatever becomes of what the agent wrote down, it starts, says what is wrong, and its volumes are as they were.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_no_reason_not_to_start() {
    let mut scene = Scene::start().await;
    scene.carry_out(2, create(vec![volume("v", 10.0)])).await;
    let Scene { work_dir, mut master, options, agent, .. } = scene;
    agent.shutdown().await;
    std::fs::write(work_dir.path().join("meta/agent.redb"), vec![7; 4096]).expect("ours");
    let agent = AgentServer::start(options).await.expect("an agent");
    // Nothing is left of what it was: it is another agent, and the volume's data is nobody's and still there.
    let message = master.register(&agent).await;
    assert_eq!((message.slave.id, message.checkpointed_resources.len()), (None, 0));
    assert!(work_dir.path().join("volumes/roles/scen/v").is_dir());
    assert_eq!(json(agent.address(), "/metrics/snapshot").await["slave/recovery_errors"], 1.0);
    assert_eq!(names(&work_dir.path().join("meta")), ["agent.damaged-1", "agent.redb"]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_were_reserved_cannot_be_taken_away() {
    let Scene { work_dir: _work_dir, options, agent, .. } = Scene::start().await;
    agent.shutdown().await;
    let less = AgentOptions { resources: Some("cpus:8;mem:8192;disk:50".to_owned()), ..options };
    let error = AgentServer::start(less).await.expect_err("the reservation does not fit");
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        text = format!("{text}: {source}");
    }
    assert!(text.contains("lack disk:100") && text.contains("--resources"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_unregisters_is_another_the_next_time() {
    let scene = Scene::start().await;
    scene.agent.unregister("maintenance").await;
    scene.agent.terminated().await;
    let mut scene = scene.restart().await;
    let _: internal::UnregisterSlaveMessage = scene.master.hear_of().await;
    let message = scene.master.take_in().await;
    assert_eq!((message.slave.id, message.checkpointed_resources), (None, vec![reserved(100.0)]));
    scene.end().await;
}

/// A real process, killed with SIGKILL at any moment between many operations: the resources are what the operations of
/// which the master has heard made of them, with at most the one under way on top, and what was sent was written before.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_keeps_what_it_said() {
    let place = Place::new();
    let mut master = FakeMaster::start().await;
    master.point_to(place.agent());
    let mut process = place.start(master.address).await;
    let mut version = master.take_in().await.resource_version_uuid.expect("a version");
    let mut heard = 0_u8;
    for round in 0..12_u64 {
        // Reservations of one after the other, without waiting for what comes of them.
        let first = heard + 1;
        for number in first..first + 4 {
            apply(&mut master, number, reserve(1.0), &version);
        }
        let patience = Duration::from_micros(700 * round);
        let _ = tokio::time::timeout(patience, async {
            loop {
                let update = status(&mut master).await;
                heard = heard.max(update.operation_uuid.expect("named").value[0]);
            }
        })
        .await;
        process.kill();
        for message in master.heard_already() {
            if message.name == "mesos.internal.UpdateOperationStatusMessage" {
                let update: internal::UpdateOperationStatusMessage =
                    proto::decode(&message.body).expect("a status");
                heard = heard.max(update.operation_uuid.expect("named").value[0]);
            }
        }
        process = place.start(master.address).await;
        let (message, update) = master.take_back().await;
        let found = amount(&message);
        assert!(
            found >= f64::from(heard) && found <= f64::from(first + 3),
            "round {round}: {found}, heard {heard}"
        );
        version = update.resource_version_uuid.expect("a version");
        let told = update.operations.expect("always").operations;
        assert_eq!(told.len() as f64, found, "each has its status, because none was acknowledged");
        heard = u8::try_from(told.len()).expect("few");
    }
    assert!(heard > 12, "only {heard} operations were carried out");
    let patience = tokio::time::timeout(PATIENCE, async {
        while status(&mut master).await.operation_uuid != Some(uuid(heard)) {}
    });
    patience.await.expect("the last status is repeated, too");
    assert_eq!(http(place.agent(), "GET", "/health", None).await.0, 200);
    process.kill();
}
