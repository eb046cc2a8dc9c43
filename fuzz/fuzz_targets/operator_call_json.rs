#![no_main]
//! An operator's call in JSON, to a master and to an agent.

use libfuzzer_sys::fuzz_target;
use proto::{Described, Message, v1};

fn check<M: Message + Default + Described>(text: &[u8]) {
    let Ok(call) = proto::json::from_slice::<M>(text) else { return };
    let printed = proto::json::to_vec(&call);
    let again: M = proto::json::from_slice(&printed).expect("what was printed reads");
    assert_eq!(proto::json::to_vec(&again), printed);
}

fuzz_target!(|text: &[u8]| {
    check::<v1::master::Call>(text);
    check::<v1::agent::Call>(text);
});
