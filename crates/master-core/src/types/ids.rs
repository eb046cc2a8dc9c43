//! Names of connections, requests and processes.

use base::Uuid;

base::id_type!(
    /// Where messages to an agent go: a libprocess address, `slave(1)@ip:port`.
    Pid
);

impl Pid {
    /// The address of its machine.
    #[must_use]
    pub fn ip(&self) -> Option<&str> {
        let (_, address) = self.as_str().rsplit_once('@')?;
        address.rsplit_once(':').map(|(ip, _)| ip)
    }
}

/// One subscribed stream of a scheduler. The server makes the number and never uses one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// What a scheduler has to repeat in `Mesos-Stream-Id` with each call. The server draws it for each subscription.
pub type StreamId = Uuid;

/// One request that waits for its answer. The server makes the number and never uses one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);
