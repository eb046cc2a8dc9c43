//! Where things are in the store.

use base::AgentId;
use master_core::RegistryOperation;
use resources::Role;

use crate::convert::window_key_to_text;

/// What is said of agents.
pub(super) const AGENTS: &str = "agents/";
/// Quotas of roles.
pub(super) const QUOTAS: &str = "quotas/";
/// Weights of roles.
pub(super) const WEIGHTS: &str = "weights/";

/// The maintenance schedule.
pub(super) const WINDOWS: &str = "windows/";

/// Names up to this length are written out; stores take keys of 300 bytes.
const LONGEST: usize = 200;

/// The key of what an operation changes.
pub(super) fn of(operation: &RegistryOperation) -> String {
    match operation {
        RegistryOperation::Agent(id, _) => agent(id),
        RegistryOperation::Quota(role, _) => format!("{QUOTAS}{}", name(role.as_str())),
        RegistryOperation::Weight(role, _) => weight(role),
        RegistryOperation::Window(key, _) => format!("{WINDOWS}{}", window_key_to_text(*key)),
    }
}

fn agent(id: &AgentId) -> String {
    format!("{AGENTS}{}", name(id.as_str()))
}

fn weight(role: &Role) -> String {
    format!("{WEIGHTS}{}", name(role.as_str()))
}

/// A name as a part of a key. The value has the whole of it; here it only has to be another for every other name.
fn name(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let mut end = LONGEST / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (beginning, _) = text.split_at(end);
    format!("{beginning}~{:016x}{:016x}", hash(text, 0), hash(text, 1))
}

/// FNV-1a, which stays the same from version to version.
fn hash(text: &str, seed: u64) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_told_apart_by_short_keys() {
        let long = |last: char| format!("{}{last}", "ä".repeat(300));
        let key = |text: &str| weight(&Role::from(text));
        assert_eq!(key("a/b"), "weights/a/b");
        assert!(key(&long('x')).len() < 300);
        assert_ne!(key(&long('x')), key(&long('y')));
        assert_eq!(agent(&"a-S0".into()), "agents/a-S0");
    }
}
