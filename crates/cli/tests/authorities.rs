//! Servers whose certificates an authority has signed that nobody knows but who is told of it, and real processes that ask them.

#[path = "../../store/tests/services/mod.rs"]
mod services;
mod support;

use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use services::etcd::{Certificates, Etcd};
use services::process::{Process, free_port};
use support::{Cluster, meseta, text, wait_until};

/// A server with one file.
struct Artifacts {
    uri: String,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Artifacts {
    fn start(certificates: &Certificates) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // With the head of the answer, as the server has none of its own.
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nfetched\n";
        std::fs::write(directory.path().join("input.txt"), answer).unwrap();
        let port = free_port();
        let [certificate, key] =
            ["server.pem", "server.key"].map(|name| certificates.file(name).display().to_string());
        let serve = format!(
            "cd {} && exec openssl s_server -HTTP -accept 127.0.0.1:{port} -cert {certificate} -key {key}",
            directory.path().display()
        );
        let words = ["sh", "-c", &serve].map(str::to_owned).to_vec();
        let mut process = Process::new(words, &directory.path().join("log"));
        process.start();
        process.ready(|| TcpStream::connect(("127.0.0.1", port)).map(|_| true));
        Self { uri: format!("https://127.0.0.1:{port}/input.txt"), _process: process, _directory: directory }
    }

    /// What a task of the cluster says that needs the file.
    fn shown_by(&self, cluster: &Cluster) -> Output {
        cluster.meseta(&["run", "cat input.txt", "--uri", &self.uri])
    }
}

#[test]
fn an_agent_fetches_from_whom_its_environment_lets_it_trust() {
    let certificates = Certificates::make();
    let artifacts = Artifacts::start(&certificates);
    let authority = certificates.file("ca.pem").display().to_string();
    let told = Cluster::start_in(&[("SSL_CERT_FILE", &authority)], &["--agents", "1"]);
    let output = artifacts.shown_by(&told);
    assert_eq!(text(&output.stdout), "fetched\n", "{}", text(&output.stderr));
    drop(told);
    let untold = Cluster::start(&["--agents", "1"]);
    let output = artifacts.shown_by(&untold);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(125), ""));
    let said = text(&output.stderr);
    let own: Vec<&str> = said.lines().filter(|line| line.starts_with("meseta: ")).collect();
    let [why] = own[..] else { panic!("{said}") };
    let distrusted = format!("'{}': the server's certificate is not to be trusted: ", artifacts.uri);
    assert!(why.contains("TASK_FAILED") && why.contains(&distrusted), "{said}");
}

/// A master that can be started again.
fn master(zk: &str, directory: &Path) -> Process {
    let words = [
        env!("CARGO_BIN_EXE_meseta"),
        "master",
        "--ip=127.0.0.1",
        &format!("--port={}", free_port()),
        "--quorum=1",
        &format!("--zk={zk}"),
        &format!("--work_dir={}", directory.join("work").display()),
    ];
    Process::new(words.map(str::to_owned).to_vec(), &directory.join("log"))
}

/// The authority of a coordination service is named in its URL.
#[test]
fn masters_and_those_who_look_for_them_know_the_authority_of_their_etcd() {
    let certificates = Certificates::make();
    let etcd = Etcd::start_encrypted(&certificates);
    let directory = tempfile::tempdir().unwrap();
    let [ca, certificate, key] =
        ["ca.pem", "client.pem", "client.key"].map(|name| certificates.file(name).display().to_string());
    let without = format!("etcd://{}/meseta", etcd.address());
    let url = format!("{without}?ca={ca}&cert={certificate}&key={key}");
    let weights = |url: &str| meseta().args(["weight", "list", "--master", url]).output().unwrap();

    let mut master = master(&url, directory.path());
    master.start();
    wait_until("the leader is found", || {
        let set = meseta().args(["weight", "set", "--master", &url, "ads=2"]).output().unwrap();
        set.status.success()
    });
    // What it knows is in the registry alone.
    master.kill();
    master.start();
    wait_until("it is found again, with what it knew", || text(&weights(&url).stdout).contains("ads"));

    std::thread::scope(|scope| {
        for (url, why) in [
            (without.clone(), "is unavailable: http://"),
            (format!("{without}?ca={ca}"), "is unavailable: https://"),
            (format!("{without}?ca=/no/such/file"), "cannot read certificates from '/no/such/file'"),
        ] {
            scope.spawn(move || {
                let refused = weights(&url);
                let said = text(&refused.stderr);
                assert_eq!(refused.status.code(), Some(1), "{url}: {said}");
                let error = said.lines().next().unwrap_or_default();
                assert!(
                    error.starts_with("error: no leading master is found through ") && error.contains(why),
                    "{said}"
                );
            });
        }
    });
}
