//! What makes a resource on the wire valid. A resource of our own cannot be wrong in most of these ways.

use proto::v1::{self, resource::DiskInfo, resource::ReservationInfo, resource::reservation_info, value};
use resources::{Scalar, is_strict_subrole, validate_role};

use super::read::reservation;

/// Checks one resource.
///
/// # Errors
/// The first rule that is broken, in Mesos' words.
pub fn validate_resource(resource: &v1::Resource) -> Result<(), String> {
    if resource.name.is_empty() {
        return Err("Empty resource name".to_owned());
    }
    validate_value(resource)?;
    if let Some(disk) = &resource.disk {
        validate_disk(&resource.name, disk)?;
    }
    match resource.reservations.as_slice() {
        [] => validate_single_role(resource)?,
        reservations => {
            validate_stack(reservations)?;
            validate_both_formats(resource)?;
        }
    }
    if resource.shared.is_some() {
        if resource.name != "disk" {
            return Err(format!("Resource {} cannot be shared", resource.name));
        }
        if resource.disk.as_ref().is_none_or(|disk| disk.persistence.is_none()) {
            return Err("Only persistent volumes can be shared".to_owned());
        }
    }
    Ok(())
}

fn validate_value(resource: &v1::Resource) -> Result<(), String> {
    let present = (resource.scalar.is_some(), resource.ranges.is_some(), resource.set.is_some());
    match value::Type::try_from(resource.r#type) {
        Ok(value::Type::Scalar) => match &resource.scalar {
            Some(scalar) if present == (true, false, false) => validate_scalar(scalar.value),
            _ => Err("Invalid scalar resource".to_owned()),
        },
        Ok(value::Type::Ranges) => match &resource.ranges {
            Some(ranges) if present == (false, true, false) => validate_ranges(&ranges.range),
            _ => Err("Invalid ranges resource".to_owned()),
        },
        Ok(value::Type::Set) => match &resource.set {
            Some(set) if present == (false, false, true) => validate_set(&set.item),
            _ => Err("Invalid set resource".to_owned()),
        },
        Ok(value::Type::Text) => Err("Unsupported resource type".to_owned()),
        Err(_) => Err("Invalid resource type".to_owned()),
    }
}

/// Neither negative amounts, nor such as round to nothing.
fn validate_scalar(amount: f64) -> Result<(), String> {
    let rounds_to_nothing = amount != 0.0 && !Scalar::from_f64(amount).is_positive();
    if rounds_to_nothing || !amount.is_finite() {
        return Err("Invalid scalar resource: value <= 0".to_owned());
    }
    Ok(())
}

fn validate_ranges(ranges: &[value::Range]) -> Result<(), String> {
    if ranges.iter().any(|range| range.begin > range.end) {
        return Err("Invalid ranges resource: begin > end".to_owned());
    }
    let mut sorted: Vec<_> = ranges.iter().map(|range| (range.begin, range.end)).collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[1].0 <= pair[0].1) {
        return Err("Invalid ranges resource: overlapping ranges".to_owned());
    }
    Ok(())
}

fn validate_set(items: &[String]) -> Result<(), String> {
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("Invalid set resource: duplicated elements".to_owned());
    }
    Ok(())
}

fn validate_disk(name: &str, disk: &DiskInfo) -> Result<(), String> {
    use v1::resource::disk_info::source::Type;
    if name != "disk" {
        return Err(format!("DiskInfo should not be set for {name} resource"));
    }
    let Some(source) = &disk.source else { return Ok(()) };
    match source.r#type() {
        Type::Path | Type::Mount => Ok(()),
        kind @ (Type::Block | Type::Raw) => {
            let wrong = [("Mount", source.mount.is_some()), ("Path", source.path.is_some())];
            match wrong.iter().find(|(_, is_set)| *is_set) {
                Some((what, _)) => {
                    Err(format!("{what} should not be set for {} disk source", kind.as_str_name()))
                }
                None => Ok(()),
            }
        }
        Type::Unknown => Err("Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'".to_owned()),
    }
}

