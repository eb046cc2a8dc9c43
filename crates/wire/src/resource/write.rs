//! Resources to the wire: as messages, or right behind what is written already.

use std::sync::Arc;

use proto::Message;
use proto::v1::{self, resource::ReservationInfo, resource::disk_info, resource::reservation_info, value};
use resources::{
    Details, Disk, DiskKind, DiskSource, Labels, Mode, Reservation, ReservationKind, Resource, Resources,
    Root, Value, Volume,
};

/// How reservations are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A stack of reservations; for all who know `RESERVATION_REFINEMENT`.
    Stack,
    /// A role, and who reserved it. What has a stack of several reservations cannot be written so and gets the stack.
    SingleRole,
    /// Both, where both can say it; for the endpoints that people and tools read.
    Endpoint,
}

/// Resources as messages with a stack of reservations.
#[must_use]
pub fn resources_to_proto(resources: &Resources) -> Vec<v1::Resource> {
    resources_to(resources, Format::Stack)
}

/// Resources as the endpoints show them.
#[must_use]
pub fn resources_to_endpoint(resources: &Resources) -> Vec<v1::Resource> {
    resources_to(resources, Format::Endpoint)
}

/// Resources as messages.
#[must_use]
pub fn resources_to(resources: &Resources, format: Format) -> Vec<v1::Resource> {
    resources.iter().map(|resource| resource_to(resource, format)).collect()
}

/// One resource as a message.
#[must_use]
pub fn resource_to(resource: &Resource, format: Format) -> v1::Resource {
    let mut message = v1::Resource { name: resource.name.as_str().to_owned(), ..v1::Resource::default() };
    match &resource.value {
        Value::Scalar(amount) => {
            message.set_type(value::Type::Scalar);
            message.scalar = Some(value::Scalar { value: amount.to_f64() });
        }
        Value::Ranges(ranges) => {
            message.set_type(value::Type::Ranges);
            let range = ranges.iter().map(|r| value::Range { begin: r.begin, end: r.end }).collect();
            message.ranges = Some(value::Ranges { range });
        }
        Value::Set(set) => {
            message.set_type(value::Type::Set);
            message.set = Some(value::Set { item: set.iter().map(str::to_owned).collect() });
        }
    }
    message.allocation_info = resource
        .allocation
        .as_ref()
        .map(|role| v1::resource::AllocationInfo { role: Some(role.as_str().to_owned()) });
    let details = resource.details();
    message.disk = details.disk.as_ref().map(disk);
    message.revocable = details.revocable.then(v1::resource::RevocableInfo::default);
    message.shared = details.shared.then(v1::resource::SharedInfo::default);
    message.provider_id = details.provider.as_ref().map(|id| v1::ResourceProviderId::from(&**id));
    write_reservations(&mut message, details, format);
    message
}

fn write_reservations(message: &mut v1::Resource, details: &Details, format: Format) {
    match (format, details.reservations.as_slice()) {
        (Format::Stack, _) => {}
        (_, []) => message.role = Some("*".to_owned()),
        (_, [only]) => {
            message.role = Some(only.role.as_str().to_owned());
            message.reservation = (only.kind == ReservationKind::Dynamic).then(|| ReservationInfo {
                principal: text(only.principal.as_ref()),
                labels: only.labels.as_ref().map(labels),
                ..ReservationInfo::default()
            });
            if format == Format::SingleRole {
                return;
            }
        }
        _ => {}
    }
    message.reservations = details.reservations.iter().map(reservation).collect();
}

fn reservation(reservation: &Reservation) -> ReservationInfo {
    let kind = match reservation.kind {
        ReservationKind::Static => reservation_info::Type::Static,
        ReservationKind::Dynamic => reservation_info::Type::Dynamic,
    };
    ReservationInfo {
        r#type: Some(kind.into()),
        role: Some(reservation.role.as_str().to_owned()),
        principal: text(reservation.principal.as_ref()),
        labels: reservation.labels.as_ref().map(labels),
    }
}

fn text(text: Option<&Arc<str>>) -> Option<String> {
    text.map(|text| text.as_ref().to_owned())
}

fn labels(labels: &Labels) -> v1::Labels {
    let label =
        |l: &resources::Label| v1::Label { key: l.key.as_ref().to_owned(), value: text(l.value.as_ref()) };
    v1::Labels { labels: labels.0.iter().map(label).collect() }
}

