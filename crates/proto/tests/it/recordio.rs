//! RecordIO: any records, cut anywhere, come out as they went in; and everything else is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use proto::recordio::{Decoder, RecordError, encode};

fn decode_all(decoder: &mut Decoder) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| decoder.next().unwrap()).map(|record| record.to_vec()).collect()
}

proptest! {
    #[test]
    fn records_survive_any_chunking(
        records in vec(vec(any::<u8>(), 0..300), 0..12),
        cuts in vec(1_usize..40, 1..20),
    ) {
        let mut stream = Vec::new();
        records.iter().for_each(|record| encode(&mut stream, record));
        let mut decoder = Decoder::new(300);
        let (mut rest, mut got) = (stream.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (chunk, later) = rest.split_at(rest.len().min(*cut));
            decoder.push(chunk);
            rest = later;
            got.extend(decode_all(&mut decoder));
        }
        prop_assert_eq!(got, records);
        prop_assert!(decoder.is_at_boundary());
    }

    #[test]
    fn any_bytes_are_taken_without_a_panic(chunks in vec(vec(any::<u8>(), 0..50), 0..10)) {
        let mut decoder = Decoder::new(64);
        for chunk in chunks {
            decoder.push(&chunk);
            while let Ok(Some(record)) = decoder.next() {
                prop_assert!(record.len() <= 64);
            }
        }
    }

    #[test]
    fn digits_and_newlines_are_taken_without_a_panic(stream in "[0-9\n]{0,60}") {
        let mut decoder = Decoder::new(9);
        decoder.push(stream.as_bytes());
        while let Ok(Some(record)) = decoder.next() {
            prop_assert!(record.len() <= 9);
        }
    }
}

#[test]
fn the_frame_is_the_decimal_length_and_a_newline() {
    let mut out = b"x".to_vec();
    encode(&mut out, b"0123456789");
    encode(&mut out, b"");
    assert_eq!(out, b"x10\n01234567890\n");
}

#[test]
fn a_record_over_the_limit_is_refused_when_its_length_is_read() {
    let mut decoder = Decoder::new(10);
    decoder.push(b"2\nok11\n");
    assert_eq!(decoder.next().unwrap().as_deref(), Some(&b"ok"[..]), "what was whole before comes first");
    let error = RecordError::TooLong { length: 11, limit: 10 };
    assert_eq!(decoder.next(), Err(error.clone()));
    decoder.push(b"2\nno");
    assert_eq!(decoder.next(), Err(error), "and nothing after");
}

#[test]
fn what_is_not_a_length_is_refused() {
    let first_error = |stream: &[u8]| {
        let mut decoder = Decoder::new(1 << 30);
        decoder.push(stream);
        decoder.next().unwrap_err()
    };
    assert_eq!(first_error(b"x"), RecordError::NotALength(b'x'));
    assert_eq!(first_error(b"-1\n"), RecordError::NotALength(b'-'));
    assert_eq!(first_error(b"1 \n"), RecordError::NotALength(b' '));
    assert_eq!(first_error(b"\n"), RecordError::LengthLine);
    assert_eq!(first_error(b"00000000000000001"), RecordError::LengthLine);
    assert!(matches!(first_error(b"9999999999999999\n"), RecordError::TooLong { .. }));
}
