//! Clients that find the leading master through a real ZooKeeper, while masters come, stand still and go.

#[path = "../../store/tests/services/mod.rs"]
mod services;
mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::master::{Response, response};
use proto::v1::scheduler::{Call, Event as WireEvent, call, event};
use proto::v1::{Address, FrameworkId, MasterInfo};
use sdk::build::Framework;
use sdk::scheduler::Event;
use sdk::{Masters, Operator, Scheduler};
use services::zookeeper::ZooKeeper;
use store::kv::{Candidacy, KeyValue, Options, ZooKeeperStore};
use store::masters;
use support::{Reply, Request, Server, accepted};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Less than a master that does not answer is waited for.
const SOON: Duration = Duration::from_secs(60);

/// A service in which masters are elected.
struct Elections {
    url: String,
    store: Arc<dyn KeyValue>,
    _server: ZooKeeper,
}

impl Elections {
    fn start() -> Self {
        let server = ZooKeeper::start();
        let url = format!("zk://{}/mesos", server.address());
        let store = Arc::new(ZooKeeperStore::new(&url.parse().expect("a URL"), Options::default()));
        Self { url, store, _server: server }
    }

    /// Elects the master that listens there.
    async fn elect(&self, address: &str) -> Candidacy {
        let address: SocketAddr = address.parse().expect("an address");
        let info = MasterInfo {
            id: address.to_string(),
            port: u32::from(address.port()),
            pid: Some(format!("master@{address}")),
            address: Some(Address {
                ip: Some(address.ip().to_string()),
                port: i32::from(address.port()),
                ..Address::default()
            }),
            ..MasterInfo::default()
        };
        let mut candidacy = masters::contend(&*self.store, &info);
        timeout(SOON, candidacy.elected()).await.expect("in time").expect("elected");
        candidacy
    }

    fn masters(&self) -> Masters {
        Masters::parse(&self.url).expect("a URL")
    }

    fn scheduler(&self) -> Scheduler {
        let builder = Scheduler::builder(Framework::new("test").build()).masters(self.masters());
        builder.max_backoff(Duration::from_millis(50)).start().expect("a scheduler")
    }
}

/// A master that stands still: it takes connections, as the kernel does for it, and never answers.
async fn still() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// A master that gives `first` at first, and then does what is asked.
async fn master(mut first: Option<Reply>) -> Server {
    Server::start(move |request| first.take().unwrap_or_else(|| leading(request))).await
}

fn leading(request: &Request) -> Reply {
    if request.path != "/api/v1/scheduler" {
        let answer = Response {
            r#type: Some(response::Type::GetAgents.into()),
            get_agents: Some(response::GetAgents::default()),
            ..Response::default()
        };
        return Reply::Answer(
            200,
            "",
            String::from_utf8(proto::encode(&answer)).expect("small numbers only"),
        );
    }
    if request.message::<Call>().r#type() != call::Type::Subscribe {
        return accepted();
    }
    let (stream, records) = mpsc::unbounded_channel();
    let subscribed = event::Subscribed {
        framework_id: FrameworkId { value: "f-0".to_owned() },
        heartbeat_interval_seconds: Some(15.0),
        master_info: None,
    };
    let event = WireEvent {
        r#type: Some(event::Type::Subscribed.into()),
        subscribed: Some(subscribed),
        ..WireEvent::default()
    };
    stream.send(proto::encode(&event)).expect("it is read");
    // Held for as long as the test lasts.
    std::mem::forget(stream);
    Reply::Stream(records)
}

fn to(other: &str) -> Reply {
    Reply::Answer(307, format!("Location: //{other}\r\n").leak(), String::new())
}

async fn subscribed(scheduler: &mut Scheduler) {
    let subscribed = async {
        loop {
            match scheduler.next_event().await {
                Some(Event::Subscribed(_)) => return,
                Some(Event::Disconnected { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(SOON, subscribed).await.expect("subscribed in time");
}

/// The new leader may hear later of its election than its clients, and would send them to one that is gone.
#[tokio::test]
async fn a_leader_that_does_not_know_it_yet_sends_nobody_away() {
    let elections = Elections::start();
    let (_listener, gone) = still().await;
    let server = master(Some(to(&gone))).await;
    let leads = elections.elect(&server.address).await;
    subscribed(&mut elections.scheduler()).await;

    let server = master(Some(to(&gone))).await;
    drop(leads);
    let _leads = elections.elect(&server.address).await;
    let agents = timeout(SOON, Operator::new(elections.masters()).agents()).await;
    assert!(agents.expect("in time").expect("an answer").agents.is_empty());
}

#[tokio::test]
async fn a_master_that_stands_still_is_left_for_the_next() {
    let elections = Elections::start();
    let (listener, address) = still().await;
    let leads = elections.elect(&address).await;
    let mut scheduler = elections.scheduler();
    let _connection = timeout(SOON, listener.accept()).await.expect("asked in time");
    let server = master(None).await;
    drop(leads);
    let _leads = elections.elect(&server.address).await;
    subscribed(&mut scheduler).await;
}

#[tokio::test]
async fn an_operator_waits_for_a_leader_that_is_not_ready() {
    let elections = Elections::start();
    let recovering = Reply::Answer(503, "", "Master has not finished recovery".to_owned());
    let server = master(Some(recovering)).await;
    let _leads = elections.elect(&server.address).await;
    let agents = timeout(SOON, Operator::new(elections.masters()).agents()).await;
    assert!(agents.expect("in time").expect("an answer").agents.is_empty());
}
