//! What the agent remembers over its own death, as records of the store.
//!
//! A record is a message of Mesos' where there is one that says the same. A key means the same for ever: a version that wants
//! to say something else gives it another key, so that an earlier one can tell what it knows from what it does not. The
//! keys:
//!
//! | key | record |
//! | --- | --- |
//! | `format` | the version of all that follows, in decimal |
//! | `agent` | `SlaveInfo`, with the agent's id |
//! | `resources` | `CheckpointResourcesMessage`: dynamic reservations and persistent volumes |
//! | `resource_version` | 16 bytes that name the state of the resources |
//! | `operations/UUID` | `Operation`, with its statuses |
//! | `frameworks/ID` | one that checkpoints; this and what follows is in `messages` |
//! | `executors/FRAMEWORK/ID` | its executors |
//! | `tasks/FRAMEWORK/ID` | their tasks |
//! | `progress/FRAMEWORK/ID` | how far each has come, and what of that is not acknowledged |
//! | `drain` | the drain that is on |
//! | `past/NUMBER` | a task, an executor or a framework that is over; later ones have greater numbers |
//! | `boot_id` | in which life of the machine all that was written, and in further lines the containers that ended with the one before |

mod messages;
mod read;
mod tree;
mod write;

pub(crate) use read::{Memory, read};
pub(crate) use write::{encode, forget};

/// The version of the records.
pub(crate) const FORMAT: &str = "1";

const FORMAT_KEY: &str = "format";
const AGENT_KEY: &str = "agent";
const RESOURCES_KEY: &str = "resources";
const VERSION_KEY: &str = "resource_version";
/// The life of the machine, as the kernel names it.
pub(crate) const BOOT_KEY: &str = "boot_id";
const DRAIN_KEY: &str = "drain";
const OPERATIONS: &str = "operations/";
const FRAMEWORKS: &str = "frameworks/";
const EXECUTORS: &str = "executors/";
const TASKS: &str = "tasks/";
const PROGRESS: &str = "progress/";
const PAST: &str = "past/";

/// A key of several names, whatever is in them.
fn key(kind: &str, names: &[&str]) -> String {
    let mut key = kind.to_owned();
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            key.push('/');
        }
        for character in name.chars() {
            match character {
                '%' => key.push_str("%25"),
                '/' => key.push_str("%2F"),
                other => key.push(other),
            }
        }
    }
    key
}

/// The key of something that is over; in the order of the numbers.
fn past_key(number: u64) -> String {
    format!("{PAST}{number:020}")
}

/// Whether a record is of no use to an agent with another id.
pub(crate) fn belongs_to_agent(key: &str) -> bool {
    ![FORMAT_KEY, RESOURCES_KEY, VERSION_KEY, BOOT_KEY].contains(&key)
}

#[cfg(test)]
mod tests;
