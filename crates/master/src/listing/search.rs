//! Text that is searched for, in any letter case.

/// A part of an id or name.
pub(super) struct Needle(String);

impl Needle {
    /// To be found in any letter case.
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// Whether it is a part of the text. It is asked of millions of texts, nearly all of which are ASCII.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let (needle, text_bytes) = (self.0.as_bytes(), text.as_bytes());
        let Some((first, rest)) = needle.split_first() else { return true };
        if !text.is_ascii() {
            return text.to_lowercase().contains(&self.0);
        }
        let Some(last) = text_bytes.len().checked_sub(needle.len()) else { return false };
        text_bytes[..=last].iter().enumerate().any(|(at, byte)| {
            byte.to_ascii_lowercase() == *first
                && text_bytes[at + 1..at + needle.len()].eq_ignore_ascii_case(rest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_in_any_letter_case() {
        let found = |needle: &str, text: &str| Needle::new(needle).is_in(text);
        for (needle, text) in [
            ("", ""),
            ("", "x"),
            ("web", "my-WEB-1"),
            ("WEB-1", "web-1"),
            ("1", "web-1"),
            ("É", "caf\u{e9}s"),
        ] {
            assert!(found(needle, text), "{needle} in {text}");
        }
        for (needle, text) in [("web2", "web"), ("x", ""), ("ab", "aab".get(..2).unwrap()), ("é", "cafe")] {
            assert!(!found(needle, text), "{needle} in {text}");
        }
        // The beginning of a match within another.
        assert!(found("aab", "aaab"));
    }
}
