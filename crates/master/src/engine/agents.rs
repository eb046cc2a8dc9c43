//! Agents as peers: where each is, and who pings it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use master_core::Pid;
use transport::Upid;

/// An agent as a peer.
#[derive(Clone, Debug)]
pub(crate) struct AgentPeer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process id, such as `slave(1)`.
    pub(crate) process: Arc<str>,
    /// Who pings it, such as `slave-observer(1)`.
    pub(crate) observer: Arc<str>,
}

/// The agents that the core watches.
#[derive(Default)]
pub(crate) struct AgentPeers {
    watched: HashMap<Pid, AgentPeer>,
    /// Several where one process has more than one agent.
    by_address: HashMap<SocketAddr, Vec<Pid>>,
    observers: u64,
}

impl AgentPeers {
    /// Watches an agent from now on, and returns where it is. An address that cannot be understood is not watched;
    /// nothing can be sent there.
    pub(crate) fn watch(&mut self, pid: &Pid) -> Option<SocketAddr> {
        if let Some(peer) = self.watched.get(pid) {
            return Some(peer.address);
        }
        let mut peer = parse(pid)?;
        let address = peer.address;
        self.observers += 1;
        peer.observer = format!("slave-observer({})", self.observers).into();
        self.by_address.entry(peer.address).or_default().push(pid.clone());
        self.watched.insert(pid.clone(), peer);
        Some(address)
    }

    /// Watches it no more; returns its address if no other agent is there.
    pub(crate) fn unwatch(&mut self, pid: &Pid) -> Option<SocketAddr> {
        let address = self.watched.remove(pid)?.address;
        let others = self.by_address.get_mut(&address)?;
        others.retain(|other| other != pid);
        if !others.is_empty() {
            return None;
        }
        self.by_address.remove(&address);
        Some(address)
    }

    /// Where messages to `pid` go; agents that are not watched get messages too, such as why they were refused.
    pub(crate) fn peer(&self, pid: &Pid) -> Option<AgentPeer> {
        self.watched.get(pid).cloned().or_else(|| parse(pid))
    }

    /// Who is watched at an address.
    pub(crate) fn at(&self, address: SocketAddr) -> &[Pid] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }
}

fn parse(pid: &Pid) -> Option<AgentPeer> {
    let upid: Upid = pid.as_str().parse().ok()?;
    Some(AgentPeer {
        address: upid.address(),
        process: upid.id().into(),
        observer: "slave-observer(0)".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watched_agents_have_observers_of_their_own() {
        let mut agents = AgentPeers::default();
        let (one, two) = (Pid::from("slave(1)@127.0.0.1:1"), Pid::from("slave(1)@127.0.0.1:2"));
        agents.watch(&one);
        agents.watch(&one);
        agents.watch(&two);
        agents.watch(&Pid::from("nonsense"));
        assert_eq!(&*agents.peer(&two).unwrap().observer, "slave-observer(2)");
        assert_eq!(agents.at("127.0.0.1:1".parse().unwrap()), std::slice::from_ref(&one));
        assert_eq!(agents.unwatch(&one), Some("127.0.0.1:1".parse().unwrap()));
        assert!(agents.at("127.0.0.1:1".parse().unwrap()).is_empty());
        assert!(agents.peer(&one).is_some() && agents.peer(&Pid::from("nonsense")).is_none());
    }
    #[test]
    fn two_agents_of_one_process_are_told_apart() {
        let mut agents = AgentPeers::default();
        let address = "127.0.0.1:1".parse().unwrap();
        let (one, two) = (Pid::from("slave(1)@127.0.0.1:1"), Pid::from("slave(2)@127.0.0.1:1"));
        agents.watch(&one);
        agents.watch(&two);
        assert_eq!(agents.at(address), [one.clone(), two.clone()]);
        assert_eq!(agents.unwatch(&two), None, "the other one is still there");
        assert_eq!(agents.at(address), std::slice::from_ref(&one));
        assert_eq!(agents.unwatch(&one), Some(address));
    }
}
