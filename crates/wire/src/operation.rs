//! Operations on resources, from and to the wire.

use proto::v1::offer::{self, operation};
use proto::v1::resource::disk_info::source::Type as SourceType;
use proto::v1::value;
use resources::{DiskKind, Operation, Resource, Scalar};

use crate::invalid::Invalid;
use crate::limits::check_resource_count;
use crate::resource::{Format, resource_from_proto, resource_to};

/// Reads an operation. LAUNCH and LAUNCH_GROUP are none on resources, and not read here.
///
/// # Errors
/// What is missing, or the first resource that breaks a rule, in Mesos' words.
pub fn operation_from_proto(message: &offer::Operation) -> Result<Operation, Invalid> {
    use operation::Type;
    Ok(match message.r#type() {
        Type::Reserve => {
            let part = part("A", message.reserve.as_ref(), message, "offer operation", ".")?;
            Operation::Reserve { resources: all(&part.resources)?, source: all(&part.source)? }
        }
        Type::Unreserve => {
            let part = part("An", message.unreserve.as_ref(), message, "offer operation", ".")?;
            Operation::Unreserve { resources: all(&part.resources)? }
        }
        Type::Create => {
            let part = part("A", message.create.as_ref(), message, "offer operation", ".")?;
            Operation::Create { volumes: all(&part.volumes)? }
        }
        Type::Destroy => {
            let part = part("A", message.destroy.as_ref(), message, "offer operation", ".")?;
            Operation::Destroy { volumes: all(&part.volumes)? }
        }
        Type::GrowVolume => {
            let part = part("A", message.grow_volume.as_ref(), message, "operation", "")?;
            Operation::GrowVolume { volume: one(&part.volume)?, addition: one(&part.addition)? }
        }
        Type::ShrinkVolume => {
            let part = part("A", message.shrink_volume.as_ref(), message, "offer operation", "")?;
            let subtract = Scalar::from_f64(part.subtract.value);
            Operation::ShrinkVolume { volume: one(&part.volume)?, subtract }
        }
        Type::CreateDisk => {
            let part = part("A", message.create_disk.as_ref(), message, "offer operation", ".")?;
            Operation::CreateDisk {
                source: one(&part.source)?,
                target: disk_kind(part.target_type()),
                profile: part.target_profile.as_deref().map(Into::into),
            }
        }
        Type::DestroyDisk => {
            let part = part("A", message.destroy_disk.as_ref(), message, "offer operation", ".")?;
            Operation::DestroyDisk { source: one(&part.source)? }
        }
        Type::Launch | Type::LaunchGroup | Type::Unknown => {
            return Err(Invalid::new("Unknown offer operation"));
        }
    })
}

/// The part that a message of its type has to have. Mesos does not word all of them alike.
fn part<'a, T>(
    article: &str,
    part: Option<&'a T>,
    message: &offer::Operation,
    noun: &str,
    stop: &str,
) -> Result<&'a T, Invalid> {
    part.ok_or_else(|| {
        let kind = message.r#type().as_str_name();
        let field = kind.to_lowercase();
        Invalid::new(format!("{article} {kind} {noun} must have the Offer.Operation.{field} field set{stop}"))
    })
}

/// Of several, Mesos says which one is wrong.
fn all(resources: &[proto::v1::Resource]) -> Result<Vec<Resource>, Invalid> {
    check_resource_count(resources)?;
    let read = |resource| resource_from_proto(resource).map_err(|error| Invalid::new(error.to_string()));
    resources.iter().map(read).collect()
}

fn one(resource: &proto::v1::Resource) -> Result<Resource, Invalid> {
    resource_from_proto(resource).map_err(|error| Invalid::new(error.reason))
}

fn disk_kind(kind: SourceType) -> DiskKind {
    match kind {
        SourceType::Unknown => DiskKind::Unknown,
        SourceType::Path => DiskKind::Path,
        SourceType::Mount => DiskKind::Mount,
        SourceType::Block => DiskKind::Block,
        SourceType::Raw => DiskKind::Raw,
    }
}

