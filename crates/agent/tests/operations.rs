//! Operations on a real agent's resources, their directories, and what is left of both when the agent comes again.

mod common;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use agent::{AgentOptions, AgentServer};
use common::{
    AGENT_ID, FRAMEWORK_ID, FakeMaster, PATIENCE, command_task, http, json, options, scalar, states, until,
};
use proto::{internal, v1};

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

/// An operation that has to succeed.
async fn carry_out(master: &mut FakeMaster, number: u8, operation: v1::offer::Operation, version: &v1::Uuid) {
    apply(master, number, operation, version);
    let update = status(master).await;
    assert_eq!(update.status.state(), v1::OperationState::OperationFinished, "{:?}", update.status.message);
    assert_eq!(update.operation_uuid, Some(uuid(number)));
    acknowledge(master, &update);
}

/// The agent comes again and is taken in: what it says.
async fn reregistered(
    master: &mut FakeMaster,
    agent: &AgentServer,
) -> (internal::ReregisterSlaveMessage, internal::UpdateSlaveMessage) {
    master.point_at(agent);
    let message: internal::ReregisterSlaveMessage = master.expect().await;
    master.say(&internal::SlaveReregisteredMessage { slave_id: AGENT_ID.into(), ..Default::default() });
    let update = told_of_itself(master).await;
    (message, update)
}

/// On a loaded machine an agent has asked again before it was answered.
async fn told_of_itself(master: &mut FakeMaster) -> internal::UpdateSlaveMessage {
    loop {
        let heard = master.hear().await;
        if heard.name == "mesos.internal.UpdateSlaveMessage" {
            return proto::decode(&heard.body).expect("it is what its name says");
        }
    }
}

async fn start(options: &AgentOptions) -> AgentServer {
    AgentServer::start(options.clone()).await.expect("an agent")
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
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    carry_out(&mut master, 2, create(vec![volume("v", 10.0)]), &version).await;
    let directory = work_dir.path().join("volumes/roles/scen/v");
    assert!(directory.is_dir());

    let write = "echo precious > data/file && ls -l data > listing";
    let mut task = command_task("writer", write);
    task.resources.push(on_behalf(volume("v", 10.0)));
    master.run(task);
    assert_eq!(states(&master.statuses().await), RAN);
    assert_eq!(std::fs::read_to_string(directory.join("file")).expect("written"), "precious\n");
    agent.shutdown().await;

    let agent = start(&options).await;
    let (message, update) = reregistered(&mut master, &agent).await;
    assert_eq!(message.slave.id, Some(AGENT_ID.into()));
    assert_eq!(message.resource_version_uuid, Some(version.clone()));
    let checkpointed: f64 =
        message.checkpointed_resources.iter().map(|r| r.scalar.as_ref().map_or(0.0, |s| s.value)).sum();
    assert_eq!((message.checkpointed_resources.len(), checkpointed), (2, 100.0));
    assert_eq!(update.operations.expect("always").operations, []);

    let mut task = command_task("reader", "test $(cat data/file) = precious");
    task.resources.push(on_behalf(volume("v", 10.0)));
    master.run(task);
    assert_eq!(states(&master.statuses().await), RAN);
    carry_out(&mut master, 3, destroy(vec![volume("v", 10.0)]), &version).await;
    assert!(!directory.exists());
    until(|| names(&work_dir.path().join("volumes/removed")).is_empty()).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_without_acknowledgement_is_repeated_by_the_next_life() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    apply(&mut master, 1, reserve(100.0), &version);
    let first = status(&mut master).await;
    agent.shutdown().await;

    let agent = start(&options).await;
    let (_, update) = reregistered(&mut master, &agent).await;
    let told = update.operations.expect("always").operations;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].uuid, &told[0].info), (&uuid(1), &reserve(100.0)));
    assert_eq!(told[0].latest_status, first.status);
    let again = status(&mut master).await;
    assert_eq!(again, first);
    acknowledge(&mut master, &again);
    until_forgotten(&mut master).await;
    agent.shutdown().await;
    let agent = start(&options).await;
    let (_, update) = reregistered(&mut master, &agent).await;
    assert_eq!(update.operations.expect("always").operations, []);
    agent.shutdown().await;
}

