//! What can be wrong with JSON; the texts are those of Mesos, because clients and their tests read them.

/// Why a JSON text is not the message that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("syntax error at line {line} near: {near}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is left of that line.
        near: String,
    },
    /// A message is a JSON object; this is something else.
    #[error("Expecting a JSON object")]
    NotAnObject,
    /// The value has a type that the field cannot take.
    #[error("Not expecting a JSON {found} for field '{field}'")]
    Unexpected {
        /// `object`, `array`, `string`, `number` or `boolean`.
        found: &'static str,
        /// The field's own name, without its path.
        field: &'static str,
    },
    /// The value of a field of bytes is not base64.
    #[error("Failed to base64 decode bytes field '{field}': {reason}")]
    Base64 {
        /// The field.
        field: &'static str,
        /// Such as `Invalid character '!'`.
        reason: String,
    },
    /// A required enum has a value that the enum does not have.
    #[error("Failed to find enum for '{0}'")]
    UnknownEnum(String),
    /// A string stands where a number or bool should, and holds none.
    #[error("Failed to parse '{text}' as a JSON {expected} for field '{field}'")]
    Unparsable {
        /// The string.
        text: String,
        /// `number` or `boolean`.
        expected: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The number is too large, too small or negative for the field.
    #[error("Number {number} is out of range for field '{field}'")]
    OutOfRange {
        /// As it was written.
        number: String,
        /// The field.
        field: &'static str,
    },
    /// Required fields are not there; the paths, separated by commas.
    #[error("Missing required fields: {0}")]
    Missing(String),
    /// Messages are nested too deeply.
    #[error("Messages are nested too deeply")]
    TooDeep,
}

impl JsonError {
    /// The error for a text that the parser gave up on.
    #[must_use]
    pub fn syntax(text: &[u8], error: &serde_json::Error) -> Self {
        const NEAR_BYTES: usize = 80;
        let line = error.line().max(1);
        let bytes = text.split(|&byte| byte == b'\n').nth(line - 1).unwrap_or_default();
        let from =
            if error.is_eof() { bytes.len() } else { error.column().saturating_sub(1).min(bytes.len()) };
        let to = bytes.len().min(from + NEAR_BYTES);
        Self::Syntax { line, near: String::from_utf8_lossy(&bytes[from..to]).into_owned() }
    }
}
