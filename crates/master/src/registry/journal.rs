//! Writes that no store takes at once. They are written down in pieces beside the registry, then declared whole, and only then
//! made. A master that ends in the middle leaves nothing of such a write, or all of it, which the next one makes.

use store::kv::{Entry, Expect, Fence, KeyValue, Limits, Op, Transaction};

use super::RegistryError;

/// Pieces by their numbers, and [`WHOLE`].
pub(super) const JOURNAL: &str = "journal/";

/// How many pieces there are. As long as it is there, they are to be made.
const WHOLE: &str = "journal/whole";

/// What an operation takes in a piece beside its key and its value, in bytes, and what a piece takes itself.
const FRAME: usize = 16;

/// How much of a large write one transaction may hold, so that a piece holds it, too.
pub(super) fn limits_of_parts(limits: Limits) -> Limits {
    Limits { ops: limits.ops, bytes: limits.bytes.saturating_sub((limits.ops + 2) * FRAME).max(1) }
}

/// What makes one write of several transactions.
pub(super) fn as_one(parts: Vec<Transaction>) -> Vec<Transaction> {
    let count = parts.len();
    let mut steps: Vec<Transaction> = parts
        .iter()
        .enumerate()
        .map(|(number, part)| Transaction::new().put(piece(number), encode(part), Expect::Anything))
        .collect();
    steps.push(Transaction::new().put(WHOLE, count.to_string(), Expect::Anything));
    steps.extend(parts);
    steps.extend(erased(count));
    steps
}

fn piece(number: usize) -> String {
    format!("{JOURNAL}{number:06}")
}

/// In this order: pieces without a declaration are nothing.
fn erased(pieces: usize) -> impl Iterator<Item = Transaction> {
    let keys = std::iter::once(WHOLE.to_owned()).chain((0..pieces).map(piece));
    keys.map(|key| Transaction::new().remove(key, Expect::Anything))
}

/// Makes the write that is declared whole, if there is one, and removes what is left of one that is not.
pub(super) async fn finish(
    store: &dyn KeyValue,
    entries: &[Entry],
    fence: Option<&Fence>,
) -> Result<(), RegistryError> {
    let wrong =
        |key: &str| RegistryError::Value { key: key.to_owned(), why: "it is no piece of a write".to_owned() };
    let mut steps = Vec::new();
    if let Some(whole) = entries.iter().find(|entry| entry.key == WHOLE) {
        let text = std::str::from_utf8(&whole.value).ok();
        let count: usize = text.and_then(|text| text.parse().ok()).ok_or_else(|| wrong(WHOLE))?;
        for number in 0..count {
            let key = piece(number);
            let entry = entries.iter().find(|entry| entry.key == key);
            steps.push(entry.and_then(|entry| decode(&entry.value)).ok_or_else(|| wrong(&key))?);
        }
        tracing::info!("making the write of {count} transactions that the last master has left");
        steps.extend(erased(count));
    }
    // Also pieces with higher numbers: of an earlier write that came to nothing.
    let left = entries.iter().filter(|entry| !steps.iter().any(|step| names(step, &entry.key)));
    let left: Vec<Transaction> =
        left.map(|entry| Transaction::new().remove(&entry.key, Expect::Anything)).collect();
    steps.extend(left);
    store.commit_all(&steps, fence).await.map_err(|failed| failed.error)?;
    Ok(())
}

fn names(step: &Transaction, key: &str) -> bool {
    step.ops().iter().any(|op| matches!(op, Op::Remove { key: removed, .. } if removed == key))
}

/// Each operation as its key and, if it puts one, its value; with their lengths in front.
fn encode(part: &Transaction) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut text = |text: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(text);
    };
    for op in part.ops() {
        match op {
            Op::Put { key, value, .. } => {
                text(key.as_bytes());
                text(b"+");
                text(value);
            }
            Op::Remove { key, .. } => {
                text(key.as_bytes());
                text(b"-");
            }
            // The registry's writes demand nothing.
            Op::Check { .. } => {}
        }
    }
    bytes
}

fn decode(mut bytes: &[u8]) -> Option<Transaction> {
    let mut part = Transaction::new();
    while !bytes.is_empty() {
        let key = String::from_utf8(take(&mut bytes)?.to_vec()).ok()?;
        part = match take(&mut bytes)? {
            b"+" => part.put(key, take(&mut bytes)?, Expect::Anything),
            b"-" => part.remove(key, Expect::Anything),
            _ => return None,
        };
    }
    Some(part)
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (taken, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_as_they_were_written() {
        let part = Transaction::new()
            .put("weights/a", b"\0\xff".to_vec(), Expect::Anything)
            .remove("weights/ä", Expect::Anything)
            .put("weights/b", "", Expect::Anything);
        let bytes = encode(&part);
        assert_eq!(decode(&bytes), Some(part));
        for end in 1..bytes.len() {
            assert_ne!(decode(&bytes[..end]).map(|part| part.ops().len()), Some(3), "cut off after {end}");
        }
    }
}