/// What was said to the agent so far has been written down: what it answers comes after it.
async fn until_forgotten(master: &mut FakeMaster) {
    let operations = vec![internal::reconcile_operations_message::Operation {
        operation_uuid: Some(uuid(99)),
        ..Default::default()
    }];
    master.say(&internal::ReconcileOperationsMessage { framework_id: None, operations });
    assert_eq!(status(master).await.status.state(), v1::OperationState::OperationDropped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_cannot_be_made_fails_the_operation() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    std::fs::write(work_dir.path().join("volumes"), "in the way").expect("ours");
    apply(&mut master, 2, create(vec![volume("v", 10.0)]), &version);
    let failed = status(&mut master).await;
    assert_eq!(failed.status.state(), v1::OperationState::OperationFailed);
    let message = failed.status.message.clone().expect("a reason");
    assert!(
        message.starts_with("cannot make persistent volume '/") && message.contains("/scen/v': "),
        "{message}"
    );
    // The master took the volume for made: it is told what there is.
    let (message, _) = reregistered(&mut master, &agent).await;
    assert_ne!(message.resource_version_uuid, Some(version));
    assert_eq!(message.checkpointed_resources, [reserved(100.0)]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_volume_is_used_by_several_tasks() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    let shared = v1::Resource { shared: Some(v1::resource::SharedInfo::default()), ..volume("v", 10.0) };
    carry_out(&mut master, 2, create(vec![shared.clone()]), &version).await;
    let wait = "until test -e data/other; do sleep 0.01; done";
    for (id, line) in [("one", format!("touch data/one; {wait}")), ("other", "touch data/other".to_owned())] {
        let mut task = command_task(id, &line);
        task.resources.push(on_behalf(shared.clone()));
        master.run(task);
    }
    let statuses: Vec<_> = master.statuses().await.into_iter().chain(master.statuses().await).collect();
    assert_eq!(states(&statuses).iter().filter(|state| **state == "TASK_FINISHED").count(), 2);
    agent.shutdown().await;
}

/// A task whose user is not the agent's may write to its volume.
#[tokio::test(flavor = "multi_thread")]
async fn a_volume_belongs_to_the_user_of_its_task() {
    if !rustix::process::getuid().is_root() {
        return; // only root gives anything away
    }
    let work_dir = tempfile::Builder::new().prefix("volumes").tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(work_dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    carry_out(&mut master, 2, create(vec![volume("v", 10.0)]), &version).await;
    let mut task = command_task("t", "echo x > data/file");
    task.command.as_mut().expect("a command").user = Some("nobody".to_owned());
    task.resources.push(on_behalf(volume("v", 10.0)));
    master.run(task);
    assert_eq!(states(&master.statuses().await), RAN);
    let owner = std::fs::metadata(work_dir.path().join("volumes/roles/scen/v")).expect("there").uid();
    assert_ne!(owner, 0);
    agent.shutdown().await;
}

/// Whatever becomes of what the agent wrote down, it starts, says what is wrong, and its volumes are as they were.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_no_reason_not_to_start() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    carry_out(&mut master, 2, create(vec![volume("v", 10.0)]), &version).await;
    agent.shutdown().await;

    let store = work_dir.path().join("meta/agent.redb");
    std::fs::write(&store, vec![7; 4096]).expect("ours");
    let agent = start(&options).await;
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
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let before = options(master.address, work_dir.path());
    let agent = start(&before).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    agent.shutdown().await;
    let less = AgentOptions { resources: Some("cpus:8;mem:8192;disk:50".to_owned()), ..before };
    let error = AgentServer::start(less).await.expect_err("the reservation does not fit");
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        text = format!("{text}: {source}");
    }
    assert!(text.contains("lack disk:100") && text.contains("--resources"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_unregisters_is_another_the_next_time() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = options(master.address, work_dir.path());
    let agent = start(&options).await;
    let version = master.register(&agent).await.resource_version_uuid.expect("a version");
    carry_out(&mut master, 1, reserve(100.0), &version).await;
    agent.unregister("maintenance").await;
    agent.terminated().await;
    agent.shutdown().await;
    let _: internal::UnregisterSlaveMessage = master.expect().await;
    let agent = start(&options).await;
    let message = master.register(&agent).await;
    assert_eq!((message.slave.id, message.checkpointed_resources), (None, vec![reserved(100.0)]));
    agent.shutdown().await;
}

/// The body of the process that is killed; started by the test below.
#[test]
#[ignore = "it is a process of another test"]
fn process() {
    let (Ok(master), Ok(work_dir)) = (std::env::var("TEST_MASTER"), std::env::var("TEST_WORK_DIR")) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = options(master.parse().expect("an address"), Path::new(&work_dir));
        let agent = start(&AgentOptions { seed: None, ..options }).await;
        std::fs::write(Path::new(&work_dir).join("address"), agent.address().to_string()).expect("ours");
        std::future::pending::<()>().await;
    });
}

struct Process(std::process::Child, std::net::SocketAddr);

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn process_of(master: &FakeMaster, work_dir: &Path) -> Process {
    let address = work_dir.join("address");
    let _ = std::fs::remove_file(&address);
    let child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "process"])
        .env("TEST_MASTER", master.address.to_string())
        .env("TEST_WORK_DIR", work_dir)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a process");
    let mut found = None;
    until(|| {
        found = std::fs::read_to_string(&address).ok().and_then(|text| text.parse().ok());
        found.is_some()
    })
    .await;
    Process(child, found.expect("it listens"))
}

