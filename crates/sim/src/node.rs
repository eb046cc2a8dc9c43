//! Who takes part, and where each can be reached.

use std::fmt;

/// A process that may live, die and come again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Node {
    /// A master.
    Master(usize),
    /// An agent, with its machine.
    Agent(usize),
    /// A framework's scheduler.
    Scheduler(usize),
    /// The service that elects masters and keeps the registry.
    Service,
}

impl Node {
    /// Its address, as it stands behind the `@` of a libprocess address.
    pub(crate) fn address(self) -> String {
        match self {
            Self::Master(index) => format!("10.0.0.{}:5050", index + 1),
            Self::Agent(index) => format!("10.0.1.{}:5051", index + 1),
            Self::Scheduler(index) => format!("10.0.2.{}:9090", index + 1),
            Self::Service => "10.0.3.1:2181".to_owned(),
        }
    }

    /// Its libprocess address; schedulers and the service have none that anybody would use.
    pub(crate) fn pid(self) -> String {
        let name = match self {
            Self::Master(_) => "master",
            Self::Agent(_) => "slave(1)",
            Self::Scheduler(_) => "scheduler",
            Self::Service => "service",
        };
        format!("{name}@{}", self.address())
    }

    /// Who is at a libprocess address.
    pub(crate) fn of_pid(pid: &str) -> Option<Self> {
        let (_, address) = pid.rsplit_once('@')?;
        let (ip, _) = address.rsplit_once(':')?;
        let (net, host) = ip.rsplit_once('.')?;
        let index = host.parse::<usize>().ok()?.checked_sub(1)?;
        match net {
            "10.0.0" => Some(Self::Master(index)),
            "10.0.1" => Some(Self::Agent(index)),
            "10.0.2" => Some(Self::Scheduler(index)),
            _ => None,
        }
    }

    /// For the trace.
    pub(crate) fn number(self) -> u64 {
        let (kind, index) = match self {
            Self::Master(index) => (0, index),
            Self::Agent(index) => (1, index),
            Self::Scheduler(index) => (2, index),
            Self::Service => (3, 0),
        };
        (kind << 32) | index as u64
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Master(index) => write!(f, "master-{index}"),
            Self::Agent(index) => write!(f, "agent-{index}"),
            Self::Scheduler(index) => write!(f, "scheduler-{index}"),
            Self::Service => f.pad("service"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back() {
        for node in [Node::Master(0), Node::Agent(2), Node::Scheduler(11)] {
            assert_eq!(Node::of_pid(&node.pid()), Some(node));
        }
        assert_eq!(Node::of_pid("nonsense"), None);
    }
}
