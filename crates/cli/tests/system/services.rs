//! The coordination service of a cluster on a host of its own: a real ZooKeeper or a real etcd.

use std::net::SocketAddr;
use std::path::Path;

use crate::process::{Process, ask};
use crate::world::Host;

/// Which one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    ZooKeeper,
    Etcd,
}

/// A server with its host.
#[derive(Debug)]
pub(crate) struct Service {
    kind: Kind,
    pub(crate) host: Host,
    pub(crate) process: Process,
}

impl Service {
    /// Not started yet. To be reached from where the test is.
    pub(crate) fn new(kind: Kind, host: Host, directory: &Path) -> Self {
        let home = directory.join("service");
        std::fs::create_dir(&home).expect("a directory");
        let program = match kind {
            Kind::ZooKeeper => zookeeper(&host, &home),
            Kind::Etcd => etcd(&host, &home),
        };
        let process = Process::new(host.command(program), &directory.join("service.log"));
        Self { kind, host, process }
    }

    /// Starts it, again if need be, and waits until it serves.
    pub(crate) fn start(&mut self) {
        self.process.start();
        let (kind, address) = (self.kind, self.address());
        self.process.ready(move || match kind {
            Kind::ZooKeeper => Ok(ask(address, b"srvr")?.contains("Mode:")),
            Kind::Etcd => Ok(ask(address, b"GET /health HTTP/1.0\r\n\r\n")?.contains("\"true\"")),
        });
    }

    fn address(&self) -> SocketAddr {
        let port = match self.kind {
            Kind::ZooKeeper => 2181,
            Kind::Etcd => 2379,
        };
        SocketAddr::from((self.host.address, port))
    }

    /// What masters, agents and schedulers are told.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::ZooKeeper => "zk",
            Kind::Etcd => "etcd",
        };
        format!("{scheme}://{}/mesos", self.address())
    }
}

fn zookeeper(host: &Host, home: &Path) -> Vec<String> {
    let file = home.join("zoo.cfg");
    let configuration = format!(
        "tickTime=200\ndataDir={}\nclientPort=2181\nclientPortAddress={}\nadmin.enableServer=false\n\
         minSessionTimeout=400\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n",
        home.display(),
        host.address
    );
    std::fs::write(&file, configuration).expect("written");
    let jars = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar";
    // A small machine that starts quickly: the tests have few processors.
    let java =
        ["java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", jars];
    let main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    java.into_iter().chain([main]).map(str::to_owned).chain([file.display().to_string()]).collect()
}

fn etcd(host: &Host, home: &Path) -> Vec<String> {
    let clients = format!("http://{}:2379", host.address);
    let peers = "http://127.0.0.1:2380";
    vec![
        "etcd".to_owned(),
        "--name=one".to_owned(),
        format!("--data-dir={}", home.display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=one={peers}"),
    ]
}
