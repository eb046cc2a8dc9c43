//! Containers: what they use, and what operators may do with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_core::{ContainerView, ExecutorView, FrameworkView, Snapshot};
use axum::response::Response;
use base::ContainerId;
use containerizer::Usage;
use http_api::ApiError;
use proto::v1;
use proto::v1::agent::call::attach_container_input;
use proto::v1::agent::response::{GetContainers, Type, get_containers};
use proto::v1::agent::{Call, Response as Reply, call};

use super::of;
use super::reads::executor_info;
use super::statistics::statistics;
use crate::context::Shared;
use crate::convert::{container_id_from_proto, container_id_to_proto};

pub(super) async fn all(agent: &Shared, call: &Call) -> Result<Reply, ApiError> {
    let nested = call.get_containers.as_ref().is_some_and(|wanted| wanted.show_nested.unwrap_or(false));
    let wanted = Wanted { nested, ..Wanted::default() };
    let containers = running(agent, wanted).await?.into_iter().map(|running| running.container).collect();
    Ok(Reply { get_containers: Some(GetContainers { containers }), ..of(Type::GetContainers) })
}

/// A container, with what v0 endpoints say beside.
pub(crate) struct Running {
    pub(crate) container: get_containers::Container,
    pub(crate) source: String,
}

/// Which containers somebody asks for; what is unset leaves nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Also those nested in others.
    pub(crate) nested: bool,
    pub(crate) container: Option<&'a str>,
    pub(crate) framework: Option<&'a str>,
    pub(crate) executor: Option<&'a str>,
}

impl Wanted<'_> {
    fn has(self, framework: &FrameworkView, executor: &ExecutorView, container: &ContainerView) -> bool {
        let is = |wanted: Option<&str>, id: &str| wanted.is_none_or(|wanted| wanted == id);
        is(self.framework, framework.info.id.as_str())
            && is(self.executor, executor.info.executor_id.as_str())
            && is(self.container, container.container_id.as_str())
            && (self.nested || container.container_id == executor.container_id)
    }
}

/// The wanted ones among the containers of living executors.
pub(crate) async fn running(agent: &Shared, wanted: Wanted<'_>) -> Result<Vec<Running>, ApiError> {
    let view = agent.view().await?;
    let launcher = Arc::clone(&agent.launcher);
    let usage = tokio::task::spawn_blocking(move || launcher.usage());
    let usage = usage.await.map_err(|error| ApiError::internal(error.to_string()))?;
    let mut found = Vec::new();
    for framework in &view.snapshot.frameworks {
        for executor in &framework.executors {
            for container in &executor.containers {
                if wanted.has(framework, executor, container) {
                    found.push(describe(framework, executor, container, &usage));
                }
            }
        }
    }
    Ok(found)
}

fn describe(
    framework: &FrameworkView,
    executor: &ExecutorView,
    container: &ContainerView,
    usage: &BTreeMap<ContainerId, Usage>,
) -> Running {
    let info = executor_info(framework, executor);
    let id = container_id_to_proto(&container.container_id);
    // One that is just being launched uses nothing yet.
    let used = usage.get(&container.container_id).cloned().unwrap_or_default();
    let container = get_containers::Container {
        framework_id: Some(framework.info.id.as_str().into()),
        executor_id: Some(executor.info.executor_id.as_str().into()),
        executor_name: Some(info.name.unwrap_or_default()),
        container_id: id.clone(),
        container_status: Some(v1::ContainerStatus {
            container_id: Some(id),
            executor_pid: container.pid,
            ..Default::default()
        }),
        resource_statistics: Some(statistics(&used, &executor.resources)),
    };
    Running { container, source: info.source.unwrap_or_default() }
}

fn is_known(snapshot: &Snapshot, id: &ContainerId) -> bool {
    let executors = snapshot.frameworks.iter().flat_map(|framework| &framework.executors);
    executors.flat_map(|executor| &executor.containers).any(|container| container.container_id == *id)
}

/// The answer where there is no such container.
type Missing = fn(&ContainerId) -> ApiError;

/// The container that a call is about, and what is said where there is no such container.
fn subject(call: &Call) -> Option<(&v1::ContainerId, Missing)> {
    use call::Type;
    let found: (Option<&v1::ContainerId>, Missing) = match call.r#type() {
        Type::WaitContainer => (call.wait_container.as_ref().map(|part| &part.container_id), not_found),
        Type::WaitNestedContainer => {
            (call.wait_nested_container.as_ref().map(|part| &part.container_id), not_found)
        }
        Type::KillContainer => (call.kill_container.as_ref().map(|part| &part.container_id), not_killed),
        Type::KillNestedContainer => {
            (call.kill_nested_container.as_ref().map(|part| &part.container_id), not_killed)
        }
        Type::RemoveContainer => (call.remove_container.as_ref().map(|part| &part.container_id), not_found),
        Type::RemoveNestedContainer => {
            (call.remove_nested_container.as_ref().map(|part| &part.container_id), not_found)
        }
        Type::AttachContainerOutput => {
            (call.attach_container_output.as_ref().map(|part| &part.container_id), not_found)
        }
        Type::AttachContainerInput => {
            (call.attach_container_input.as_ref().and_then(|part| part.container_id.as_ref()), not_found)
        }
        Type::LaunchNestedContainer => {
            let part = call.launch_nested_container.as_ref();
            (part.and_then(|part| part.container_id.parent.as_deref()), no_parent)
        }
        Type::LaunchNestedContainerSession => {
            let part = call.launch_nested_container_session.as_ref();
            (part.and_then(|part| part.container_id.parent.as_deref()), no_parent)
        }
        _ => return None,
    };
    Some((found.0?, found.1))
}

fn not_found(id: &ContainerId) -> ApiError {
    ApiError::not_found(format!("Container {id} cannot be found"))
}

fn not_killed(id: &ContainerId) -> ApiError {
    ApiError::not_found(format!("Container '{id}' cannot be found (or is already killed)"))
}

fn no_parent(id: &ContainerId) -> ApiError {
    ApiError::bad_request(format!("Parent container {id} does not exist"))
}

/// Calls that start, end or attach to containers. Containers that are not known are answered as Mesos does; for the
/// others there is nothing that this agent could do yet, and it says so.
pub(super) async fn control(agent: &Shared, call: &Call) -> Result<Response, ApiError> {
    let view = agent.view().await?;
    let input = call.attach_container_input.as_ref();
    let input = input.filter(|_| call.r#type() == call::Type::AttachContainerInput);
    if input.is_some_and(|input| input.r#type() != attach_container_input::Type::ContainerId) {
        return Err(ApiError::bad_request("Expecting 'attach_container_input.type' to be CONTAINER_ID"));
    }
    if let Some((id, missing)) = subject(call) {
        let id = container_id_from_proto(id);
        if !is_known(&view.snapshot, &id) {
            return Err(missing(&id));
        }
    }
    Err(ApiError::not_implemented(format!("{} is not supported", call.r#type().as_str_name())))
}
