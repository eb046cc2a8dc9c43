//! Tasks, executors and what is fetched for them.

use proto::v1::environment::Variable;
use proto::v1::{
    AgentId, CommandInfo, ExecutorId, ExecutorInfo, FrameworkId, Offer, Resource, TaskId, TaskInfo,
    command_info, executor_info,
};

use super::resources::Quantities;

/// Builds a [`TaskInfo`]: a command with its environment, files and resources, or work for a custom executor.
#[derive(Clone, Debug)]
pub struct Task {
    id: TaskId,
    name: Option<String>,
    command: Option<CommandInfo>,
    executor: Option<ExecutorInfo>,
    quantities: Quantities,
    more: Vec<Resource>,
    data: Option<bytes::Bytes>,
}

impl Task {
    /// A task of this id; it must differ from those of all other tasks of the framework.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: TaskId { value: id.into() },
            name: None,
            command: None,
            executor: None,
            quantities: Quantities::default(),
            more: Vec::new(),
            data: None,
        }
    }

    /// A name for people; the id unless said otherwise.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Runs `line` by `/bin/sh -c`.
    #[must_use]
    pub fn command(mut self, line: impl Into<String>) -> Self {
        let command = self.command_mut();
        command.shell = Some(true);
        command.value = Some(line.into());
        self
    }

    /// Runs a program without a shell. The first of `arguments` is the program's own name, as in `execv`.
    #[must_use]
    pub fn program(
        mut self,
        path: impl Into<String>,
        arguments: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let command = self.command_mut();
        command.shell = Some(false);
        command.value = Some(path.into());
        command.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable in the command's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let variable = Variable { name: name.into(), value: Some(value.into()), ..Variable::default() };
        self.command_mut().environment.get_or_insert_default().variables.push(variable);
        self
    }

    /// Has something fetched into the sandbox before the command starts; see [`uri`].
    #[must_use]
    pub fn uri(mut self, uri: command_info::Uri) -> Self {
        self.command_mut().uris.push(uri);
        self
    }

    /// The user that runs the command, instead of the framework's.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.command_mut().user = Some(user.into());
        self
    }

    /// The executor that runs the task; such a task has no command of its own.
    #[must_use]
    pub fn executor(mut self, executor: ExecutorInfo) -> Self {
        self.executor = Some(executor);
        self
    }

    /// Bytes for the executor.
    #[must_use]
    pub fn data(mut self, data: impl Into<bytes::Bytes>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Cores.
    #[must_use]
    pub fn cpus(mut self, cores: f64) -> Self {
        self.quantities.cpus = cores;
        self
    }

    /// Megabytes of memory.
    #[must_use]
    pub fn mem(mut self, megabytes: f64) -> Self {
        self.quantities.mem = megabytes;
        self
    }

    /// All four amounts at once.
    #[must_use]
    pub fn quantities(mut self, quantities: Quantities) -> Self {
        self.quantities = quantities;
        self
    }

    /// Any other resource, such as ports.
    #[must_use]
    pub fn resource(mut self, resource: Resource) -> Self {
        self.more.push(resource);
        self
    }

    /// The task, to be launched on the agent of `offer`.
    #[must_use]
    pub fn on(self, offer: &Offer) -> TaskInfo {
        self.on_agent(offer.agent_id.clone())
    }

    /// The task, to be launched on this agent.
    #[must_use]
    pub fn on_agent(self, agent_id: AgentId) -> TaskInfo {
        let mut resources = self.quantities.to_resources();
        resources.extend(self.more);
        TaskInfo {
            name: self.name.unwrap_or_else(|| self.id.value.clone()),
            task_id: self.id,
            agent_id,
            resources,
            command: self.command,
            executor: self.executor,
            data: self.data,
            ..TaskInfo::default()
        }
    }

    fn command_mut(&mut self) -> &mut CommandInfo {
        self.command.get_or_insert_default()
    }
}

/// Something to fetch, by URL or path, executable or not; archives are unpacked.
#[must_use]
pub fn uri(value: impl Into<String>, executable: bool) -> command_info::Uri {
    command_info::Uri { value: value.into(), executable: Some(executable), ..command_info::Uri::default() }
}

/// The executor that is built into agents and runs groups of tasks.
#[must_use]
pub fn group_executor(
    id: impl Into<String>,
    framework_id: FrameworkId,
    quantities: Quantities,
) -> ExecutorInfo {
    ExecutorInfo {
        r#type: Some(executor_info::Type::Default.into()),
        executor_id: ExecutorId { value: id.into() },
        framework_id: Some(framework_id),
        resources: quantities.to_resources(),
        ..ExecutorInfo::default()
    }
}

/// A custom executor that is started by `command`, by `/bin/sh -c`.
#[must_use]
pub fn executor(
    id: impl Into<String>,
    framework_id: FrameworkId,
    command: impl Into<String>,
    quantities: Quantities,
) -> ExecutorInfo {
    ExecutorInfo {
        r#type: Some(executor_info::Type::Custom.into()),
        executor_id: ExecutorId { value: id.into() },
        framework_id: Some(framework_id),
        command: Some(CommandInfo {
            shell: Some(true),
            value: Some(command.into()),
            ..CommandInfo::default()
        }),
        resources: quantities.to_resources(),
        ..ExecutorInfo::default()
    }
}
