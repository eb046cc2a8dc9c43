//! What a check answers when something is wrong.

use std::fmt;

/// Why a message is refused: one line, in Mesos' words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid(String);

impl Invalid {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The line.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }

    /// The same reason behind the name of what it is about: `what: reason`.
    pub(crate) fn within(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

impl From<Invalid> for String {
    fn from(invalid: Invalid) -> Self {
        invalid.0
    }
}

/// An answer: nothing is wrong, or what is.
pub(crate) type Checked = Result<(), Invalid>;

pub(crate) fn invalid(reason: impl Into<String>) -> Checked {
    Err(Invalid::new(reason))
}

/// Refuses unless `ok`.
pub(crate) fn ensure(ok: bool, reason: &str) -> Checked {
    if ok { Ok(()) } else { invalid(reason) }
}

/// A part that has to be there.
pub(crate) fn present<'a, T>(part: Option<&'a T>, name: &str) -> Result<&'a T, Invalid> {
    part.ok_or_else(|| Invalid::new(format!("Expecting '{name}' to be present")))
}

/// Ids that clients choose name directories, so not all strings will do.
pub(crate) fn check_id(id: &str) -> Checked {
    base::validate_id(id).map_err(|error| Invalid::new(error.reason))
}

/// Sixteen bytes that have a version.
pub(crate) fn check_uuid(bytes: &[u8]) -> Checked {
    let version = bytes.get(6).map(|byte| byte >> 4);
    ensure(bytes.len() == 16 && version.is_some_and(|v| (1..=5).contains(&v)), "Not a valid UUID")
}

/// A number as a client may give it.
pub(crate) fn check_amount(amount: f64) -> Checked {
    let wrong = if amount.is_infinite() {
        "Infinite values not supported"
    } else if amount.is_nan() {
        "NaN not supported"
    } else if amount.is_subnormal() {
        "Subnormal values not supported"
    } else if amount < 0.0 {
        "Negative values not supported"
    } else {
        return Ok(());
    };
    invalid(wrong)
}

/// A number with at most six significant digits, as `%g` of C prints it.
pub(crate) fn general(value: f64) -> String {
    let text = format!("{value:.5e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    match usize::try_from(5 - exponent) {
        Ok(decimals) if exponent >= -4 => trim(&format!("{value:.decimals$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-1.0, "-1"),
            (0.01, "0.01"),
            (1e300, "1e+300"),
            (123_456.7, "123457"),
            (1e6, "1e+06"),
            (100_000.0, "100000"),
            (0.000_01, "1e-05"),
        ] {
            assert_eq!(general(value), text);
        }
    }

    #[test]
    fn uuids_have_sixteen_bytes_and_a_version() {
        let random = base::Rng::new(1).uuid();
        assert_eq!(check_uuid(random.as_bytes()), Ok(()));
        for bad in [&[0; 16][..], &random.as_bytes()[..15], &[]] {
            assert_eq!(check_uuid(bad).unwrap_err().reason(), "Not a valid UUID");
        }
    }
}
