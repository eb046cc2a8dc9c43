//! Offers on the wire.

use master_core::{InverseOffer, Offer};
use proto::{v0, v1};
use transport::Upid;
use wire::Format;

use crate::convert::unavailability_to_proto;
use crate::pb::Writer;

/// Writes an offer; the numbers are its fields' in `mesos.v1.Offer`.
pub(crate) fn write_offer(w: &mut Writer<'_>, offer: &Offer, format: Format) {
    // What the agent said of itself; attributes and domain are copied from there.
    let agent: v0::SlaveInfo = proto::Message::decode(offer.agent.body.as_bytes()).unwrap_or_default();
    w.id(1, offer.id.as_str()).id(2, offer.framework_id.as_str()).id(3, offer.agent_id.as_str());
    w.text(4, &offer.agent.hostname);
    w.resources(5, &offer.resources, format);
    for executor_id in &offer.executor_ids {
        w.id(6, executor_id.as_str());
    }
    for attribute in &agent.attributes {
        w.message(7, attribute);
    }
    if let Ok(pid) = offer.pid.as_str().parse::<Upid>() {
        w.message(8, &url(&pid, &offer.agent.hostname));
    }
    if let Some(unavailability) = offer.unavailability {
        w.message(9, &unavailability_to_proto(unavailability));
    }
    w.id(10, offer.role.as_str());
    if let Some(domain) = &agent.domain {
        w.message(11, domain);
    }
}

/// Where an agent's own API is.
fn url(pid: &Upid, hostname: &str) -> v1::Url {
    v1::Url {
        scheme: "http".to_owned(),
        address: v1::Address {
            hostname: Some(hostname.to_owned()),
            ip: Some(pid.address().ip().to_string()),
            port: i32::from(pid.address().port()),
        },
        path: Some(format!("/{}", pid.id())),
        ..Default::default()
    }
}

/// An inverse offer as `mesos.v1.InverseOffer`.
pub(crate) fn inverse_offer_to_proto(offer: &InverseOffer) -> v1::InverseOffer {
    let pid = offer.pid.as_str().parse::<Upid>();
    v1::InverseOffer {
        id: offer.id.as_str().into(),
        url: pid.ok().map(|pid| url(&pid, &offer.agent.hostname)),
        framework_id: offer.framework_id.as_str().into(),
        agent_id: Some(offer.agent_id.as_str().into()),
        unavailability: unavailability_to_proto(offer.unavailability),
        resources: Vec::new(),
    }
}

/// An offer as `mesos.v1.Offer`.
pub(crate) fn offer_to_proto(offer: &Offer) -> v1::Offer {
    let mut encoded = Vec::new();
    write_offer(&mut Writer::new(&mut encoded), offer, Format::Stack);
    proto::Message::decode(&encoded[..]).unwrap_or_default()
}
