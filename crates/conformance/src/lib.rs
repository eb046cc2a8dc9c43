//! What a client or a peer can see of a cluster, compared with what Apache Mesos 1.12 showed.
//!
//! Everything here is black-box: it takes the addresses of a master and an agent, ours or Mesos' own, and speaks plain
//! HTTP and JSON to them, on sockets of its own. It does not use the project's clients, so that a mistake made on
//! both sides of a wire shows. The recordings it compares with are in `data/`.
//!
//! - [`scenarios`]: small frameworks; every event that their schedulers see.
//! - [`wrong_requests`]: requests that are wrong in some way; the status and the line of text they get.
//! - [`shapes`]: the fields of all answers, with their types.
//! - [`replay`]: one side of a recorded conversation between master and agent, played to the other side.
//! - [`cluster`]: the real binary started as a cluster of processes, for the tests.

pub mod browser;
pub mod cluster;
mod groups;
pub mod http;
pub mod libprocess;
pub mod offers;
pub mod operator;
pub mod ports;
pub mod processes;
pub mod python;
pub mod recording;
pub mod records;
pub mod replay;
pub mod scenarios;
pub mod scheduler;
pub mod sequence;
pub mod shapes;
pub mod tasks;
pub mod wrong_requests;
