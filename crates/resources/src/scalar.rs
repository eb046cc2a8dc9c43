//! Amounts with three decimals, exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// An amount in thousandths. Everything beyond three decimals is rounded away (half away from zero) when a number enters,
/// as Mesos does, so that sums never drift.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scalar(i64);

impl Scalar {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX);

    /// From thousandths.
    #[must_use]
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }

    /// From a whole number.
    #[must_use]
    pub const fn whole(units: i64) -> Self {
        Self(units.saturating_mul(1000))
    }

    /// From a number as it travels; rounds to three decimals, saturates, and takes what is not a number for zero.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to int casts saturate, which is what is wanted"
    )]
    pub fn from_f64(value: f64) -> Self {
        Self((value * 1000.0).round() as i64)
    }

    /// The number as it travels: the double nearest to it.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "amounts beyond 2^53 have no exact double; the nearest is sent"
    )]
    pub fn to_f64(self) -> f64 {
        // Whole and fractional part are converted apart: the result is then the same double that Mesos computes.
        (self.0 / 1000) as f64 + (self.0 % 1000) as f64 / 1000.0
    }

    /// The thousandths.
    #[must_use]
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is above nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is below nothing; valid resources never are.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The difference, but nothing where it would be below nothing.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

impl Add for Scalar {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Scalar {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Scalar {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Scalar {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Scalar {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Scalar {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// Up to this many thousandths a number has at most 15 significant digits and is written in full.
const FULL_DIGITS: u64 = 1_000_000_000_000_000;

impl fmt::Display for Scalar {
    /// At most 15 significant digits and no trailing zeros (`%.15g` of C), as Mesos prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        if magnitude >= FULL_DIGITS && !(magnitude.is_multiple_of(1000) && magnitude / 1000 < FULL_DIGITS) {
            return rounded(self.to_f64(), f);
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let (units, thousandths) = (magnitude / 1000, magnitude % 1000);
        match thousandths {
            0 => write!(f, "{sign}{units}"),
            t if t.is_multiple_of(100) => write!(f, "{sign}{units}.{}", t / 100),
            t if t.is_multiple_of(10) => write!(f, "{sign}{units}.{:02}", t / 10),
            t => write!(f, "{sign}{units}.{t:03}"),
        }
    }
}

/// Numbers of more than 15 digits: rounded to 15, with an exponent from 10^15 on.
fn rounded(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = format!("{value:.14e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: usize = exponent.parse().unwrap_or(0);
    if exponent < 15 {
        let text = format!("{value:.*}", 14 - exponent);
        return f.write_str(text.trim_end_matches('0').trim_end_matches('.'));
    }
    write!(f, "{}e+{exponent:02}", mantissa.trim_end_matches('0').trim_end_matches('.'))
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_three_decimals_half_away_from_zero() {
        assert_eq!(Scalar::from_f64(0.0005), Scalar::from_thousandths(1));
        assert_eq!(Scalar::from_f64(0.0004), Scalar::ZERO);
        assert_eq!(Scalar::from_f64(-0.0005), Scalar::from_thousandths(-1));
        assert_eq!(Scalar::from_f64(f64::NAN), Scalar::ZERO);
        assert_eq!(Scalar::from_f64(f64::INFINITY), Scalar::MAX);
    }

    #[test]
    fn a_thousand_small_amounts_are_exactly_one() {
        let sum: Scalar = std::iter::repeat_n(Scalar::from_f64(0.001), 1000).sum();
        assert_eq!(sum, Scalar::whole(1));
        assert_eq!((Scalar::from_f64(0.1) + Scalar::from_f64(0.2)).to_f64(), 0.3);
    }

    #[test]
    fn text_has_no_more_digits_than_needed() {
        for (value, text) in [
            (100_000.0, "100000"),
            (0.1, "0.1"),
            (2.25, "2.25"),
            (0.007, "0.007"),
            (-1.0, "-1"),
            (-0.5, "-0.5"),
            (1e9, "1000000000"),
            (1e15, "1e+15"),
            (1.5e15, "1.5e+15"),
            (999_999_999_999.125, "999999999999.125"),
            (1_234_567_890_123.125, "1234567890123.12"),
        ] {
            assert_eq!(Scalar::from_f64(value).to_string(), text);
        }
    }
}
