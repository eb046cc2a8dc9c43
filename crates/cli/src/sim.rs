//! `meseta sim`: a cluster in one thread, in which everything goes wrong, from seeds.
//!
//! Which seeds have held is said as it goes on, so that a hunt that is interrupted has said what it tried.

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

Seeds that hold are said every ten seconds, as ranges whose end is not among them: \"seeds 17..170 hold\". Fresh seeds follow \
one another, the first is drawn from the time of day. A run that fails prints a line that repeats it.

Exit codes: 0 all held, 1 something was broken, 2 wrong usage."
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
    /// How long to run fresh seeds; one is run in any case
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

/// How long nothing is said while everything holds.
const QUIET: Duration = Duration::from_secs(10);

/// What all runs came to.
#[derive(Default)]
struct Sum {
    seeds: Option<Range<u64>>,
    failed: Vec<u64>,
    steps: u64,
    simulated: Duration,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        let first = self.seeds.as_ref().map_or(seed, |seeds| seeds.start);
        self.seeds = Some(first..seed.saturating_add(1));
        self.steps += outcome.steps;
        self.simulated += outcome.simulated;
        if outcome.failure.is_some() {
            self.failed.push(seed);
        }
    }
}

/// Seeds that have held, of which nobody has been told yet.
struct Held {
    seeds: Option<Range<u64>>,
    told: Instant,
}

impl Held {
    fn add(&mut self, seed: u64) {
        let first = self.seeds.as_ref().map_or(seed, |seeds| seeds.start);
        self.seeds = Some(first..seed.saturating_add(1));
    }

    /// The line that says so, if there are any.
    fn told(&mut self) -> Option<String> {
        self.told = Instant::now();
        self.seeds.take().map(|seeds| match seeds.end - seeds.start {
            1 => format!("seed {} holds\n", seeds.start),
            _ => format!("seeds {}..{} hold\n", seeds.start, seeds.end),
        })
    }
}

/// Runs seeds; the number is the exit code.
pub(crate) fn run(options: &Options) -> Result<u8> {
    // What the cores' checks say is caught and shown with the seed.
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let sum = each(options, seeds(options, began), ::sim::run, view::print)?;
    // One seed has said it all; without how long it took here, every run of it prints the same.
    if options.seed.is_none() {
        view::print(&summary(&sum, began.elapsed()))?;
    }
    Ok(if sum.failed.is_empty() { 0 } else { FAILED })
}

