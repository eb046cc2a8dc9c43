//! What the HTTP APIs of master and agent share: media types, bodies with a limit, Mesos' error texts, streams of
//! events, and the loop that serves connections.
//!
//! A handler reads like this: the head says how the body is encoded, the body is read up to a limit and becomes a call,
//! and every failure on the way is an [`ApiError`], which is the answer.
//!
//! ```
//! use axum::{Router, body::Body, http::HeaderMap, response::Response, routing::post};
//! use http_api::{ApiError, decode_call, message, method_not_allowed, not_found, read_body};
//! use http_api::{request_encoding, response_encoding};
//! use proto::v1::master::{Call, Response as Reply, call, response};
//!
//! async fn operator(headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
//!     let encoding = request_encoding(&headers)?;
//!     let accepted = response_encoding(&headers)?;
//!     let bytes = read_body(&headers, body, 64 << 20).await?;
//!     let call: Call = decode_call(encoding, &bytes)?;
//!     match call.r#type() {
//!         call::Type::GetHealth => Ok(message(accepted, &Reply {
//!             r#type: Some(response::Type::GetHealth.into()),
//!             get_health: Some(response::GetHealth { healthy: true }),
//!             ..Default::default()
//!         })),
//!         _ => Err(ApiError::bad_request("Expecting 'type' to be present")),
//!     }
//! }
//!
//! let router: Router = Router::new()
//!     .route("/api/v1", post(operator).fallback(method_not_allowed(&["POST"])))
//!     .fallback(not_found);
//! ```

mod body;
mod call;
mod error;
pub mod files;
mod form;
mod gather;
mod gzip;
mod help;
mod log_files;
mod logging;
mod media;
mod pieces;
mod prometheus;
mod receipts;
mod reply;
mod server;
mod stream;
mod version;

pub use body::{read_body, read_body_within, read_first_record};
pub use call::decode_call;
pub use error::{ApiError, method_not_allowed, not_found};
pub use form::{parse_form, value_of};
pub use gzip::compress;
pub use help::{Help, HelpPage, HelpProcess};
pub use log_files::LogFiles;
pub use logging::Logging;
pub use media::{
    Encoding, RequestBody, ResponseBody, request_body, request_encoding, response_body, response_encoding,
};
pub use pieces::{Answer, Piece, Pieces, TOTAL};
pub use prometheus::{Exposition, Histogram, Latencies};
pub use receipts::{Receipt, Receipts};
pub use reply::{accepted, json_text, message, message_answer, ok, typed_json, with_jsonp};
pub use server::{Admitted, HangUp, Peer, ServeOptions, Shutdown, serve, serve_behind, serve_connection};
pub use stream::{EventStream, MESOS_STREAM_ID};
pub use version::{MESOS_VERSION, VERSION, Version};
