//! Values of flags as Mesos writes them.

use std::str::FromStr;

use resources::{Name, Quantities, Scalar};

/// A duration: `15secs`, `1.5mins`, and also `15s`, `10m`, `2h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) std::time::Duration);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is no duration; write it as in 15secs, 1.5mins or 500ms");
        let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(fail)?;
        let (number, unit) = text.split_at(split);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" => 1e-6,
            "ms" => 1e-3,
            "secs" | "sec" | "s" => 1.0,
            "mins" | "min" | "m" => 60.0,
            "hrs" | "hr" | "h" => 3600.0,
            "days" | "d" => 86_400.0,
            "weeks" | "w" => 604_800.0,
            _ => return Err(fail()),
        };
        let number: f64 = number.trim().parse().map_err(|_| fail())?;
        std::time::Duration::try_from_secs_f64(number * seconds).map(Self).map_err(|_| fail())
    }
}

/// Weights of roles: `ads=2,web=1.5`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights(pub(crate) Vec<(String, f64)>);

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |entry: &str| {
            let (role, weight) =
                entry.split_once('=').ok_or(format!("`{entry}` is not of the form ROLE=WEIGHT"))?;
            let weight: f64 =
                weight.parse().map_err(|_| format!("the weight `{weight}` of {role} is no number"))?;
            if weight.is_finite() && weight > 0.0 {
                Ok((role.to_owned(), weight))
            } else {
                Err(format!("the weight {weight} of {role} is not positive"))
            }
        };
        text.split(',').filter(|entry| !entry.is_empty()).map(one).collect::<Result<_, _>>().map(Self)
    }
}

/// What may be without limit: a value, or `none`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound<T>(pub(crate) Option<T>);

impl<T: FromStr<Err = String>> FromStr for Bound<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|value| Self(Some(value))) }
    }
}

/// A duration that is not nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PositiveDuration(pub(crate) std::time::Duration);

impl FromStr for PositiveDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Duration(duration) = text.parse()?;
        if duration.is_zero() { Err("it must be greater than zero".to_owned()) } else { Ok(Self(duration)) }
    }
}

/// A share of the whole: over 0 and not over 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share <= 1.0);
        share.map(Self).ok_or_else(|| format!("`{text}` is no share; write a number over 0 and not over 1"))
    }
}

/// A part of a hundred: `50%`, and also `50`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(pub(crate) f64);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
        let percent = number.filter(|percent: &f64| (0.0..=100.0).contains(percent));
        let fail = || format!("`{text}` is no part of a hundred; write it as in 50%, between 0% and 100%");
        percent.map(|percent| Self(percent / 100.0)).ok_or_else(fail)
    }
}

/// So many in so much time: `1/10mins`, `2/secs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) per: std::time::Duration,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is no rate; write it as in 1/10mins or 2/1secs");
        let (count, per) = text.split_once('/').ok_or_else(fail)?;
        let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(fail)?;
        let PositiveDuration(per) = per.trim().parse().map_err(|_| fail())?;
        Ok(Self { count, per })
    }
}

/// A number of bytes: `4KB`, `1GB`, `100B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        base::bytes_from_text(text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no number of bytes; write it as in 4KB, 10MB or 100B"))
    }
}

/// Sets of quantities, of which one is enough: `cpus:1;mem:32|disk:1`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuantitySets(pub(crate) Vec<Quantities>);

impl FromStr for QuantitySets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sets = text.split('|').filter(|set| !set.is_empty());
        sets.map(quantities).collect::<Result<_, _>>().map(Self)
    }
}

fn quantities(text: &str) -> Result<Quantities, String> {
    let one = |entry: &str| {
        let (name, amount) = entry
            .split_once(':')
            .filter(|(name, amount)| !name.trim().is_empty() && !amount.contains(':'))
            .ok_or_else(|| format!("`{entry}` is not of the form NAME:AMOUNT"))?;
        let fail = || format!("the amount `{amount}` of {name} is no number of at least 0");
        let amount: f64 = amount.trim().parse().map_err(|_| fail())?;
        if amount.is_finite() && amount >= 0.0 {
            Ok((Name::from(name.trim()), Scalar::from_f64(amount)))
        } else {
            Err(fail())
        }
    };
    text.split(';').filter(|entry| !entry.is_empty()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("15secs", 15_000), ("1.5mins", 90_000), ("250ms", 250), ("1hrs", 3_600_000), ("2s", 2000)]
        {
            assert_eq!(text.parse(), Ok(Duration(std::time::Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "15", "secs", "-1secs", "1parsec", "nansecs"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn weights() {
        assert_eq!("a=2,b=0.5".parse(), Ok(Weights(vec![("a".into(), 2.0), ("b".into(), 0.5)])));
        for text in ["a", "a=x", "a=0", "a=-1", "a=inf"] {
            assert!(text.parse::<Weights>().is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_shares_and_bytes() {
        assert_eq!("none".parse(), Ok(Bound::<PositiveDuration>(None)));
        let minute = PositiveDuration(std::time::Duration::from_secs(60));
        assert_eq!("1mins".parse(), Ok(Bound(Some(minute))));
        assert!("0secs".parse::<Bound<PositiveDuration>>().unwrap_err().contains("greater than zero"));
        assert_eq!("0.25".parse(), Ok(Share(0.25)));
        for text in ["0", "1.5", "-1", "NaN", "x"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(
            ["4KB", "7B", "1mb"].map(|text| text.parse()),
            [Ok(Bytes(4096)), Ok(Bytes(7)), Ok(Bytes(1 << 20))]
        );
        for text in ["4", "KB", "1.5KB", "-1KB", "1XB", "99999999999TB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn sets_of_quantities() {
        let shown = |text: &str| {
            let sets: QuantitySets = text.parse().unwrap();
            sets.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown("cpus:0.01|mem:32"), ["cpus:0.01", "mem:32"]);
        assert_eq!(shown("disk:1|cpus:1; mem:32;ports:1"), ["disk:1", "cpus:1; mem:32; ports:1"]);
        assert!(shown("").is_empty());
        for text in ["cpus", "cpus:1:2", ":1", "cpus:x", "cpus:-1", "ports:[1-2]"] {
            assert!(text.parse::<QuantitySets>().is_err(), "{text}");
        }
    }
}
