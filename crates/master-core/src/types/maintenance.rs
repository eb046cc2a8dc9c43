//! Maintenance of machines: when which of them are not there.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base::{AgentId, FrameworkId, OfferId, Time};

use crate::types::{AgentInfo, Pid};

/// A machine, as operators name it. Agents are on the machine that has both their host name and their address.
#[derive(Clone, Debug)]
pub struct MachineId {
    /// Its name; upper and lower case are the same.
    pub hostname: Option<Arc<str>>,
    /// Its address.
    pub ip: Option<Arc<str>>,
}

impl MachineId {
    /// The machine on which an agent is.
    #[must_use]
    pub fn of_agent(pid: &Pid, info: &AgentInfo) -> Self {
        Self { hostname: Some(Arc::from(info.hostname.as_str())), ip: pid.ip().map(Arc::from) }
    }
}

impl Ord for MachineId {
    fn cmp(&self, other: &Self) -> Ordering {
        fn lower(name: Option<&Arc<str>>) -> Option<impl Iterator<Item = u8>> {
            name.map(|name| name.bytes().map(|byte| byte.to_ascii_lowercase()))
        }
        let names = match (lower(self.hostname.as_ref()), lower(other.hostname.as_ref())) {
            (Some(ours), Some(theirs)) => ours.cmp(theirs),
            (ours, theirs) => ours.is_some().cmp(&theirs.is_some()),
        };
        names.then_with(|| self.ip.cmp(&other.ip))
    }
}

impl PartialOrd for MachineId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for MachineId {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MachineId {}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.hostname, &self.ip) {
            (Some(hostname), Some(ip)) => write!(f, "{hostname} ({ip})"),
            (Some(hostname), None) => f.write_str(hostname),
            (None, ip) => write!(f, "({})", ip.as_deref().unwrap_or_default()),
        }
    }
}

/// When something is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unavailability {
    /// From when on, in nanoseconds since 1970. May be in the past, and even before 1970, as in Mesos.
    pub start: i64,
    /// For how many nanoseconds; for ever if it is `None`.
    pub duration: Option<i64>,
}

/// What an operator has said of a machine in the schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineMode {
    /// It will be maintained: frameworks are asked to leave it.
    Draining,
    /// It is being maintained: no agent of it belongs to the cluster.
    Down,
}

/// Machines that are maintained at the same time.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// Which.
    pub machines: Vec<MachineId>,
    /// When.
    pub unavailability: Unavailability,
}

/// Which part of the schedule: its windows are kept in pieces, so that none becomes too large for a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WindowKey {
    /// The number of the window.
    pub window: u32,
    /// The number of the piece of it.
    pub part: u32,
}

/// Some or all machines of a window.
#[derive(Clone, PartialEq, Debug)]
pub struct WindowPart {
    /// The machines, and how it is with them.
    pub machines: Vec<(MachineId, MachineMode)>,
    /// When they are maintained.
    pub unavailability: Unavailability,
}

/// A maintenance schedule as the registry holds it.
pub type WindowParts = BTreeMap<WindowKey, Arc<WindowPart>>;

/// Asks a framework to leave an agent in time.
#[derive(Clone, PartialEq, Debug)]
pub struct InverseOffer {
    /// Its id, of the same series as those of offers.
    pub id: OfferId,
    /// Who is asked.
    pub framework_id: FrameworkId,
    /// Which agent.
    pub agent_id: AgentId,
    /// When the agent will not be there.
    pub unavailability: Unavailability,
    /// The agent's description.
    pub agent: Arc<AgentInfo>,
    /// The agent's address; with the host it makes the `url`.
    pub pid: Pid,
}

/// What a framework has said to an inverse offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InverseOfferAnswer {
    /// Whether it will leave.
    pub accepted: bool,
    /// When it said so.
    pub at: Time,
}

/// How the maintenance of machines stands.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct MaintenanceStatus {
    /// Machines that will be maintained, and what the frameworks on them have said.
    pub draining: Vec<(MachineId, Vec<(FrameworkId, InverseOfferAnswer)>)>,
    /// Machines that are down.
    pub down: Vec<MachineId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(hostname: Option<&str>, ip: Option<&str>) -> MachineId {
        MachineId { hostname: hostname.map(Arc::from), ip: ip.map(Arc::from) }
    }

    #[test]
    fn machines_are_told_apart_by_name_and_address() {
        assert_eq!(id(Some("Host"), Some("1.2.3.4")), id(Some("hOST"), Some("1.2.3.4")));
        assert_ne!(id(Some("host"), Some("1.2.3.4")), id(Some("host"), None));
        assert_ne!(id(Some("host"), None), id(Some("host2"), None));
        assert_ne!(id(None, Some("1.2.3.4")), id(Some(""), Some("1.2.3.4")));
        let mut machines = [id(Some("b"), None), id(Some("A"), None), id(None, Some("9.9.9.9"))];
        machines.sort();
        assert_eq!(machines.map(|machine| machine.to_string()), ["(9.9.9.9)", "A", "b"]);
        assert_eq!(id(Some("a"), Some("1.2.3.4")).to_string(), "a (1.2.3.4)");
    }
}
