//! Whatever the message: decoding and encoding gives the same bytes, and so does JSON and back.

use proptest::prelude::*;

use crate::arbitrary::{self, Random};
use crate::codecs::{self, Codec};

fn check(codec: &Codec, seed: u64) {
    let bytes = arbitrary::message(codec.table, &mut Random::new(seed), 4);
    let context = || format!("{} from seed {seed}", codec.full_name);

    let again = (codec.recode)(&bytes).unwrap_or_else(|error| panic!("{}: {error}", context()));
    assert_eq!(again, bytes, "protobuf: {}", context());

    let json = (codec.to_json)(&bytes).unwrap();
    let text = String::from_utf8_lossy(&json);
    let back = (codec.from_json)(&json).unwrap_or_else(|error| panic!("{}: {error} in {text}", context()));
    assert_eq!(back, bytes, "JSON: {} as {text}", context());

    assert_eq!((codec.transcode)(&bytes).unwrap(), json, "transcoding: {}", context());
}

#[test]
fn every_message() {
    for codec in codecs::all() {
        for seed in 0..25 {
            check(&codec, seed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_large_ones(seed: u64) {
        thread_local! {
            static LARGE: Vec<Codec> = [
                "mesos.v1.scheduler.Call",
                "mesos.v1.scheduler.Event",
                "mesos.v1.executor.Call",
                "mesos.v1.master.Response",
                "mesos.internal.ReregisterSlaveMessage",
                "mesos.internal.RunTaskMessage",
            ].map(codecs::named).into();
        }
        LARGE.with(|codecs| codecs.iter().for_each(|codec| check(codec, seed)));
    }
}

#[test]
fn the_json_values_are_equal_after_a_round_trip_through_serde() {
    let codec = codecs::named("mesos.v1.FrameworkInfo");
    let bytes = arbitrary::message(codec.table, &mut Random::new(7), 4);
    let info: proto::v1::FrameworkInfo = proto::decode(&bytes).unwrap();
    let value = serde_json::to_value(&info).unwrap();
    assert_eq!(proto::json::from_value::<proto::v1::FrameworkInfo>(&value).unwrap(), info);
}
