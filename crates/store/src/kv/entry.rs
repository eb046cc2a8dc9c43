//! Keys, values and versions.

use std::fmt;

use super::KvError;

/// The longest key in bytes: what all backends take, escaped.
const LONGEST_KEY: usize = 300;

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
    /// Changes with each write. A key that was removed and made anew may come by an earlier version again.
    pub version: Version,
}

/// The version of a value: good for nothing but comparing with another one of the same key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub(crate) u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Table and name of a key.
pub(crate) fn split(key: &str) -> Result<(&str, &str), KvError> {
    match key.split_once('/') {
        Some((table, name)) if is_word(table) && !name.is_empty() && key.len() <= LONGEST_KEY => {
            Ok((table, name))
        }
        _ => Err(KvError::Key { key: key.to_owned() }),
    }
}

/// Table and beginning of the name.
pub(crate) fn split_prefix(prefix: &str) -> Result<(&str, &str), KvError> {
    match prefix.split_once('/') {
        Some((table, beginning)) if is_word(table) => Ok((table, beginning)),
        _ => Err(KvError::Key { key: prefix.to_owned() }),
    }
}

/// Whether this can name a table: letters, digits, `_`, `-`, `.`; not beginning with a dot.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_a_table_and_a_name() {
        assert_eq!(split("agents/a/b").expect("a key"), ("agents", "a/b"));
        assert_eq!(split_prefix("agents/").expect("a prefix"), ("agents", ""));
        for wrong in ["", "agents", "agents/", "/a", ".x/a", "a b/c"] {
            assert!(matches!(split(wrong), Err(KvError::Key { key }) if key == wrong), "{wrong}");
        }
        assert!(split(&format!("t/{}", "x".repeat(299))).is_err(), "too long");
    }
}
