//! A cluster in one thread: the real cores of master and agent, executors, schedulers, clocks, network and disks, all from one
//! seed.

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
mod trace;
mod workloads;

pub use options::Options;
pub use run::{Failure, Outcome, run};
pub use trace::Lines;
