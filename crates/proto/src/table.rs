//! Tables of all messages and enums: what the JSON form and the check of required fields are driven by.
//!
//! They are static data generated from the `.proto` files, so that one small function serves every message instead of
//! one generated function per message.

/// The protobuf name of a message, as it stands in the path of a libprocess message.
pub trait FullName {
    /// Package and name, such as `mesos.internal.RegisterSlaveMessage`.
    const FULL_NAME: &'static str;
}

/// A message that has a table.
pub trait Described: FullName {
    /// Its table.
    fn table() -> &'static MessageTable;
}

/// The type of a field; the number of an enum or a message is its place in the list of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// An enum.
    Enum(u16),
    /// A message.
    Message(u16),
}

/// The default that the `.proto` file gives a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// It gives none.
    None,
    /// Of a `bool`.
    Bool(bool),
    /// Of any integer.
    Int(u64),
    /// Of a `double`.
    Double(f64),
    /// Of a `string`, or the name of an enum's value.
    Text(&'static str),
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// As it is spelt in the `.proto` file and in JSON.
    pub name: &'static str,
    /// The number on the wire.
    pub number: u32,
    /// The type.
    pub kind: Kind,
    /// Whether it is a list (or a map).
    pub repeated: bool,
    /// The field's own bit if it is required, otherwise 0.
    pub required_bit: u64,
    /// The explicit default.
    pub default: Default,
    /// Whether it is marked deprecated; its default is then not printed.
    pub deprecated: bool,
}

impl Field {
    /// The table of the message that the field holds, if it holds one.
    #[must_use]
    pub fn message(&self) -> Option<&'static MessageTable> {
        match self.kind {
            Kind::Message(index) => Some(&MESSAGES[usize::from(index)]),
            _ => None,
        }
    }

    /// The table of the enum that the field holds, if it holds one.
    #[must_use]
    pub fn enumeration(&self) -> Option<&'static EnumTable> {
        match self.kind {
            Kind::Enum(index) => Some(&ENUMS[usize::from(index)]),
            _ => None,
        }
    }
}

/// A message.
#[derive(Debug)]
pub struct MessageTable {
    /// Package and name.
    pub full_name: &'static str,
    /// The bits of all required fields.
    pub required: u64,
    /// Whether anything is required in this message or below.
    pub checked: bool,
    /// Whether this is the entry of a map.
    pub map_entry: bool,
    /// By field number: the position in `fields` plus one, or 0.
    pub by_number: &'static [u8],
    /// Positions in `fields`, sorted by name.
    pub by_name: &'static [u8],
    /// In the order of the `.proto` file, which is the order in JSON.
    pub fields: &'static [Field],
}

impl MessageTable {
    /// The position of the field with this number.
    #[must_use]
    pub fn position(&self, number: u32) -> Option<usize> {
        let entry = *self.by_number.get(usize::try_from(number).ok()?)?;
        usize::from(entry).checked_sub(1)
    }

    /// The field of this name.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        let fields = self.fields;
        let found =
            self.by_name.binary_search_by(|&position| fields[usize::from(position)].name.cmp(name)).ok()?;
        Some(&fields[usize::from(self.by_name[found])])
    }
}

/// An enum.
#[derive(Debug)]
pub struct EnumTable {
    /// Package and name.
    pub full_name: &'static str,
    /// Sorted by name.
    pub by_name: &'static [(&'static str, i32)],
    /// Sorted by number.
    pub by_number: &'static [(&'static str, i32)],
}

impl EnumTable {
    /// The number of the value of this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i32> {
        let found = self.by_name.binary_search_by(|(candidate, _)| (*candidate).cmp(name)).ok()?;
        Some(self.by_name[found].1)
    }

    /// The name of the value of this number.
    #[must_use]
    pub fn name(&self, number: i32) -> Option<&'static str> {
        let found = self.by_number.binary_search_by_key(&number, |&(_, candidate)| candidate).ok()?;
        Some(self.by_number[found].0)
    }
}

/// The tables of all messages, in no particular order.
#[must_use]
pub fn messages() -> &'static [MessageTable] {
    &MESSAGES
}

/// The tables of all enums, in no particular order.
#[must_use]
pub fn enums() -> &'static [EnumTable] {
    &ENUMS
}

/// Ties a generated type to its table and name, and to the JSON form.
macro_rules! described {
    ($message:ty, $index:literal, $name:literal) => {
        impl FullName for $message {
            const FULL_NAME: &'static str = $name;
        }

        impl Described for $message {
            fn table() -> &'static MessageTable {
                &MESSAGES[$index]
            }
        }

        impl serde::Serialize for $message {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::json::serialize(self, serializer)
            }
        }
    };
}

use crate::convenience::{map_entry, string_id};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
