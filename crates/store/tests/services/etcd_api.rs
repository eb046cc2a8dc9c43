//! What an operator asks of an etcd by hand.

use std::net::SocketAddr;

use serde_json::Value;

use crate::services::process::ask;

/// A call of its API, with a token if there is one; it must succeed.
pub(crate) fn post(address: SocketAddr, token: &str, what: &str, body: &Value) -> Value {
    let body = body.to_string();
    let token = if token.is_empty() { String::new() } else { format!("Authorization: {token}\r\n") };
    let head = format!("POST /v3/{what} HTTP/1.0\r\n{token}Content-Length: {}\r\n\r\n", body.len());
    let answer = ask(address, (head + &body).as_bytes()).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(head.contains(" 200 "), "{what}: {answer}");
    serde_json::from_str(body).expect("JSON")
}
