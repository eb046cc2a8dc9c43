//! RecordIO, the framing of streams: each record is its length in decimal, a newline, and that many bytes.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

/// The most digits that a length may have; enough for 9,999 TB.
const MAX_DIGITS: usize = 16;

/// Why a stream is not RecordIO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Something else than a digit stands where a length should.
    #[error("expected the decimal length of a record, found byte {0:#04x}")]
    NotALength(u8),
    /// The line of the length has too many digits or none.
    #[error("the length of a record has no digits or more than {MAX_DIGITS}")]
    LengthLine,
    /// The record is longer than allowed; none of it was buffered.
    #[error("a record of {length} bytes is over the limit of {limit} bytes")]
    TooLong {
        /// As announced.
        length: u64,
        /// The decoder's limit.
        limit: usize,
    },
}

/// Appends a record in its frame.
pub fn encode(out: &mut Vec<u8>, record: &[u8]) {
    out.reserve(record.len() + MAX_DIGITS + 1);
    encode_length(out, record.len() as u64);
    out.extend_from_slice(record);
}

/// Appends what stands before a record of `length` bytes, which follow by themselves.
pub fn encode_length(out: &mut Vec<u8>, length: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = length;
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
    out.push(b'\n');
}

/// Takes a stream apart, however its bytes arrive.
///
/// ```
/// let mut decoder = proto::recordio::Decoder::new(1024);
/// decoder.push(b"3\nab");
/// assert_eq!(decoder.next(), Ok(None));
/// decoder.push(b"c0\n");
/// assert_eq!(decoder.next().unwrap().as_deref(), Some(&b"abc"[..]));
/// assert_eq!(decoder.next().unwrap().as_deref(), Some(&b""[..]));
/// ```
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    state: State,
    records: VecDeque<Bytes>,
}

#[derive(Debug)]
enum State {
    /// In the line of the length: its value and how many digits there were.
    Length { value: u64, digits: usize },
    /// In a record of this length.
    Record { length: usize, buffer: BytesMut },
    /// After an error there is nothing to go on with.
    Failed(RecordError),
}

impl Decoder {
    /// A decoder that refuses records of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, state: State::Length { value: 0, digits: 0 }, records: VecDeque::new() }
    }

    /// Takes the next bytes of the stream. What is after an error is dropped.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Failed(_) => return,
                State::Length { .. } => {
                    self.push_length(bytes[0]);
                    bytes = &bytes[1..];
                }
                State::Record { length, buffer } => {
                    let wanted = (*length - buffer.len()).min(bytes.len());
                    buffer.extend_from_slice(&bytes[..wanted]);
                    bytes.advance(wanted);
                    if buffer.len() == *length {
                        self.records.push_back(std::mem::take(buffer).freeze());
                        self.state = State::Length { value: 0, digits: 0 };
                    }
                }
            }
        }
    }

    fn push_length(&mut self, byte: u8) {
        let State::Length { value, digits } = &mut self.state else { return };
        match byte {
            b'0'..=b'9' if *digits < MAX_DIGITS => {
                *value = *value * 10 + u64::from(byte - b'0');
                *digits += 1;
            }
            b'\n' if *digits > 0 => {
                let length = *value;
                self.begin_record(length);
            }
            b'0'..=b'9' | b'\n' => self.state = State::Failed(RecordError::LengthLine),
            other => self.state = State::Failed(RecordError::NotALength(other)),
        }
    }

    fn begin_record(&mut self, length: u64) {
        self.state = match usize::try_from(length) {
            Ok(0) => {
                self.records.push_back(Bytes::new());
                State::Length { value: 0, digits: 0 }
            }
            Ok(length) if length <= self.limit => State::Record { length, buffer: BytesMut::new() },
            _ => State::Failed(RecordError::TooLong { length, limit: self.limit }),
        };
    }

    /// The next whole record; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// The stream is not RecordIO or a record is over the limit. All records before that come first, and the error is
    /// the same from then on.
    #[expect(clippy::should_implement_trait, reason = "it can fail and can go on after it returned nothing")]
    pub fn next(&mut self) -> Result<Option<Bytes>, RecordError> {
        if let Some(record) = self.records.pop_front() {
            return Ok(Some(record));
        }
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// Whether the stream may end here: no record is half read.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        matches!(self.state, State::Length { digits: 0, .. })
    }
}