/// A real process, killed with SIGKILL at any moment between many operations: the resources are what the operations of
/// which the master has heard made of them, with at most the one under way on top, and what was sent was written before.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_keeps_what_it_said() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let mut process = process_of(&master, work_dir.path()).await;
    master.point_to(process.1);
    let _: internal::RegisterSlaveMessage = master.expect().await;
    master.say(&internal::SlaveRegisteredMessage { slave_id: AGENT_ID.into(), connection: None });
    let version = master.expect::<internal::UpdateSlaveMessage>().await.resource_version_uuid.expect("one");
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
        process.0.kill().expect("SIGKILL");
        process.0.wait().expect("it is gone");
        for message in master.heard_already() {
            if message.name == "mesos.internal.UpdateOperationStatusMessage" {
                let update: internal::UpdateOperationStatusMessage =
                    proto::decode(&message.body).expect("a status");
                heard = heard.max(update.operation_uuid.expect("named").value[0]);
            }
        }
        process = process_of(&master, work_dir.path()).await;
        master.point_to(process.1);
        let message = loop {
            let next = master.hear().await;
            if next.name == "mesos.internal.ReregisterSlaveMessage" {
                break proto::decode::<internal::ReregisterSlaveMessage>(&next.body).expect("one");
            }
        };
        let found: f64 =
            message.checkpointed_resources.iter().filter_map(|r| r.scalar.as_ref()).map(|s| s.value).sum();
        assert!(
            found >= f64::from(heard) && found <= f64::from(first + 3),
            "round {round}: {found}, heard {heard}"
        );
        master.say(&internal::SlaveReregisteredMessage { slave_id: AGENT_ID.into(), ..Default::default() });
        let update = told_of_itself(&mut master).await;
        let told = update.operations.expect("always").operations;
        assert_eq!(told.len() as f64, found, "each has its status, because none was acknowledged");
        heard = u8::try_from(told.len()).expect("few");
    }
    assert!(heard > 12, "only {heard} operations were carried out");
    let patience = tokio::time::timeout(PATIENCE, async {
        while status(&mut master).await.operation_uuid != Some(uuid(heard)) {}
    });
    patience.await.expect("the last status is repeated, too");
    let (code, _) = http(process.1, "GET", "/health", None).await;
    assert_eq!(code, 200);
    process.0.kill().expect("SIGKILL");
    process.0.wait().expect("it is gone");
}
