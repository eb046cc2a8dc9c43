//! What is fixed while a master runs, and shown by many endpoints.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use base::Time;
use proto::v1;
use proto::v1::master_info::capability::Type as Capability;
use serde_json::json;
use transport::Upid;

use crate::options::FaultDomain;

/// Who this master is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Its id: random for each start.
    pub(crate) id: String,
    /// Its process and address.
    pub(crate) upid: Upid,
    /// The host name that it tells.
    pub(crate) hostname: String,
    /// Name of the cluster, for people.
    pub(crate) cluster: Option<String>,
    /// Where it is.
    pub(crate) domain: Option<FaultDomain>,
    /// When it started.
    pub(crate) start_time: Time,
    /// When it began to lead, once it does.
    pub(crate) elected_time: Arc<OnceLock<Time>>,
    /// The flags in effect.
    pub(crate) flags: Vec<(String, String)>,
    /// The only roles that there may be; any if empty.
    pub(crate) listed_roles: Vec<String>,
}

/// What it can do beyond old masters.
const CAPABILITIES: [Capability; 3] =
    [Capability::AgentUpdate, Capability::AgentDraining, Capability::QuotaV2];

impl Identity {
    /// The address under which others reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.upid.address()
    }

    /// When it began to lead; of one that does not, when it started.
    pub(crate) fn elected_time(&self) -> Time {
        self.elected_time.get().copied().unwrap_or(self.start_time)
    }

    /// `mesos.v1.MasterInfo`.
    pub(crate) fn master_info(&self) -> v1::MasterInfo {
        let address = self.address();
        v1::MasterInfo {
            id: self.id.clone(),
            ip: legacy_ip(address.ip()),
            port: u32::from(address.port()),
            pid: Some(self.upid.to_string()),
            hostname: Some(self.hostname.clone()),
            version: Some(http_api::MESOS_VERSION.to_owned()),
            address: Some(v1::Address {
                hostname: Some(self.hostname.clone()),
                ip: Some(address.ip().to_string()),
                port: i32::from(address.port()),
            }),
            domain: self.domain.as_ref().map(FaultDomain::to_proto),
            capabilities: CAPABILITIES
                .into_iter()
                .map(|kind| v1::master_info::Capability { r#type: Some(kind.into()) })
                .collect(),
        }
    }

    /// What `/state` says of the leading master.
    pub(crate) fn leader_info(&self) -> serde_json::Value {
        let mut info = json!({
            "id": self.id,
            "pid": self.upid.to_string(),
            "port": self.address().port(),
            "hostname": self.hostname,
        });
        if let Some(domain) = &self.domain {
            info["domain"] = json!(domain.to_proto());
        }
        info
    }

    /// The capabilities by name.
    pub(crate) fn capability_names() -> Vec<&'static str> {
        CAPABILITIES.iter().map(Capability::as_str_name).collect()
    }
}

/// The IPv4 address as old clients read it: four bytes in network order, taken as a number of the host's order. 0 for
/// IPv6, which has `address` only.
fn legacy_ip(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => u32::from_le_bytes(ip.octets()),
        IpAddr::V6(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_form_of_an_address() {
        assert_eq!(legacy_ip("127.0.0.1".parse().unwrap()), 16_777_343);
        assert_eq!(legacy_ip("::1".parse().unwrap()), 0);
    }
}
