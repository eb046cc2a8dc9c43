//! One run: trouble, with every promise verified at every step; then peace, until everything is in order.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use base::{Rng, Time};

use crate::checkers::{self, Checker};
use crate::cluster::{Cluster, Stepped};
use crate::dice::Dice;
use crate::faults::Fault;
use crate::node::Node;
use crate::options::Options;
use crate::queue::Event;
use crate::trace::Lines;
use crate::workloads::DailyWork;

/// How often it is seen whether everything is in order: not in step with offers that are withdrawn and made anew.
const LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From which all followed.
    pub seed: u64,
    /// What happened, as a number: two runs of one seed have the same.
    pub hash: u64,
    /// How many things happened.
    pub steps: u64,
    /// How long it was for those in it.
    pub simulated: Duration,
    /// How long it took, for those in it, until everything was in order.
    pub settled: Duration,
    /// What went wrong, if something did.
    pub failure: Option<Failure>,
    /// The last things that happened, if lines were kept.
    pub last: Vec<String>,
}

/// What went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What should have held.
    pub promise: String,
    /// How it did not.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}: {}", self.promise, self.why)
    }
}

/// A fault with its own draws.
struct Striking {
    fault: Box<dyn Fault>,
    every: Duration,
    rng: Rng,
}

struct World {
    cluster: Cluster,
    checkers: Vec<Box<dyn Checker>>,
    faults: Vec<Striking>,
    steps: u64,
    /// What `never!` had found before.
    broken: base::Broken,
}

/// Runs a seed.
#[must_use]
pub fn run(options: Options, lines: Lines) -> Outcome {
    let seed = options.seed;
    let began = Time::from_secs_f64(1_000.0);
    let mut world = World::new(options, lines);
    let mut settled = Duration::ZERO;
    // The cores' own checks panic; what they say is caught here, and the state is not touched any more.
    let result = catch_unwind(AssertUnwindSafe(|| {
        world.trouble()?;
        settled = world.peace()?;
        Ok(())
    }));
    let failure = match result {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(panic) => {
            Some(Failure { promise: "a core's state is sound".to_owned(), why: panic_text(&*panic) })
        }
    };
    let fabric = &mut world.cluster.fabric;
    Outcome {
        seed,
        hash: fabric.trace.hash(),
        steps: world.steps,
        simulated: fabric.now.since(began),
        settled,
        failure,
        last: fabric.trace.take_last(),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

fn broken(promise: &str) -> impl FnOnce(String) -> Failure + use<'_> {
    move |why| Failure { promise: promise.to_owned(), why }
}

const SOUND: &str = "a core's state is sound";

impl World {
    fn new(options: Options, lines: Lines) -> Self {
        let (kinds, operators) = (options.faults.clone(), options.operators);
        let mut cluster = Cluster::new(options, lines);
        let mut faults = Vec::new();
        for (kind, every) in kinds {
            if let Some(rule) = kind.rule(every) {
                cluster.fabric.net.install(rule);
            }
            if let Some(fault) = kind.fault() {
                let rng = cluster.fabric.seeds.child(&format!("fault {kind:?}"));
                faults.push(Striking { fault, every, rng });
            }
        }
        if let Some(every) = operators {
            let rng = cluster.fabric.seeds.child("operators");
            faults.push(Striking { fault: Box::new(DailyWork), every, rng });
        }
        Self { cluster, checkers: checkers::all(), faults, steps: 0, broken: base::broken_assumptions() }
    }

    /// Everybody starts, and things go wrong for a while.
    fn trouble(&mut self) -> Result<(), Failure> {
        for node in self.cluster.nodes() {
            self.cluster.start(node).map_err(broken(SOUND))?;
            self.verify(Some(node))?;
        }
        for index in 0..self.faults.len() {
            self.plan(index);
        }
        let options = self.cluster.fabric.options.clone();
        let end = self.cluster.fabric.now + options.trouble;
        while self.cluster.fabric.now < end && self.steps < options.steps {
            self.step()?;
        }
        Ok(())
    }

    /// Nothing goes wrong any more, and everything comes in order; how long that took.
    fn peace(&mut self) -> Result<Duration, Failure> {
        const PROMISE: &str = "when nothing goes wrong any more, everything comes in order";
        let began = self.cluster.fabric.now;
        self.cluster.fabric.note(Node::Master(0), "peace", "");
        self.cluster.mend().map_err(broken(SOUND))?;
        let bound = self.cluster.fabric.options.bound;
        let mut looks = self.cluster.fabric.seeds.child("looks");
        let mut look = began + LOOK.1;
        loop {
            self.step()?;
            if self.cluster.fabric.now < look {
                continue;
            }
            look = self.cluster.fabric.now + looks.duration(LOOK.0, LOOK.1);
            let Some(pending) = self.cluster.pending() else {
                return Ok(self.cluster.fabric.now.since(began));
            };
            if self.cluster.fabric.now.since(began) > bound {
                return Err(Failure { promise: PROMISE.to_owned(), why: pending });
            }
            self.cluster.tidy_up().map_err(broken(SOUND))?;
            self.verify(None)?;
        }
    }

    fn plan(&mut self, index: usize) {
        let striking = &mut self.faults[index];
        let pause = striking.rng.around(striking.every);
        self.cluster.fabric.after(pause, Event::Strike(index));
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.steps += 1;
        let stepped = self.cluster.step().map_err(broken(SOUND))?;
        match stepped {
            Stepped::Nothing => {}
            Stepped::Touched(node) => return self.verify(Some(node)),
            Stepped::Strike(_) if self.cluster.fabric.settling => {}
            Stepped::Strike(index) => {
                let Striking { fault, rng, .. } = &mut self.faults[index];
                fault.strike(&mut self.cluster, rng).map_err(broken(SOUND))?;
                if let Some(lasts) = fault.lasts(rng) {
                    self.cluster.fabric.after(lasts, Event::Over(index));
                }
                self.plan(index);
            }
            Stepped::Over(index) => self.faults[index].fault.over(&mut self.cluster),
        }
        self.verify(None)
    }

    fn verify(&mut self, touched: Option<Node>) -> Result<(), Failure> {
        // What a debug build stops on, others survive.
        let found = base::broken_assumptions();
        if found != self.broken {
            let why = format!("an assumption is broken at {}:{}", found.file, found.line);
            return Err(Failure { promise: SOUND.to_owned(), why });
        }
        let happened = std::mem::take(&mut self.cluster.fabric.happened);
        for checker in &mut self.checkers {
            let promise = checker.promise();
            for happening in &happened {
                checker.notice(happening).map_err(broken(promise))?;
            }
            if let Some(node) = touched {
                checker.look(&self.cluster, node).map_err(broken(promise))?;
            }
        }
        Ok(())
    }
}
