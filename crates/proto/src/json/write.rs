//! From the protobuf form to JSON.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use crate::table::{Default, EnumTable, Field, Kind, MessageTable};
use crate::wire_format::{Malformed, Reader, Value};

/// An encoded message, to be written as JSON.
pub(super) struct WireMessage<'a> {
    table: &'static MessageTable,
    encoded: &'a [u8],
}

/// A field that was found: its position in the table and its value.
type Found<'a> = (usize, Value<'a>);

impl<'a> WireMessage<'a> {
    /// With the table of the message.
    pub(super) fn new(table: &'static MessageTable, encoded: &'a [u8]) -> Self {
        Self { table, encoded }
    }

    /// All known fields, those of one number together and in their order on the wire.
    fn collect(&self) -> Result<Vec<Found<'a>>, Malformed> {
        let mut found = Vec::with_capacity(self.table.fields.len().min(12));
        let mut reader = Reader::new(self.encoded);
        while let Some((number, value)) = reader.next_field()? {
            if let Some(position) = self.table.position(number) {
                expand(position, &self.table.fields[position], value, &mut found)?;
            }
        }
        if !found.is_sorted_by_key(|&(position, _)| position) {
            found.sort_by_key(|&(position, _)| position);
        }
        Ok(found)
    }
}

/// Takes a packed list apart, drops the values of enums that nobody knows, and refuses what has the wrong type.
fn expand<'a>(
    position: usize,
    field: &Field,
    value: Value<'a>,
    found: &mut Vec<Found<'a>>,
) -> Result<(), Malformed> {
    match (field.kind, value) {
        (Kind::Enum(_), Value::Varint(number)) => {
            if field.enumeration().is_some_and(|table| enum_name(table, number).is_some()) {
                found.push((position, value));
            }
        }
        (Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64, Value::Varint(_))
        | (Kind::Double, Value::Fixed64(_))
        | (Kind::String | Kind::Bytes | Kind::Message(_), Value::Bytes(_)) => found.push((position, value)),
        (Kind::Double, Value::Bytes(packed)) if field.repeated => {
            let mut reader = Reader::new(packed);
            while let Some(bits) = reader.next_packed_fixed64()? {
                found.push((position, Value::Fixed64(bits)));
            }
        }
        (_, Value::Bytes(packed)) if field.repeated => {
            let mut reader = Reader::new(packed);
            while let Some(bits) = reader.next_packed()? {
                expand(position, field, Value::Varint(bits), found)?;
            }
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

impl Serialize for WireMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let found = self.collect().map_err(|_| S::Error::custom("malformed message"))?;
        let mut map = serializer.serialize_map(None)?;
        let mut next = 0;
        for (position, field) in self.table.fields.iter().enumerate() {
            let range = run(&found, next, position);
            next = range.end;
            let values = &found[range];
            match values.last() {
                None if field.deprecated || field.repeated => {}
                None => write_default::<S>(&mut map, field)?,
                Some(_) if field.repeated => map.serialize_entry(field.name, &Repeated { field, values })?,
                Some(_) if values.len() > 1 && matches!(field.kind, Kind::Message(_)) => {
                    let whole = concatenated(values);
                    map.serialize_entry(field.name, &Single { field, value: Value::Bytes(&whole) })?;
                }
                Some(&(_, value)) => map.serialize_entry(field.name, &Single { field, value })?,
            }
        }
        map.end()
    }
}

/// The values of the field at `position`, which begin at `from` if there are any.
fn run(found: &[Found<'_>], from: usize, position: usize) -> Range<usize> {
    let count = found[from..].iter().take_while(|&&(other, _)| other == position).count();
    from..from + count
}

/// A message that came in several parts is their sum.
fn concatenated(values: &[Found<'_>]) -> Vec<u8> {
    let mut whole = Vec::new();
    for (_, value) in values {
        if let Value::Bytes(part) = value {
            whole.extend_from_slice(part);
        }
    }
    whole
}

fn write_default<S: Serializer>(map: &mut S::SerializeMap, field: &Field) -> Result<(), S::Error> {
    match field.default {
        Default::None => Ok(()),
        Default::Bool(value) => map.serialize_entry(field.name, &value),
        Default::Int(value) => map.serialize_entry(field.name, &value),
        Default::Double(value) => map.serialize_entry(field.name, &value),
        Default::Text(value) => map.serialize_entry(field.name, value),
    }
}

/// One value of a field.
struct Single<'a> {
    field: &'static Field,
    value: Value<'a>,
}

impl Serialize for Single<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wrong = || S::Error::custom("a value of the wrong type");
        match (self.field.kind, self.value) {
            (Kind::Bool, Value::Varint(bits)) => serializer.serialize_bool(bits != 0),
            (Kind::Int32, Value::Varint(bits)) => serializer.serialize_i32(low_i32(bits)),
            (Kind::Int64, Value::Varint(bits)) => serializer.serialize_i64(bits.cast_signed()),
            (Kind::Uint32, Value::Varint(bits)) => serializer.serialize_u32(low_i32(bits).cast_unsigned()),
            (Kind::Uint64, Value::Varint(bits)) => serializer.serialize_u64(bits),
            (Kind::Double, Value::Fixed64(bits)) => write_double(f64::from_bits(bits), serializer),
            (Kind::String, Value::Bytes(bytes)) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            (Kind::Bytes, Value::Bytes(bytes)) => serializer.serialize_str(&BASE64.encode(bytes)),
            (Kind::Enum(_), Value::Varint(bits)) => {
                let name = self.field.enumeration().and_then(|table| enum_name(table, bits));
                serializer.serialize_str(name.ok_or_else(wrong)?)
            }
            (Kind::Message(_), Value::Bytes(bytes)) => {
                WireMessage::new(self.field.message().ok_or_else(wrong)?, bytes).serialize(serializer)
            }
            _ => Err(wrong()),
        }
    }
}

