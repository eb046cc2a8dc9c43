//! Conversions that make the generated types pleasant: ids from strings, map entries from pairs, operations from their
//! parts.

use crate::v1::offer::{Operation, operation};

/// Conversions of the part of an operation into the operation: its type follows from the part.
macro_rules! operations {
    ($($part:ident $field:ident,)+) => {$(
        impl From<operation::$part> for Operation {
            fn from(part: operation::$part) -> Self {
                let kind = Some(operation::Type::$part.into());
                Self { r#type: kind, $field: Some(part), ..Self::default() }
            }
        }
    )+};
}

operations! {
    Launch launch,
    LaunchGroup launch_group,
    Reserve reserve,
    Unreserve unreserve,
    Create create,
    Destroy destroy,
    GrowVolume grow_volume,
    ShrinkVolume shrink_volume,
    CreateDisk create_disk,
    DestroyDisk destroy_disk,
}

/// An entry of a map field, which is a list of entries on the wire and in the generated types.
///
/// When a key comes twice, the last entry counts.
pub trait MapEntry {
    /// What the map maps to.
    type Value;

    /// The key; one that is left out is empty.
    fn key(&self) -> &str;

    /// The value.
    fn value(&self) -> Option<&Self::Value>;

    /// The value of a key.
    fn lookup<'a>(entries: &'a [Self], key: &str) -> Option<&'a Self::Value>
    where
        Self: Sized,
    {
        entries.iter().rev().find(|entry| entry.key() == key).and_then(MapEntry::value)
    }
}

/// Conversions of an entry of a map.
macro_rules! map_entry {
    ($entry:ty, $value:ty) => {
        impl crate::MapEntry for $entry {
            type Value = $value;

            fn key(&self) -> &str {
                self.key.as_deref().unwrap_or_default()
            }

            fn value(&self) -> Option<&$value> {
                self.value.as_ref()
            }
        }

        impl<K: Into<String>> From<(K, $value)> for $entry {
            fn from((key, value): (K, $value)) -> Self {
                Self { key: Some(key.into()), value: Some(value) }
            }
        }
    };
}

/// Conversions of a message that is only a string.
macro_rules! string_id {
    ($id:ty $(, $parent:ident)?) => {
        impl From<&str> for $id {
            fn from(value: &str) -> Self {
                Self { value: value.to_owned() $(, $parent: None)? }
            }
        }

        impl From<String> for $id {
            fn from(value: String) -> Self {
                Self { value $(, $parent: None)? }
            }
        }

        impl AsRef<str> for $id {
            fn as_ref(&self) -> &str {
                &self.value
            }
        }

        impl std::fmt::Display for $id {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $(
                    if let Some(parent) = &self.$parent {
                        write!(formatter, "{parent}.")?;
                    }
                )?
                formatter.write_str(&self.value)
            }
        }
    };
}

pub(crate) use {map_entry, string_id};
