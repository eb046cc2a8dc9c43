//! Transactions.

use serde_json::json;

use super::Shared;
use super::call::Kind;
use super::wire::{Txn, TxnAnswer, encode};
use crate::kv::{Expect, Fence, KvError, Op, Transaction, Version};

pub(super) async fn commit(
    shared: &Shared,
    transaction: &Transaction,
    fence: Option<&Fence>,
) -> Result<Vec<Version>, KvError> {
    if transaction.ops.is_empty() && fence.is_none() {
        return Ok(Vec::new());
    }
    let mut txn = Txn::default();
    if let Some(fence) = fence {
        let key = encode(fence.place.as_bytes());
        txn.compare.push(json!({
            "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": fence.epoch.to_string(),
        }));
        txn.failure.push(json!({ "request_range": { "key": key } }));
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
            txn.compare.push(json!({
                "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string(),
            }));
            // To know which one was not as expected.
            txn.failure.push(json!({ "request_range": { "key": key } }));
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
    if !answer.succeeded {
        return Err(refusal(&answer, fence, &compared));
    }
    let puts = transaction.ops.iter().filter(|op| matches!(op, Op::Put { .. })).count();
    Ok(vec![Version(answer.header.revision); puts])
}

/// What was not as expected.
fn refusal(answer: &TxnAnswer, fence: Option<&Fence>, compared: &[(&str, u64)]) -> KvError {
    let mut found =
        answer.responses.iter().map(|part| part.response_range.as_ref().and_then(|r| r.kvs.first()));
    if let Some(fence) = fence
        && found.next().flatten().is_none_or(|pair| pair.create_revision != fence.epoch)
    {
        return KvError::Fenced { election: fence.election.clone(), epoch: fence.epoch };
    }
    let differs = compared
        .iter()
        .zip(found)
        .find(|((_, revision), found)| found.map_or(0, |pair| pair.mod_revision) != *revision);
    let key = differs.map(|((key, _), _)| *key);
    KvError::Conflict { key: key.or(compared.first().map(|(key, _)| *key)).unwrap_or_default().to_owned() }
}
