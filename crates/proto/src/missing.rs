//! Finds required fields that are not there.
//!
//! [`satisfied`] is the quick answer for every message that comes in: one pass, nothing allocated. Where it says no,
//! [`list`] looks again slowly, names what is missing, and knows that a message which comes in several parts (encodings
//! that were written one after another) counts as their sum.

use std::borrow::Cow;

use crate::table::{Field, MessageTable};
use crate::wire_format::{Malformed, Reader, Value};

/// How deeply the messages of a call may be nested. Well below [`MAX_DEPTH`], because parts of calls come back inside
/// other messages, which must be readable too.
const MAX_CALL_DEPTH: u32 = 64;

/// How deeply other messages may be nested: a little less than `prost` and C++ decode.
const MAX_DEPTH: u32 = 96;

/// Why a message was not looked at to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not protobuf.
    Malformed,
    /// Its messages are nested too deeply.
    TooDeep,
}

impl From<Malformed> for Unfit {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// How deeply messages of the type with this full name may be nested.
pub(crate) fn depth_limit(full_name: &str) -> u32 {
    if full_name.ends_with(".Call") { MAX_CALL_DEPTH } else { MAX_DEPTH }
}

/// Whether every part of the message has all required fields, at any depth; `depth` is as far as it may be nested.
pub(crate) fn satisfied(table: &MessageTable, bytes: &[u8], depth: u32) -> Result<bool, Unfit> {
    if !table.checked {
        return Ok(true);
    }
    let depth = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
    let mut reader = Reader::new(bytes);
    let mut seen = 0;
    while let Some((number, value)) = reader.next_field()? {
        let Some(position) = table.position(number) else { continue };
        let field = &table.fields[position];
        if counts(field, value) {
            seen |= field.required_bit;
        }
        if let (Some(inner), Value::Bytes(bytes)) = (field.message(), value)
            && !satisfied(inner, bytes, depth)?
        {
            return Ok(false);
        }
    }
    Ok(seen == table.required)
}

/// Whether this value sets the field: an enum's value that nobody knows does not.
fn counts(field: &Field, value: Value<'_>) -> bool {
    match (field.enumeration(), value) {
        (Some(table), Value::Varint(number)) => {
            i32::try_from(number).is_ok_and(|number| table.name(number).is_some())
        }
        (Some(_), _) | (None, Value::Other) => false,
        (None, _) => true,
    }
}

/// The paths of all missing required fields, such as `subscribe.framework_info.user` or `tasks[0].name`: those of a
/// message first, then those of the messages in it.
pub(crate) fn list(table: &MessageTable, bytes: &[u8], depth: u32) -> Result<Vec<String>, Unfit> {
    let mut missing = Vec::new();
    list_at(table, bytes, "", depth, &mut missing)?;
    Ok(missing)
}

fn list_at(
    table: &MessageTable,
    bytes: &[u8],
    path: &str,
    depth: u32,
    missing: &mut Vec<String>,
) -> Result<(), Unfit> {
    let depth = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
    let mut seen = 0;
    let mut inner: Vec<Vec<Cow<'_, [u8]>>> = vec![Vec::new(); table.fields.len()];
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next_field()? {
        let Some(position) = table.position(number) else { continue };
        let field = &table.fields[position];
        if counts(field, value) {
            seen |= field.required_bit;
        }
        let (Some(_), Value::Bytes(part)) = (field.message(), value) else { continue };
        match inner[position].last_mut() {
            Some(whole) if !field.repeated => whole.to_mut().extend_from_slice(part),
            _ => inner[position].push(Cow::Borrowed(part)),
        }
    }
    for field in table.fields.iter().filter(|field| field.required_bit & !seen != 0) {
        missing.push(format!("{path}{}", field.name));
    }
    for (field, messages) in table.fields.iter().zip(&inner) {
        let Some(inner_table) = field.message() else { continue };
        for (index, message) in messages.iter().enumerate() {
            let path = if field.repeated {
                format!("{path}{}[{index}].", field.name)
            } else {
                format!("{path}{}.", field.name)
            };
            list_at(inner_table, message, &path, depth, missing)?;
        }
    }
    Ok(())
}
