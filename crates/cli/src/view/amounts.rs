//! Numbers as people read them.

use std::time::Duration;

/// A number with up to two decimals, as few as are needed.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Megabytes, from 10 GB on as gigabytes.
pub(crate) fn megabytes(value: f64) -> String {
    if value >= 10.0 * 1024.0 {
        format!("{} GB", number((value / 102.4).round() / 10.0))
    } else {
        format!("{} MB", number(value))
    }
}

/// How long ago something was: `12s`, `3m`, `5h`, `9d`.
pub(crate) fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.1, 2.0, 0.125].map(number), ["0", "0.1", "2", "0.12"]);
        assert_eq!([512.0, 10_240.0, 15_872.0].map(megabytes), ["512 MB", "10 GB", "15.5 GB"]);
        let ages = [5, 119, 120, 7_200, 200_000].map(|s| age(Duration::from_secs(s)));
        assert_eq!(ages, ["5s", "119s", "2m", "2h", "2d"]);
    }
}
