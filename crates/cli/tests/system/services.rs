//! The coordination service of a cluster, a server or several with a host for each: a real ZooKeeper or a real etcd.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::process::{Process, ask};
use crate::world::{Host, World};

/// Which one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    ZooKeeper,
    Etcd,
}

impl Kind {
    fn address(self, host: Ipv4Addr) -> SocketAddr {
        let port = match self {
            Self::ZooKeeper => 2181,
            Self::Etcd => 2379,
        };
        SocketAddr::from((host, port))
    }
}

/// One of its servers.
#[derive(Debug)]
pub(crate) struct Member {
    kind: Kind,
    pub(crate) host: Host,
    pub(crate) process: Process,
}

impl Member {
    /// Waits until it serves, which takes more than half of the members. To be called where it can be reached.
    pub(crate) fn ready(&mut self) {
        let (kind, address) = (self.kind, self.address());
        self.process.ready(move || match kind {
            Kind::ZooKeeper => Ok(ask(address, b"srvr")?.contains("Mode:")),
            Kind::Etcd => Ok(ask(address, b"GET /health HTTP/1.0\r\n\r\n")?.contains("\"true\"")),
        });
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.kind.address(self.host.address)
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) kind: Kind,
    pub(crate) members: Vec<Member>,
}

impl Service {
    /// So many servers, ready.
    pub(crate) fn start(kind: Kind, size: usize, world: &mut World) -> Self {
        let hosts: Vec<Host> = (0..size).map(|_| world.host()).collect();
        let addresses: Vec<Ipv4Addr> = hosts.iter().map(|host| host.address).collect();
        let member = |(number, host): (usize, Host)| {
            let home = world.directory().join(format!("service-{number}"));
            std::fs::create_dir(&home).expect("a directory");
            let program = match kind {
                Kind::ZooKeeper => zookeeper(number, &addresses, &home),
                Kind::Etcd => etcd(number, &addresses, &home),
            };
            let log = world.directory().join(format!("service-{number}.log"));
            Member { kind, process: Process::new(host.command(program), &log), host }
        };
        let mut members: Vec<Member> = hosts.into_iter().enumerate().map(member).collect();
        members.iter_mut().for_each(|member| member.process.start());
        members.iter_mut().for_each(Member::ready);
        Self { kind, members }
    }

    /// What masters, agents and schedulers are told.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::ZooKeeper => "zk",
            Kind::Etcd => "etcd",
        };
        let members: Vec<String> = self.members.iter().map(|member| member.address().to_string()).collect();
        format!("{scheme}://{}/mesos", members.join(","))
    }
}

fn zookeeper(number: usize, members: &[Ipv4Addr], home: &Path) -> Vec<String> {
    let file = home.join("zoo.cfg");
    let mut configuration = format!(
        "tickTime=200\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort=2181\nclientPortAddress={}\n\
         admin.enableServer=false\nminSessionTimeout=400\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n\
         4lw.commands.whitelist=*\n",
        home.display(),
        members[number]
    );
    if members.len() > 1 {
        for (number, member) in members.iter().enumerate() {
            configuration += &format!("server.{}={member}:2888:3888\n", number + 1);
        }
    }
    std::fs::write(&file, configuration).expect("written");
    std::fs::write(home.join("myid"), (number + 1).to_string()).expect("written");
    let jars = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar";
    // A small machine that starts quickly: the tests have few processors.
    let java =
        ["java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", jars];
    let main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    java.into_iter().chain([main]).map(str::to_owned).chain([file.display().to_string()]).collect()
}

fn etcd(number: usize, members: &[Ipv4Addr], home: &Path) -> Vec<String> {
    let clients = format!("http://{}:2379", members[number]);
    let peers = |number: usize| format!("http://{}:2380", members[number]);
    let all: Vec<String> = (0..members.len()).map(|number| format!("m{number}={}", peers(number))).collect();
    vec![
        "etcd".to_owned(),
        format!("--name=m{number}"),
        format!("--data-dir={}", home.display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={}", peers(number)),
        format!("--initial-advertise-peer-urls={}", peers(number)),
        format!("--initial-cluster={}", all.join(",")),
        "--heartbeat-interval=100".to_owned(),
        "--election-timeout=1000".to_owned(),
    ]
}
