//! Figures and how they are printed.

use std::fs;
use std::time::Duration;

use conformance::processes::memory_kib;

/// Prints a figure with its name.
pub(crate) fn figure(name: &str, value: impl std::fmt::Display) {
    println!("{name:<34}{value}");
}

/// How busy the machine is: its load averages.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// How many cores this program may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Prints the most memory that a process has had, and what it has now.
pub(crate) fn memory(name: &str, pid: u32) {
    let mib =
        |field| memory_kib(pid, field).map_or_else(|| "?".to_owned(), |kib| format!("{:.1}", mebi(kib)));
    figure(&format!("memory of {name}"), format!("{} MiB, at its peak {} MiB", mib("VmRSS"), mib("VmHWM")));
}

fn mebi(kib: u64) -> f64 {
    // Memory of a process fits a double exactly.
    Duration::from_micros(kib).as_secs_f64() * 1e6 / 1024.0
}

/// Processor time that a process has used in user and in kernel mode; zero if it is gone.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; the fields after it are numbers.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// The value below which `share` of `sorted` lies; zero of none.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let wanted = sorted.iter().enumerate().find(|(i, _)| {
        let seen = u32::try_from(i + 1).unwrap_or(u32::MAX);
        let all = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
        f64::from(seen) >= share * f64::from(all)
    });
    wanted.map(|(_, value)| *value).unwrap_or_default()
}

/// A time in milliseconds; in microseconds if it is shorter than one.
pub(crate) fn millis(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1e3) }
}

/// A time in seconds.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// Prints the median, the 99th percentile and the maximum of times.
pub(crate) fn times(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let last = times.last().copied().unwrap_or_default();
    let (p50, p99) = (percentile(times, 0.5), percentile(times, 0.99));
    figure(name, format!("p50 {}, p99 {}, max {}", millis(p50), millis(p99), millis(last)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let times: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 0.5), Duration::from_millis(50));
        assert_eq!(percentile(&times, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&times, 1.0), Duration::from_millis(100));
        assert_eq!(percentile(&times[..1], 0.99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn this_process_has_used_some_time() {
        // Time counts in ticks, and a busy machine gives none for a while.
        let (started, mut sum) = (std::time::Instant::now(), 0_u64);
        while processor_time(std::process::id()) == Duration::ZERO {
            assert!(started.elapsed() < Duration::from_secs(60), "no processor time in a minute");
            sum = (0..100_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
        }
    }
}
