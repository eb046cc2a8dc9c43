//! Offers on the wire.

use std::borrow::Cow;

use master_core::{InverseOffer, Offer};
use proto::{v0, v1};
use resources::Resources;
use transport::Upid;
use wire::Format;

use crate::convert::unavailability_to_proto;
use crate::pb::Writer;

/// What a scheduler understands of offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// How reservations are written for it.
    pub(crate) format: Format,
    /// Whether it has several roles, and wants to know for which of them an offer is. Others compare what they are offered with
    /// what they know, and must not find in it what they do not (MESOS-8237).
    pub(crate) multi_role: bool,
}

impl Reader {
    /// One that understands refined reservations, or has several roles.
    pub(crate) fn new(reservation_refinement: bool, multi_role: bool) -> Self {
        Self { format: if reservation_refinement { Format::Stack } else { Format::SingleRole }, multi_role }
    }
}

/// Writes an offer for a scheduler.
pub(crate) fn write_offer(w: &mut Writer<'_>, offer: &Offer, reader: Reader) {
    let mut offered = Cow::Borrowed(&offer.resources);
    // As in Mesos: these ports are the agent's isolator's to give, whoever holds the offer.
    let is_internal = |resource: &resources::Resource| resource.name.as_str() == "ephemeral_ports";
    if offered.iter().any(is_internal) {
        offered = Cow::Owned(offered.filter(|resource| !is_internal(resource)));
    }
    if !reader.multi_role {
        offered = Cow::Owned(offered.into_owned().unallocated());
    }
    write(w, offer, &offered, reader.format);
    if reader.multi_role {
        w.id(10, offer.role.as_str());
    }
}

/// Writes an offer but for its role; the numbers are its fields' in `mesos.v1.Offer`.
fn write(w: &mut Writer<'_>, offer: &Offer, offered: &Resources, format: Format) {
    // What the agent said of itself; attributes and domain are copied from there.
    let agent: v0::SlaveInfo = proto::Message::decode(offer.agent.body.as_bytes()).unwrap_or_default();
    w.id(1, offer.id.as_str()).id(2, offer.framework_id.as_str()).id(3, offer.agent_id.as_str());
    w.text(4, &offer.agent.hostname);
    w.resources(5, offered, format);
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
    let mut writer = Writer::new(&mut encoded);
    write(&mut writer, offer, &offer.resources, Format::Stack);
    writer.id(10, offer.role.as_str());
    proto::Message::decode(&encoded[..]).unwrap_or_default()
}
