//! A small protobuf writer, for messages that are put together from parts that are encoded already.
//!
//! Two encodings of one message type, one behind the other, are the encoding of both merged; and an embedded message may
//! be written in several pieces. So a carried part and the fields that the core decides upon need no decoding to become
//! one message again.

use resources::Resources;
use wire::Format;

/// Appends to one message.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;

/// Room for the length of an embedded message, as a varint of fixed width: five bytes hold any length below 4 GiB.
const LENGTH_ROOM: usize = 5;

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
            value >>= 7;
        }
        self.out.push(u8::try_from(value).unwrap_or(0));
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// A field of bytes, or of an embedded message that is encoded already.
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) -> &mut Self {
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value);
        self
    }

    /// A text field.
    pub(crate) fn text(&mut self, field: u32, value: &str) -> &mut Self {
        self.bytes(field, value.as_bytes())
    }

    /// An embedded message with a text in its field 1, as all ids are.
    pub(crate) fn id(&mut self, field: u32, value: &str) -> &mut Self {
        self.embed(field, |id| {
            id.text(1, value);
        })
    }

    /// An embedded `UUID`.
    pub(crate) fn uuid(&mut self, field: u32, value: base::Uuid) -> &mut Self {
        self.embed(field, |uuid| {
            uuid.bytes(1, value.as_bytes());
        })
    }

    /// A number that is not negative, a bool or an enum.
    pub(crate) fn number(&mut self, field: u32, value: u64) -> &mut Self {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    /// A number that may be negative.
    pub(crate) fn signed(&mut self, field: u32, value: i32) -> &mut Self {
        // Protobuf writes negative numbers as if they had 64 bits.
        self.number(field, i64::from(value).cast_unsigned())
    }

    /// A double.
    pub(crate) fn double(&mut self, field: u32, value: f64) -> &mut Self {
        self.key(field, FIXED64);
        self.out.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Fields of this message that are encoded already.
    pub(crate) fn merge(&mut self, encoded: &[u8]) -> &mut Self {
        self.out.extend_from_slice(encoded);
        self
    }

    /// Resources, each an embedded message.
    pub(crate) fn resources(&mut self, field: u32, resources: &Resources, format: Format) -> &mut Self {
        wire::append_resources(self.out, field, resources, format);
        self
    }

    /// An embedded message, given by `prost`.
    pub(crate) fn message(&mut self, field: u32, value: &impl proto::Message) -> &mut Self {
        self.key(field, BYTES);
        self.varint(value.encoded_len() as u64);
        // Cannot fail: a vector grows.
        let _ = value.encode(self.out);
        self
    }

    /// The beginning of an embedded message of which so many bytes follow elsewhere.
    pub(crate) fn open(&mut self, field: u32, length: u64) -> &mut Self {
        self.key(field, BYTES);
        self.varint(length);
        self
    }

    /// An embedded message, written by `fill`.
    pub(crate) fn embed(&mut self, field: u32, fill: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        self.key(field, BYTES);
        let start = self.out.len();
        fill(&mut Writer::new(self.out));
        self.close(start);
        self
    }

    /// Puts the length before what was written since `start`. Most embedded messages are short, and then one byte has
    /// to make way.
    fn close(&mut self, start: usize) {
        let length = self.out.len() - start;
        let mut room = [0; LENGTH_ROOM];
        let mut rest = length;
        let mut used = 0;
        loop {
            let low = u8::try_from(rest & 0x7f).unwrap_or(0);
            rest >>= 7;
            room[used] = if rest == 0 { low } else { low | 0x80 };
            used += 1;
            if rest == 0 || used == LENGTH_ROOM {
                break;
            }
        }
        self.out.splice(start..start, room[..used].iter().copied());
    }
}

/// The fields of one message: number and value, where it is a run of bytes.
pub(crate) fn fields(mut encoded: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let key = read_varint(&mut encoded)?;
            let field = u32::try_from(key >> 3).ok()?;
            match u32::try_from(key & 7).ok()? {
                VARINT => {
                    read_varint(&mut encoded)?;
                }
                FIXED64 => encoded = encoded.get(8..)?,
                BYTES => {
                    let length = usize::try_from(read_varint(&mut encoded)?).ok()?;
                    let value = encoded.get(..length)?;
                    encoded = &encoded[length..];
                    return Some((field, value));
                }
                5 => encoded = encoded.get(4..)?,
                _ => return None,
            }
        }
    })
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let long = "x".repeat(300);
        let mut out = Vec::new();
        Writer::new(&mut out).number(1, 300).double(2, 1.5).text(3, "abc").embed(4, |inner| {
            inner.text(1, &long).id(2, "id");
        });
        assert_eq!(out[..3], [0x08, 0xac, 0x02]);
        let found: Vec<_> = fields(&out).collect();
        assert_eq!(found[0], (3, &b"abc"[..]));
        let inner: Vec<_> = fields(found[1].1).collect();
        assert_eq!(inner, [(1, long.as_bytes()), (2, &[0x0a, 2, b'i', b'd'][..])]);
    }

    #[test]
    fn nonsense_ends_the_reading() {
        assert_eq!(fields(&[0x0a, 200, 1]).count(), 0);
        assert_eq!(fields(&[0xff; 20]).count(), 0);
    }
}
