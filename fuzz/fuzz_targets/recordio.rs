#![no_main]
//! RecordIO: however the stream is cut, the same records come out, none over the limit.

use libfuzzer_sys::fuzz_target;
use proto::recordio::{Decoder, RecordError};

const LIMIT: usize = 64;

fn decode(stream: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Option<RecordError>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut records = Vec::new();
    for bytes in stream.chunks(chunk) {
        decoder.push(bytes);
        loop {
            match decoder.next() {
                Ok(Some(record)) => {
                    assert!(record.len() <= LIMIT);
                    records.push(record.to_vec());
                }
                Ok(None) => break,
                Err(error) => return (records, Some(error)),
            }
        }
    }
    (records, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&chunk, stream)) = input.split_first() else { return };
    assert_eq!(decode(stream, usize::from(chunk).max(1)), decode(stream, usize::MAX));
});
