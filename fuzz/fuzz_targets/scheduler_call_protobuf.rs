#![no_main]
//! A scheduler's call in protobuf: what decodes must encode and decode to the same, and print as JSON that reads back.

use libfuzzer_sys::fuzz_target;
use proto::v1::scheduler::Call;

fuzz_target!(|bytes: &[u8]| {
    let _ = proto::json::transcode::<Call>(bytes, &mut Vec::new());
    let Ok(call) = proto::decode::<Call>(bytes) else { return };
    // As bytes, because a NaN does not equal itself.
    let encoded = proto::encode(&call);
    let again: Call = proto::decode(&encoded).expect("what was encoded decodes");
    assert_eq!(proto::encode(&again), encoded);
    // A double that is no number is printed as `null`, which reads as a field that is not there.
    let text = proto::json::to_string(&call);
    if !text.contains("null") {
        let read: Call = proto::json::from_slice(text.as_bytes()).expect("what was printed reads");
        assert_eq!(proto::json::to_string(&read), text);
    }
});
