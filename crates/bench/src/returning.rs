//! What an agent says that comes back with its tasks after its master was lost.

use proto::internal::{ReregisterSlaveMessage, StatusUpdate, StatusUpdateMessage, archive};
use proto::v0;
use proto::v1::{FrameworkInfo, Task, TaskState, TaskStatus, agent_info, task_status};
use sdk::build::{Quantities, ranges};

use crate::emulated::uuid;

/// How many agents, and what each of them has.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) agents: u32,
    /// Each agent has tasks of all of them.
    pub(crate) frameworks: u32,
    /// Running tasks of each framework on each agent.
    pub(crate) tasks: u32,
    /// Completed tasks of each framework on each agent.
    pub(crate) completed: u32,
    /// Frameworks that ended, with two tasks each on each agent.
    pub(crate) ended: u32,
}

impl Shape {
    /// How many tasks run on all agents together, and how many have ended.
    pub(crate) fn tasks(self) -> (u64, u64) {
        let each = u64::from(self.agents) * u64::from(self.frameworks);
        (each * u64::from(self.tasks), each * u64::from(self.completed))
    }

    /// What is over of those that still run tasks, and of those that ended.
    fn completed_frameworks(
        self,
        agent_id: &str,
        active: Vec<archive::Framework>,
    ) -> Vec<archive::Framework> {
        let ended = (self.frameworks..self.frameworks + self.ended).map(|number| {
            let info = framework(number);
            let tasks = (0..2).map(|index| task(&info, agent_id, index, TaskState::TaskFinished)).collect();
            archive::Framework { framework_info: info, tasks, ..Default::default() }
        });
        active.into_iter().filter(|_| self.completed > 0).chain(ended).collect()
    }

    /// An agent says once more that its first task runs: the status is new, the task's state is not.
    pub(crate) fn update(number: u32, port: u16, round: u32) -> StatusUpdateMessage {
        let agent_id = id_of_agent(number);
        let framework = framework(0);
        let task = task(&framework, &agent_id, 0, TaskState::TaskRunning);
        let uuid = uuid(number as usize, u64::from(round)).to_vec();
        let timestamp = 1_700_000_001.0 + f64::from(round);
        let mut status = task.statuses.into_iter().next().unwrap_or_default();
        status.uuid = Some(uuid.clone().into());
        status.timestamp = Some(timestamp);
        StatusUpdateMessage {
            update: StatusUpdate {
                framework_id: task.framework_id,
                executor_id: None,
                slave_id: Some(agent_id.as_str().into()),
                latest_state: Some(status.state),
                status,
                timestamp,
                uuid: Some(uuid.into()),
            },
            pid: Some(format!("slave(1)@127.0.0.1:{port}")),
        }
    }

    /// An agent's message. Its frameworks and tasks have ids of some length, as real ones have.
    pub(crate) fn reregistration(self, number: u32, port: u16) -> ReregisterSlaveMessage {
        use agent_info::capability::Type;
        let agent_id = id_of_agent(number);
        let per_agent = f64::from(self.frameworks * self.tasks);
        let mut resources =
            Quantities { cpus: per_agent + 1.0, mem: 64.0 * per_agent + 64.0, disk: 1024.0, gpus: 0.0 }
                .to_resources();
        resources.push(ranges("ports", &[(31000, 32000)]));
        let kinds =
            [Type::MultiRole, Type::HierarchicalRole, Type::ReservationRefinement, Type::AgentDraining];
        let frameworks: Vec<FrameworkInfo> = (0..self.frameworks).map(framework).collect();
        let tasks = |count: u32, state: TaskState| {
            frameworks.iter().flat_map(move |framework| {
                let agent_id = id_of_agent(number);
                (0..count).map(move |index| task(framework, &agent_id, index, state))
            })
        };
        let completed = tasks(self.completed, TaskState::TaskFinished);
        let mut archived: Vec<archive::Framework> = frameworks
            .iter()
            .map(|info| archive::Framework { framework_info: info.clone(), ..Default::default() })
            .collect();
        for task in completed {
            let of = archived
                .iter_mut()
                .find(|archive| archive.framework_info.id.as_ref() == Some(&task.framework_id));
            if let Some(archive) = of {
                archive.tasks.push(task);
            }
        }
        ReregisterSlaveMessage {
            slave: v0::SlaveInfo {
                id: Some(agent_id.as_str().into()),
                hostname: format!("agent-{number}.example.com"),
                port: Some(port.into()),
                resources,
                ..Default::default()
            },
            tasks: tasks(self.tasks, TaskState::TaskRunning).collect(),
            completed_frameworks: self.completed_frameworks(&agent_id, archived),
            frameworks,
            version: Some("1.12.0".into()),
            agent_capabilities: kinds
                .into_iter()
                .map(|kind| agent_info::Capability { r#type: Some(kind.into()) })
                .collect(),
            ..Default::default()
        }
    }
}

/// The id of an agent of the crowd.
pub(crate) fn id_of_agent(number: u32) -> String {
    format!("5c3b1f6e-6f0a-4b7e-9d55-0c1d2e3f4a5b-S{number}")
}

/// The id of a framework of the crowd.
pub(crate) fn framework_id(number: u32) -> String {
    format!("5c3b1f6e-6f0a-4b7e-9d55-0c1d2e3f4a5b-{number:04}")
}

/// The id of a task that runs on an agent of the crowd, for a framework of the crowd.
pub(crate) fn id_of_running_task(agent: u32, framework: u32) -> String {
    id_of_task(&id_of_agent(agent), &name_of_framework(framework), 0, TaskState::TaskRunning)
}

fn id_of_task(agent_id: &str, framework: &str, index: u32, state: TaskState) -> String {
    format!("{agent_id}.{framework}.{}-{index}", state.as_str_name())
}

fn name_of_framework(number: u32) -> String {
    format!("framework-{number}")
}

fn framework(number: u32) -> FrameworkInfo {
    FrameworkInfo {
        user: "root".into(),
        name: name_of_framework(number),
        id: Some(framework_id(number).as_str().into()),
        failover_timeout: Some(86_400.0),
        checkpoint: Some(true),
        ..Default::default()
    }
}

fn task(framework: &FrameworkInfo, agent_id: &str, index: u32, state: TaskState) -> Task {
    let id = id_of_task(agent_id, &framework.name, index, state);
    let mut resources = Quantities { cpus: 1.0, mem: 64.0, disk: 0.0, gpus: 0.0 }.to_resources();
    for resource in &mut resources {
        resource.allocation_info = Some(proto::v1::resource::AllocationInfo { role: Some("*".into()) });
    }
    let status = |state: TaskState| TaskStatus {
        task_id: id.as_str().into(),
        state: state.into(),
        source: Some(task_status::Source::Executor.into()),
        agent_id: Some(agent_id.into()),
        timestamp: Some(1_700_000_000.25),
        uuid: Some(vec![7, 7, 7, 7, 7, 7, 0x47, 7, 0x87, 7, 7, 7, 7, 7, 7, 7].into()),
        ..Default::default()
    };
    let mut statuses = vec![status(TaskState::TaskRunning)];
    if state != TaskState::TaskRunning {
        statuses.push(status(state));
    }
    Task {
        name: format!("task-{index}"),
        task_id: id.as_str().into(),
        framework_id: framework.id.clone().unwrap_or_default(),
        agent_id: agent_id.into(),
        state: state.into(),
        resources,
        status_update_state: Some(state.into()),
        statuses,
        ..Default::default()
    }
}
