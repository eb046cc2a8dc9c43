//! A cluster in one thread, in which everything goes wrong: the real cores of master and agent (allocator and built-in executors
//! included), schedulers, custom executors, clocks, network and disks, all from one seed.
//!
//! ```text
//!  options   drawn from the seed: sizes, delays, which faults and habits, how often
//!  queue     what is going to happen, by time          trace    what happened: a number, and lines
//!  hosts     master, agent, machine, executor: what the servers do around the cores
//!  border    one core's outputs as the other's inputs   bodies   what opaque payloads stand for
//!  service   who leads, and the registry: what outlives masters
//!  net       links that keep order, break, stall        faults   what goes wrong, one object each
//!  scheduler what every scheduler does                  workloads  what it does on purpose, one habit each
//!  checkers  what must hold at every step, one promise each
//!  liveness  what must be so in the end, when nothing goes wrong any more
//! ```
//!
//! A run has two phases. In the first, faults strike and frameworks do as they please; after each step the cores' own `check`s
//! and all checkers are asked. In the second, nothing goes wrong any more and nobody starts anything: within a bound of
//! simulated time schedulers, master and agents have to tell the same, and all that can be offered has to be on offer.
//!
//! ```
//! let outcome = sim::run(sim::Options::draw(7), sim::Lines::None);
//! assert_eq!(outcome.failure, None);
//! ```
//!
//! On the command line: `meseta sim --seeds 0..100`, `meseta sim --seed 7 --trace`. A seed that failed is kept, with what it
//! found, in `tests/seeds.rs`. To add a promise, add a file to `checkers`; to add a fault, one to `faults` and a variant to
//! `FaultKind`. Every kind of draw has a generator of its own (a tree of seeds), so that what is added disturbs the rest little;
//! but any change may give a seed another run, and a seed finds what it found only as long as the run is the same.

mod bodies;
mod border;
mod checkers;
mod cluster;
mod dice;
mod fabric;
mod faults;
mod happening;
mod hosts;
mod liveness;
mod net;
mod node;
mod options;
mod queue;
mod run;
mod scheduler;
mod service;
mod trace;
mod workloads;

pub use options::Options;
pub use run::{Failure, Outcome, run};
pub use trace::Lines;
