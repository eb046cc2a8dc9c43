//! Where the leading master is: told by the service that knows the masters, or found out by asking them.
//!
//! What the operator gives is the URL of such a service, or addresses at which some master listens. Masters speak to agents
//! from the address that they advertise, which may be another one, and a standby master knows who leads. Where nobody can
//! be asked, the first address that was given is taken as it is; they are asked again while the agent is not registered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::{Input, Pid};
use serde_json::Value;
use store::kv::Options;
use store::masters::{self, Detected, Detector};
use store::url::MasterUrl;
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

/// Where masters are looked for.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// At one of these addresses, `host:port`. What a name leads to may change, so it is asked for each time.
    Given(Vec<String>),
    /// Where this service says.
    Service(MasterUrl),
}

/// What the operator gave: a URL, or `host:port`, also several with commas between, or a libprocess address.
///
/// # Errors
/// If it is nothing of that, or no name can be resolved.
pub(crate) async fn given(master: &str) -> io::Result<Source> {
    let wrong = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    // As before the first comma Mesos takes a whole libprocess address.
    let plain =
        if master.contains("://") { master } else { master.rsplit_once('@').map_or(master, |(_, a)| a) };
    let addresses = match plain.parse::<MasterUrl>().map_err(wrong)? {
        MasterUrl::Addresses(addresses) => addresses,
        url => return Ok(Source::Service(url)),
    };
    let mut trouble = None;
    for address in &addresses {
        match resolve(address).await {
            Ok(_) => return Ok(Source::Given(addresses)),
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// What a `host:port` leads to now: all of it, for a master that listens for IPv4 only is often known by an IPv6 address too.
async fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let mut all: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    all.sort_by_key(SocketAddr::is_ipv6);
    all.dedup();
    if all.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(all) }
}

/// Who leads, as the masters at these addresses say; the first address itself where nobody says anything. A service is not
/// waited for: what it says comes later.
pub(crate) async fn leading(source: &Source) -> Option<Pid> {
    let Source::Given(given) = source else { return None };
    let found = all_of(given, resolve).await;
    match ask_all(&found).await {
        Some(leader) => Some(leader),
        None => found.first().map(|address| Pid::from(format!("master@{address}"))),
    }
}

/// Where these addresses lead to now. A name that leads nowhere at this moment is passed over.
async fn all_of(
    given: &[String],
    resolve: impl AsyncFn(&str) -> io::Result<Vec<SocketAddr>>,
) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for address in given {
        match resolve(address).await {
            Ok(addresses) => found.extend(addresses),
            Err(error) => tracing::warn!("cannot resolve the master's address '{address}': {error}"),
        }
    }
    found
}

async fn ask_all(given: &[SocketAddr]) -> Option<Pid> {
    for one in given {
        if let Some(leader) = ask(*one).await {
            return Some(leader);
        }
    }
    None
}

async fn ask(given: SocketAddr) -> Option<Pid> {
    let mut address = given.to_string();
    for _ in 0..=MAX_REDIRECTS {
        match tokio::time::timeout(TIMEOUT, ask_one(&address)).await.ok()?.ok()?? {
            Answer::Leader(pid) => return Some(pid),
            Answer::Ask(other) => address = other,
        }
    }
    None
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Leader(Pid),
    /// The one at this `host:port`.
    Ask(String),
}

async fn ask_one(address: &str) -> io::Result<Option<Answer>> {
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
            address.split('/').next().filter(|one| one.contains(':')).map(|one| Answer::Ask(one.to_owned()))
        }
        _ => None,
    }
}

/// Tells the core of each change of the leading master.
pub(crate) async fn watch(
    source: Source,
    known: Option<Pid>,
    session_timeout: Duration,
    registered: Arc<AtomicBool>,
    core: CoreHandle,
) {
    match source {
        Source::Given(given) => watch_given(&given, known, &registered, &core).await,
        Source::Service(url) => {
            let options = Options { session_timeout, ..Options::default() };
            if let Some(store) = masters::open(&url, options) {
                watch_service(Detector::new(store), &core).await;
            }
        }
    }
}

