//! From RE2's syntax of regular expressions to that of the `regex` crate.
//!
//! They are close, but not the same: classes like `\d` are ASCII in RE2, `{` may stand for itself, `&&` in brackets is
//! two characters, `\Q...\E` quotes, and operators must not be piled up. What RE2 refuses is refused, in its words.

use std::collections::BTreeSet;
use std::fmt;

/// What is wrong with a regular expression, as RE2 says it: what, and the part that is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SyntaxError {
    what: &'static str,
    part: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part.as_str() {
            "" => f.write_str(self.what),
            part => write!(f, "{}: {part}", self.what),
        }
    }
}

const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_RANGE: &str = "invalid character class range";
const MISSING_BRACKET: &str = "missing ]";
const MISSING_PAREN: &str = "missing )";
const UNEXPECTED_PAREN: &str = "unexpected )";
const TRAILING_BACKSLASH: &str = r"trailing \";
const REPEAT_ARGUMENT: &str = "no argument for repetition operator";
const REPEAT_SIZE: &str = "invalid repetition size";
const REPEAT_OPERATOR: &str = "bad repetition operator";
const BAD_FLAGS: &str = "invalid perl operator";
const BAD_NAME: &str = "invalid named capture group";

/// Counts of repetitions do not go further.
const MAX_REPEAT: u32 = 1000;

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// The same regular expression in the syntax of the `regex` crate.
///
/// # Errors
/// What RE2 says of it.
pub(super) fn translate(pattern: &str) -> Result<String, SyntaxError> {
    let mut reader =
        Reader { pattern, at: 0, out: String::new(), open: 0, operand: false, names: BTreeSet::new() };
    reader.expression()?;
    Ok(reader.out)
}

struct Reader<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    /// How many groups are open.
    open: usize,
    /// There is something that can be repeated.
    operand: bool,
    /// Of groups.
    names: BTreeSet<&'a str>,
}

type Read<T> = Result<T, SyntaxError>;

