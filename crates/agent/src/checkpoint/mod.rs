//! What the agent remembers over its own death, as records of the store.
//!
//! A record is a message of Mesos' where there is one that says the same. The keys:
//!
//! | key | record |
//! | --- | --- |
//! | `format` | the version of all that follows, in decimal |
//! | `agent` | `SlaveInfo`, with the agent's id |
//! | `resources` | `CheckpointResourcesMessage`: dynamic reservations and persistent volumes |
//! | `resource_version` | 16 bytes that name the state of the resources |
//! | `operations/UUID` | `Operation`, with its statuses |

mod read;
mod write;

pub use read::UnreadableError;
pub(crate) use read::{Memory, read};
pub(crate) use write::encode;

/// The version of the records.
const FORMAT: &str = "1";

const FORMAT_KEY: &str = "format";
const AGENT_KEY: &str = "agent";
const RESOURCES_KEY: &str = "resources";
const VERSION_KEY: &str = "resource_version";
const OPERATIONS: &str = "operations/";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agent_core::{Operation, OperationState, OperationUpdate, Write};
    use base::{Payload, Uuid};
    use proto::v1;
    use resources::{Reservation, Resources, Role};
    use store::{Batch, Record};

    use super::*;
    use crate::convert::SelfDescription;

    fn own() -> SelfDescription {
        SelfDescription {
            process: "slave(1)".into(),
            pid: "slave(1)@127.0.0.1:5051".into(),
            hostname: "host".to_owned(),
            ip: "127.0.0.1".parse().expect("an address"),
            port: 5051,
            resources: Resources::parse("cpus:1;disk:100").expect("well formed"),
            attributes: Vec::new(),
            domain: None,
        }
    }

    fn records(writes: Vec<Write>) -> Vec<Record> {
        let mut batch = Batch::new();
        for write in writes {
            encode(write, &own(), &mut batch);
        }
        batch.iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_vec()))).collect()
    }

    fn operation() -> Operation {
        let reserve = v1::offer::Operation {
            r#type: Some(v1::offer::operation::Type::Reserve.into()),
            id: Some("op".into()),
            reserve: Some(v1::offer::operation::Reserve::default()),
            ..Default::default()
        };
        Operation {
            update: OperationUpdate {
                framework_id: Some("f".into()),
                agent_id: "S0".into(),
                operation_id: Some("op".into()),
                operation_uuid: Uuid::from_bytes([1; 16]),
                state: OperationState::Failed,
                message: Some("why".into()),
                status_uuid: Some(Uuid::from_bytes([2; 16])),
            },
            body: Payload::from(proto::encode(&reserve)),
        }
    }

    fn all() -> (Resources, Vec<Record>) {
        let checkpointed = Resources::parse("disk:10")
            .expect("well formed")
            .map(|disk| disk.clone().reserved_by(Reservation::dynamic(Role::from("r"), None)));
        let writes = vec![
            Write::Agent(Some("S0".into())),
            Write::Resources { checkpointed: checkpointed.clone(), version: Uuid::from_bytes([3; 16]) },
            Write::Operation(Arc::new(operation())),
        ];
        (checkpointed, records(writes))
    }

    #[test]
    fn what_is_written_is_read() {
        let (checkpointed, records) = all();
        let Memory { recovered, info, unreadable } = read(records).expect("our format");
        assert_eq!(unreadable, []);
        assert_eq!(recovered.agent_id, Some("S0".into()));
        assert_eq!(info.map(|info| info.hostname), Some("host".to_owned()));
        assert_eq!(recovered.resources, Some((checkpointed, Uuid::from_bytes([3; 16]))));
        let [(found, Ok(resources::Operation::Reserve { .. }))] = &recovered.operations[..] else {
            panic!("{:?}", recovered.operations)
        };
        assert_eq!(*found, operation());
    }

    /// Whatever a record has become, it costs itself and no more.
    #[test]
    fn a_record_that_makes_no_sense_costs_itself_only() {
        let (_, records) = all();
        for damaged in 0..records.len() {
            let mut records = records.clone();
            let key = records[damaged].0.clone();
            if key == FORMAT_KEY {
                continue;
            }
            records[damaged].1 = b"\xff\xff\xffnonsense".to_vec();
            records.push(("operations/nonsense".to_owned(), Vec::new()));
            records.push(("unknown".to_owned(), Vec::new()));
            let Memory { recovered, unreadable, .. } = read(records).expect("our format");
            let keys: Vec<&str> = unreadable.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(keys, [key.as_str(), "operations/nonsense", "unknown"]);
            let kept = [
                recovered.agent_id.is_some(),
                recovered.resources.is_some(),
                !recovered.operations.is_empty(),
            ];
            // Only the name of the resources' state is no loss: another is given to it.
            let lost = usize::from(key != VERSION_KEY);
            assert_eq!(kept.iter().filter(|kept| !**kept).count(), lost, "{key}");
        }
    }

    #[test]
    fn records_of_a_later_version_are_left_alone() {
        let error = read(vec![("format".to_owned(), b"9".to_vec())]).expect_err("not ours");
        assert!(error.to_string().contains("version 9"), "{error}");
    }

    #[test]
    fn a_new_agent_forgets_the_old_ones_name() {
        let found = records(vec![Write::Agent(Some("S0".into())), Write::Agent(None)]);
        assert_eq!(read(found).expect("our format").recovered.agent_id, None);
    }
}
