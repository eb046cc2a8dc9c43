//! Operations on the resources of a real agent, most of all on volumes.

use std::path::PathBuf;

use agent::{AgentOptions, AgentServer};
use proto::{internal, v1};
use tempfile::TempDir;

use super::{FRAMEWORK_ID, FakeMaster, command_task, options, scalar};

pub fn disk(amount: f64) -> v1::Resource {
    v1::Resource { allocation_info: None, ..scalar("disk", amount) }
}

pub fn reserved(amount: f64) -> v1::Resource {
    let reservation = v1::resource::ReservationInfo {
        r#type: Some(v1::resource::reservation_info::Type::Dynamic.into()),
        role: Some("scen".to_owned()),
        ..Default::default()
    };
    v1::Resource { reservations: vec![reservation], ..disk(amount) }
}

pub fn volume(id: &str, amount: f64) -> v1::Resource {
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

pub fn on_behalf(resource: v1::Resource) -> v1::Resource {
    let role = v1::resource::AllocationInfo { role: Some("scen".to_owned()) };
    v1::Resource { allocation_info: Some(role), ..resource }
}

pub fn reserve(amount: f64) -> v1::offer::Operation {
    let reserve = v1::offer::operation::Reserve { resources: vec![reserved(amount)], ..Default::default() };
    operation(v1::offer::operation::Type::Reserve, |operation| operation.reserve = Some(reserve))
}

pub fn create(volumes: Vec<v1::Resource>) -> v1::offer::Operation {
    let create = v1::offer::operation::Create { volumes };
    operation(v1::offer::operation::Type::Create, |operation| operation.create = Some(create))
}

pub fn destroy(volumes: Vec<v1::Resource>) -> v1::offer::Operation {
    let destroy = v1::offer::operation::Destroy { volumes };
    operation(v1::offer::operation::Type::Destroy, |operation| operation.destroy = Some(destroy))
}

pub fn operation(
    kind: v1::offer::operation::Type,
    fill: impl FnOnce(&mut v1::offer::Operation),
) -> v1::offer::Operation {
    let mut operation =
        v1::offer::Operation { r#type: Some(kind.into()), id: Some("op".into()), ..Default::default() };
    fill(&mut operation);
    operation
}

pub fn uuid(number: u8) -> v1::Uuid {
    v1::Uuid { value: vec![number; 16].into() }
}

pub fn apply(master: &mut FakeMaster, number: u8, operation: v1::offer::Operation, version: &v1::Uuid) {
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

pub async fn status(master: &mut FakeMaster) -> internal::UpdateOperationStatusMessage {
    master.expect::<internal::UpdateOperationStatusMessage>().await
}

pub fn acknowledge(master: &mut FakeMaster, update: &internal::UpdateOperationStatusMessage) {
    master.say(&internal::AcknowledgeOperationStatusMessage {
        status_uuid: update.status.uuid.clone().expect("it wants an acknowledgement"),
        operation_uuid: update.operation_uuid.clone().expect("it is named"),
        resource_provider_id: None,
    });
}

/// An agent that is registered, with a hundred megabytes of disk reserved.
pub struct Scene {
    pub work_dir: TempDir,
    pub master: FakeMaster,
    pub options: AgentOptions,
    pub agent: AgentServer,
    pub version: v1::Uuid,
}

impl Scene {
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory")).await
    }

    pub async fn start_in(work_dir: TempDir) -> Self {
        Self::start_with(work_dir, |_| {}).await
    }

    pub async fn start_with(work_dir: TempDir, change: impl FnOnce(&mut AgentOptions)) -> Self {
        let mut master = FakeMaster::start().await;
        let mut options = options(master.address, work_dir.path());
        change(&mut options);
        let agent = AgentServer::start(options.clone()).await.expect("an agent");
        let version = master.register(&agent).await.resource_version_uuid.expect("a version");
        let mut scene = Self { work_dir, master, options, agent, version };
        scene.carry_out(1, reserve(100.0)).await;
        scene
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.work_dir.path().join(path)
    }

    pub fn apply(&mut self, number: u8, operation: v1::offer::Operation) {
        apply(&mut self.master, number, operation, &self.version);
    }

    /// An operation that has to succeed.
    pub async fn carry_out(&mut self, number: u8, operation: v1::offer::Operation) {
        self.apply(number, operation);
        let update = status(&mut self.master).await;
        let message = &update.status.message;
        assert_eq!(update.status.state(), v1::OperationState::OperationFinished, "{message:?}");
        assert_eq!(update.operation_uuid, Some(uuid(number)));
        acknowledge(&mut self.master, &update);
    }

    /// A task with a volume.
    pub fn run(&mut self, id: &str, line: &str, user: Option<&str>, volume: v1::Resource) {
        let mut task = command_task(id, line);
        task.command.as_mut().expect("a command").user = user.map(str::to_owned);
        task.resources.push(on_behalf(volume));
        self.master.run(task);
    }

    /// The agent is ended, and another one begins where it was. It listens, and has not been taken in.
    pub async fn restart(mut self) -> Self {
        self.agent.shutdown().await;
        self.agent = AgentServer::start(self.options.clone()).await.expect("an agent");
        self.master.point_at(&self.agent);
        self
    }

    pub async fn end(self) {
        self.agent.shutdown().await;
    }
}
