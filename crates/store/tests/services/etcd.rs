//! etcd servers: one, or a cluster, also with certificates.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, ask, free_port};

/// A server, which keeps its ports and its data when it is killed and started again.
#[derive(Debug)]
pub(crate) struct Etcd {
    pub(crate) process: Process,
    port: u16,
    /// Where it says how it is, whatever its clients need.
    health: u16,
    _directory: TempDir,
}

impl Etcd {
    /// A server alone, ready.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server that wants encrypted connections from clients with certificates.
    pub(crate) fn start_encrypted(certificates: &Certificates) -> Self {
        let file = |name: &str| certificates.file(name).display().to_string();
        Self::start_with(&[
            "--client-cert-auth".to_owned(),
            format!("--trusted-ca-file={}", file("ca.pem")),
            format!("--cert-file={}", file("server.pem")),
            format!("--key-file={}", file("server.key")),
        ])
    }

    /// A server whose tokens are signed, hold for so many seconds, and do not outlive a change of anybody's rights.
    pub(crate) fn start_signing(certificates: &Certificates, seconds: u64) -> Self {
        certificates.openssl("genrsa -out sign.key 2048");
        certificates.openssl("rsa -in sign.key -pubout -out sign.pub");
        let [public, private] =
            ["sign.pub", "sign.key"].map(|name| certificates.file(name).display().to_string());
        let token = format!("jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl={seconds}s");
        Self::start_with(&[format!("--auth-token={token}")])
    }

    fn start_with(flags: &[String]) -> Self {
        let ports = [free_port(), free_port()];
        let mut server = Self::new(0, ports, &member(0, ports), flags);
        server.restart();
        server
    }

    /// Servers that form a cluster, ready.
    pub(crate) fn cluster(size: usize) -> Vec<Self> {
        let ports: Vec<[u16; 2]> = (0..size).map(|_| [free_port(), free_port()]).collect();
        let members: Vec<String> = ports.iter().enumerate().map(|(n, ports)| member(n, *ports)).collect();
        let server = |(n, ports): (usize, &[u16; 2])| Self::new(n, *ports, &members.join(","), &[]);
        let mut servers: Vec<Self> = ports.iter().enumerate().map(server).collect();
        for server in &mut servers {
            server.process.start();
        }
        for server in &mut servers {
            server.ready();
        }
        servers
    }

    fn new(number: usize, [port, peers]: [u16; 2], members: &str, flags: &[String]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let encrypted = flags.iter().any(|flag| flag.starts_with("--cert-file"));
        let scheme = if encrypted { "https" } else { "http" };
        let health = free_port();
        let mut arguments: Vec<String> = [
            "etcd".to_owned(),
            format!("--name=m{number}"),
            format!("--data-dir={}", directory.path().join("data").display()),
            format!("--listen-client-urls={scheme}://127.0.0.1:{port}"),
            format!("--advertise-client-urls={scheme}://127.0.0.1:{port}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peers}"),
            format!("--initial-cluster={members}"),
            format!("--listen-metrics-urls=http://127.0.0.1:{health}"),
            "--heartbeat-interval=100".to_owned(),
            "--election-timeout=1000".to_owned(),
        ]
        .to_vec();
        arguments.extend_from_slice(flags);
        let process = Process::new(arguments, &directory.path().join("log"));
        Self { process, port, health, _directory: directory }
    }

    /// Starts it, again if need be, and waits until it does its work.
    pub(crate) fn restart(&mut self) {
        self.process.start();
        self.ready();
    }

    /// That it listens is not enough: one that is killed before it has written its first entry never elects a leader again.
    fn ready(&mut self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.health));
        self.process.ready(move || {
            let answer = ask(address, b"GET /health HTTP/1.0\r\nHost: x\r\n\r\n")?;
            Ok(answer.contains("\"health\":\"true\""))
        });
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

fn member(number: usize, [_, peers]: [u16; 2]) -> String {
    format!("m{number}=http://127.0.0.1:{peers}")
}

/// An authority, a server and a client, made for one test.
#[derive(Debug)]
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn make() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let made = Self(directory);
        made.openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem");
        std::fs::write(
            made.file("names"),
            "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
        )
        .expect("written");
        for name in ["server", "client"] {
            made.openssl(&format!(
                "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ));
            made.issue(name, 2);
        }
        made
    }

    /// What the server or the client shows holds for so many days from now on.
    pub(crate) fn issue(&self, name: &str, days: u32) {
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile names -out {name}.pem"
        ));
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        Path::new(self.0.path()).join(name)
    }

    fn openssl(&self, words: &str) {
        let made = Command::new("openssl").args(words.split(' ')).current_dir(self.0.path()).output();
        let made = made.expect("openssl");
        assert!(made.status.success(), "{words}: {}", String::from_utf8_lossy(&made.stderr));
    }
}
