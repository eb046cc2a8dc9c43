//! What the master's endpoints answer, as far as the pages show it. What is missing in an answer is empty here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Amounts by the name of their resource: numbers, or text for ranges and sets.
pub(crate) type Amounts = BTreeMap<String, Value>;

/// A number among amounts; zero where there is none.
pub(crate) fn scalar(amounts: &Amounts, name: &str) -> f64 {
    amounts.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}

/// `/overview`.
#[derive(Deserialize)]
pub(crate) struct Overview {
    pub(crate) time: f64,
    pub(crate) cluster: Option<String>,
    pub(crate) master: Master,
    pub(crate) agents: AgentCounts,
    pub(crate) frameworks: BTreeMap<String, usize>,
    pub(crate) resources: BTreeMap<String, Use>,
    pub(crate) offers: OfferCounts,
    pub(crate) roles: Vec<Share>,
    pub(crate) tasks: TaskCounts,
}

/// Who leads.
#[derive(Deserialize)]
pub(crate) struct Master {
    pub(crate) id: String,
    pub(crate) pid: String,
    pub(crate) hostname: String,
    pub(crate) version: Version,
    pub(crate) elected_time: f64,
}

/// Its version.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Version {
    pub(crate) version: String,
}

/// Agents by state.
#[derive(Deserialize)]
pub(crate) struct AgentCounts {
    pub(crate) registered: usize,
    pub(crate) disconnected: usize,
    pub(crate) deactivated: usize,
    pub(crate) draining: usize,
    pub(crate) drained: usize,
    pub(crate) unreachable: usize,
    pub(crate) recovered: usize,
}

/// How much of a resource there is, and what becomes of it.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct Use {
    pub(crate) total: f64,
    pub(crate) used: f64,
    pub(crate) offered: f64,
}

impl Use {
    /// What is neither used nor offered.
    pub(crate) fn free(self) -> f64 {
        (self.total - self.used - self.offered).max(0.0)
    }

    /// Of one resource among amounts.
    pub(crate) fn of(name: &str, total: &Amounts, used: &Amounts, offered: &Amounts) -> Self {
        Self { total: scalar(total, name), used: scalar(used, name), offered: scalar(offered, name) }
    }
}

/// Offers in short.
#[derive(Deserialize)]
pub(crate) struct OfferCounts {
    pub(crate) count: usize,
    pub(crate) oldest_secs: Option<f64>,
    pub(crate) held_long: usize,
}

/// A role's part of the cluster.
#[derive(Deserialize)]
pub(crate) struct Share {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) share: f64,
    pub(crate) consumed: Amounts,
    pub(crate) guarantee: Amounts,
    pub(crate) limit: Amounts,
}

/// Tasks by state, and when they were counted.
#[derive(Deserialize)]
pub(crate) struct TaskCounts {
    pub(crate) by_state: BTreeMap<String, usize>,
}

/// `/history`.
#[derive(Deserialize)]
pub(crate) struct History {
    pub(crate) samples: Vec<Sample>,
}

/// The cluster at one moment.
#[derive(Deserialize)]
pub(crate) struct Sample {
    pub(crate) time: f64,
    pub(crate) resources: BTreeMap<String, Use>,
}

/// `/events`.
#[derive(Deserialize)]
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
}

/// Something that happened.
#[derive(Deserialize)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) time: f64,
    pub(crate) kind: String,
    pub(crate) level: String,
    pub(crate) text: String,
    pub(crate) framework_id: Option<String>,
    pub(crate) agent_id: Option<String>,
    pub(crate) task_id: Option<String>,
}

/// `/state-summary/agents`.
#[derive(Deserialize)]
pub(crate) struct Agents {
    pub(crate) agents: Vec<Agent>,
    /// How many are gone; they are listed only where they are asked for.
    pub(crate) gone: usize,
}

/// An agent. Of one that is not there little is known.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) hostname: String,
    /// In one word.
    pub(crate) state: String,
    /// Since when it is in this state.
    pub(crate) state_time: Option<f64>,
    pub(crate) pid: String,
    pub(crate) attributes: Amounts,
    pub(crate) registered_time: f64,
    pub(crate) reregistered_time: Option<f64>,
    pub(crate) resources: Amounts,
    pub(crate) used_resources: Amounts,
    pub(crate) offered_resources: Amounts,
    pub(crate) reserved_resources: BTreeMap<String, Amounts>,
    pub(crate) version: String,
    pub(crate) capabilities: Vec<String>,
    /// How many tasks it has.
    pub(crate) tasks: usize,
}

impl Agent {
    /// Whether it is registered.
    pub(crate) fn is_registered(&self) -> bool {
        !matches!(self.state.as_str(), "recovered" | "unreachable" | "gone")
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        if self.hostname.is_empty() { &self.id } else { &self.hostname }
    }
}

/// `/state-summary/frameworks`.
#[derive(Deserialize)]
pub(crate) struct Frameworks {
    pub(crate) frameworks: Vec<Framework>,
}

