//! Calls of the operator API, in both of its encodings.

use std::net::SocketAddr;

use proto::v1::agent::{Call, Response, call};

use super::exchange;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A call without a part.
pub fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Default::default() }
}

/// Makes a call in JSON and in protobuf; both are answered the same. The status and what was said where it is refused.
pub async fn ask(agent: SocketAddr, call: &Call) -> Result<Response, (u16, String)> {
    let in_json = send(agent, JSON, &proto::json::to_vec(call)).await;
    let in_protobuf = send(agent, PROTOBUF, &proto::encode(call)).await;
    match (in_json, in_protobuf) {
        // Done, and nothing to say.
        (Ok(one), Ok(other)) if one.is_empty() && other.is_empty() => Ok(Response::default()),
        (Ok(one), Ok(other)) => {
            let one: Response = proto::json::from_slice(&one).expect("an answer in JSON");
            let other: Response = proto::decode(&other).expect("an answer in protobuf");
            // In JSON what has a default is always there.
            assert_eq!(
                proto::json::to_string(&timeless(&one)),
                proto::json::to_string(&timeless(&other)),
                "{call:?}"
            );
            Ok(other)
        }
        (Err(one), Err(other)) => {
            assert_eq!(one, other, "{call:?}");
            Err(one)
        }
        (one, other) => panic!("{call:?} is answered by {one:?} and by {other:?}"),
    }
}

/// Without what is not the same a moment later.
fn timeless(answer: &Response) -> Response {
    let mut answer = answer.clone();
    for metric in answer.get_metrics.iter_mut().flat_map(|part| &mut part.metrics) {
        assert!(metric.value.take().is_some(), "{}", metric.name);
    }
    for container in answer.get_containers.iter_mut().flat_map(|part| &mut part.containers) {
        container.resource_statistics = None;
    }
    answer
}

/// A call that must be answered.
pub async fn answer(agent: SocketAddr, call: &Call) -> Response {
    ask(agent, call).await.unwrap_or_else(|refused| panic!("{call:?}: {refused:?}"))
}

async fn send(agent: SocketAddr, kind: &str, body: &[u8]) -> Result<Vec<u8>, (u16, String)> {
    let (status, head, body) = post(agent, &[("Content-Type", kind), ("Accept", kind)], body).await;
    if status != 200 {
        return Err((status, String::from_utf8_lossy(&body).into_owned()));
    }
    assert!(body.is_empty() || head.contains(&format!("content-type: {kind}")), "{head}");
    Ok(body)
}

/// A call with any headers: the status, the head in lower case, and the body.
pub async fn post(agent: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Vec<u8>) {
    exchange(agent, "POST", "/api/v1", headers, body).await
}