/// What JSON has no number for is written as it is read.
fn write_double<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    match (value.is_infinite(), value.is_sign_positive()) {
        (false, _) => serializer.serialize_f64(value),
        (true, true) => serializer.serialize_str(super::INFINITY),
        (true, false) => serializer.serialize_str(super::MINUS_INFINITY),
    }
}

/// A list of values, or the entries of a map.
struct Repeated<'a> {
    field: &'static Field,
    values: &'a [Found<'a>],
}

impl Serialize for Repeated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(entry) = self.field.message().filter(|table| table.map_entry) {
            return self.serialize_entries(entry, serializer);
        }
        let mut seq = serializer.serialize_seq(Some(self.values.len()))?;
        for &(_, value) in self.values {
            seq.serialize_element(&Single { field: self.field, value })?;
        }
        seq.end()
    }
}

impl Repeated<'_> {
    fn serialize_entries<S: Serializer>(
        &self,
        table: &'static MessageTable,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, &(_, value)) in self.values.iter().enumerate() {
            let (key, inner) = entry_of(table, value).map_err(|_| S::Error::custom("malformed map entry"))?;
            let later = self.values[index + 1..].iter();
            if later
                .into_iter()
                .any(|&(_, other)| entry_of(table, other).is_ok_and(|(other, _)| other == key))
            {
                continue;
            }
            let field = &table.fields[1];
            match inner {
                Some(value) => map.serialize_entry(&key, &Single { field, value })?,
                None if field.message().is_some() => {
                    map.serialize_entry(&key, &Single { field, value: Value::Bytes(&[]) })?;
                }
                None => map.serialize_entry(&key, "")?,
            }
        }
        map.end()
    }
}

/// The key and value of a map entry.
fn entry_of<'a>(
    table: &MessageTable,
    entry: Value<'a>,
) -> Result<(Cow<'a, str>, Option<Value<'a>>), Malformed> {
    let Value::Bytes(bytes) = entry else { return Err(Malformed) };
    let mut key = Cow::Borrowed("");
    let mut inner = None;
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next_field()? {
        match (table.position(number), value) {
            (Some(0), Value::Bytes(bytes)) => key = String::from_utf8_lossy(bytes),
            (Some(1), value) => inner = Some(value),
            _ => {}
        }
    }
    Ok((key, inner))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "32 bit integers are the low half of what is on the wire"
)]
fn low_i32(bits: u64) -> i32 {
    bits as i32
}

fn enum_name(table: &EnumTable, bits: u64) -> Option<&'static str> {
    table.name(low_i32(bits))
}
