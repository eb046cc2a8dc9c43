//! Regular expressions, bounded in what they cost.
//!
//! They are of RE2's syntax, because schedulers were written for it, and must match as a whole. The automata beneath the
//! `regex` crate are used directly: the length of the compiled program, which is bounded, is known only there.

use std::fmt;
use std::sync::Arc;

use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax::Config as SyntaxConfig;
use regex_automata::{Input, meta};

use super::syntax::translate;

/// How much a regular expression may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegexLimits {
    /// Bytes for the expression; what needs more is refused. RE2 gives two thirds of it to the program.
    pub max_mem: u64,
    /// Instructions of the program; what has more is refused.
    pub max_program_size: usize,
}

impl Default for RegexLimits {
    /// As Mesos: 4 KB and 100 instructions.
    fn default() -> Self {
        Self { max_mem: 4096, max_program_size: 100 }
    }
}

/// A regular expression.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Arc<meta::Regex>,
}

/// Why a regular expression is refused, in Mesos' words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PatternError {
    /// It is no regular expression, or one far too large.
    Construct {
        /// As it was given.
        pattern: String,
        /// What RE2 says of it.
        reason: String,
    },
    /// Its program is too long.
    TooComplex {
        /// As it was given.
        pattern: String,
        /// How long the program is.
        size: usize,
        /// How long it may be.
        max: usize,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Construct { pattern, reason } => {
                write!(f, "Failed to construct regex from pattern '{pattern}': {reason}")
            }
            Self::TooComplex { pattern, size, max } => write!(
                f,
                "Regex '{pattern}' is too complex: program size of {size} is larger than maximum of {max} allowed"
            ),
        }
    }
}

impl std::error::Error for PatternError {}

/// What RE2 says of what does not fit into its memory.
const TOO_LARGE: &str = "pattern too large - compile failed";

/// What our states take while they are counted; enough for the longest program that RE2 would allow in the same memory.
const BYTES_OF_A_STATE: u64 = 64;

/// No regular expression of more levels is read.
const MAX_NESTING: u32 = 250;

impl Pattern {
    /// Reads and compiles a regular expression.
    ///
    /// # Errors
    /// It is none, or would cost too much.
    pub fn new(text: &str, limits: RegexLimits) -> Result<Self, PatternError> {
        let refuse = |reason: String| PatternError::Construct { pattern: text.to_owned(), reason };
        let whole = format!(r"\A(?:{})\z", translate(text).map_err(|error| refuse(error.to_string()))?);
        let longest = longest_program(limits.max_mem);
        let program = thompson::Compiler::new()
            .syntax(syntax())
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::All)
                    .nfa_size_limit(usize::try_from(longest.saturating_mul(BYTES_OF_A_STATE)).ok()),
            )
            .build(&whole)
            .map_err(|error| match error.size_limit() {
                Some(_) => refuse(TOO_LARGE.to_owned()),
                None => refuse("unexpected error".to_owned()),
            })?;
        let size = program.states().len();
        if u64::try_from(size).unwrap_or(u64::MAX) > longest {
            return Err(refuse(TOO_LARGE.to_owned()));
        }
        if size > limits.max_program_size {
            let max = limits.max_program_size;
            return Err(PatternError::TooComplex { pattern: text.to_owned(), size, max });
        }
        let regex = meta::Builder::new()
            .syntax(syntax())
            // No lazily built DFA: what it would gain on texts of a few bytes is not worth its memory.
            .configure(meta::Config::new().utf8_empty(false).hybrid(false))
            .build(&whole)
            .map_err(|_| refuse("unexpected error".to_owned()))?;
        Ok(Self { text: text.to_owned(), regex: Arc::new(regex) })
    }

    /// Whether it matches all of a text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(Input::new(text))
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// RE2 matches bytes where it is told to, and knows ASCII words only.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::new().utf8(false).nest_limit(MAX_NESTING)
}

/// The longest program that RE2 can compile in so much memory: two thirds are for the program, which has a head and
/// instructions of eight bytes. No memory at all means its default.
fn longest_program(max_mem: u64) -> u64 {
    const HEAD: u64 = 432;
    const INSTRUCTION: u64 = 8;
    const DEFAULT: u64 = 100_000;
    const MOST: u64 = 1 << 24;
    match max_mem.saturating_mul(2) / 3 {
        0 => DEFAULT,
        bytes => (bytes.saturating_sub(HEAD) / INSTRUCTION).min(MOST),
    }
}

/// Two are equal if they were written alike.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}
