//! Every message type behind one shape, so that a test can go over all of them or pick one by name.

use proto::table::MessageTable;
use proto::{Described, FullName, Message};

/// What can be done with a message type whose name is known at run time only.
pub(crate) struct Codec {
    pub(crate) full_name: &'static str,
    pub(crate) table: &'static MessageTable,
    /// Decodes and encodes again.
    pub(crate) recode: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Decodes and writes as JSON.
    pub(crate) to_json: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Reads JSON and encodes.
    pub(crate) from_json: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Writes as JSON without decoding.
    pub(crate) transcode: fn(&[u8]) -> Result<Vec<u8>, String>,
}

impl Codec {
    fn of<M: Message + Default + Described>() -> Self {
        Self {
            full_name: M::FULL_NAME,
            table: M::table(),
            recode: |bytes| {
                proto::decode::<M>(bytes).map(|m| proto::encode(&m)).map_err(|error| error.to_string())
            },
            to_json: |bytes| {
                proto::decode::<M>(bytes).map(|m| proto::json::to_vec(&m)).map_err(|e| e.to_string())
            },
            from_json: |text| {
                proto::json::from_slice::<M>(text)
                    .map(|m| proto::encode(&m))
                    .map_err(|error| error.to_string())
            },
            transcode: |bytes| {
                let mut out = Vec::new();
                proto::json::transcode::<M>(bytes, &mut out).map(|()| out).map_err(|error| error.to_string())
            },
        }
    }
}

/// All message types.
pub(crate) fn all() -> Vec<Codec> {
    macro_rules! codecs {
        ($($message:ty,)*) => { vec![$(Codec::of::<$message>()),*] };
    }
    proto::for_each_message!(codecs)
}

/// The message type of this full name.
pub(crate) fn named(full_name: &str) -> Codec {
    all()
        .into_iter()
        .find(|codec| codec.full_name == full_name)
        .unwrap_or_else(|| panic!("no message {full_name}"))
}

#[test]
fn tables_and_types_agree() {
    let codecs = all();
    assert_eq!(codecs.len(), proto::table::messages().len());
    for codec in codecs {
        assert_eq!(codec.full_name, codec.table.full_name);
    }
    assert_eq!(proto::internal::PongSlaveMessage::FULL_NAME, "mesos.internal.PongSlaveMessage");
}
