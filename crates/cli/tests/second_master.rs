//! Two masters on one work directory, without a service that elects: the registry is one master's.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use support::{Process, meseta, start};

fn master(work_dir: &Path) -> Command {
    let mut command = meseta();
    command.args(["master", "--ip=127.0.0.1", "--port=0"]);
    command.arg(format!("--work_dir={}", work_dir.display()));
    command
}

/// What a master answers.
fn ask(address: &str, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Sets the weight of a role, which is in the registry when this is answered.
fn set(address: &str, role: &str) {
    let answer = ask(address, "PUT /weights", &format!(r#"[{{"role": "{role}", "weight": 2.5}}]"#));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Whether it leads and knows the weights of these roles.
fn knows(address: &str, roles: &[&str]) {
    let answer = ask(address, "GET /weights", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for role in roles {
        assert!(answer.contains(&format!(r#""role":"{role}""#)), "{role}: {answer}");
    }
}

const WAITS: &str = "cannot read the registry yet: ";

#[test]
fn the_second_says_that_another_process_has_the_registry_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (first, address) = start(&mut master(directory.path()));
    set(&address, "before");

    let second = Process::start(master(directory.path()).arg("--registry_fetch_timeout=2secs"));
    let (status, out, err) = second.end();
    assert_eq!((status.code(), out.as_str()), (Some(1), ""), "{err}");
    let reason = format!(
        "the store in '{}' is unavailable: another process has it",
        directory.path().join("registry").display()
    );
    assert_eq!(err.matches(WAITS).count(), 1, "it waits, and says so once: {err}");
    let errors: Vec<_> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    let [error] = errors[..] else { panic!("one error: {err}") };
    assert!(error.contains("cannot recover the registry") && error.ends_with(&reason), "{error}");

    // The first is not disturbed: it reads and writes.
    set(&address, "after");
    knows(&address, &["before", "after"]);
    first.signal(Signal::TERM);
    assert!(first.end().0.success());

    let (_third, address) = start(&mut master(directory.path()));
    knows(&address, &["before", "after"]);
}

#[test]
fn the_second_takes_the_registry_over_when_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (first, address) = start(&mut master(directory.path()));
    set(&address, "before");

    let mut next = master(directory.path());
    let mut second = Process::start(next.arg(format!("--child-of={}", std::process::id())));
    let mut said = BufReader::new(second.child.stderr.take().unwrap()).lines();
    let waits = said.find(|line| line.as_ref().is_ok_and(|line| line.contains(WAITS)));
    assert!(waits.is_some(), "it ended instead of waiting");
    set(&address, "meanwhile");
    first.signal(Signal::KILL);
    drop(first);

    let announced: serde_json::Value = serde_json::from_str(&second.line()).unwrap();
    let address = announced["address"].as_str().unwrap();
    knows(address, &["before", "meanwhile"]);
    set(address, "then");
}
