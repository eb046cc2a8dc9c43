//! `meseta sim` as it is called: what it says of the seeds that it runs, and how it ends.

mod support;

use support::{meseta, text};

/// Runs it: the exit code, what it printed and what it complained of.
fn sim(line: &str) -> (Option<i32>, String, String) {
    let output = meseta().arg("sim").args(line.split_whitespace()).output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The numbers of `A..B`.
fn range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once("..")?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

#[test]
fn a_range_of_seeds_is_said_to_hold() {
    let (code, out, err) = sim("--seeds 0..2");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let [held, summary] = out.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {out}") };
    assert_eq!(held, "seeds 0..2 hold");
    assert!(summary.starts_with("seeds 0..2: 2 runs, 0 failed; "), "{out}");
}

#[test]
fn a_seed_is_replayed_to_the_letter() {
    let (code, out, err) = sim("--seed 7 --trace");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let last: Vec<_> = out.lines().rev().take(3).collect();
    assert_eq!(last[0], "seed 7 holds");
    assert!(last[1].starts_with("trace  ") && last[2].starts_with("steps  "), "{last:?}");
    assert!(out.lines().count() > 1_000, "everything that happens is printed");
    assert!(sim("--seed 7 --trace").1 == out, "it is another run");

    // Without the trace it is the same run.
    let (code, short, _) = sim("--seed 7");
    assert_eq!(code, Some(0));
    assert_eq!(short.lines().rev().take(3).collect::<Vec<_>>(), last);
    assert!(short.lines().count() < 60, "{short}");
}

#[test]
fn a_hunt_says_which_fresh_seeds_it_ran() {
    let hunt = || {
        let (code, out, err) = sim("--random --minutes 0");
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        let [held, summary] = out.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {out}") };
        let (seeds, rest) = summary.strip_prefix("seeds ").and_then(|s| s.split_once(": ")).unwrap();
        let (from, to) = range(seeds).unwrap_or_else(|| panic!("no range: {summary}"));
        assert_eq!(to, from + 1, "the smallest hunt is one run");
        assert!(rest.starts_with("1 runs, 0 failed; "), "{summary}");
        assert_eq!(held, format!("seed {from} holds"));
        from
    };
    assert_ne!(hunt(), hunt(), "each hunt has seeds of its own");
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    for (line, complaint) in [
        ("--seeds 3", "'3' is no range of seeds: write A..B, such as 0..100"),
        ("--seeds 5..3", "'5..3' has no seeds in it"),
        ("--seeds a..b", "'a..b' is no range of seeds"),
        ("--seed x", "'x' for '--seed <N>': expected a whole number"),
        ("--seeds 0..2 --trace", "cannot be used with"),
        ("--seed 1 --random", "cannot be used with"),
        ("--seed 1 --minutes 3", "cannot be used with"),
        ("", "required"),
    ] {
        let (code, out, err) = sim(line);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{line}: {err}");
        assert!(err.contains(complaint), "{line}: {err}");
    }
}
