//! Makes random encoded messages from the tables.

use proto::table::{Default, Field, Kind, MessageTable};

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `bound`, which is small; the bias does not matter here.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// A valid encoding in the order of field numbers, as an encoder writes it. Fields whose default is printed in JSON are
/// always set, so that JSON and back gives the same message.
pub(crate) fn message(table: &MessageTable, random: &mut Random, depth: usize) -> Vec<u8> {
    let mut fields: Vec<&Field> = table.fields.iter().collect();
    fields.sort_by_key(|field| field.number);
    let mut out = Vec::new();
    for field in fields {
        let printed = field.default != Default::None && !field.deprecated;
        let needed = field.required_bit != 0 || printed || table.map_entry;
        let nested_too_deep = depth == 0 && matches!(field.kind, Kind::Message(_));
        let count = if field.repeated && !nested_too_deep {
            random.below(3)
        } else {
            usize::from(needed || !nested_too_deep && !random.one_in(3))
        };
        // The keys of a map are told apart by their place.
        for index in 0..count {
            match field.message().filter(|inner| inner.map_entry) {
                Some(entry) => map_entry(field, entry, index, random, depth, &mut out),
                None => put_value(field, random, depth, &mut out),
            }
        }
    }
    out
}

fn map_entry(
    field: &Field,
    entry: &MessageTable,
    index: usize,
    random: &mut Random,
    depth: usize,
    out: &mut Vec<u8>,
) {
    let mut inner = Vec::new();
    put_bytes(&mut inner, entry.fields[0].number, format!("key{index}").as_bytes());
    put_value(&entry.fields[1], random, depth.saturating_sub(1), &mut inner);
    put_bytes(out, field.number, &inner);
}

fn put_value(field: &Field, random: &mut Random, depth: usize, out: &mut Vec<u8>) {
    match field.kind {
        Kind::Bool => put_varint_field(out, field, random.next() & 1),
        Kind::Int32 => {
            let value = i32::from_le_bytes(random.next().to_le_bytes()[..4].try_into().unwrap());
            put_varint_field(out, field, i64::from(value).cast_unsigned());
        }
        Kind::Uint32 => put_varint_field(out, field, random.next() >> 32),
        Kind::Int64 | Kind::Uint64 => {
            let bits = random.below(65);
            let value = random.next().checked_shr(u32::try_from(bits).unwrap()).unwrap_or(0);
            put_varint_field(out, field, value);
        }
        Kind::Enum(_) => {
            let values = field.enumeration().unwrap().by_number;
            let (_, number) = values[random.below(values.len())];
            put_varint_field(out, field, i64::from(number).cast_unsigned());
        }
        Kind::Double => {
            put_varint(out, u64::from(field.number << 3 | 1));
            out.extend_from_slice(&double(random).to_le_bytes());
        }
        Kind::String => {
            let text: String = (0..random.below(12)).map(|_| character(random)).collect();
            put_bytes(out, field.number, text.as_bytes());
        }
        Kind::Bytes => {
            let bytes: Vec<u8> = (0..random.below(20)).map(|_| random.next().to_le_bytes()[0]).collect();
            put_bytes(out, field.number, &bytes);
        }
        Kind::Message(_) => {
            let inner = message(field.message().unwrap(), random, depth.saturating_sub(1));
            put_bytes(out, field.number, &inner);
        }
    }
}

/// Any finite number: JSON has no others.
fn double(random: &mut Random) -> f64 {
    let value = f64::from_bits(random.next());
    match random.below(4) {
        0 => 0.0,
        1 => f64::from(u32::try_from(random.next() >> 40).unwrap()) / 8.0,
        _ if value.is_finite() => value,
        _ => -1.5,
    }
}

fn character(random: &mut Random) -> char {
    const AWKWARD: &[char] = &['"', '\\', '\n', '\0', '/', 'é', '中', '\u{1f600}', '\u{7f}', '\u{2028}'];
    if random.one_in(4) {
        AWKWARD[random.below(AWKWARD.len())]
    } else {
        char::from(b'a' + random.next().to_le_bytes()[0] % 26)
    }
}

fn put_varint_field(out: &mut Vec<u8>, field: &Field, value: u64) {
    put_varint(out, u64::from(field.number << 3));
    put_varint(out, value);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number << 3 | 2));
    put_varint(out, u64::try_from(bytes.len()).unwrap());
    out.extend_from_slice(bytes);
}
