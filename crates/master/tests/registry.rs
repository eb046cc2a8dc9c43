//! The registry in a real ZooKeeper and a real etcd, when they are out of reach at the worst moment.

#[path = "../../store/tests/services/mod.rs"]
mod services;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use master::{ElectionOptions, End, MasterOptions, MasterServer};
use serde_json::{Value, json};
use services::etcd::Etcd;
use services::proxy::Proxy;
use services::zookeeper::ZooKeeper;
use support::{Answer, FakeAgent, get, request};

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(70);

/// How many roles get a weight at once.
const ROLES: usize = 60;

/// A service, and how masters find it at an address, each scene at a place of its own.
#[derive(Clone, Copy)]
struct Service {
    address: SocketAddr,
    url: fn(SocketAddr, &str) -> String,
}

impl Service {
    /// A master that reaches the service through `address`.
    async fn master(
        self,
        place: &str,
        address: SocketAddr,
        session_timeout: Duration,
        change: impl FnOnce(&mut MasterOptions),
    ) -> MasterServer {
        let url = (self.url)(address, place).parse().expect("a URL");
        support::master_with(|options| {
            options.election = Some(ElectionOptions { url, session_timeout });
            change(options);
        })
        .await
    }
}

async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("{what}: did not come"))
}

/// Waits until a master leads; the weights that it knows then.
async fn leads(master: &MasterServer) -> Value {
    soon("a leader", async {
        loop {
            let answer = get(master.address(), "/weights").await;
            if answer.status == 200 {
                return answer.json();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

/// One call that sets the weights of many roles.
async fn set_weights(master: SocketAddr) -> Answer {
    let weights: Vec<Value> =
        (0..ROLES).map(|role| json!({ "role": format!("role-{role:02}"), "weight": 2.0 })).collect();
    request(master, "PUT", "/weights", &[], Value::from(weights).to_string().as_bytes()).await
}

fn count(weights: &Value) -> usize {
    weights.as_array().expect("a list").len()
}

/// What is to be written while the service cannot be reached is written when it can be again.
async fn a_write_waits_for_the_end_of_an_outage(service: Service) {
    let proxy = Proxy::to(service.address).await;
    let long = Duration::from_secs(40);
    let master = service.master("outage", proxy.address(), long, |_| ()).await;
    assert_eq!(count(&leads(&master).await), 0);
    proxy.cut();
    let address = master.address();
    let setting = tokio::spawn(async move { set_weights(address).await });
    // Meanwhile nothing is promised, and everything else is answered.
    support::until("it waits to be written", async || {
        get(address, "/metrics/snapshot").await.json()["registrar/queued_operations"] == 1.0
    })
    .await;
    assert_eq!(count(&leads(&master).await), 0);
    assert!(!setting.is_finished(), "it is not written");
    proxy.mend();
    assert_eq!(soon("an answer", setting).await.expect("no panic").status, 200);
    assert_eq!(count(&leads(&master).await), ROLES);
    let sized = get(address, "/metrics/snapshot").await.json()["registrar/registry_size_bytes"].clone();
    assert!(sized.as_f64() > Some(0.0), "{sized}");
    master.shutdown().await;
    let next = service.master("outage", service.address, long, |_| ()).await;
    assert_eq!(count(&leads(&next).await), ROLES);
    let metrics = get(next.address(), "/metrics/snapshot").await.json();
    assert_eq!(metrics["registrar/registry_size_bytes"], sized, "as it was counted while it was written");
    next.shutdown().await;
}

/// A leader that cannot write within `--registry_store_timeout` ends, and whoever asked is not told that all is well.
async fn a_store_that_stays_away_ends_the_leader(service: Service) {
    let proxy = Proxy::to(service.address).await;
    let master = service
        .master("away", proxy.address(), Duration::from_secs(40), |options| {
            options.registry_store_timeout = Duration::from_secs(2);
        })
        .await;
    leads(&master).await;
    proxy.cut();
    let address = master.address();
    let setting = tokio::spawn(async move { set_weights(address).await.status });
    let end = soon("the end of the master", master.ended()).await;
    assert!(matches!(&end, End::Deposed(why) if why.contains("the registry")), "{end:?}");
    let told = soon("an end of the call", setting).await;
    assert!(!matches!(told, Ok(200)), "it was not written: {told:?}");
    master.shutdown().await;
}

/// A leader that loses its session while it writes is deposed. The next one has all of the write or nothing, and nothing
/// that comes late changes that.
async fn a_leader_is_deposed_while_it_writes(service: Service) {
    let proxy = Proxy::to(service.address).await;
    let session = Duration::from_secs(4);
    let master = service.master("deposed", proxy.address(), session, |_| ()).await;
    leads(&master).await;
    let next = service.master("deposed", service.address, session, |_| ()).await;
    // Half of the write gets through.
    proxy.cut_after(2_000);
    let address = master.address();
    let setting = tokio::spawn(async move { set_weights(address).await.status });
    let end = soon("the end of the master", master.ended()).await;
    assert_eq!(end, End::Deposed("the session is over".to_owned()));
    let told = soon("an end of the call", setting).await;
    assert!(!matches!(told, Ok(200)), "it was not written: {told:?}");
    assert_eq!(count(&leads(&next).await), 0, "half of it is nothing");
    proxy.mend();
    master.shutdown().await;
    next.shutdown().await;
    let third = service.master("deposed", service.address, session, |_| ()).await;
    assert_eq!(count(&leads(&third).await), 0, "and stays nothing");
    third.shutdown().await;
}

/// Of agents that are gone no more are remembered than `--registry_max_agent_count` says, by this master and by the next.
async fn old_agents_are_forgotten(service: Service) {
    let session = Duration::from_secs(40);
    let collect = |options: &mut MasterOptions| {
        options.registry_gc_interval = Duration::from_millis(200);
        options.registry_max_agent_count = 1;
    };
    let master = service.master("gc", service.address, session, collect).await;
    leads(&master).await;
    for _ in 0..3 {
        let agent = FakeAgent::register(master.address()).await;
        let gone =
            json!({ "type": "MARK_AGENT_GONE", "mark_agent_gone": { "agent_id": { "value": agent.id } } });
        assert_eq!(support::json(master.address(), "/api/v1", &gone.to_string()).await.status, 200);
    }
    let gone = async |master: &MasterServer| {
        let registry = get(master.address(), "/registrar(1)/registry").await.json();
        assert!(registry["slaves"]["slaves"].as_array().is_none_or(Vec::is_empty), "{registry}");
        registry["gone"]["slaves"].as_array().map_or(0, Vec::len)
    };
    support::until("only the newest one is remembered", async || gone(&master).await == 1).await;
    let queued = async || get(master.address(), "/metrics/snapshot").await.json();
    support::until("that is written", async || queued().await["registrar/queued_operations"] == 0.0).await;
    master.shutdown().await;
    let next = service.master("gc", service.address, session, |_| ()).await;
    leads(&next).await;
    assert_eq!(gone(&next).await, 1);
    next.shutdown().await;
}

/// How many machines are too many for one transaction, in any service.
const MACHINES: usize = 20_000;

/// A schedule that no service takes at once is kept, and so is the shorter one that takes its place.
async fn a_schedule_larger_than_a_transaction_is_kept(service: Service) {
    let window = |machines: std::ops::Range<usize>| {
        let id = |number| json!({ "hostname": format!("machine-{number}.example.org"), "ip": "192.0.2.1" });
        let unavailability = json!({ "start": { "nanoseconds": 1_795_400_000_000_000_000_i64 } });
        json!({ "machine_ids": machines.map(id).collect::<Vec<_>>(), "unavailability": unavailability })
    };
    let long = json!({ "windows": [window(0..MACHINES), window(MACHINES..MACHINES + 1)] });
    let short = json!({ "windows": [window(7..8)] });
    assert!(long.to_string().len() > 1 << 20);
    for schedule in [long, short] {
        let master = service.master("schedule", service.address, Duration::from_secs(40), |_| ()).await;
        leads(&master).await;
        let body = schedule.to_string();
        let set = request(master.address(), "POST", "/maintenance/schedule", &[], body.as_bytes());
        assert_eq!(soon("an answer", set).await.status, 200);
        master.shutdown().await;
        let next = service.master("schedule", service.address, Duration::from_secs(40), |_| ()).await;
        leads(&next).await;
        let kept = get(next.address(), "/maintenance/schedule").await.json();
        assert!(kept == schedule, "{} windows", kept["windows"].as_array().map_or(0, Vec::len));
        next.shutdown().await;
    }
}

async fn all(service: Service) {
    tokio::join!(
        a_schedule_larger_than_a_transaction_is_kept(service),
        a_write_waits_for_the_end_of_an_outage(service),
        a_store_that_stays_away_ends_the_leader(service),
        a_leader_is_deposed_while_it_writes(service),
        old_agents_are_forgotten(service)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_in_zookeeper_lives_through_outages() {
    let server = ZooKeeper::start();
    let url = |address: SocketAddr, place: &str| format!("zk://{address}/{place}");
    Box::pin(all(Service { address: server.address(), url })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_in_etcd_lives_through_outages() {
    let server = Etcd::start();
    let url = |address: SocketAddr, place: &str| format!("etcd://{address}/{place}");
    Box::pin(all(Service { address: server.address(), url })).await;
}
