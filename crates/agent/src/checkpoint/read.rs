//! Records, as an earlier life of the agent left them.

use agent_core::Recovered;
use base::Uuid;
use proto::{internal, v0, v1};
use store::Record;

use super::tree::{self, Tree};
use super::{
    AGENT_KEY, BOOT_KEY, DRAIN_KEY, EXECUTORS, FORMAT, FORMAT_KEY, FRAMEWORKS, OPERATIONS, PAST, PROGRESS,
    RESOURCES_KEY, TASKS, VERSION_KEY,
};
use crate::boot::Boot;
use crate::convert::operation_from_proto;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// For the core.
    pub(crate) recovered: Recovered,
    /// How the agent described itself then.
    pub(crate) info: Option<v0::SlaveInfo>,
    /// The life of the machine then.
    pub(crate) boot: Option<Boot>,
    /// The version of the records, if it is not this one.
    pub(crate) other_format: Option<String>,
    /// Records that make no sense, by key, and why.
    pub(crate) unreadable: Vec<(String, String)>,
}

/// Reads all records. One that makes no sense costs nothing but itself, and neither does one that a later version wrote and
/// that this one does not know.
pub(crate) fn read(records: Vec<Record>) -> Memory {
    let mut memory = Memory::default();
    let (mut resources, mut version) = (None, None);
    let mut tree = Tree::default();
    for (key, value) in records {
        let taken = match key.as_str() {
            FORMAT_KEY => {
                let found = String::from_utf8_lossy(&value).into_owned();
                memory.other_format = (found != FORMAT).then_some(found);
                Ok(())
            }
            AGENT_KEY => agent(&mut memory, &value),
            RESOURCES_KEY => checkpointed(&value).map(|found| resources = Some(found)),
            VERSION_KEY => match Uuid::from_slice(&value) {
                Some(found) => {
                    version = Some(found);
                    Ok(())
                }
                None => Err("it is no UUID".to_owned()),
            },
            DRAIN_KEY => tree::drain(&value).map(|drain| memory.recovered.drain = Some(drain)),
            BOOT_KEY => {
                memory.boot = Some(Boot::read(&value));
                Ok(())
            }
            name if name.starts_with(OPERATIONS) => take_operation(&mut memory, &value),
            name if name.starts_with(FRAMEWORKS) => tree.framework(name, &value),
            name if name.starts_with(EXECUTORS) => tree.executor(name, &value),
            name if name.starts_with(TASKS) => tree.task(name, &value),
            name if name.starts_with(PROGRESS) => tree.progress(name, &value),
            name if name.starts_with(PAST) => {
                tree::past(name, &value).map(|past| memory.recovered.past.push(past))
            }
            _ => Err("nobody knows what it is".to_owned()),
        };
        if let Err(reason) = taken {
            memory.unreadable.push((key, reason));
        }
    }
    memory.recovered.frameworks = tree.build(&mut memory.unreadable);
    // Without the name of their state everything that assumes it is refused, which is safe.
    let version = version.unwrap_or(Uuid::from_bytes([0; 16]));
    memory.recovered.resources = resources.map(|resources| (resources, version));
    memory
}

fn agent(memory: &mut Memory, value: &[u8]) -> Result<(), String> {
    let info: v0::SlaveInfo = decode(value)?;
    let id = info.id.as_ref().ok_or("it has no id")?;
    memory.recovered.agent_id = Some(id.value.as_str().into());
    memory.info = Some(info);
    Ok(())
}

fn checkpointed(value: &[u8]) -> Result<resources::Resources, String> {
    let message: internal::CheckpointResourcesMessage = decode(value)?;
    wire::resources_from_proto(&message.resources).map_err(|error| error.to_string())
}

fn take_operation(memory: &mut Memory, value: &[u8]) -> Result<(), String> {
    let message: v1::Operation = decode(value)?;
    let operation = operation_from_proto(&message)?;
    let asked = wire::operation_from_proto(&message.info).map_err(|error| error.to_string());
    memory.recovered.operations.push((operation, asked));
    Ok(())
}

pub(super) fn decode<M: proto::Message + proto::Described + Default>(value: &[u8]) -> Result<M, String> {
    proto::decode(value).map_err(|error| crate::report(&error))
}
