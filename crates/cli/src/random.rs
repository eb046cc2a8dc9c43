//! Words that are unlikely to come twice.

use std::hash::{BuildHasher, RandomState};

/// Eight hexadecimal digits, for ids.
pub(crate) fn word() -> String {
    // Each `RandomState` hashes with keys of its own, drawn from the system.
    format!("{:08x}", RandomState::new().hash_one(std::process::id()) >> 32)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_differ() {
        let words: std::collections::HashSet<_> = (0..100).map(|_| super::word()).collect();
        assert!(words.len() > 90 && words.iter().all(|word| word.len() == 8));
    }
}
