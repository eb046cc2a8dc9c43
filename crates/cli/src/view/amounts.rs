//! Numbers as people read them.

use std::time::Duration;

use sdk::build::Quantities;
use serde::{Deserialize, Serialize};

/// How much of the resources that everything has: cores, megabytes, devices. Others, such as ports, are not counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Amounts {
    pub(crate) cpus: f64,
    pub(crate) mem: f64,
    pub(crate) disk: f64,
    pub(crate) gpus: f64,
}

/// How an amount is written.
pub(crate) type Written = fn(f64) -> String;

impl From<Quantities> for Amounts {
    fn from(q: Quantities) -> Self {
        Self { cpus: q.cpus, mem: q.mem, disk: q.disk, gpus: q.gpus }
    }
}

impl Amounts {
    /// By name, with the way in which each is written.
    pub(crate) fn named(&self) -> [(&'static str, f64, Written); 4] {
        [
            ("cpus", self.cpus, number),
            ("mem", self.mem, megabytes),
            ("disk", self.disk, megabytes),
            ("gpus", self.gpus, number),
        ]
    }

    /// The sum, exact to three decimals as masters keep them.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let sum = |a: f64, b: f64| ((a + b) * 1000.0).round() / 1000.0;
        Self {
            cpus: sum(self.cpus, other.cpus),
            mem: sum(self.mem, other.mem),
            disk: sum(self.disk, other.disk),
            gpus: sum(self.gpus, other.gpus),
        }
    }

    /// The largest of the shares that this has of a whole: what fairness goes by.
    pub(crate) fn share_of(&self, whole: &Self) -> f64 {
        let shares = self.named().into_iter().zip(whole.named());
        shares.filter(|(_, whole)| whole.1 > 0.0).map(|(part, whole)| part.1 / whole.1).fold(0.0, f64::max)
    }

    /// All of it in one line: `cpus:0.5 mem:64 MB`; `nothing` where there is none.
    pub(crate) fn line(&self) -> String {
        let some = self.named().into_iter().filter(|(_, amount, _)| *amount > 0.0);
        let parts: Vec<String> =
            some.map(|(name, amount, write)| format!("{name}:{}", write(amount))).collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") }
    }
}

/// How many there are: `1 task`, `2 tasks`.
pub(crate) fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// A share as a part of a hundred: `12.5%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", number((share * 1000.0).round() / 10.0))
}

/// Bytes as `512 B`, `3 KB`, `64 MB`, `1.5 GB`.
pub(crate) fn bytes(count: u64) -> String {
    let value = count as f64; // As a picture of the size; it need not be exact.
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{} KB", number((value / 102.4).round() / 10.0)),
        _ => megabytes((value / 104_857.6).round() / 10.0),
    }
}

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
        assert_eq!([0, 1_536, 3 << 20, 20 << 30].map(bytes), ["0 B", "1.5 KB", "3 MB", "20 GB"]);
        assert_eq!([0.0, 0.125, 1.0].map(percent), ["0%", "12.5%", "100%"]);
    }

    #[test]
    fn amounts_are_added_and_compared() {
        let some = Amounts { cpus: 0.1, mem: 64.0, ..Amounts::default() };
        let sum = some.plus(&Amounts { cpus: 0.2, ..Amounts::default() });
        assert_eq!(sum.line(), "cpus:0.3 mem:64 MB");
        assert_eq!(Amounts::default().line(), "nothing");
        let whole = Amounts { cpus: 1.0, mem: 128.0, ..Amounts::default() };
        assert_eq!((sum.share_of(&whole), sum.share_of(&Amounts::default())), (0.5, 0.0));
    }
}