/// Asks again and again while the agent is not registered.
async fn watch_given(given: &[String], mut known: Option<Pid>, registered: &AtomicBool, core: &CoreHandle) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if registered.load(Ordering::Relaxed) {
            continue;
        }
        let found = all_of(given, resolve).await;
        let Some(leader) = ask_all(&found).await.filter(|leader| Some(leader) != known.as_ref()) else {
            continue;
        };
        known = Some(leader.clone());
        if core.input(Input::MasterDetected(Some(leader))).await.is_err() {
            return; // The agent ends.
        }
    }
}

async fn watch_service(mut detector: Detector, core: &CoreHandle) {
    let mut known = None;
    loop {
        let leader = match detector.next().await {
            Detected::Leader { info, epoch } => {
                let pid = info.pid.clone().unwrap_or_else(|| format!("master@{}", masters::address(&info)));
                // One that says nothing usable cannot be spoken to.
                pid.parse::<Upid>().ok().map(|_| (Pid::from(pid), epoch))
            }
            Detected::Nobody => None,
            Detected::Unknown { reason } => {
                tracing::warn!("cannot see which master leads: {reason}");
                None
            }
        };
        if leader == known {
            continue;
        }
        known = leader;
        let pid = known.as_ref().map(|(pid, _)| pid.clone());
        if core.input(Input::MasterDetected(pid)).await.is_err() {
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
            assert_eq!(understand(&redirect), Some(Answer::Ask("192.0.2.1:5050".to_owned())));
        }
        let named = "HTTP/1.1 307 Temporary Redirect\r\nLocation: //master-2.example:5050/api/v1\r\n\r\n";
        assert_eq!(understand(named), Some(Answer::Ask("master-2.example:5050".to_owned())));
        for nothing in ["", "HTTP/1.1 503 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.1 307 No\r\n\r\n"]
        {
            assert_eq!(understand(nothing), None, "{nothing}");
        }
    }

    /// A name's address changes when the machine behind it is replaced; another name leads nowhere at all.
    #[tokio::test]
    async fn names_are_resolved_whenever_masters_are_asked() {
        let leader = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let there = leader.local_addr().expect("an address");
        tokio::spawn(async move {
            let body = r#"{"get_master":{"master_info":{"pid":"master@192.0.2.7:5050"}}}"#;
            while let Ok((mut stream, _)) = leader.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes()).await;
            }
        });
        let replaced = AtomicBool::new(false);
        let names = ["gone:5050".to_owned(), "master:5050".to_owned()];
        let resolve = async |name: &str| match name {
            "gone:5050" => Err(io::ErrorKind::NotFound.into()),
            _ if replaced.load(Ordering::Relaxed) => Ok(vec![there]),
            _ => Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1))]),
        };
        assert_eq!(ask_all(&all_of(&names, resolve).await).await, None, "nobody is there");
        replaced.store(true, Ordering::Relaxed);
        let found = ask_all(&all_of(&names, resolve).await).await;
        assert_eq!(found, Some(Pid::from("master@192.0.2.7:5050")));
    }

    #[tokio::test]
    async fn a_master_that_says_nothing_is_where_it_was_said_to_be() {
        let given = given("master@127.0.0.1:1,127.0.0.1:2").await.expect("it resolves");
        assert_eq!(leading(&given).await, Some(Pid::from("master@127.0.0.1:1")));
        assert!(super::given("no such host").await.is_err());
        for service in ["zk://127.0.0.1:2181/mesos", "etcd://127.0.0.1:2379/mesos"] {
            let source = super::given(service).await.expect("a URL");
            assert!(matches!(source, Source::Service(_)) && leading(&source).await.is_none());
        }
        let error = super::given("zk://127.0.0.1:2181").await.expect_err("no path");
        assert!(error.to_string().contains("names no path"), "{error}");
    }
}
