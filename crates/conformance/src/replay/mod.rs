//! One side of the recorded conversation between Mesos' master and agent, played to the other side under test.
//!
//! The recording is of one agent and nine frameworks: a task that ends, one that is killed, two task groups, operations
//! on resources, reconciliation, a framework that ends while its task runs, an agent that restarts, is drained and
//! is marked gone.

pub mod as_agent;
pub mod as_master;
mod body;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::libprocess::Message;
use crate::recording;

pub use body::Body;

/// The id of the recorded master. Ids of frameworks and agents begin with it.
pub const MASTER_ID: &str = "d8e34835-e67b-45ff-a610-2418b2b547d2";

/// Who sent a recorded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The master, or its observer of the agent.
    Master,
    /// The agent.
    Agent,
}

/// A recorded message that is replayed or expected.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the recording.
    pub number: usize,
    /// Who sent it.
    pub side: Side,
    /// The process that sent it, such as `slave(1)`.
    pub from: String,
    /// The process it is for.
    pub to: String,
    /// The name of its protobuf, without the package.
    pub name: String,
    /// Its protobuf.
    pub body: Vec<u8>,
}

impl Recorded {
    /// What it says.
    pub fn read(&self) -> Result<Body> {
        Body::read(&self.name, &self.body).with_context(|| format!("recorded message {}", self.number))
    }
}

/// What is replayed of the recording, in order.
pub fn recorded() -> Result<Vec<Recorded>> {
    let mut messages = Vec::new();
    for (number, line) in recording::lines(recording::LIBPROCESS)?.iter().enumerate() {
        let text = |field: &str| line[field].as_str().with_context(|| format!("line {number}: no {field}"));
        let from = text("from")?.split('@').next().unwrap_or_default().to_owned();
        let (to, name) = text("path")?.trim_start_matches('/').split_once('/').context("no message name")?;
        let name = short(name).to_owned();
        let side = match from.as_str() {
            "master" | "slave-observer(1)" => Side::Master,
            "slave(1)" => Side::Agent,
            // Executors of Mesos are processes of their own; Meseta's agent hosts the built-in ones.
            _ => continue,
        };
        let body = STANDARD.decode(text("body")?)?;
        messages.push(Recorded { number, side, from, to: to.to_owned(), name, body });
    }
    Ok(messages)
}

/// A message's name without its package.
#[must_use]
pub fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Puts one master's id where another's was.
#[must_use]
pub fn with_master_id(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    replaced(body, from.as_bytes(), to.as_bytes())
}

/// Puts bytes where others of the same length were, so that a protobuf stays well-formed.
fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "UUIDs of one form");
    let mut body = body.to_vec();
    let mut at = 0;
    while let Some(found) = body[at..].windows(from.len().max(1)).position(|w| w == from) {
        body[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    body
}

/// A received message's name and content in a line, for reports.
fn describe(message: &Message) -> String {
    let name = short(&message.name);
    match Body::read(name, &message.body) {
        Ok(body) => format!("{name} {body}"),
        Err(unread) => format!("{name} that cannot be read: {unread:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_can_be_read_and_ends_with_the_agent() {
        let messages = recorded().unwrap();
        assert!(messages.len() > 100, "{}", messages.len());
        assert_eq!(messages.last().unwrap().name, "ShutdownMessage");
        let launches = messages.iter().filter(|m| m.name == "RunTaskMessage").count();
        assert_eq!(launches, 6);
        let operations = messages.iter().filter(|m| m.name == "ApplyOperationMessage").count();
        assert_eq!(operations, 6);
        let ends = messages.iter().filter(|m| m.name == "ShutdownFrameworkMessage").count();
        assert_eq!(ends, 9);
    }

    #[test]
    fn ids_change_their_master_in_place() {
        let other = "00000000-0000-4000-8000-000000000000";
        let body = format!("x{MASTER_ID}-S0 y{MASTER_ID}");
        let changed = with_master_id(body.as_bytes(), MASTER_ID, other);
        assert_eq!(String::from_utf8(changed).unwrap(), format!("x{other}-S0 y{other}"));
    }
}
