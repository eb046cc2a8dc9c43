//! Roles, with those above them.

use std::collections::BTreeMap;

use http_api::ApiError;
use resources::{Name, Role};

use super::order::{Key, Part};
use super::{Wanted, count};
use crate::v0::Query;
use crate::view::roles::RoleInfo;

/// What roles can be sorted by. Amounts are what they have allocated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Name,
    Weight,
    Frameworks,
    Allocated(&'static Name),
}

const COLUMNS: [(&str, Column); 7] = [
    ("name", Column::Name),
    ("weight", Column::Weight),
    ("frameworks", Column::Frameworks),
    ("cpus", Column::Allocated(&Name::Cpus)),
    ("mem", Column::Allocated(&Name::Mem)),
    ("disk", Column::Allocated(&Name::Disk)),
    ("gpus", Column::Allocated(&Name::Gpus)),
];

/// The roles that a query asks for: by name unless it says otherwise, all of them unless it says how many.
pub(crate) fn roles<'a>(
    all: &'a BTreeMap<Role, RoleInfo>,
    query: &Query,
) -> Result<Part<(&'a Role, &'a RoleInfo)>, ApiError> {
    let wanted = Wanted::<_, ()>::new(query, &COLUMNS, &[], usize::MAX)?;
    let found = all.iter().filter(|(name, info)| {
        wanted.role.is_none_or(|role| role == name.as_str())
            && wanted.framework_id.is_none_or(|id| info.frameworks.contains(id))
            && wanted.finds([name.as_str()])
    });
    Ok(wanted.part(found.map(|(name, info)| (key(wanted.column(), name, info), (name, info)))))
}

fn key<'a>(column: Option<Column>, name: &'a Role, info: &RoleInfo) -> Key<'a> {
    match column.unwrap_or(Column::Name) {
        Column::Name => Key::Text(name.as_str()),
        // Weights are above zero, and such numbers are in the order of their bits.
        Column::Weight => Key::Number(info.weight().to_bits().try_into().unwrap_or(i64::MAX)),
        Column::Frameworks => count(info.frameworks.len()),
        Column::Allocated(name) => Key::Number(info.allocated.get(name).thousandths()),
    }
}
