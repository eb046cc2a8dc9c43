//! Requests that are wrong in some way, and what Mesos answers to each: the status, and a line that says why.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::http::{self, Request};
use crate::recording;
use crate::scenarios::Target;

/// What the recording of a request shows of one answer at most, in bytes.
const RECORDED: usize = 300;

/// A request and the recorded answer.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name in the recording.
    pub name: String,
    to_agent: bool,
    request: Request,
    status: u16,
    text: Option<String>,
}

/// All recorded cases.
pub fn cases() -> Result<Vec<Case>> {
    let lines = recording::lines(recording::WRONG_REQUESTS)?;
    lines.iter().map(|line| case(line).with_context(|| line.to_string())).collect()
}

fn case(line: &Value) -> Result<Case> {
    let text = |field: &str| line[field].as_str().map(str::to_owned);
    let mut request = Request {
        method: text("method").context("no method")?,
        path: text("path").context("no path")?,
        headers: Vec::new(),
        body: body(line)?,
    };
    for (name, value) in line["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().context("a header that is no text")?);
    }
    Ok(Case {
        name: text("case").context("no name")?,
        to_agent: line["to"] == "agent",
        request,
        status: line["status"].as_u64().and_then(|s| s.try_into().ok()).context("no status")?,
        text: text("text"),
    })
}

fn body(line: &Value) -> Result<Option<Vec<u8>>> {
    if let Some(encoded) = line["body_base64"].as_str() {
        return Ok(Some(STANDARD.decode(encoded)?));
    }
    let Some(text) = line["body"].as_str() else { return Ok(None) };
    // Long bodies are written short.
    let padding = line["padding"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0);
    Ok(Some(text.replace("{padding}", &"x".repeat(padding)).into_bytes()))
}

/// Sends a case and says how the answer differs from the recorded one.
pub fn differences(case: &Case, target: &Target) -> Vec<String> {
    let address = if case.to_agent { &target.agent } else { &target.master };
    match answer(address, &case.request) {
        Err(failed) => vec![format!("{}: no answer: {failed:#}", case.name)],
        Ok((status, text)) => case.compare(status, &text),
    }
}

impl Case {
    fn compare(&self, status: u16, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        if status != self.status {
            found.push(format!("{}: status {status} ('{text}'), expected {}", self.name, self.status));
        }
        match &self.text {
            Some(expected) if expected != text => {
                found.push(format!("{}: text '{text}', expected '{expected}'", self.name));
            }
            _ => {}
        }
        found
    }
}

/// Status and text; a stream that was opened has no text, it would not end.
fn answer(address: &str, request: &Request) -> Result<(u16, String)> {
    let timeout = Duration::from_secs(40);
    let (head, body) = http::open(address, request, Some(timeout))?;
    if head.status == 200 && head.is_chunked() {
        return Ok((200, String::new()));
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(body, RECORDED as u64), &mut bytes)?;
    Ok((head.status, String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_read_whole() {
        let cases = cases().unwrap();
        let find = |name: &str| cases.iter().find(|c| c.name == name).unwrap();
        assert_eq!(find("op-big").request.body.as_ref().map(Vec::len), Some((1 << 20) + 33));
        assert_eq!(find("sched-bad-protobuf").request.body.as_deref(), Some(&[0xff; 4][..]));
        assert!(find("a-exec-get").to_agent);
        assert_eq!(find("sched-get").status, 405);
    }

    #[test]
    fn another_status_and_another_text_are_told() {
        let case = cases().unwrap().remove(0);
        let expected = case.text.clone().unwrap();
        assert_eq!(case.compare(405, &expected), Vec::<String>::new());
        assert_eq!(case.compare(404, &expected).len(), 1);
        assert_eq!(case.compare(405, "no").len(), 1);
    }
}
