#![no_main]
//! The body of a message between master and agent; the first byte says of which.

use libfuzzer_sys::fuzz_target;
use proto::{Described, FullName, Message};

fn check<M: Message + Default + Described>(body: &[u8]) {
    let Ok(message) = proto::decode::<M>(body) else { return };
    let encoded = proto::encode(&message);
    let again: M = proto::decode(&encoded).expect("what was encoded decodes");
    assert_eq!(proto::encode(&again), encoded);
}

fn checks() -> Vec<fn(&[u8])> {
    macro_rules! internal {
        ($($message:ty,)*) => {
            [$((<$message>::FULL_NAME, check::<$message> as fn(&[u8]))),*]
        };
    }
    let all = proto::for_each_message!(internal);
    let internal = |name: &str| name.starts_with("mesos.internal.") && name.ends_with("Message");
    all.into_iter().filter(|(name, _)| internal(name)).map(|(_, check)| check).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((&which, body)) = input.split_first() else { return };
    let checks = checks();
    checks[usize::from(which) % checks.len()](body);
});
