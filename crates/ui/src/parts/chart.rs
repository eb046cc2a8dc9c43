//! Amounts over time: what is used, with what is offered on top of it, up to what there is.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::model::{Sample, Use};

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 96.0;

/// A point of time with what was there.
#[derive(Clone, Copy)]
struct Point {
    x: f64,
    of: Use,
}

/// The picture of one resource; `words` says what it shows.
pub(crate) fn chart(samples: &[Sample], name: &str, words: &str) -> Markup {
    let points = points(samples, name);
    let most = points.iter().map(|point| point.of.total).fold(0.0, f64::max);
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(words) {
            @for line in [0.25, 0.5, 0.75] {
                line.grid x1="0" x2=(WIDTH) y1=(HEIGHT * line) y2=(HEIGHT * line) {}
            }
            @if most > 0.0 {
                path.area-offered d=(area(&points, most, |of| of.used + of.offered)) {}
                path.area-used d=(area(&points, most, |of| of.used)) {}
                path.line-used d=(line(&points, most, |of| of.used)) {}
                path.line-total d=(line(&points, most, |of| of.total)) {}
            }
        }
    }
}

fn points(samples: &[Sample], name: &str) -> Vec<Point> {
    // Before there was anything there is nothing to show.
    let there = |sample: &Sample| sample.resources.get(name).is_some_and(|of| of.total > 0.0);
    let begin = samples.iter().position(there).unwrap_or(samples.len());
    let samples = samples.get(begin..).unwrap_or_default();
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let span = last.time - first.time;
    // More points than this cannot be told apart.
    let step = samples.len().div_ceil(240).max(1);
    let shown = samples.iter().rev().step_by(step);
    let mut points: Vec<Point> = shown
        .map(|sample| Point {
            x: if span > 0.0 { (sample.time - first.time) / span * WIDTH } else { WIDTH },
            of: sample.resources.get(name).copied().unwrap_or_default(),
        })
        .collect();
    points.reverse();
    // One sample is a line from side to side.
    if let Some(begin) = points.first().copied().filter(|point| point.x > 0.0) {
        points.insert(0, Point { x: 0.0, ..begin });
    }
    points
}

fn line(points: &[Point], most: f64, value: impl Fn(Use) -> f64) -> String {
    let mut path = String::new();
    for (index, point) in points.iter().enumerate() {
        let y = HEIGHT - (value(point.of) / most).clamp(0.0, 1.0) * (HEIGHT - 2.0) - 1.0;
        // Writing to a text cannot fail.
        let _ = write!(path, "{}{:.1} {y:.1}", if index == 0 { "M" } else { "L" }, point.x);
    }
    path
}

fn area(points: &[Point], most: f64, value: impl Fn(Use) -> f64) -> String {
    format!("{}L{WIDTH} {HEIGHT}L0 {HEIGHT}z", line(points, most, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u32) -> Vec<Sample> {
        let sample = |n: u32| Sample {
            time: f64::from(n),
            resources: [("cpus".to_owned(), Use { total: 4.0, used: f64::from(n % 4), offered: 1.0 })].into(),
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn one_sample_is_a_line_and_many_are_thinned_out() {
        assert_eq!(points(&samples(0), "cpus").len(), 0);
        let one = points(&samples(1), "cpus");
        assert_eq!((one[0].x, one[1].x, one.len()), (0.0, WIDTH, 2));
        let many = points(&samples(10_000), "cpus");
        assert!(many.len() <= 241, "{}", many.len());
        assert_eq!((many[0].x, many.last().unwrap().x), (0.0, WIDTH));
        assert_eq!(line(&one, 4.0, |of| of.total), "M0.0 1.0L400.0 1.0");
    }

    #[test]
    fn nothing_is_drawn_of_what_is_not_there() {
        let drawn = chart(&samples(3), "gpus", "none & nothing").0;
        assert!(!drawn.contains("area-used") && drawn.contains("aria-label=\"none &amp; nothing\""));
    }
}
