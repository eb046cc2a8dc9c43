//! Transactions, those of a leader in turn.
//!
//! A call that was given up may still be on its way, and its leader leads on. So that it does nothing when it arrives after a
//! later one, each transaction with a fence writes the election's turn, and demands that it is as it was found. Whoever does not
//! know what became of a transaction looks at the turn before the next.

use serde_json::json;
use tokio::sync::Mutex;

use super::Shared;
use super::call::Kind;
use super::wire::{KeyValue as Pair, Range, RangeAnswer, Txn, TxnAnswer, encode};
use crate::kv::{Expect, Fence, KvError, Op, Transaction, Version};

/// The turn after the last transaction with a fence, if it is known.
pub(super) type LastTurn = Mutex<Option<Turn>>;

/// A turn, by the revision in which it was written; 0 if it never was.
#[derive(Debug)]
pub(super) struct Turn {
    fence: Fence,
    revision: u64,
}

/// What became of a transaction, if that is known.
enum Outcome {
    /// It was done, in this revision.
    Done(u64),
    /// Another one of the same leader was done meanwhile, in this revision.
    Overtaken(u64),
    /// Something was not as expected.
    Refused(KvError),
}

pub(super) async fn commit(
    shared: &Shared,
    transaction: &Transaction,
    fence: Option<&Fence>,
) -> Result<Vec<Version>, KvError> {
    if transaction.ops.is_empty() && fence.is_none() {
        return Ok(Vec::new());
    }
    let changes = transaction.ops.iter().any(|op| !matches!(op, Op::Check { .. }));
    let outcome = match fence.filter(|_| changes) {
        Some(fence) => in_turn(shared, transaction, fence).await?,
        None => attempt(shared, transaction, fence, None).await?,
    };
    match outcome {
        Outcome::Done(revision) => {
            let puts = transaction.ops.iter().filter(|op| matches!(op, Op::Put { .. })).count();
            Ok(vec![Version(revision); puts])
        }
        Outcome::Refused(error) => Err(error),
        // It had no turn to lose, or has lost it without an end.
        Outcome::Overtaken(_) => Err(KvError::Conflict { key: "turns".to_owned() }),
    }
}

/// One transaction of a leader after the other.
async fn in_turn(shared: &Shared, transaction: &Transaction, fence: &Fence) -> Result<Outcome, KvError> {
    let mut last = shared.last_turn.lock().await;
    // Whoever gives up in the middle leaves none behind: then it is not known.
    let mut known = last.take().filter(|turn| turn.fence == *fence).map(|turn| turn.revision);
    loop {
        let expected = match known {
            Some(revision) => revision,
            None => found(shared, fence).await?,
        };
        let outcome = attempt(shared, transaction, Some(fence), Some(expected)).await?;
        let revision = match outcome {
            Outcome::Overtaken(revision) => {
                known = Some(revision);
                continue;
            }
            Outcome::Done(revision) => revision,
            Outcome::Refused(_) => expected,
        };
        *last = Some(Turn { fence: fence.clone(), revision });
        return Ok(outcome);
    }
}

/// Where an election's turn is. It stays from leader to leader.
fn place(shared: &Shared, fence: &Fence) -> String {
    format!("{}/turns/{}", shared.prefix, fence.election)
}

async fn found(shared: &Shared, fence: &Fence) -> Result<u64, KvError> {
    let range = Range { key: encode(place(shared, fence).as_bytes()), ..Range::default() };
    let answer: RangeAnswer = shared.calls.call("kv/range", &range, Kind::Read).await?;
    Ok(answer.kvs.first().map_or(0, |pair| pair.mod_revision))
}

async fn attempt(
    shared: &Shared,
    transaction: &Transaction,
    fence: Option<&Fence>,
    turn: Option<u64>,
) -> Result<Outcome, KvError> {
    let mut txn = Txn::default();
    if let Some(fence) = fence {
        let key = encode(fence.place.as_bytes());
        txn.compare.push(json!({
            "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": fence.epoch.to_string(),
        }));
        txn.failure.push(json!({ "request_range": { "key": key } }));
    }
    if let (Some(fence), Some(turn)) = (fence, turn) {
        let key = encode(place(shared, fence).as_bytes());
        demand(&mut txn, &key, turn);
        txn.success.push(json!({ "request_put": { "key": key, "value": encode(b"") } }));
    }
    let mut compared = Vec::new();
    for op in &transaction.ops {
        let key = encode(shared.place(op.key()).as_bytes());
        let revision = match op.expect() {
            Expect::Anything => None,
            Expect::Absent => Some(0),
            Expect::Version(version) => Some(version.0),
        };
        if let Some(revision) = revision {
            demand(&mut txn, &key, revision);
            compared.push((op.key(), revision));
        }
        match op {
            Op::Check { .. } => {}
            Op::Put { value, .. } => {
                txn.success.push(json!({ "request_put": { "key": key, "value": encode(value) } }));
            }
            Op::Remove { .. } => txn.success.push(json!({ "request_delete_range": { "key": key } })),
        }
    }
    let answer: TxnAnswer = shared.calls.call("kv/txn", &txn, Kind::Write).await?;
    if answer.succeeded {
        return Ok(Outcome::Done(answer.header.revision));
    }
    Ok(unmet(&answer, fence, turn, &compared))
}

/// A key must have been written last in this revision; if it was not, it is told in which.
fn demand(txn: &mut Txn, key: &str, revision: u64) {
    txn.compare.push(json!({
        "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string(),
    }));
    txn.failure.push(json!({ "request_range": { "key": key } }));
}

/// What was not as expected.
fn unmet(answer: &TxnAnswer, fence: Option<&Fence>, turn: Option<u64>, compared: &[(&str, u64)]) -> Outcome {
    let mut found =
        answer.responses.iter().map(|part| part.response_range.as_ref().and_then(|r| r.kvs.first()));
    let written = |pair: Option<&Pair>| pair.map_or(0, |pair| pair.mod_revision);
    if let Some(fence) = fence
        && found.next().flatten().is_none_or(|pair| pair.create_revision != fence.epoch)
    {
        return Outcome::Refused(KvError::Fenced { election: fence.election.clone(), epoch: fence.epoch });
    }
    if let Some(turn) = turn {
        let revision = written(found.next().flatten());
        if revision != turn {
            return Outcome::Overtaken(revision);
        }
    }
    let differs = compared.iter().zip(found).find(|((_, revision), found)| written(*found) != *revision);
    let key = differs.map(|((key, _), _)| *key).or(compared.first().map(|(key, _)| *key));
    Outcome::Refused(KvError::Conflict { key: key.unwrap_or_default().to_owned() })
}
