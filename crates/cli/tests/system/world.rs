//! A network of its own for one test: each server on a host (a network namespace), and between them a router in which
//! packets can be made to vanish without a word to anybody.
//!
//! The namespaces are held by open files of this process and by what runs in them, so they end with the test however it
//! ends. What else would stay behind (tasks of killed agents, their control groups, files) is removed by a custodian, a
//! process that waits for the test's end.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Waits for the end of its input, which ends with the test; then kills what is in the control groups that have its first
/// argument in their names, and removes them and the directory in its second.
const CUSTODIAN: &str = r#"
read -r _
for _ in $(seq 200); do
    tops=$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$1-*")
    [ -z "$tops" ] && break
    pids=$(find $tops -name cgroup.procs -exec cat {} + 2>/dev/null)
    [ -n "$pids" ] && kill -9 $pids 2>/dev/null
    find $tops -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
done
rm -rf "$2"
"#;

/// A machine with an address.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) address: Ipv4Addr,
    namespace: File,
}

impl Host {
    /// What starts a program on this host.
    pub(crate) fn command<S: Into<String>>(&self, program: impl IntoIterator<Item = S>) -> Vec<String> {
        let enter = ["nsenter".to_owned(), format!("--net={}", path_of(&self.namespace)), "--".to_owned()];
        enter.into_iter().chain(program.into_iter().map(Into::into)).collect()
    }

    /// Moves this thread to the host, and with it all threads that it starts from now on.
    pub(crate) fn enter(&self) {
        move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root may enter a namespace");
    }
}

/// The network and its directory.
#[derive(Debug)]
pub(crate) struct World {
    router: File,
    hosts: u8,
    directory: PathBuf,
    custodian: Child,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory =
            tempfile::Builder::new().prefix("meseta-system-").tempdir().expect("a directory").keep();
        let groups = groups_of(&directory);
        let custodian = Command::new("setsid")
            .args(["sh", "-c", CUSTODIAN, "custodian", &groups])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("setsid");
        let world = Self { router: namespace(), hosts: 0, directory, custodian };
        world.on_router(&["sysctl", "-qw", "net.ipv4.ip_forward=1"], "");
        world
    }

    /// Where servers keep what they keep.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the names of all control groups of this test begin with.
    pub(crate) fn groups(&self) -> String {
        groups_of(&self.directory)
    }

    /// One more machine on the network.
    pub(crate) fn host(&mut self) -> Host {
        self.hosts += 1;
        let number = self.hosts;
        let [address, gateway] = [2, 1].map(|last| Ipv4Addr::new(10, 66, number, last));
        let host = Host { address, namespace: namespace() };
        let wire = format!(
            "link add h{number} type veth peer name eth0 netns {}\naddress add {gateway}/24 dev h{number}\n\
             link set h{number} up\n",
            path_of(&host.namespace)
        );
        self.on_router(&["ip", "-batch", "-"], &wire);
        let own =
            format!("address add {address}/24 dev eth0\nlink set eth0 up\nroute add default via {gateway}\n");
        run_in(&host.namespace, &["ip", "-batch", "-"], &own);
        host
    }

    /// From now on nothing that one of these hosts sends reaches the other.
    pub(crate) fn cut(&self, one: &Host, other: &Host) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    pub(crate) fn mend(&self, one: &Host, other: &Host) {
        self.mend_one_way(one, other);
        self.mend_one_way(other, one);
    }

    /// From now on nothing that `from` sends reaches `to`; what `to` sends arrives.
    pub(crate) fn cut_one_way(&self, from: &Host, to: &Host) {
        self.rule("add", from, to);
    }

    pub(crate) fn mend_one_way(&self, from: &Host, to: &Host) {
        self.rule("del", from, to);
    }

    fn rule(&self, verb: &str, from: &Host, to: &Host) {
        let rule = format!("rule {verb} from {} to {} blackhole\n", from.address, to.address);
        self.on_router(&["ip", "-batch", "-"], &rule);
    }

    fn on_router(&self, command: &[&str], input: &str) {
        run_in(&self.router, command, input);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.custodian.stdin.take());
        // It has a bound of its own.
        let _ = self.custodian.wait();
    }
}

fn groups_of(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where other processes find an open file of this one.
fn path_of(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// A new network namespace, there as long as this file is open or somebody is in it.
fn namespace() -> File {
    let mut made = Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up && echo made && read -r _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare");
    let mut line = String::new();
    let output = made.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert_eq!(line, "made\n", "root and a kernel with network namespaces are needed");
    let file = File::open(format!("/proc/{}/ns/net", made.id())).expect("a namespace");
    drop(made.stdin.take());
    made.wait().expect("waited for");
    file
}

fn run_in(namespace: &File, command: &[&str], input: &str) {
    let mut running = Command::new("nsenter")
        .arg(format!("--net={}", path_of(namespace)))
        .args(command)
        .stdin(Stdio::piped())
        .spawn()
        .expect("nsenter");
    running.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    assert!(running.wait().expect("a status").success(), "{command:?} failed: {input}");
}
