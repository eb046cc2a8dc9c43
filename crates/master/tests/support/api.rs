//! Calls of the operator API, in both of its encodings.

use std::net::SocketAddr;

use proto::v1::master::{Call, Response, call};

use super::http::{Answer, request};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A call without a part.
pub fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Default::default() }
}

/// Makes a call that reads, in JSON and in protobuf; both have to be answered, and the same.
pub async fn ask(master: SocketAddr, call: &Call) -> Response {
    let in_json = send(master, JSON, &proto::json::to_vec(call)).await;
    let in_protobuf = send(master, PROTOBUF, &proto::encode(call)).await;
    assert_eq!((in_json.status, in_protobuf.status), (200, 200), "{in_json:?} {in_protobuf:?}");
    let one: Response = proto::json::from_slice(&in_json.bytes).unwrap();
    let other: Response = proto::decode(&in_protobuf.bytes).unwrap();
    assert_eq!(other.r#type().as_str_name(), call.r#type().as_str_name());
    // In JSON what has a default is always there.
    assert_eq!(proto::json::to_string(&timeless(&one)), proto::json::to_string(&timeless(&other)));
    other
}

/// Without what is not the same a moment later.
fn timeless(answer: &Response) -> Response {
    let mut answer = answer.clone();
    for metric in answer.get_metrics.iter_mut().flat_map(|part| &mut part.metrics) {
        assert!(metric.value.take().is_some(), "{}", metric.name);
    }
    answer
}

/// Makes a call that changes something, in protobuf; status and text.
pub async fn change(master: SocketAddr, call: &Call) -> (u16, String) {
    let answer = send(master, PROTOBUF, &proto::encode(call)).await;
    (answer.status, answer.body)
}

async fn send(master: SocketAddr, kind: &str, body: &[u8]) -> Answer {
    request(master, "POST", "/api/v1", &[("Content-Type", kind), ("Accept", kind)], body).await
}
