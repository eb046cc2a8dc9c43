//! Amounts, times and names as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is escaped in paths and queries.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a part of a path or a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A number with at most two digits behind the point, and marks between thousands.
pub(crate) fn number(value: f64) -> String {
    // A sum of nothing is a negative zero.
    let rounded = format!("{:.2}", value + 0.0);
    let (whole, rest) = rounded.split_once('.').unwrap_or((&rounded, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

/// A count.
pub(crate) fn count(value: usize) -> String {
    // Counts are exact below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    number(value as f64)
}

/// Megabytes, as Mesos counts memory and disk.
pub(crate) fn megabytes(value: f64) -> String {
    let mut value = value + 0.0;
    for unit in ["MB", "GB", "TB"] {
        if value.abs() < 1024.0 {
            return format!("{} {unit}", short(value));
        }
        value /= 1024.0;
    }
    format!("{} PB", short(value))
}

/// Bytes.
pub(crate) fn bytes(value: f64) -> String {
    if value < 1024.0 {
        format!("{value} B")
    } else if value < 1024.0 * 1024.0 {
        format!("{} KB", short(value / 1024.0))
    } else {
        megabytes(value / 1024.0 / 1024.0)
    }
}

/// Three digits are enough beside a unit.
fn short(value: f64) -> String {
    let digits = if value.abs() >= 100.0 || value.fract() == 0.0 { 0 } else { 1 };
    format!("{value:.digits$}")
}

/// An amount of a resource, with its unit where it has one.
pub(crate) fn amount(name: &str, value: f64) -> String {
    if matches!(name, "mem" | "disk") { megabytes(value) } else { number(value) }
}

/// A part of a whole, in percent.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole <= 0.0 {
        return "0%".to_owned();
    }
    let percent = part / whole * 100.0;
    if percent > 0.0 && percent < 1.0 { "<1%".to_owned() } else { format!("{percent:.0}%") }
}

/// How long that is, roughly.
pub(crate) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 120.0 => (s.max(0.0).floor(), "s"),
        s if s < 7200.0 => ((s / 60.0).floor(), "min"),
        s if s < 172_800.0 => ((s / 3600.0).floor(), "h"),
        s => ((s / 86_400.0).floor(), "d"),
    };
    format!("{value} {unit}")
}

/// A time as a machine reads it, such as `2026-11-23T10:00:00Z`; seconds since 1970.
pub(crate) fn iso(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "out of its range it is no time, and not shown")]
    let milliseconds = (seconds * 1000.0) as i64;
    Timestamp::from_millisecond(milliseconds).map(|time| format!("{time:.0}")).unwrap_or_default()
}

/// How long ago something was, with the exact time beside; seconds since 1970.
pub(crate) fn ago(seconds: f64) -> Markup {
    let iso = iso(seconds);
    let past = now() - seconds;
    html! {
        time datetime=(iso) title=(iso) {
            @if seconds <= 0.0 { "not yet" } @else if past < 1.0 { "just now" } @else { (duration(past)) " ago" }
        }
    }
}

/// A time as people write it, in UTC.
pub(crate) fn at(seconds: f64) -> Markup {
    let iso = iso(seconds);
    html! { time datetime=(iso) { (iso.replace('T', " ").replace('Z', " UTC")) } }
}

/// A name that is broken, where it has to be, behind a dot or a slash.
pub(crate) fn name(whole: &str) -> Markup {
    html! {
        @for (index, part) in whole.split_inclusive(['.', '/']).enumerate() {
            @if index > 0 { wbr; }
            (part)
        }
    }
}

/// The part of an id that tells it from others; the whole is its title.
pub(crate) fn id(whole: &str) -> Markup {
    let short = match whole.char_indices().rev().nth(17) {
        Some((at, _)) if at > 0 => format!("…{}", whole.get(at..).unwrap_or(whole)),
        _ => whole.to_owned(),
    };
    html! { span.id title=(whole) { (short) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!(number(1234567.891), "1\u{202f}234\u{202f}567.89");
        assert_eq!([number(0.0), number(0.5), number(-1000.0)], ["0", "0.5", "-1\u{202f}000"]);
        assert_eq!([megabytes(512.0), megabytes(1536.0), megabytes(2e6)], ["512 MB", "1.5 GB", "1.9 TB"]);
        assert_eq!([bytes(0.0), bytes(1536.0), bytes(3e9)], ["0 B", "1.5 KB", "2.8 GB"]);
        assert_eq!([percent(1.0, 3.0), percent(0.001, 1.0), percent(1.0, 0.0)], ["33%", "<1%", "0%"]);
        assert_eq!([amount("gpus", 2.0), amount("mem", -0.0), amount("cpus", -0.0)], ["2", "0 MB", "0"]);
    }

    #[test]
    fn times_are_readable() {
        assert_eq!([duration(5.9), duration(125.0), duration(7300.0)], ["5 s", "2 min", "2 h"]);
        assert_eq!(duration(900_000.0), "10 d");
        assert_eq!(iso(1_795_400_000.4), "2026-11-23T02:13:20Z");
        assert_eq!(iso(f64::MAX), "");
        assert!(at(0.0).0.contains("1970-01-01 00:00:00 UTC"), "{}", at(0.0).0);
    }

    #[test]
    fn ids_are_cut_between_characters_and_escaped() {
        assert_eq!(id("short").0, "<span class=\"id\" title=\"short\">short</span>");
        let long = id(&"é".repeat(40)).0;
        assert!(long.contains(&format!(">…{}</span>", "é".repeat(18))), "{long}");
        assert!(!id("<b>").0.contains("<b>"));
    }

    #[test]
    fn names_are_broken_between_their_parts() {
        assert_eq!(name("a.b/<i>").0, "a.<wbr>b/<wbr>&lt;i&gt;");
    }

    #[test]
    fn parts_of_addresses_are_escaped() {
        assert_eq!(encode("a b/ü?&=-._~"), "a%20b%2F%C3%BC%3F%26%3D-._~");
    }
}