fn disk_type(kind: DiskKind) -> SourceType {
    match kind {
        DiskKind::Unknown => SourceType::Unknown,
        DiskKind::Path => SourceType::Path,
        DiskKind::Mount => SourceType::Mount,
        DiskKind::Block => SourceType::Block,
        DiskKind::Raw => SourceType::Raw,
    }
}

/// An operation as a message, without an id.
#[must_use]
pub fn operation_to_proto(operation: &Operation, format: Format) -> offer::Operation {
    use operation::Type;
    let one = |resource: &Resource| resource_to(resource, format);
    let all = |resources: &[Resource]| resources.iter().map(one).collect::<Vec<_>>();
    let of = |kind: Type| offer::Operation { r#type: Some(kind.into()), ..offer::Operation::default() };
    match operation {
        Operation::Reserve { source, resources } => {
            // An agent takes the allocation off the resources, but Mesos' agents do not take it off their source.
            let source = source.iter().map(|source| one(&source.clone().unallocated())).collect();
            let reserve = Some(operation::Reserve { source, resources: all(resources) });
            offer::Operation { reserve, ..of(Type::Reserve) }
        }
        Operation::Unreserve { resources } => {
            let unreserve = Some(operation::Unreserve { resources: all(resources) });
            offer::Operation { unreserve, ..of(Type::Unreserve) }
        }
        Operation::Create { volumes } => {
            let create = Some(operation::Create { volumes: all(volumes) });
            offer::Operation { create, ..of(Type::Create) }
        }
        Operation::Destroy { volumes } => {
            let destroy = Some(operation::Destroy { volumes: all(volumes) });
            offer::Operation { destroy, ..of(Type::Destroy) }
        }
        Operation::GrowVolume { volume, addition } => {
            let grow_volume = Some(operation::GrowVolume { volume: one(volume), addition: one(addition) });
            offer::Operation { grow_volume, ..of(Type::GrowVolume) }
        }
        Operation::ShrinkVolume { volume, subtract } => {
            let subtract = value::Scalar { value: subtract.to_f64() };
            let shrink_volume = Some(operation::ShrinkVolume { volume: one(volume), subtract });
            offer::Operation { shrink_volume, ..of(Type::ShrinkVolume) }
        }
        Operation::CreateDisk { source, target, profile } => {
            let create_disk = Some(operation::CreateDisk {
                source: one(source),
                target_type: disk_type(*target).into(),
                target_profile: profile.as_deref().map(str::to_owned),
            });
            offer::Operation { create_disk, ..of(Type::CreateDisk) }
        }
        Operation::DestroyDisk { source } => {
            let destroy_disk = Some(operation::DestroyDisk { source: one(source) });
            offer::Operation { destroy_disk, ..of(Type::DestroyDisk) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Operation, String> {
        let message: offer::Operation = proto::json::from_slice(json.as_bytes()).unwrap();
        operation_from_proto(&message).map_err(String::from)
    }

    const DISK: &str = r#"{"name":"disk","type":"SCALAR","scalar":{"value":4.0},
        "reservations":[{"type":"DYNAMIC","role":"web"}],"allocation_info":{"role":"web"}}"#;

    #[test]
    fn all_operations_read_back_the_same() {
        let two = format!("[{DISK},{DISK}]");
        for text in [
            format!(r#"{{"type":"RESERVE","reserve":{{"resources":{two}}}}}"#),
            format!(r#"{{"type":"UNRESERVE","unreserve":{{"resources":{two}}}}}"#),
            format!(r#"{{"type":"CREATE","create":{{"volumes":{two}}}}}"#),
            format!(r#"{{"type":"DESTROY","destroy":{{"volumes":{two}}}}}"#),
            format!(r#"{{"type":"GROW_VOLUME","grow_volume":{{"volume":{DISK},"addition":{DISK}}}}}"#),
            format!(
                r#"{{"type":"SHRINK_VOLUME","shrink_volume":{{"volume":{DISK},"subtract":{{"value":0.5}}}}}}"#
            ),
            format!(
                r#"{{"type":"CREATE_DISK",
                    "create_disk":{{"source":{DISK},"target_type":"MOUNT","target_profile":"fast"}}}}"#
            ),
            format!(r#"{{"type":"DESTROY_DISK","destroy_disk":{{"source":{DISK}}}}}"#),
        ] {
            let message: offer::Operation = proto::json::from_slice(text.as_bytes()).unwrap();
            let operation = operation_from_proto(&message).unwrap();
            assert_eq!(operation.kind().as_str(), message.r#type().as_str_name());
            assert_eq!(operation_to_proto(&operation, Format::Stack), message);
        }
    }

    #[test]
    fn a_source_is_sent_without_allocation() {
        let text = format!(r#"{{"type":"RESERVE","reserve":{{"resources":[{DISK}],"source":[{DISK}]}}}}"#);
        let message = operation_to_proto(&read(&text).unwrap(), Format::Stack);
        let reserve = message.reserve.unwrap();
        assert!(
            reserve.resources[0].allocation_info.is_some() && reserve.source[0].allocation_info.is_none()
        );
    }

    #[test]
    fn the_older_format_of_reservations_is_understood() {
        let text = r#"{"type":"UNRESERVE","unreserve":{"resources":[{"name":"cpus","type":"SCALAR",
            "scalar":{"value":1},"role":"web","reservation":{"principal":"me"}}]}}"#;
        let operation = read(text).unwrap();
        let resource = operation.resources().next().unwrap();
        assert_eq!(resource.to_string(), "cpus(reservations: [(DYNAMIC,web,me)]):1");
        let message = operation_to_proto(&operation, Format::SingleRole);
        let expected: offer::Operation = proto::json::from_slice(text.as_bytes()).unwrap();
        assert_eq!(message, expected);
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (kind, reason) in [
            ("RESERVE", "A RESERVE offer operation must have the Offer.Operation.reserve field set."),
            ("UNRESERVE", "An UNRESERVE offer operation must have the Offer.Operation.unreserve field set."),
            ("CREATE", "A CREATE offer operation must have the Offer.Operation.create field set."),
            ("DESTROY", "A DESTROY offer operation must have the Offer.Operation.destroy field set."),
            ("GROW_VOLUME", "A GROW_VOLUME operation must have the Offer.Operation.grow_volume field set"),
            (
                "SHRINK_VOLUME",
                "A SHRINK_VOLUME offer operation must have the Offer.Operation.shrink_volume field set",
            ),
            (
                "CREATE_DISK",
                "A CREATE_DISK offer operation must have the Offer.Operation.create_disk field set.",
            ),
            (
                "DESTROY_DISK",
                "A DESTROY_DISK offer operation must have the Offer.Operation.destroy_disk field set.",
            ),
            ("LAUNCH", "Unknown offer operation"),
        ] {
            assert_eq!(read(&format!(r#"{{"type":"{kind}"}}"#)).unwrap_err(), reason);
        }
        let negative = r#"{"type":"RESERVE","reserve":{"resources":[
            {"name":"cpus","type":"SCALAR","scalar":{"value":-1},"role":"*"}]}}"#;
        assert_eq!(
            read(negative).unwrap_err(),
            "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"
        );
        let shrink = format!(
            r#"{{"type":"SHRINK_VOLUME","shrink_volume":{{"volume":{},"subtract":{{"value":1}}}}}}"#,
            DISK.replace("4.0", "-4")
        );
        assert_eq!(read(&shrink).unwrap_err(), "Invalid scalar resource: value <= 0");
    }
}
