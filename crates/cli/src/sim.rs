//! `meseta sim`: a cluster in one thread, in which everything goes wrong, from seeds.

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::sim::{Lines, Options as Drawn, Outcome};
use anyhow::Result;
use clap::{ArgGroup, Args};

use crate::failure::FAILED;
use crate::view;

/// Arguments of `meseta sim`.
#[derive(Args)]
#[command(
    after_help = "A run is decided by its seed alone: how large the cluster is, what its frameworks do, what goes \
wrong and when. While things go wrong, what must always hold is verified at every step. Then nothing goes wrong any more, and \
everything has to come in order.

Examples:
  meseta sim --seeds 0..200             these seeds, one after the other
  meseta sim --seed 17                  one seed: what it draws, and how it ends
  meseta sim --seed 17 --trace          the same, with everything that happens
  meseta sim --random --minutes 60      fresh seeds for an hour

Exit codes: 0 all held, 1 something was broken, 2 wrong usage. A run that fails prints a line that repeats it."
)]
#[command(group = ArgGroup::new("which").required(true).multiple(false))]
pub(crate) struct Options {
    /// Run these seeds; the end is not among them
    #[arg(long, value_name = "A..B", value_parser = range, group = "which")]
    seeds: Option<Range<u64>>,
    /// Run one seed
    #[arg(long, value_name = "N", group = "which")]
    seed: Option<u64>,
    /// Run fresh seeds until the time is over
    #[arg(long, group = "which")]
    random: bool,
    /// Print everything that happens
    #[arg(long, conflicts_with_all = ["seeds", "random"])]
    trace: bool,
    /// Without operators who maintain machines and set quotas and weights: what seeds found before they were a part of most runs
    #[arg(long)]
    without_operators: bool,
    /// How long to run fresh seeds
    #[arg(long, value_name = "N", default_value_t = 5, conflicts_with_all = ["seeds", "seed"])]
    minutes: u64,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("'{text}' is no range of seeds: write A..B, such as 0..100");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let (from, to) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
    if from < to { Ok(from..to) } else { Err(format!("'{text}' has no seeds in it")) }
}

/// What all runs came to.
#[derive(Default)]
struct Sum {
    runs: u64,
    failed: u64,
    steps: u64,
    simulated: Duration,
}

/// Runs seeds; the number is the exit code.
pub(crate) fn run(options: &Options) -> Result<u8> {
    // What the cores' checks say is caught and shown with the seed.
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let mut sum = Sum::default();
    for seed in seeds(options, began) {
        let drawn = draw(options, seed);
        if options.seed.is_some() {
            view::print(&drawn.to_string())?;
        }
        let lines = if options.trace { Lines::All } else { Lines::None };
        let outcome = ::sim::run(drawn, lines);
        sum.runs += 1;
        sum.steps += outcome.steps;
        sum.simulated += outcome.simulated;
        if options.seed.is_some() {
            view::print(&shown(&outcome))?;
        }
        if outcome.failure.is_some() {
            sum.failed += 1;
            view::print(&failure(options, seed, &outcome))?;
            if !options.keep_going {
                break;
            }
        }
    }
    view::print(&summary(&sum, began.elapsed()))?;
    Ok(if sum.failed == 0 { 0 } else { FAILED })
}

fn seeds(options: &Options, began: Instant) -> Box<dyn Iterator<Item = u64>> {
    if let Some(seed) = options.seed {
        return Box::new(std::iter::once(seed));
    }
    if let Some(range) = options.seeds.clone() {
        return Box::new(range);
    }
    let end = Duration::from_secs(options.minutes.saturating_mul(60));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut seed = u64::try_from(now.as_micros()).unwrap_or(0) % 1_000_000_000_000;
    Box::new(std::iter::from_fn(move || {
        seed += 1;
        (began.elapsed() < end).then_some(seed)
    }))
}

fn draw(options: &Options, seed: u64) -> Drawn {
    let drawn = Drawn::draw(seed);
    if options.without_operators { drawn.without_operators() } else { drawn }
}

fn shown(outcome: &Outcome) -> String {
    let Outcome { hash, steps, simulated, settled, .. } = outcome;
    format!(
        "steps         {steps} in {simulated:.1?}, in order after {settled:.1?}\ntrace         {hash:016x}\n"
    )
}

/// What was broken, and how to see it again. The run is made again for its last lines.
fn failure(options: &Options, seed: u64, outcome: &Outcome) -> String {
    let Some(failure) = &outcome.failure else { return String::new() };
    let mut text = String::new();
    if !options.trace {
        for line in ::sim::run(draw(options, seed), Lines::Last).last {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let without = if options.without_operators { " --without-operators" } else { "" };
    format!("{text}seed {seed}: {failure}\nrepeat with: meseta sim --seed {seed} --trace{without}\n")
}

fn summary(sum: &Sum, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(f64::EPSILON);
    format!(
        "{} runs, {} failed; {} steps ({:.0} a second), {:.0} s simulated in {:.1} s ({:.0} to 1)\n",
        sum.runs,
        sum.failed,
        sum.steps,
        sum.steps as f64 / seconds,
        sum.simulated.as_secs_f64(),
        seconds,
        sum.simulated.as_secs_f64() / seconds
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn what_the_help_shows_is_understood() {
        let parse = |line: &str| Line::try_parse_from(["sim"].into_iter().chain(line.split_whitespace()));
        for line in [
            "--seeds 0..200",
            "--seeds 0..200 --keep-going",
            "--seed 17",
            "--seed 17 --trace",
            "--seed 17 --trace --without-operators",
            "--random",
            "--random --minutes 60 --keep-going",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        assert_eq!(parse("--random --minutes 60").ok().map(|line| line.options.minutes), Some(60));
        for line in ["", "--keep-going", "--seed 1 --random", "--seeds 0..2 --trace", "--seed 1 --minutes 2"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("3..5"), Ok(3..5));
        for wrong in ["", "3", "3..", "..5", "a..b", "5..3", "3..3"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