fn error<T>(what: &'static str, part: &str) -> Read<T> {
    Err(SyntaxError { what, part: part.to_owned() })
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// What was read since `start`.
    fn since(&self, start: usize) -> &'a str {
        &self.pattern[start..self.at]
    }

    /// A piece that can be repeated.
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.operand = true;
    }

    fn push_literal(&mut self, c: char) {
        push_char(&mut self.out, c);
        self.operand = true;
    }

    fn expression(&mut self) -> Read<()> {
        // Where the operator begins that was just read, if one was.
        let mut operator: Option<usize> = None;
        while let Some(c) = self.peek() {
            let start = self.at;
            let mut repeats = false;
            match c {
                '(' => self.open_group()?,
                ')' => self.close_group()?,
                '|' => {
                    self.at += 1;
                    self.out.push('|');
                    self.operand = false;
                }
                '^' | '$' | '.' => {
                    self.at += 1;
                    self.push(c.encode_utf8(&mut [0; 4]));
                }
                '[' => self.class()?,
                '\\' => self.backslash()?,
                '*' | '+' | '?' => {
                    self.at += 1;
                    self.repetition(start, operator, None)?;
                    repeats = true;
                }
                '{' => match self.counts() {
                    Some(counts) => {
                        self.repetition(start, operator, Some(counts))?;
                        repeats = true;
                    }
                    None => {
                        self.at += 1;
                        self.push_literal('{');
                    }
                },
                _ => {
                    self.at += c.len_utf8();
                    self.push_literal(c);
                }
            }
            operator = repeats.then_some(start);
        }
        if self.open > 0 {
            return error(MISSING_PAREN, self.pattern);
        }
        Ok(())
    }

    /// An operator whose sign, or count, was read.
    fn repetition(
        &mut self,
        start: usize,
        before: Option<usize>,
        counts: Option<(u32, Option<u32>)>,
    ) -> Read<()> {
        self.eat("?");
        if let Some(before) = before {
            return error(REPEAT_OPERATOR, self.since(before));
        }
        let operator = self.since(start);
        if let Some((least, most)) = counts
            && (least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least))
        {
            return error(REPEAT_SIZE, operator);
        }
        if !self.operand {
            return error(REPEAT_ARGUMENT, operator);
        }
        self.out.push_str(operator);
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`; anything else stands for itself.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let start = self.at;
        let counts = self.try_counts();
        if counts.is_none() {
            self.at = start;
        }
        counts
    }

    fn try_counts(&mut self) -> Option<(u32, Option<u32>)> {
        self.eat("{");
        let least = self.number()?;
        let most = match self.eat(",") {
            false => Some(least),
            true if self.peek() == Some('}') => None,
            true => Some(self.number()?),
        };
        self.eat("}").then_some((least, most))
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = &self.rest()[..digits];
        if text.starts_with('0') && digits > 1 {
            return None;
        }
        self.at += digits;
        text.parse().ok().filter(|number| *number < 1_000_000_000)
    }

    fn open_group(&mut self) -> Read<()> {
        let start = self.at;
        if !self.eat("(?") {
            self.at += 1;
            self.enter("(");
            return Ok(());
        }
        if self.eat("P<") {
            let Some(end) = self.rest().find('>') else {
                return error(BAD_NAME, &self.pattern[start..]);
            };
            let name = &self.rest()[..end];
            self.at += end + 1;
            let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !valid {
                return error(BAD_NAME, self.since(start));
            }
            if !self.names.insert(name) {
                return error(BAD_NAME, name);
            }
            self.enter("(");
            return Ok(());
        }
        self.flags(start)
    }

    /// `(?i)`, `(?i-s)`, `(?:`, `(?i:` behind their beginning.
    fn flags(&mut self, start: usize) -> Read<()> {
        let (mut on, mut off) = (BTreeSet::new(), BTreeSet::new());
        let (mut negated, mut seen) = (false, false);
        let end = loop {
            match self.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    seen = true;
                    let (to, from) = if negated { (&mut off, &mut on) } else { (&mut on, &mut off) };
                    from.remove(&flag);
                    to.insert(flag);
                }
                Some('-') if !negated => (negated, seen) = (true, false),
                Some(end @ (':' | ')')) if !negated || seen => break end,
                _ => return error(BAD_FLAGS, self.since(start)),
            }
        };
        let mut text = String::from("(?");
        text.extend(on.iter());
        if !off.is_empty() {
            text.push('-');
            text.extend(off.iter());
        }
        text.push(end);
        if end == ':' {
            self.enter(&text);
        } else if text != "(?)" {
            self.out.push_str(&text);
        }
        Ok(())
    }

    fn enter(&mut self, text: &str) {
        self.out.push_str(text);
        self.open += 1;
        self.operand = false;
    }

    fn close_group(&mut self) -> Read<()> {
        if self.open == 0 {
            return error(UNEXPECTED_PAREN, self.pattern);
        }
        self.at += 1;
        self.open -= 1;
        self.push(")");
        Ok(())
    }

    fn backslash(&mut self) -> Read<()> {
        let mut letters = self.rest().chars().skip(1);
        let known = match letters.next() {
            // Words are of ASCII letters.
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('A') => r"\A",
            Some('z') => r"\z",
            // Any byte, be it part of a character.
            Some('C') => "(?s-u:.)",
            Some('Q') => {
                self.at += 2;
                self.quoted();
                return Ok(());
            }
            _ => "",
        };
        if !known.is_empty() {
            self.at += 2;
            self.push(known);
            return Ok(());
        }
        if let Some(class) = self.named_class()? {
            self.push(&class);
            return Ok(());
        }
        let c = self.escaped()?;
        self.push_literal(c);
        Ok(())
    }

    fn quoted(&mut self) {
        while !self.rest().is_empty() && !self.eat(r"\E") {
            if let Some(c) = self.next() {
                self.push_literal(c);
            }
        }
    }

    /// `\d`, `\pN` and their kin, in or out of brackets.
    fn named_class(&mut self) -> Read<Option<String>> {
        let start = self.at;
        let mut letters = self.rest().chars().skip(1);
        let letter = letters.next();
        let perl = match letter {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('s') => r"[\t\n\x0c\r ]",
            Some('S') => r"[^\t\n\x0c\r ]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            _ => "",
        };
        if !perl.is_empty() {
            self.at += 2;
            return Ok(Some(perl.to_owned()));
        }
        let (Some('p' | 'P'), Some(first)) = (letter, letters.next()) else { return Ok(None) };
        self.at += 2;
        let name = if first == '{' {
            let Some(end) = self.rest().find('}') else {
                return error(BAD_RANGE, &self.pattern[start..]);
            };
            let name = &self.rest()[1..end];
            self.at += end + 1;
            name
        } else {
            let name = &self.rest()[..first.len_utf8()];
            self.at += name.len();
            name
        };
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (letter == Some('p'), name),
            None => (letter == Some('P'), name),
        };
        let class = format!(r"\{}{{{name}}}", if negated { 'P' } else { 'p' });
        let plain = name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if plain && regex_automata::util::syntax::parse(&class).is_ok() {
            Ok(Some(class))
        } else {
            error(BAD_RANGE, self.since(start))
        }
    }

    /// A backslash and what belongs to it, that stand for one character.
    fn escaped(&mut self) -> Read<char> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next() else { return error(TRAILING_BACKSLASH, "") };
        let found = match c {
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'v' => Some('\x0b'),
            'x' => self.hexadecimal(),
            '0'..='7' => self.octal(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        found.map_or_else(|| error(BAD_ESCAPE, self.since(start)), Ok)
    }

    /// Up to three digits, the first of which was read. One digit alone, zero excepted, would be a back reference.
    fn octal(&mut self, first: char) -> Option<char> {
        let is_octal = |c: &char| ('0'..='7').contains(c);
        if first != '0' && self.peek().filter(is_octal).is_none() {
            return None;
        }
        let mut code = first.to_digit(8)?;
        for _ in 0..2 {
            let Some(digit) = self.peek().filter(is_octal).and_then(|c| c.to_digit(8)) else { break };
            self.at += 1;
            code = code * 8 + digit;
        }
        char::from_u32(code)
    }

    fn hexadecimal(&mut self) -> Option<char> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return char::from_u32(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut code = self.next()?.to_digit(16)?;
        loop {
            match self.next()? {
                '}' => return char::from_u32(code),
                c => code = code.checked_mul(16)?.checked_add(c.to_digit(16)?).filter(|c| *c <= 0x10_FFFF)?,
            }
        }
    }

    /// `[...]`
    fn class(&mut self) -> Read<()> {
        let start = self.at;
        self.at += 1;
        let mut class = String::from(if self.eat("^") { "[^" } else { "[" });
        let mut first = true;
        while first || self.peek() != Some(']') {
            first = false;
            if self.rest().is_empty() {
                return error(MISSING_BRACKET, &self.pattern[start..]);
            }
            if let Some(named) = self.posix_class()? {
                class.push_str(&named);
            } else if let Some(named) = self.named_class_in_brackets()? {
                class.push_str(&named);
            } else {
                self.range(start, &mut class)?;
            }
        }
        self.at += 1;
        class.push(']');
        self.push(&class);
        Ok(())
    }

    /// `[:alpha:]`
    fn posix_class(&mut self) -> Read<Option<String>> {
        if !self.rest().starts_with("[:") {
            return Ok(None);
        }
        let Some(end) = self.rest()[2..].find(":]") else { return Ok(None) };
        let whole = &self.rest()[..end + 4];
        let name = &whole[2..end + 2];
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return error(BAD_RANGE, whole);
        }
        self.at += whole.len();
        Ok(Some(whole.to_owned()))
    }

    fn named_class_in_brackets(&mut self) -> Read<Option<String>> {
        if self.peek() == Some('\\') { self.named_class() } else { Ok(None) }
    }

    /// One character, or two and all between.
    fn range(&mut self, class_start: usize, class: &mut String) -> Read<()> {
        let start = self.at;
        let from = self.class_character(class_start)?;
        push_char(class, from);
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
            self.at += 1;
            let to = self.class_character(class_start)?;
            if to < from {
                return error(BAD_RANGE, self.since(start));
            }
            class.push('-');
            push_char(class, to);
        }
        Ok(())
    }

    fn class_character(&mut self, class_start: usize) -> Read<char> {
        match self.peek() {
            None => error(MISSING_BRACKET, &self.pattern[class_start..]),
            Some('\\') => self.escaped(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c)
            }
        }
    }
}

/// A character that stands for itself, in or out of brackets.
fn push_char(out: &mut String, c: char) {
    if c.is_alphanumeric() {
        out.push(c);
    } else {
        out.push_str(&format!(r"\x{{{:x}}}", u32::from(c)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &str) {
        let found = translate(pattern).unwrap_or_else(|error| error.to_string());
        assert_eq!(found, expected, "{pattern}");
    }

    #[test]
    fn what_both_know_stays() {
        for same in [
            "",
            "a|b",
            "(a|b)*c+?",
            "^a.b$",
            "a{2,3}b{4,}c{5}?",
            "[a-d]+",
            "(?i:a)(?s-m)b",
            r"\A\z",
            "[[:alpha:]]",
        ] {
            check(same, same);
        }
    }

    #[test]
    fn what_re2_means_otherwise_is_written_out() {
        check(r"\d\W", "[0-9][^0-9A-Za-z_]");
        check(r"[\s.]", r"[[\t\n\x0c\r ]\x{2e}]");
        check(r"\bx\C", r"(?-u:\b)x(?s-u:.)");
        check(r"\Qa.b\Ec", r"a\x{2e}bc");
        check("{a}{,2}x{01}", r"\x{7b}a\x{7d}\x{7b}\x{2c}2\x{7d}x\x{7b}01\x{7d}");
        check("[a&&b]", r"[a\x{26}\x{26}b]");
        check("[]a-]", r"[\x{5d}a\x{2d}]");
        check("[[a]", r"[\x{5b}a]");
        check(r"\p{^Greek}\PN", r"\P{Greek}\P{N}");
        check(r"\x41\x{1f600}\101\0\.", "AA\u{0}".replace("A\u{0}", r"\x{1f600}A\x{0}\x{2e}").as_str());
        check("(?P<n>a)(?i-i)(?)b", "(a)(?-i)b");
        check(r"\<", r"\x{3c}");
    }

    #[test]
    fn what_re2_refuses_is_refused_in_its_words() {
        check("[a-d", "missing ]: [a-d");
        check("x[a-", "missing ]: [a-");
        check("(a", "missing ): (a");
        check("a)", "unexpected ): a)");
        check("a**", "bad repetition operator: **");
        check("a+?{2}", "bad repetition operator: +?{2}");
        check("*a", "no argument for repetition operator: *");
        check("(a|+)", "no argument for repetition operator: +");
        check("a{1001}", "invalid repetition size: {1001}");
        check("a{3,2}?", "invalid repetition size: {3,2}?");
        check(r"\y", r"invalid escape sequence: \y");
        check(r"\1", r"invalid escape sequence: \1");
        check(r"\x{}", r"invalid escape sequence: \x{}");
        check(r"\Z", r"invalid escape sequence: \Z");
        check("a\\", r"trailing \");
        check("[z-a]", "invalid character class range: z-a");
        check("[[:foo:]]", "invalid character class range: [:foo:]");
        check(r"\p{Foo}", r"invalid character class range: \p{Foo}");
        check(r"\p{Greek", r"invalid character class range: \p{Greek");
        check("(?<n>a)", "invalid perl operator: (?<");
        check("(?x)a", "invalid perl operator: (?x");
        check("(?i-)a", "invalid perl operator: (?i-)");
        check("(?P<>a)", "invalid named capture group: (?P<>");
        check("(?P<n>a)(?P<n>b)", "invalid named capture group: n");
    }
}
