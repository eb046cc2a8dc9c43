//! Finds required fields that are not there.
//!
//! [`satisfied`] is the quick answer for every message that comes in: one pass, nothing allocated. Where it says no,
//! [`list`] looks again slowly, names what is missing, and knows that a message which comes in several parts (encodings
//! that were written one after another) counts as their sum.

use std::borrow::Cow;

use crate::table::{Field, MessageTable};
use crate::wire_format::{MAX_DEPTH, Malformed, Reader, Value};

/// Whether every part of the message has all required fields, at any depth.
pub(crate) fn satisfied(table: &MessageTable, bytes: &[u8]) -> Result<bool, Malformed> {
    satisfied_at(table, bytes, MAX_DEPTH)
}

fn satisfied_at(table: &MessageTable, bytes: &[u8], depth: u32) -> Result<bool, Malformed> {
    if !table.checked {
        return Ok(true);
    }
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let mut reader = Reader::new(bytes);
    let mut seen = 0;
    while let Some((number, value)) = reader.next_field()? {
        let Some(position) = table.position(number) else { continue };
        let field = &table.fields[position];
        if counts(field, value) {
            seen |= field.required_bit;
        }
        if let (Some(inner), Value::Bytes(bytes)) = (field.message(), value)
            && !satisfied_at(inner, bytes, depth)?
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
pub(crate) fn list(table: &MessageTable, bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut missing = Vec::new();
    list_at(table, bytes, "", MAX_DEPTH, &mut missing)?;
    Ok(missing)
}

fn list_at(
    table: &MessageTable,
    bytes: &[u8],
    path: &str,
    depth: u32,
    missing: &mut Vec<String>,
) -> Result<(), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
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
