//! Every decoder takes thousands of broken inputs without a panic: valid ones with bytes changed, cut, doubled.
//!
//! The fuzz targets search further; this is what every run of the tests can afford, the same each time.

use proto::recordio::{Decoder, encode};

use crate::arbitrary::{self, Random};
use crate::codecs;

const ROUNDS: u64 = 3_000;

/// One to four random changes.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            bytes.push(random.next().to_le_bytes()[0]);
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next().to_le_bytes()[0],
            2 => bytes.truncate(at),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, [0, 0x7f, 0x80, 0xff][random.below(4)]),
            _ => bytes.extend_from_within(at..),
        }
        bytes.truncate(1 << 16);
    }
}

#[test]
fn protobuf() {
    for name in
        ["mesos.v1.scheduler.Call", "mesos.v1.executor.Call", "mesos.v1.master.Call", "mesos.v1.agent.Call"]
    {
        let codec = codecs::named(name);
        for seed in 0..ROUNDS {
            let mut random = Random::new(seed);
            let mut bytes = arbitrary::message(codec.table, &mut random, 3);
            mutate(&mut bytes, &mut random);
            let _ = (codec.transcode)(&bytes);
            if let Ok(again) = (codec.recode)(&bytes) {
                assert_eq!((codec.recode)(&again).as_ref(), Ok(&again), "{name} from seed {seed}");
            }
        }
    }
}

#[test]
fn libprocess_messages() {
    for codec in codecs::all().iter().filter(|codec| codec.full_name.starts_with("mesos.internal.")) {
        for seed in 0..ROUNDS / 20 {
            let mut random = Random::new(seed);
            let mut bytes = arbitrary::message(codec.table, &mut random, 3);
            mutate(&mut bytes, &mut random);
            let _ = (codec.recode)(&bytes);
        }
    }
}

#[test]
fn json() {
    for name in
        ["mesos.v1.scheduler.Call", "mesos.v1.executor.Call", "mesos.v1.master.Call", "mesos.v1.agent.Call"]
    {
        let codec = codecs::named(name);
        for seed in 0..ROUNDS {
            let mut random = Random::new(seed);
            let bytes = arbitrary::message(codec.table, &mut random, 2);
            let mut text = (codec.to_json)(&bytes).unwrap();
            mutate(&mut text, &mut random);
            if let Ok(bytes) = (codec.from_json)(&text) {
                assert!(
                    (codec.recode)(&bytes).is_ok(),
                    "{name} from seed {seed}: what JSON gives is a whole message"
                );
            }
        }
    }
}

#[test]
fn recordio() {
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let mut stream = Vec::new();
        for length in 0..random.below(6) {
            encode(&mut stream, &vec![b'1'; length * 3]);
        }
        mutate(&mut stream, &mut random);
        let mut decoder = Decoder::new(12);
        for chunk in stream.chunks(1 + random.below(7)) {
            decoder.push(chunk);
            while let Ok(Some(record)) = decoder.next() {
                assert!(record.len() <= 12);
            }
        }
    }
}
