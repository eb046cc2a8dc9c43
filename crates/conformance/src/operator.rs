//! What an operator asks of a master, by hand: calls of the operator API, and forms of the older endpoints.

use std::fmt::Write;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{self, Request, Response};

const LIMIT: Duration = Duration::from_secs(60);

/// Makes a call of the operator API; `fields` is the part that is named after it.
pub fn call(address: &str, kind: &str, fields: &Value) -> io::Result<Response> {
    let mut call = json!({"type": kind});
    if !fields.is_null() {
        call[kind.to_lowercase()] = fields.clone();
    }
    http::send(address, &Request::json("/api/v1", &call), LIMIT)
}

/// Posts a form to an older endpoint.
pub fn form(address: &str, path: &str, fields: &[(&str, &str)]) -> io::Result<Response> {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let request = Request { method: "POST".into(), path: path.into(), ..Request::default() };
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    http::send(address, &request.body(pairs.join("&").into_bytes()), LIMIT)
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Waits until agents have done what operators have ordered: that a call was accepted says only that it was passed on.
///
/// # Errors
/// If something is under way still after a long time, or the master does not answer.
pub fn wait_until_done(address: &str) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer: Value = serde_json::from_slice(&call(address, "GET_OPERATIONS", &Value::Null)?.body)?;
        let operations = answer["get_operations"]["operations"].as_array().cloned().unwrap_or_default();
        if operations.iter().all(|one| one["latest_status"]["state"] != "OPERATION_PENDING") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("under way still: {operations:?}")));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(escaped("a b=[\"ä\"]"), "a%20b%3D%5B%22%C3%A4%22%5D");
    }
}
