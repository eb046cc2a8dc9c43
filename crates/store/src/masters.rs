//! How masters are found: what the leading one says of itself, where Mesos' clients look for it.
//!
//! In ZooKeeper that is a node `json.info_NNNNNNNNNN` with a `MasterInfo` as JSON; in the other stores the same text is the
//! value of a candidate in an election of the same name.

use std::sync::Arc;

use proto::v1::MasterInfo;
use serde_json::Value;

use crate::kv::{Candidacy, EtcdStore, KeyValue, KvError, Observed, Observer, Options, ZooKeeperStore};
use crate::url::MasterUrl;

/// The election's name, which is Mesos' label of such nodes.
pub const ELECTION: &str = "json.info";

/// A client of the service that knows the masters; none if they are named one by one. To be called in a runtime.
#[must_use]
pub fn open(url: &MasterUrl, options: Options) -> Option<Arc<dyn KeyValue>> {
    match url {
        MasterUrl::ZooKeeper(url) => Some(Arc::new(ZooKeeperStore::new(url, options))),
        MasterUrl::Etcd(url) => Some(Arc::new(EtcdStore::new(url, options))),
        MasterUrl::Addresses(_) => None,
    }
}

/// Makes a master a candidate.
#[must_use]
pub fn contend(store: &dyn KeyValue, info: &MasterInfo) -> Candidacy {
    store.campaign(ELECTION, text(info).into_bytes())
}

/// What all candidates say of themselves, the one that leads first; of one that says nonsense, why it is none.
///
/// # Errors
/// When the service cannot be asked.
pub async fn candidates(store: &dyn KeyValue) -> Result<Vec<Result<MasterInfo, String>>, KvError> {
    let read = |value: &Vec<u8>| {
        proto::json::from_slice::<MasterInfo>(value).map_err(|error| format!("it is no MasterInfo: {error}"))
    };
    Ok(store.candidates(ELECTION).await?.iter().map(read).collect())
}

/// A `MasterInfo` as Mesos writes it: with its fields sorted.
fn text(info: &MasterInfo) -> String {
    let text = proto::json::to_string(info);
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => value.to_string(),
        Err(_) => text,
    }
}

/// What is known of the leading master.
#[derive(Clone, Debug, PartialEq)]
pub enum Detected {
    /// It leads.
    Leader {
        /// Tells leaders apart, also those that say the same of themselves.
        epoch: u64,
        /// What it says of itself.
        info: Box<MasterInfo>,
    },
    /// No master leads.
    Nobody,
    /// It cannot be known now: for a client, as if nobody led. Trying goes on.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Detected {
    /// Who leads, if somebody is known to.
    #[must_use]
    pub fn leader(&self) -> Option<&MasterInfo> {
        if let Self::Leader { info, .. } = self { Some(info) } else { None }
    }

    fn of(observed: Observed) -> Self {
        match observed {
            Observed::Asking => Self::Unknown { reason: "it is being asked".to_owned() },
            Observed::Nobody => Self::Nobody,
            Observed::Unavailable { reason } => Self::Unknown { reason },
            Observed::Leader(leader) => match proto::json::from_slice::<MasterInfo>(&leader.value) {
                Ok(info) => Self::Leader { epoch: leader.epoch, info: Box::new(info) },
                Err(error) => Self::Unknown {
                    reason: format!("the leading master says of itself what is no MasterInfo: {error}"),
                },
            },
        }
    }
}

/// Tells which master leads, until it is dropped.
#[derive(Debug)]
pub struct Detector {
    observer: Observer,
    // What it asks lives as long as it does.
    _store: Arc<dyn KeyValue>,
}

impl Detector {
    /// Begins to look.
    #[must_use]
    pub fn new(store: Arc<dyn KeyValue>) -> Self {
        Self { observer: store.observe(ELECTION), _store: store }
    }

    /// Waits for something new. The first answer never takes longer than a session lasts, whatever the service does.
    pub async fn next(&mut self) -> Detected {
        Detected::of(self.observer.next().await)
    }

    /// What is known at this moment.
    #[must_use]
    pub fn now(&self) -> Detected {
        Detected::of(self.observer.now())
    }

    /// Waits until a master leads, or nobody can say; what was told before counts too.
    pub async fn settled(&mut self) -> Detected {
        Detected::of(self.observer.when(|seen| *seen != Observed::Asking).await)
    }

    /// Waits until a master leads: which one, with what tells it apart from others.
    pub async fn leader(&mut self) -> (u64, MasterInfo) {
        loop {
            let seen = self.observer.when(|seen| seen.leader().is_some()).await;
            if let Detected::Leader { epoch, info } = Detected::of(seen) {
                return (epoch, *info);
            }
            self.observer.next().await;
        }
    }
}

/// Where a master listens, by what it says of itself: `host:port`.
#[must_use]
pub fn address(info: &MasterInfo) -> String {
    let of_pid =
        info.pid.as_deref().and_then(|pid| pid.rsplit_once('@')).map(|(_, address)| address.to_owned());
    of_pid.unwrap_or_else(|| {
        let host =
            info.address.as_ref().and_then(|address| address.ip.clone()).or_else(|| info.hostname.clone());
        format!("{}:{}", host.unwrap_or_default(), info.port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Leader;

    /// As a Mesos 1.12 wrote it.
    const MESOS: &str = r#"{"address":{"hostname":"127.0.0.1","ip":"127.0.0.1","port":6050},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],"hostname":"127.0.0.1","id":"d20c383c-b3e3-406d-bb22-8f4fde74506d","ip":16777343,"pid":"master@127.0.0.1:6050","port":6050,"version":"1.12.0"}"#;

    fn seen(value: &[u8]) -> Detected {
        Detected::of(Observed::Leader(Leader { epoch: 1, value: value.to_vec() }))
    }

    #[test]
    fn what_mesos_writes_is_read_and_written_the_same() {
        let detected = seen(MESOS.as_bytes());
        let info = detected.leader().expect("a leader");
        assert_eq!(address(info), "127.0.0.1:6050");
        assert_eq!(text(info), MESOS);
    }

    #[test]
    fn a_leader_that_says_nonsense_is_none() {
        for nonsense in [&b""[..], b"{}", b"[", b"master@127.0.0.1:5050"] {
            assert!(matches!(seen(nonsense), Detected::Unknown { .. }), "{nonsense:?}");
        }
    }
}