/// A framework without its tasks.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Framework {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) principal: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) webui_url: Option<String>,
    pub(crate) state: String,
    pub(crate) roles: Vec<String>,
    pub(crate) suppressed_roles: Vec<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) checkpoint: bool,
    pub(crate) failover_timeout: f64,
    pub(crate) registered_time: f64,
    pub(crate) reregistered_time: Option<f64>,
    pub(crate) unregistered_time: Option<f64>,
    pub(crate) tasks: usize,
    pub(crate) unreachable_tasks: usize,
    pub(crate) completed_tasks: usize,
    pub(crate) offers: usize,
    pub(crate) used: Amounts,
    pub(crate) offered: Amounts,
}

/// `/tasks`.
#[derive(Deserialize)]
pub(crate) struct Tasks {
    pub(crate) tasks: Vec<Task>,
}

/// A task.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) framework_id: String,
    pub(crate) executor_id: String,
    pub(crate) slave_id: String,
    pub(crate) state: String,
    pub(crate) role: String,
    pub(crate) user: Option<String>,
    pub(crate) resources: Amounts,
    pub(crate) labels: Vec<Label>,
    pub(crate) statuses: Vec<StatusTime>,
}

/// A label.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Label {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// When a task came to a state.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatusTime {
    pub(crate) timestamp: f64,
}

/// `/explain/task`.
#[derive(Deserialize)]
pub(crate) struct TaskExplained {
    pub(crate) task: Task,
    pub(crate) framework_name: String,
    pub(crate) agent: Option<TaskAgent>,
    pub(crate) history: Vec<Status>,
    pub(crate) sandbox: String,
    pub(crate) why: Vec<String>,
    pub(crate) help: Vec<String>,
}

/// The agent of a task, while it is registered.
#[derive(Deserialize)]
pub(crate) struct TaskAgent {
    pub(crate) hostname: String,
    pub(crate) connected: bool,
}

/// A status, as `mesos.v1.TaskStatus` has it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) state: String,
    pub(crate) source: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) timestamp: f64,
    pub(crate) healthy: Option<bool>,
}

/// `/state-summary/roles`.
#[derive(Deserialize)]
pub(crate) struct Roles {
    pub(crate) roles: Vec<Role>,
}

/// A role.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) share: f64,
    pub(crate) quota: Quota,
    pub(crate) allocated: Amounts,
    pub(crate) offered: Amounts,
    pub(crate) reserved: Amounts,
    pub(crate) frameworks: Vec<String>,
}

/// A role's quota.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Quota {
    pub(crate) guarantee: Amounts,
    pub(crate) limit: Amounts,
    pub(crate) consumed: Amounts,
}

/// `/offers`.
#[derive(Deserialize)]
pub(crate) struct Offers {
    pub(crate) offers: Vec<Offer>,
    pub(crate) offer_timeout_secs: Option<f64>,
}

/// An offer.
#[derive(Deserialize)]
pub(crate) struct Offer {
    pub(crate) id: String,
    pub(crate) framework_id: String,
    pub(crate) framework_name: String,
    pub(crate) slave_id: String,
    pub(crate) hostname: String,
    pub(crate) role: String,
    pub(crate) resources: Amounts,
    pub(crate) held_secs: f64,
}

/// `/inverse-offers`.
#[derive(Deserialize)]
pub(crate) struct InverseOffers {
    pub(crate) inverse_offers: Vec<InverseOffer>,
}

/// A framework that is asked to leave an agent and has not answered.
#[derive(Deserialize)]
pub(crate) struct InverseOffer {
    pub(crate) framework_id: String,
    pub(crate) framework_name: String,
    pub(crate) hostname: String,
}

/// `/maintenance/schedule`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Schedule {
    pub(crate) windows: Vec<Window>,
}

/// Machines that are maintained at the same time.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Window {
    pub(crate) machine_ids: Vec<Machine>,
    pub(crate) unavailability: Unavailability,
}

/// A machine.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    pub(crate) hostname: Option<String>,
    pub(crate) ip: Option<String>,
}

/// When.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Unavailability {
    pub(crate) start: Nanoseconds,
    pub(crate) duration: Option<Nanoseconds>,
}

/// A time or a duration.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Nanoseconds {
    nanoseconds: f64,
}

impl Nanoseconds {
    /// In seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.nanoseconds / 1e9
    }
}

/// `/maintenance/status`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct MaintenanceStatus {
    pub(crate) draining_machines: Vec<DrainingMachine>,
    pub(crate) down_machines: Vec<Machine>,
}

/// A machine that will be maintained, and what frameworks said to it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DrainingMachine {
    pub(crate) id: Machine,
    pub(crate) statuses: Vec<Answer>,
}

/// What a framework has said to an inverse offer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) framework_id: Value,
}

/// An entry of `/files/browse`.
#[derive(Deserialize)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) mode: String,
    pub(crate) size: f64,
    pub(crate) mtime: f64,
    pub(crate) uid: String,
}

/// `/files/read`.
#[derive(Deserialize)]
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    pub(crate) data: String,
}

/// `/explain/framework` and `/explain/role`.
#[derive(Deserialize)]
pub(crate) struct Explanation {
    pub(crate) text: String,
}