/// Runs one seed after the other, and says what comes of them.
fn each(
    options: &Options,
    seeds: impl Iterator<Item = u64>,
    run: impl Fn(Drawn, Lines) -> Outcome,
    print: impl Fn(&str) -> Result<()>,
) -> Result<Sum> {
    let mut sum = Sum::default();
    let mut held = Held { seeds: None, told: Instant::now() };
    for seed in seeds {
        let drawn = draw(options, seed);
        if options.seed.is_some() {
            print(&drawn.to_string())?;
        }
        let outcome = run(drawn, if options.trace { Lines::All } else { Lines::None });
        sum.add(seed, &outcome);
        if options.seed.is_some() {
            print(&shown(&outcome))?;
        }
        if outcome.failure.is_none() {
            held.add(seed);
        }
        if outcome.failure.is_some() || held.told.elapsed() >= QUIET {
            held.told().map_or(Ok(()), |line| print(&line))?;
        }
        if outcome.failure.is_some() {
            print(&failure(options, seed, &outcome, &run))?;
            if !options.keep_going {
                break;
            }
        }
    }
    held.told().map_or(Ok(()), |line| print(&line))?;
    Ok(sum)
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
    let first = u64::try_from(now.as_micros()).unwrap_or(0) % 1_000_000_000_000;
    // Without any the hunt would hold without having seen anything.
    Box::new((first..).take_while(move |seed| *seed == first || began.elapsed() < end))
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
fn failure(options: &Options, seed: u64, outcome: &Outcome, run: impl Fn(Drawn, Lines) -> Outcome) -> String {
    let Some(failure) = &outcome.failure else { return String::new() };
    let mut text = String::new();
    if !options.trace {
        for line in run(draw(options, seed), Lines::Last).last {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let without = if options.without_operators { " --without-operators" } else { "" };
    format!("{text}seed {seed}: {failure}\nrepeat with: meseta sim --seed {seed} --trace{without}\n")
}

fn summary(sum: &Sum, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(f64::EPSILON);
    let seeds = sum.seeds.clone().unwrap_or_default();
    let failed: String = sum.failed.iter().map(|seed| format!("failed: seed {seed}\n")).collect();
    format!(
        "{failed}seeds {}..{}: {} runs, {} failed; {} steps ({:.0} a second), {:.0} s simulated in {:.1} s ({:.0} to 1)\n",
        seeds.start,
        seeds.end,
        seeds.end - seeds.start,
        sum.failed.len(),
        sum.steps,
        sum.steps as f64 / seconds,
        sum.simulated.as_secs_f64(),
        seconds,
        sum.simulated.as_secs_f64() / seconds
    )
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use ::sim::Failure;
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

    /// What is said of seeds, when those of `broken` fail.
    fn said(line: &str, broken: &[u64]) -> (Vec<String>, Sum) {
        let line = Line::try_parse_from(["sim"].into_iter().chain(line.split_whitespace()));
        let options = line.expect("a line that is understood").options;
        let run = |drawn: Drawn, lines: Lines| Outcome {
            seed: drawn.seed,
            hash: 1,
            steps: 10,
            simulated: Duration::from_secs(60),
            settled: Duration::from_secs(2),
            failure: broken
                .contains(&drawn.seed)
                .then(|| Failure { promise: "it holds".to_owned(), why: "it does not".to_owned() }),
            last: if lines == Lines::Last { vec!["what came last".to_owned()] } else { Vec::new() },
        };
        let said = RefCell::default();
        let print = |text: &str| {
            let mut said: std::cell::RefMut<'_, Vec<String>> = said.borrow_mut();
            said.extend(text.lines().map(str::to_owned));
            Ok(())
        };
        let sum = each(&options, seeds(&options, Instant::now()), run, print).expect("printing works");
        let said = said.into_inner();
        (said, sum)
    }

    #[test]
    fn seeds_that_hold_are_said() {
        let (lines, sum) = said("--seeds 3..7", &[]);
        assert_eq!(lines, ["seeds 3..7 hold"]);
        let summary = summary(&sum, Duration::from_secs(2));
        assert!(summary.starts_with("seeds 3..7: 4 runs, 0 failed; 40 steps (20 a second)"), "{summary}");

        let (lines, sum) = said("--random --minutes 0", &[]);
        let seeds = sum.seeds.expect("one was run");
        assert_eq!((seeds.end - seeds.start, sum.failed.len()), (1, 0));
        assert_eq!(lines, [format!("seed {} holds", seeds.start)]);
    }

    #[test]
    fn a_seed_that_fails_is_said_with_how_to_repeat_it() {
        let broken = [
            "what came last",
            "seed 5: broken: it holds: it does not",
            "repeat with: meseta sim --seed 5 --trace",
        ];
        let (lines, sum) = said("--seeds 3..7", &[5]);
        assert_eq!(lines, [&["seeds 3..5 hold"], &broken[..]].concat());
        assert_eq!((sum.seeds, sum.failed), (Some(3..6), vec![5]));

        let (lines, sum) = said("--seeds 3..7 --keep-going", &[5]);
        assert_eq!(lines, [&["seeds 3..5 hold"], &broken[..], &["seed 6 holds"]].concat());
        let summary = summary(&sum, Duration::from_secs(2));
        assert!(summary.starts_with("failed: seed 5\nseeds 3..7: 4 runs, 1 failed; "), "{summary}");

        let (lines, _) = said("--seed 5", &[]);
        assert_eq!(lines.last().map(String::as_str), Some("seed 5 holds"));
        let (lines, _) = said("--seed 5 --without-operators", &[5]);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("repeat with: meseta sim --seed 5 --trace --without-operators")
        );
    }
}