/// The older format: a role, and perhaps who reserved it.
fn validate_single_role(resource: &v1::Resource) -> Result<(), String> {
    validate_role(resource.role()).map_err(|error| error.to_string())?;
    let Some(info) = &resource.reservation else { return Ok(()) };
    let wrong = [("type", info.r#type.is_some()), ("role", info.role.is_some())];
    if let Some((field, _)) = wrong.iter().find(|(_, is_set)| *is_set) {
        return Err(format!(
            "'Resource.ReservationInfo.{field}' must not be set for the 'Resource.reservation' field"
        ));
    }
    if resource.role() == "*" {
        return Err("Invalid reservation: role \"*\" cannot be dynamically reserved".to_owned());
    }
    Ok(())
}

fn validate_stack(reservations: &[ReservationInfo]) -> Result<(), String> {
    for info in reservations {
        let wrong = [("type", info.r#type.is_none()), ("role", info.role.is_none())];
        if let Some((field, _)) = wrong.iter().find(|(_, is_missing)| *is_missing) {
            return Err(format!(
                "Invalid reservation: 'Resource.ReservationInfo.{field}' field must be set."
            ));
        }
        validate_role(info.role()).map_err(|error| error.to_string())?;
        if info.role() == "*" {
            return Err("Invalid reservation: role \"*\" cannot be reserved".to_owned());
        }
    }
    for pair in reservations.windows(2) {
        if pair[1].r#type() == reservation_info::Type::Static {
            return Err("Invalid refined reservation: A refined reservation cannot be STATIC".to_owned());
        }
        let (ancestor, descendant) = (pair[0].role(), pair[1].role());
        if !is_strict_subrole(descendant, ancestor) {
            return Err(format!(
                "Invalid refined reservation: role '{descendant}' is not a refinement of '{ancestor}'"
            ));
        }
    }
    Ok(())
}

/// The older fields may be there beside the stack, if they say the same.
fn validate_both_formats(resource: &v1::Resource) -> Result<(), String> {
    let (role, older) = (resource.role.as_deref(), resource.reservation.as_ref());
    let [only] = resource.reservations.as_slice() else {
        let set = [("role", role.is_some()), ("reservation", older.is_some())];
        return match set.iter().find(|(_, is_set)| *is_set) {
            Some((field, _)) => Err(format!(
                "Invalid resource format: 'Resource.{field}' must not be set if there is more than one reservation in \
                 'Resource.reservations'"
            )),
            None => Ok(()),
        };
    };
    if let Some(role) = role
        && role != only.role()
    {
        return Err(format!(
            "Invalid resource format: 'Resource.role' field with '{role}' does not match the role '{}' in \
             'Resource.reservations'",
            only.role()
        ));
    }
    match only.r#type() {
        reservation_info::Type::Static if older.is_some() => Err(
            "Invalid resource format: 'Resource.reservation' must not be set if the single reservation in \
             'Resource.reservations' is STATIC"
                .to_owned(),
        ),
        reservation_info::Type::Static => Ok(()),
        reservation_info::Type::Dynamic => validate_dynamic(role, older, only),
        reservation_info::Type::Unknown => Err("Unsupported 'Resource.ReservationInfo.Type'".to_owned()),
    }
}

fn validate_dynamic(
    role: Option<&str>,
    older: Option<&ReservationInfo>,
    only: &ReservationInfo,
) -> Result<(), String> {
    if role.is_some() != older.is_some() {
        return Err(
            "Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or \
                    both not set if the single reservation in 'Resource.reservations' is DYNAMIC"
                .to_owned(),
        );
    }
    let Some(older) = older else { return Ok(()) };
    if older.principal() != only.principal() {
        return Err(format!(
            "Invalid resource format: 'Resource.reservation.principal' field with '{}' does not match the principal \
             '{}' in 'Resource.reservations'",
            older.principal(),
            only.principal()
        ));
    }
    let labels = |info: &ReservationInfo| reservation(info).labels.unwrap_or_default();
    let (theirs, ours) = (labels(older), labels(only));
    if theirs != ours {
        return Err(format!(
            "Invalid resource format: 'Resource.reservation.labels' field with '{theirs}' does not match the labels \
             '{ours}' in 'Resource.reservations'"
        ));
    }
    Ok(())
}
