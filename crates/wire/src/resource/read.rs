//! Resources from the wire: Mesos' rules, in its words, and both formats of reservations.

use std::sync::Arc;

use base::Payload;
use proto::v1::{self, resource::ReservationInfo, resource::disk_info, resource::reservation_info, value};
use resources::{
    Details, Disk, DiskKind, DiskSource, Label, Labels, Mode, Name, Persistence, Range, Ranges, Reservation,
    ReservationKind, Resource, Resources, Role, Root, Scalar, Set, Value, Volume,
};

use super::validate::validate_resource;
use crate::limits::MAX_AGENT_RESOURCES;

/// A resource that breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Resource '{resource}' is invalid: {reason}")]
pub struct ResourceError {
    /// The resource, in Mesos' text form.
    pub resource: String,
    /// Which rule, in one line.
    pub reason: String,
}

/// Reads resources, in the format with a stack of reservations, in that with a single role, or both at once.
///
/// # Errors
/// The first resource that breaks a rule, or is one too many.
pub fn resources_from_proto(resources: &[v1::Resource]) -> Result<Resources, ResourceError> {
    if let Some(beyond) = resources.get(MAX_AGENT_RESOURCES) {
        let count = resources.len();
        let reason = format!("it is one of {count}, and at most {MAX_AGENT_RESOURCES} are supported");
        return Err(ResourceError { resource: describe(beyond), reason });
    }
    resources.iter().map(resource_from_proto).collect()
}

/// Reads one resource.
///
/// # Errors
/// Which rule it breaks.
pub fn resource_from_proto(resource: &v1::Resource) -> Result<Resource, ResourceError> {
    validate_resource(resource).map_err(|reason| ResourceError { resource: describe(resource), reason })?;
    Ok(convert(resource))
}

/// The text form of a resource that need not be valid.
pub(super) fn describe(resource: &v1::Resource) -> String {
    convert_as_is(resource).to_string()
}

fn convert(resource: &v1::Resource) -> Resource {
    let mut converted = convert_as_is(resource);
    if converted.reservations().is_empty()
        && let Some(reservation) = single_reservation(resource)
    {
        converted = converted.reserved_by(reservation);
    }
    converted
}

/// The one reservation of a message in the older format.
fn single_reservation(resource: &v1::Resource) -> Option<Reservation> {
    let role = resource.role.as_deref().filter(|role| *role != "*")?;
    Some(match &resource.reservation {
        None => Reservation::fixed(role.into()),
        Some(info) => Reservation {
            kind: ReservationKind::Dynamic,
            role: role.into(),
            principal: text(info.principal.as_ref()),
            labels: info.labels.as_ref().map(labels),
        },
    })
}

/// Takes over what is there and does not look at the older format.
fn convert_as_is(resource: &v1::Resource) -> Resource {
    let plain = Resource::new(Name::from(resource.name.as_str()), value(resource));
    let details = Details {
        reservations: resource.reservations.iter().map(reservation).collect(),
        disk: resource.disk.as_ref().map(disk),
        revocable: resource.revocable.is_some(),
        shared: resource.shared.is_some(),
        provider: resource.provider_id.as_ref().map(|id| id.value.as_str().into()),
    };
    let converted = plain.with_details(details);
    match resource.allocation_info.as_ref().and_then(|info| info.role.as_deref()) {
        Some(role) => converted.allocated_to(role_of(role)),
        None => converted,
    }
}

/// The default role is so frequent that it is not allocated each time.
fn role_of(name: &str) -> Role {
    if name == "*" { Role::star() } else { Role::from(name) }
}

fn value(resource: &v1::Resource) -> Value {
    match value::Type::try_from(resource.r#type) {
        Ok(value::Type::Ranges) => {
            let pairs = resource.ranges.iter().flat_map(|ranges| &ranges.range);
            let upright = pairs.filter(|r| r.begin <= r.end).map(|r| Range { begin: r.begin, end: r.end });
            Value::Ranges(Ranges::new(upright).unwrap_or_default())
        }
        Ok(value::Type::Set) => {
            Value::Set(Set::new(resource.set.iter().flat_map(|set| &set.item).map(String::as_str)))
        }
        _ => Value::Scalar(resource.scalar.as_ref().map_or(Scalar::ZERO, |s| Scalar::from_f64(s.value))),
    }
}

pub(super) fn reservation(info: &ReservationInfo) -> Reservation {
    let kind = match info.r#type() {
        reservation_info::Type::Static => ReservationKind::Static,
        _ => ReservationKind::Dynamic,
    };
    Reservation {
        kind,
        role: info.role().into(),
        principal: text(info.principal.as_ref()),
        labels: info.labels.as_ref().map(labels),
    }
}

fn labels(labels: &v1::Labels) -> Labels {
    let label = |l: &v1::Label| Label { key: l.key.as_str().into(), value: text(l.value.as_ref()) };
    Labels(labels.labels.iter().map(label).collect())
}

pub(super) fn text(text: Option<&String>) -> Option<Arc<str>> {
    text.map(|text| text.as_str().into())
}

fn disk(disk: &v1::resource::DiskInfo) -> Disk {
    Disk {
        source: disk.source.as_ref().map(source),
        persistence: disk
            .persistence
            .as_ref()
            .map(|p| Persistence { id: p.id.as_str().into(), principal: text(p.principal.as_ref()) }),
        volume: disk.volume.as_ref().map(volume),
    }
}

fn volume(volume: &v1::Volume) -> Volume {
    Volume {
        container_path: volume.container_path.as_str().into(),
        host_path: text(volume.host_path.as_ref()),
        mode: match volume.mode() {
            v1::volume::Mode::Rw => Mode::ReadWrite,
            v1::volume::Mode::Ro => Mode::ReadOnly,
        },
        body: Payload::from(proto::encode(volume)),
    }
}

fn source(source: &disk_info::Source) -> DiskSource {
    DiskSource {
        kind: match source.r#type() {
            disk_info::source::Type::Unknown => DiskKind::Unknown,
            disk_info::source::Type::Path => DiskKind::Path,
            disk_info::source::Type::Mount => DiskKind::Mount,
            disk_info::source::Type::Block => DiskKind::Block,
            disk_info::source::Type::Raw => DiskKind::Raw,
        },
        path: source.path.as_ref().map(|path| Root(text(path.root.as_ref()))),
        mount: source.mount.as_ref().map(|mount| Root(text(mount.root.as_ref()))),
        vendor: text(source.vendor.as_ref()),
        id: text(source.id.as_ref()),
        metadata: source.metadata.as_ref().map(labels),
        profile: text(source.profile.as_ref()),
    }
}
