//! Transactions as ZooKeeper's `multi`.

use futures_util::future::join_all;
use zookeeper_client::{Client, CreateMode, Error, MultiWriteError, MultiWriteResult, MultiWriter};

use super::{Shared, version};
use crate::kv::{Expect, Fence, KvError, Op, Transaction, Version, entry};

/// How often a transaction is made anew because others changed what it does not look at.
const ATTEMPTS: u32 = 20;

/// What an operation of a request stands for.
#[derive(Clone, Copy)]
enum Part {
    Fence,
    Op(usize),
}

pub(super) async fn commit(
    shared: &Shared,
    transaction: &Transaction,
    fence: Option<&Fence>,
) -> Result<Vec<Version>, KvError> {
    if transaction.ops.is_empty() && fence.is_none() {
        return Ok(Vec::new());
    }
    for _ in 0..ATTEMPTS {
        let client = shared.session.client().await;
        if let Some(versions) = attempt(shared, &client, transaction, fence).await? {
            return Ok(versions);
        }
    }
    Err(shared.session.error(&Error::Throttled))
}

/// One attempt; `None` if it is worth another one.
async fn attempt(
    shared: &Shared,
    client: &Client,
    transaction: &Transaction,
    fence: Option<&Fence>,
) -> Result<Option<Vec<Version>>, KvError> {
    let there = present(shared, client, transaction).await?;
    let mut writer = client.new_multi_writer();
    let parts = fill(shared, &mut writer, transaction, &there, fence)?;
    let (index, error) = match writer.commit().await {
        Ok(results) => return Ok(Some(versions(&results, &parts, transaction))),
        Err(MultiWriteError::RequestFailed { source }) => return Err(shared.session.error(&source)),
        Err(MultiWriteError::OperationFailed { index, source }) => (index, source),
    };
    let op = match (parts.get(index), fence) {
        (Some(Part::Fence), Some(fence)) if matches!(error, Error::NoNode | Error::BadVersion) => {
            return Err(KvError::Fenced { election: fence.election.clone(), epoch: fence.epoch });
        }
        (Some(Part::Op(op)), _) => transaction.ops.get(*op),
        _ => None,
    };
    let Some(op) = op else { return Err(shared.session.error(&error)) };
    let conflict = || Err(KvError::Conflict { key: op.key().to_owned() });
    match (error, op.expect()) {
        (Error::BadVersion, _)
        | (Error::NodeExists, Expect::Absent)
        | (Error::NoNode, Expect::Version(_)) => conflict(),
        // A table that nobody has written to yet.
        (Error::NoNode, _) if !there.contains(&op.key()) => {
            let (table, _) = entry::split(op.key())?;
            let options = shared.nodes.create(CreateMode::Persistent);
            let made = client.mkdir(&shared.nodes.of_table(table), &options).await;
            made.map_err(|error| shared.session.error(&error))?;
            Ok(None)
        }
        // Somebody made it or removed it meanwhile.
        (Error::NodeExists | Error::NoNode, _) => Ok(None),
        (error, _) => Err(shared.session.error(&error)),
    }
}

/// Which keys are there, of those that may be or not: ZooKeeper makes and changes nodes by different operations.
async fn present<'a>(
    shared: &Shared,
    client: &Client,
    transaction: &'a Transaction,
) -> Result<Vec<&'a str>, KvError> {
    let open = transaction.ops.iter().filter(|op| op.expect() == Expect::Anything && !is_check(op));
    let looks = open.map(|op| async move {
        let stat = client.check_stat(&shared.nodes.of_key(op.key())?).await;
        let stat = stat.map_err(|error| shared.session.error(&error))?;
        Ok(stat.is_some().then_some(op.key()))
    });
    let found: Result<Vec<Option<&str>>, KvError> = join_all(looks).await.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

fn is_check(op: &Op) -> bool {
    matches!(op, Op::Check { .. })
}

fn fill(
    shared: &Shared,
    writer: &mut MultiWriter<'_>,
    transaction: &Transaction,
    there: &[&str],
    fence: Option<&Fence>,
) -> Result<Vec<Part>, KvError> {
    let failed = |error: Error| shared.session.error(&error);
    let create = shared.nodes.create(CreateMode::Persistent);
    let mut parts = Vec::new();
    if let Some(fence) = fence {
        // A candidate's node goes with its session or its resignation, and is never written to.
        writer.add_check_version(&fence.place, 0).map_err(failed)?;
        parts.push(Part::Fence);
    }
    let there: std::collections::BTreeSet<&str> = there.iter().copied().collect();
    for (number, op) in transaction.ops.iter().enumerate() {
        let node = shared.nodes.of_key(op.key())?;
        let known = match op.expect() {
            Expect::Version(version) => Some(u32::try_from(version.0).unwrap_or(u32::MAX).cast_signed()),
            _ => None,
        };
        let count = match op {
            Op::Check { expect: Expect::Absent, .. } => {
                // There is no operation for this: what can be made was not there.
                writer.add_create(&node, b"", &create).map_err(failed)?;
                writer.add_delete(&node, None).map_err(failed)?;
                2
            }
            Op::Check { .. } => {
                let Some(version) = known else { continue };
                writer.add_check_version(&node, version).map_err(failed)?;
                1
            }
            Op::Put { value, .. } if known.is_some() || there.contains(op.key()) => {
                writer.add_set_data(&node, value, known).map_err(failed)?;
                1
            }
            Op::Put { value, .. } => {
                writer.add_create(&node, value, &create).map_err(failed)?;
                1
            }
            Op::Remove { expect: Expect::Absent, .. } => {
                writer.add_create(&node, b"", &create).map_err(failed)?;
                writer.add_delete(&node, None).map_err(failed)?;
                2
            }
            Op::Remove { .. } if known.is_some() || there.contains(op.key()) => {
                writer.add_delete(&node, known).map_err(failed)?;
                1
            }
            Op::Remove { .. } => 0,
        };
        parts.extend(std::iter::repeat_n(Part::Op(number), count));
    }
    Ok(parts)
}

/// The new versions of what was put.
fn versions(results: &[MultiWriteResult], parts: &[Part], transaction: &Transaction) -> Vec<Version> {
    let mut versions = Vec::new();
    for (result, part) in results.iter().zip(parts) {
        let Part::Op(number) = part else { continue };
        if !matches!(transaction.ops.get(*number), Some(Op::Put { .. })) {
            continue;
        }
        match result {
            MultiWriteResult::SetData { stat } => versions.push(version(stat.version)),
            // A node begins with 0; what the server says here is wrong in some versions.
            MultiWriteResult::Create { .. } => versions.push(Version(0)),
            _ => {}
        }
    }
    versions
}
