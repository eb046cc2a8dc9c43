#![no_main]
//! A scheduler's call in JSON: what reads must print as JSON that reads to the same.

use libfuzzer_sys::fuzz_target;
use proto::v1::scheduler::Call;

fuzz_target!(|text: &[u8]| {
    let Ok(call) = proto::json::from_slice::<Call>(text) else { return };
    // The first printing adds defaults; from then on nothing changes.
    let printed = proto::json::to_vec(&call);
    let again: Call = proto::json::from_slice(&printed).expect("what was printed reads");
    assert_eq!(proto::json::to_vec(&again), printed);
    assert!(proto::decode::<Call>(&proto::encode(&call)).is_ok(), "what JSON gives is whole");
});
