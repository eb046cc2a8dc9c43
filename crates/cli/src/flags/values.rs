//! Values of flags as Mesos writes them.

use std::str::FromStr;

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
}
