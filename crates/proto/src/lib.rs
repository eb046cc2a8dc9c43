//! The messages of Mesos: generated types, their protobuf and JSON forms, and the framing of streams.
//!
//! The `.proto` files under `proto/` list every message of `mesos.v1` and `mesos.internal`; the types are generated at
//! build time. [`decode`] and [`encode`] are the protobuf form, with the check of required fields that proto2 asks for;
//! [`json`] is the JSON form as Mesos writes and reads it; [`recordio`] frames the records of a stream.
//!
//! ```
//! use proto::v1::{FrameworkInfo, scheduler};
//!
//! let call = scheduler::Call {
//!     r#type: Some(scheduler::call::Type::Subscribe.into()),
//!     subscribe: Some(scheduler::call::Subscribe {
//!         framework_info: FrameworkInfo { user: "root".into(), name: "example".into(), ..Default::default() },
//!         ..Default::default()
//!     }),
//!     ..Default::default()
//! };
//! let bytes = proto::encode(&call);
//! assert_eq!(proto::decode::<scheduler::Call>(&bytes).unwrap(), call);
//!
//! let text = proto::json::to_string(&call);
//! assert!(text.starts_with(r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root""#));
//! assert_eq!(
//!     proto::json::from_slice::<scheduler::Call>(br#"{"type":"SUBSCRIBE","subscribe":{}}"#).unwrap_err().to_string(),
//!     "Missing required fields: subscribe.framework_info"
//! );
//! ```

mod codec;
mod convenience;
mod generated;
pub mod json;
mod missing;
pub mod recordio;
pub mod table;
mod wire_format;

pub use codec::{DecodeError, decode, encode};
pub use convenience::MapEntry;
pub use generated::google::protobuf as well_known;
pub use generated::mesos::{internal, v0, v1};
pub use prost::Message;
pub use table::{Described, FullName};