fn disk(disk: &Disk) -> v1::resource::DiskInfo {
    v1::resource::DiskInfo {
        persistence: disk.persistence.as_ref().map(|p| disk_info::Persistence {
            id: p.id.as_ref().to_owned(),
            principal: text(p.principal.as_ref()),
        }),
        volume: disk.volume.as_ref().map(volume),
        source: disk.source.as_ref().map(source),
    }
}

/// The whole message was kept when the volume was read; one of our own making has only the fields that we know.
fn volume(volume: &Volume) -> v1::Volume {
    if let Ok(whole) = v1::Volume::decode(volume.body.as_bytes())
        && !volume.body.is_empty()
    {
        return whole;
    }
    let mode = match volume.mode {
        Mode::ReadWrite => v1::volume::Mode::Rw,
        Mode::ReadOnly => v1::volume::Mode::Ro,
    };
    v1::Volume {
        container_path: volume.container_path.as_ref().to_owned(),
        host_path: text(volume.host_path.as_ref()),
        mode: mode.into(),
        ..v1::Volume::default()
    }
}

fn source(source: &DiskSource) -> disk_info::Source {
    use disk_info::source::{Mount, Path, Type};
    let kind = match source.kind {
        DiskKind::Unknown => Type::Unknown,
        DiskKind::Path => Type::Path,
        DiskKind::Mount => Type::Mount,
        DiskKind::Block => Type::Block,
        DiskKind::Raw => Type::Raw,
    };
    let root = |root: &Root| text(root.0.as_ref());
    disk_info::Source {
        r#type: kind.into(),
        path: source.path.as_ref().map(|path| Path { root: root(path) }),
        mount: source.mount.as_ref().map(|mount| Mount { root: root(mount) }),
        vendor: text(source.vendor.as_ref()),
        id: text(source.id.as_ref()),
        metadata: source.metadata.as_ref().map(labels),
        profile: text(source.profile.as_ref()),
    }
}

/// Writes resources as a repeated field behind a message that is written already: concatenated messages are one.
pub fn append_resources(buffer: &mut Vec<u8>, field: u32, resources: &Resources, format: Format) {
    for resource in resources.iter() {
        match &resource.value {
            // Nearly all resources are plain scalars: those are written without building a message first.
            Value::Scalar(amount) if resource.details().is_plain() && format == Format::Stack => {
                append_scalar(buffer, field, resource, amount.to_f64());
            }
            _ => append_message(buffer, field, &resource_to(resource, format)),
        }
    }
}

fn append_message(buffer: &mut Vec<u8>, field: u32, message: &v1::Resource) {
    tag(buffer, field, LENGTH_DELIMITED);
    varint(buffer, message.encoded_len() as u64);
    // Writing to a vector cannot run out of room.
    let _ = message.encode(buffer);
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

/// Fields of `Resource`: 1 name, 2 type (0 is SCALAR), 3 scalar, 11 allocation_info; of both of the latter, 1 is all.
fn append_scalar(buffer: &mut Vec<u8>, field: u32, resource: &Resource, amount: f64) {
    const SCALAR_BYTES: usize = 9;
    let name = resource.name.as_str();
    let role = resource.allocation.as_ref().map(resources::Role::as_str);
    let info = role.map(|role| 1 + varint_bytes(role.len()) + role.len());
    let length = 1
        + varint_bytes(name.len())
        + name.len()
        + 2
        + 2
        + SCALAR_BYTES
        + info.map_or(0, |info| 1 + varint_bytes(info) + info);
    tag(buffer, field, LENGTH_DELIMITED);
    varint(buffer, length as u64);
    string(buffer, 1, name);
    tag(buffer, 2, VARINT);
    varint(buffer, 0);
    tag(buffer, 3, LENGTH_DELIMITED);
    varint(buffer, SCALAR_BYTES as u64);
    tag(buffer, 1, FIXED64);
    buffer.extend_from_slice(&amount.to_le_bytes());
    if let (Some(role), Some(info)) = (role, info) {
        tag(buffer, 11, LENGTH_DELIMITED);
        varint(buffer, info as u64);
        string(buffer, 1, role);
    }
}

fn string(buffer: &mut Vec<u8>, field: u32, text: &str) {
    tag(buffer, field, LENGTH_DELIMITED);
    varint(buffer, text.len() as u64);
    buffer.extend_from_slice(text.as_bytes());
}

fn tag(buffer: &mut Vec<u8>, field: u32, kind: u32) {
    varint(buffer, u64::from(field << 3 | kind));
}

fn varint(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    buffer.push((value & 0x7f) as u8);
}

fn varint_bytes(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).div_ceil(7).max(1) as usize
}
