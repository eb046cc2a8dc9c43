//! How much: a scalar, ranges or a set.

use std::fmt;

use crate::{Ranges, Scalar, Set};

/// How much of a resource there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// An amount.
    Scalar(Scalar),
    /// Numbers.
    Ranges(Ranges),
    /// Names.
    Set(Set),
}

impl Value {
    /// Whether it is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.is_zero(),
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(set) => set.is_empty(),
        }
    }

    /// Whether both are of the same kind.
    #[must_use]
    pub fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether `other` is of the same kind and not more than this.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => b <= a,
            (Self::Ranges(a), Self::Ranges(b)) => a.contains(b),
            (Self::Set(a), Self::Set(b)) => a.contains(b),
            _ => false,
        }
    }

    /// The amount, or how many numbers or items there are.
    #[must_use]
    pub fn count(&self) -> Scalar {
        let elements = match self {
            Self::Scalar(amount) => return *amount,
            Self::Ranges(ranges) => i64::try_from(ranges.count()),
            Self::Set(set) => i64::try_from(set.iter().len()),
        };
        Scalar::whole(elements.unwrap_or(i64::MAX))
    }

    /// Adds a value of the same kind; another kind changes nothing.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => *a += *b,
            (Self::Ranges(a), Self::Ranges(b)) => a.add(b),
            (Self::Set(a), Self::Set(b)) => a.add(b),
            _ => {}
        }
    }

    /// Takes away a value of the same kind; a scalar may get below zero. Another kind changes nothing.
    pub fn subtract(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => *a -= *b,
            (Self::Ranges(a), Self::Ranges(b)) => a.subtract(b),
            (Self::Set(a), Self::Set(b)) => a.subtract(b),
            _ => {}
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => scalar.fmt(f),
            Self::Ranges(ranges) => ranges.fmt(f),
            Self::Set(set) => set.fmt(f),
        }
    }
}

/// What a value's text may be; attributes of an agent can also be plain text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParsedValue {
    /// A value that a resource can have.
    Value(Value),
    /// Text.
    Text(String),
}
