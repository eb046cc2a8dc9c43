//! Where the leading master is, found out by asking.
//!
//! What the operator gives is an address at which some master listens. Masters speak to agents from the address that they
//! advertise, which may be another one, and a standby master knows who leads. Where nobody can be asked, the address that
//! was given is taken as it is; it is asked again while the agent is not registered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::{Input, Pid};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transport::Upid;

use crate::engine::CoreHandle;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Time between questions.
const INTERVAL: Duration = Duration::from_secs(3);
/// How many masters may send us on to another one.
const MAX_REDIRECTS: usize = 3;
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// The address that the operator gave, `host:port`, as a libprocess address.
///
/// # Errors
/// If the name cannot be resolved, or is that of a service that knows the masters.
pub(crate) async fn given(master: &str) -> io::Result<Pid> {
    for (scheme, service) in [("zk://", "ZooKeeper"), ("etcd://", "etcd")] {
        if master.starts_with(scheme) {
            let why = format!(
                "finding masters through {service} is not supported yet; give the address of one, HOST:PORT"
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
    }
    let address = master.split_once('@').map_or(master, |(_, address)| address);
    let mut found = tokio::net::lookup_host(address).await?;
    let first = found.next().ok_or(io::ErrorKind::NotFound)?;
    Ok(Pid::from(format!("master@{first}")))
}

/// Who leads, as the master at that address says; the address itself where nobody says anything.
pub(crate) async fn leading(given: &Pid) -> Pid {
    ask(given).await.unwrap_or_else(|| given.clone())
}

async fn ask(given: &Pid) -> Option<Pid> {
    let mut address = given.as_str().parse::<Upid>().ok()?.address();
    for _ in 0..=MAX_REDIRECTS {
        match tokio::time::timeout(TIMEOUT, ask_one(address)).await.ok()?.ok()?? {
            Answer::Leader(pid) => return Some(pid),
            Answer::Ask(other) => address = other,
        }
    }
    None
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Leader(Pid),
    Ask(SocketAddr),
}

async fn ask_one(address: SocketAddr) -> io::Result<Option<Answer>> {
    const BODY: &str = r#"{"type":"GET_MASTER"}"#;
    let mut stream = TcpStream::connect(address).await?;
    // Version 1.0, so that the answer comes in one piece and ends with the connection.
    let request = format!(
        "POST /api/v1 HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: application/json\r\n\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(understand(&String::from_utf8_lossy(&answer)))
}

fn understand(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    match head.split(' ').nth(1)? {
        "200" => {
            let answer: Value = serde_json::from_str(body).ok()?;
            let pid = answer.pointer("/get_master/master_info/pid")?.as_str()?;
            pid.parse::<Upid>().ok().map(|_| Answer::Leader(Pid::from(pid)))
        }
        "307" => {
            let location = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("location").then(|| value.trim())
            })?;
            let address = location.rsplit_once("//").map_or(location, |(_, address)| address);
            address.split('/').next()?.parse().ok().map(Answer::Ask)
        }
        _ => None,
    }
}

/// Asks again and again while the agent is not registered, and tells the core when another master leads.
pub(crate) async fn watch(given: Pid, mut known: Pid, registered: Arc<AtomicBool>, core: CoreHandle) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if registered.load(Ordering::Relaxed) {
            continue;
        }
        let Some(leader) = ask(&given).await.filter(|leader| *leader != known) else { continue };
        known = leader.clone();
        if core.input(Input::MasterDetected(Some(leader))).await.is_err() {
            return; // The agent ends.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let ok = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n\
                  {\"type\":\"GET_MASTER\",\"get_master\":{\"master_info\":{\"pid\":\"master@192.0.2.1:5050\"}}}";
        assert_eq!(understand(ok), Some(Answer::Leader(Pid::from("master@192.0.2.1:5050"))));
        for location in ["//192.0.2.1:5050", "http://192.0.2.1:5050/api/v1"] {
            let redirect = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\n\r\n");
            let other = "192.0.2.1:5050".parse().expect("an address");
            assert_eq!(understand(&redirect), Some(Answer::Ask(other)));
        }
        for nothing in ["", "HTTP/1.1 503 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.1 307 No\r\n\r\n"]
        {
            assert_eq!(understand(nothing), None, "{nothing}");
        }
    }

    #[tokio::test]
    async fn a_master_that_says_nothing_is_where_it_was_said_to_be() {
        let given = given("localhost:1").await.expect("it resolves");
        assert_eq!(leading(&given).await, given);
        assert!(super::given("no such host").await.is_err());
        for service in ["zk://127.0.0.1:2181/mesos", "etcd://127.0.0.1:2379"] {
            let error = super::given(service).await.expect_err("not supported");
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().ends_with("HOST:PORT"), "{error}");
        }
    }
}
