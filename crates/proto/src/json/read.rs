//! From a JSON object to the protobuf form.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Number, Value};

use super::JsonError;
use crate::table::{Field, Kind, MessageTable};
use crate::wire_format::{put_bytes, put_key, put_varint};

/// Takes what Mesos takes: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Appends the encoding of a message. Its depth is bounded by that of the JSON text, which the parser limits.
pub(super) fn encode_object(
    table: &MessageTable,
    object: &Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    for (name, value) in object {
        if let Some(field) = table.field_named(name) {
            encode_field(field, value, out)?;
        }
    }
    Ok(())
}

fn encode_field(field: &'static Field, value: &Value, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let unexpected = |found| Err(JsonError::Unexpected { found, field: field.name });
    match value {
        Value::Null => Ok(()),
        Value::Bool(value) => match field.kind {
            Kind::Bool => {
                put_key(out, field.number, 0);
                put_varint(out, u64::from(*value));
                Ok(())
            }
            _ => unexpected("boolean"),
        },
        Value::Number(number) => encode_number(field, number, out),
        Value::String(text) => encode_string(field, text, out),
        Value::Array(_) if !field.repeated => unexpected("array"),
        Value::Array(values) => values.iter().try_for_each(|value| encode_field(field, value, out)),
        Value::Object(object) => match field.message() {
            None => unexpected("object"),
            Some(entry) if entry.map_entry => encode_map(field, entry, object, out),
            Some(table) => {
                let mut inner = Vec::new();
                encode_object(table, object, &mut inner)?;
                put_bytes(out, field.number, &inner);
                Ok(())
            }
        },
    }
}

fn encode_map(
    field: &'static Field,
    entry: &'static MessageTable,
    object: &Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let [key, value] = entry.fields else {
        return Err(JsonError::Unexpected { found: "object", field: field.name });
    };
    for (name, inner_value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let mut inner = Vec::new();
        put_bytes(&mut inner, key.number, name.as_bytes());
        encode_field(value, inner_value, &mut inner)?;
        put_bytes(out, field.number, &inner);
    }
    Ok(())
}

fn encode_number(field: &'static Field, number: &Number, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let out_of_range = || JsonError::OutOfRange { number: number.to_string(), field: field.name };
    let bits = match field.kind {
        Kind::Double => {
            put_double(field, number.as_f64().ok_or_else(out_of_range)?, out);
            return Ok(());
        }
        Kind::Int32 => integer(number).and_then(|value| i32::try_from(value).ok()).map(sign_extended),
        Kind::Int64 => integer(number).and_then(|value| i64::try_from(value).ok()).map(i64::cast_unsigned),
        Kind::Uint32 => integer(number).and_then(|value| u32::try_from(value).ok()).map(u64::from),
        Kind::Uint64 => integer(number).and_then(|value| u64::try_from(value).ok()),
        _ => return Err(JsonError::Unexpected { found: "number", field: field.name }),
    };
    let bits = bits.ok_or_else(out_of_range)?;
    put_key(out, field.number, 0);
    put_varint(out, bits);
    Ok(())
}

fn put_double(field: &'static Field, value: f64, out: &mut Vec<u8>) {
    put_key(out, field.number, 1);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn sign_extended(value: i32) -> u64 {
    i64::from(value).cast_unsigned()
}

/// The number without its fraction, as a cast in C++ has it.
fn integer(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(i128::from(value));
    }
    if let Some(value) = number.as_u64() {
        return Some(i128::from(value));
    }
    let value = number.as_f64().filter(|value| value.is_finite())?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and what comes after refuses the limits")]
    Some(value as i128)
}

fn encode_string(field: &'static Field, text: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let unparsable = |expected| JsonError::Unparsable { text: text.to_owned(), expected, field: field.name };
    match field.kind {
        Kind::String => put_bytes(out, field.number, text.as_bytes()),
        Kind::Bytes => put_bytes(out, field.number, &decode_base64(field, text)?),
        Kind::Enum(_) => match field.enumeration().and_then(|table| table.number(text)) {
            Some(number) => {
                put_key(out, field.number, 0);
                put_varint(out, sign_extended(number));
            }
            None if field.required_bit != 0 => return Err(JsonError::UnknownEnum(text.to_owned())),
            None => {}
        },
        Kind::Bool => {
            let value: bool = text.trim().parse().map_err(|_| unparsable("boolean"))?;
            put_key(out, field.number, 0);
            put_varint(out, u64::from(value));
        }
        Kind::Message(_) => return Err(JsonError::Unexpected { found: "string", field: field.name }),
        // A number of JSON is never without end; a limit of a task may be.
        Kind::Double if text == super::INFINITY => put_double(field, f64::INFINITY, out),
        Kind::Double if text == super::MINUS_INFINITY => put_double(field, f64::NEG_INFINITY, out),
        _ => {
            let number: Number = serde_json::from_str(text).map_err(|_| unparsable("number"))?;
            encode_number(field, &number, out)?;
        }
    }
    Ok(())
}

/// Whitespace counts for nothing, and nothing counts after the first `=`.
fn decode_base64(field: &'static Field, text: &str) -> Result<Vec<u8>, JsonError> {
    let digits: String =
        text.chars().take_while(|&c| c != '=').filter(|c| !c.is_ascii_whitespace()).collect();
    let error = |reason| JsonError::Base64 { field: field.name, reason };
    if let Some(wrong) = digits.chars().find(|&c| !(c.is_ascii_alphanumeric() || c == '+' || c == '/')) {
        return Err(error(format!("Invalid character '{wrong}'")));
    }
    BASE64.decode(&digits).map_err(|_| error(String::from("Invalid length")))
}
