//! Several masters as real processes on a real coordination service: they are killed and paused, and the cluster goes on.

#[path = "../../store/tests/services/mod.rs"]
mod services;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sdk::build::{Framework, Task};
use sdk::proto::v1::{MasterInfo, TaskState};
use sdk::scheduler::{Event, Subscribed};
use sdk::{Masters, Operator, Scheduler};
use services::etcd::Etcd;
use services::process::{Process, free_port, get, header};
use services::zookeeper::ZooKeeper;
use tempfile::TempDir;
use tokio::time::{sleep, timeout_at};

/// How long a whole test may take on a loaded machine, so that it says itself what it waited for, and does not hang.
const PATIENCE: Duration = Duration::from_secs(100);
const TASKS: usize = 10;

/// A master or an agent.
struct Server {
    process: Process,
    address: SocketAddr,
}

/// Three masters and two agents that find each other by a URL.
struct Cluster {
    url: String,
    masters: Vec<Server>,
    agents: Vec<Server>,
    directory: TempDir,
    deadline: Instant,
}

/// What a failure needs to be understood.
impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for server in self.masters.iter().chain(&self.agents) {
                eprintln!("{}:\n{}", server.address, server.process.said());
            }
        }
    }
}

impl Cluster {
    /// Masters that elect one of them by a service, and others that find them there.
    fn start(service: &str) -> Self {
        Self::start_with(service, None)
    }

    /// The others know the masters by their addresses only.
    fn named_one_by_one(service: &str) -> Self {
        Self::start_with(service, Some(["--agent_ping_timeout=2secs", "--max_agent_ping_timeouts=4"]))
    }

    fn start_with(service: &str, named: Option<[&str; 2]>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut cluster = Self {
            url: service.to_owned(),
            masters: Vec::new(),
            agents: Vec::new(),
            directory,
            deadline: Instant::now() + PATIENCE,
        };
        for number in 0..3 {
            let zk = format!("--zk={service}");
            let flags = [zk.as_str(), "--quorum=2"].into_iter().chain(named.into_iter().flatten());
            let master = cluster.server("master", number, &flags.collect::<Vec<_>>());
            cluster.masters.push(master);
        }
        if named.is_some() {
            let addresses: Vec<String> = cluster.masters.iter().map(|m| m.address.to_string()).collect();
            cluster.url = addresses.join(",");
        }
        for number in 0..2 {
            let work = cluster.directory.path().join(format!("work-{number}"));
            let flags = [
                format!("--master={}", cluster.url),
                format!("--work_dir={}", work.display()),
                format!("--fetcher_cache_dir={}", work.join("cache").display()),
                "--launcher=posix".to_owned(),
                "--resources=cpus:8;mem:4096;disk:1000;ports:[]".to_owned(),
            ];
            let agent = cluster.server("agent", number, &flags.each_ref().map(String::as_str));
            cluster.agents.push(agent);
        }
        cluster
    }

    fn server(&self, kind: &str, number: usize, flags: &[&str]) -> Server {
        let port = free_port();
        let port_flag = format!("--port={port}");
        let own =
            [env!("CARGO_BIN_EXE_meseta"), kind, "--ip=127.0.0.1", &port_flag, "--zk_session_timeout=4secs"];
        let arguments = own.iter().chain(flags).map(|argument| (*argument).to_owned()).collect();
        let mut process =
            Process::new(arguments, &self.directory.path().join(format!("{kind}-{number}.log")));
        process.start();
        Server { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn masters(&self) -> Masters {
        Masters::parse(&self.url).expect("a URL")
    }

    /// Waits until those masters that answer agree about the leader; its number.
    async fn leader(&self, except: Option<usize>) -> usize {
        self.eventually("the masters agree", async || {
            let mut found = None;
            for master in &self.masters {
                let Ok(answer) = get(master.address, "/redirect").await else { continue };
                let location = header(&answer, "location")?.trim_start_matches('/').to_owned();
                let leader = self.masters.iter().position(|m| m.address.to_string() == location)?;
                if found.is_some_and(|found| found != leader) || except == Some(leader) {
                    return None;
                }
                found = Some(leader);
            }
            found
        })
        .await
    }

    /// Waits until the leader knows all agents and all tasks as running.
    async fn whole(&self) {
        let operator = Operator::new(self.masters());
        self.eventually("all agents and tasks are known", async || {
            let agents = operator.agents().await.ok()?.agents.iter().filter(|agent| agent.active).count();
            let tasks = operator.tasks().await.ok()?.tasks;
            let running = tasks.iter().filter(|task| task.state() == TaskState::TaskRunning).count();
            (agents == self.agents.len() && running == TASKS).then_some(())
        })
        .await;
    }

    /// Looks again and again until something is found.
    async fn eventually<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        self.in_time(what, looking).await
    }

    /// Waits for something as long as the test may take.
    async fn in_time<T>(&self, what: &str, awaited: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let found = timeout_at(self.deadline.into(), awaited).await;
        found.unwrap_or_else(|_| panic!("not in time, after {:?}: {what}", started.elapsed()))
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// A framework whose tasks are to live.
struct Running {
    scheduler: Scheduler,
    leader: String,
}

impl Running {
    /// Subscribes and runs the tasks.
    async fn start(masters: Masters) -> Self {
        let framework =
            Framework::new("long").failover_timeout(Duration::from_secs(3600)).checkpoint(true).build();
        let builder = Scheduler::builder(framework).masters(masters).max_backoff(Duration::from_secs(1));
        let scheduler = builder.start().expect("a scheduler");
        let mut running = Self { scheduler, leader: String::new() };
        let calls = running.scheduler.calls();
        let (mut launched, mut up) = (0, 0);
        while up < TASKS {
            match running.event().await {
                Event::Subscribed(subscribed) => running.leader = id(&subscribed),
                Event::Offers(offers) => {
                    for offer in offers {
                        let count = (TASKS - launched).min(TASKS / 2);
                        let task =
                            |n| Task::new(format!("t{n}")).command("exec sleep 1000").cpus(0.1).mem(32.0);
                        let tasks = (launched..launched + count).map(|n| task(n).on(&offer)).collect();
                        launched += count;
                        calls.launch(&[offer], tasks, None).await.expect("launched");
                    }
                }
                Event::Update(status) if status.state() == TaskState::TaskRunning => up += 1,
                _ => {}
            }
        }
        running
    }

    /// The next event, which must not be the end of a task.
    async fn event(&mut self) -> Event {
        let event = self.scheduler.next_event().await.expect("the scheduler goes on");
        match &event {
            Event::Disconnected { reason } => eprintln!("the scheduler is disconnected: {reason}"),
            Event::Error(message) => panic!("{message}"),
            Event::Update(status) => {
                let alive = [TaskState::TaskStaging, TaskState::TaskStarting, TaskState::TaskRunning];
                assert!(alive.contains(&status.state()), "no task is lost: {status:?}");
            }
            _ => {}
        }
        event
    }

    /// Waits until another master has taken it.
    async fn moved(&mut self) {
        loop {
            if let Event::Subscribed(subscribed) = self.event().await
                && id(&subscribed) != self.leader
            {
                assert!(subscribed.again, "it is the framework that it was");
                self.leader = id(&subscribed);
                return;
            }
        }
    }

    /// Waits for an offer.
    async fn offered(&mut self) {
        while !matches!(self.event().await, Event::Offers(_)) {}
    }
}

fn id(subscribed: &Subscribed) -> String {
    subscribed.master_info.as_ref().expect("the master says who it is").id.clone()
}

/// What a standby says: little of itself, and where the leader is.
async fn stands_by(cluster: &Cluster, standby: usize, leader: usize) {
    let address = cluster.masters[standby].address;
    let leader = cluster.masters[leader].address;
    for path in ["/state", "/master/state?x=1", "/api/v1", "/master/api/v1/scheduler", "/tasks"] {
        let answer = get(address, path).await.expect("an answer");
        assert_eq!(
            (status(&answer), header(&answer, "location")),
            ("307", Some(&*format!("//{leader}{path}")))
        );
    }
    let answer = get(address, "/master/redirect").await.expect("an answer");
    assert_eq!(header(&answer, "location"), Some(&*format!("//{leader}")));
    assert_eq!(status(&get(address, "/redirect/x").await.expect("an answer")), "404");
    assert_eq!(status(&get(address, "/health").await.expect("an answer")), "200");
    let metrics = get(address, "/metrics/snapshot").await.expect("an answer");
    assert!(metrics.contains("\"master/elected\":0.0"), "{metrics}");
}

/// Kills the leader, lets it come back, pauses the next one and lets that come back.
async fn fail_over(mut cluster: Cluster) {
    let first = cluster.leader(None).await;
    let mut running = cluster.in_time("the tasks run", Running::start(cluster.masters())).await;
    cluster.whole().await;
    for standby in (0..3).filter(|number| *number != first) {
        stands_by(&cluster, standby, first).await;
    }

    cluster.masters[first].process.kill();
    cluster.in_time("the framework has another master", running.moved()).await;
    let second = cluster.leader(Some(first)).await;
    cluster.whole().await;
    cluster.in_time("an offer of the new master", running.offered()).await;
    cluster.masters[first].process.start();
    cluster
        .eventually("the killed master is back", async || {
            get(cluster.masters[first].address, "/health").await.ok()
        })
        .await;
    assert_eq!(cluster.leader(None).await, second, "it is a standby");
    stands_by(&cluster, first, second).await;

    cluster.masters[second].process.pause();
    cluster.in_time("the framework has another master", running.moved()).await;
    cluster.whole().await;
    cluster.in_time("an offer of the new master", running.offered()).await;
    cluster.masters[second].process.go_on();
    let third = cluster.leader(Some(second)).await;
    cluster
        .eventually("the paused master begins anew as a standby", async || {
            let answer = get(cluster.masters[second].address, "/redirect").await.ok()?;
            let leader = format!("//{}", cluster.masters[third].address);
            (header(&answer, "location") == Some(&*leader)).then_some(())
        })
        .await;
    stands_by(&cluster, second, third).await;
    cluster.whole().await;
    the_command_sees_all(&cluster);
}

fn the_command_sees_all(cluster: &Cluster) {
    let tasks = std::process::Command::new(env!("CARGO_BIN_EXE_meseta"))
        .args(["tasks", "--master", &cluster.url, "-o", "json"])
        .output()
        .expect("the command runs");
    let tasks: serde_json::Value = serde_json::from_slice(&tasks.stdout).expect("JSON");
    assert_eq!(tasks.as_array().map(Vec::len), Some(TASKS), "the command finds the leader as well");
}

/// What the doctor finds, its exit code beside.
async fn doctor(url: &str) -> (serde_json::Value, Option<i32>) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_meseta"));
    let told = command.args(["doctor", "--master", url, "--output=json"]).output().await;
    let told = told.expect("the command runs");
    let findings = serde_json::from_slice(&told.stdout);
    (findings.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr))), told.status.code())
}

/// All masters are asked, not only the one that leads: also one that says that it is there, where nobody answers.
async fn the_doctor_asks_all(cluster: Cluster) {
    cluster.leader(None).await;
    cluster
        .eventually("all masters are asked", async || {
            (doctor(&cluster.url).await.0["masters"] == 3).then_some(())
        })
        .await;
    let kinds = |found: &serde_json::Value| found["findings"].to_string();
    let (found, _) = doctor(&cluster.url).await;
    assert!(!kinds(&found).contains("master_"), "{found}");

    let silent = format!("127.0.0.1:{}", free_port());
    let pid = Some(format!("master@{silent}"));
    let info = MasterInfo { id: "silent".to_owned(), ip: 16_777_343, port: 1, pid, ..MasterInfo::default() };
    let url = cluster.url.parse().expect("a URL");
    let service = store::masters::open(&url, store::kv::Options::default()).expect("a service");
    let _candidacy = store::masters::contend(&*service, &info);
    let found = cluster
        .eventually("the silent one is asked", async || {
            let (found, code) = doctor(&cluster.url).await;
            (found["masters"] == 4 && code == Some(3)).then_some(found)
        })
        .await;
    let about = format!("master {silent} does not answer");
    assert!(kinds(&found).contains("master_unreachable") && kinds(&found).contains(&about), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_all_masters_that_zookeeper_knows() {
    let zookeeper = ZooKeeper::start();
    let url = format!("zk://{}/mesos", zookeeper.address());
    let cluster = Cluster::start(&url);
    Box::pin(the_doctor_asks_all(cluster)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_all_masters_that_etcd_knows() {
    let etcd = Etcd::start();
    let cluster = Cluster::start(&format!("etcd://{}/meseta", etcd.address()));
    Box::pin(the_doctor_asks_all(cluster)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn masters_on_zookeeper_fail_over_and_no_task_is_lost() {
    let zookeeper = ZooKeeper::start();
    let cluster = Cluster::start(&format!("zk://{}/mesos", zookeeper.address()));
    cluster
        .eventually("all masters are candidates", async || {
            let nodes = zookeeper.says("dump");
            (nodes.matches("/mesos/json.info_000000000").count() == 3).then_some(())
        })
        .await;
    Box::pin(fail_over(cluster)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn masters_on_etcd_fail_over_and_no_task_is_lost() {
    let etcd = Etcd::start();
    Box::pin(fail_over(Cluster::start(&format!("etcd://{}/meseta", etcd.address())))).await;
}

/// Nobody but the masters knows the service. Who is sent from one to the next finds the leader whichever of them it is.
#[tokio::test(flavor = "multi_thread")]
async fn masters_that_are_named_one_by_one_are_found_again() {
    let etcd = Etcd::start();
    let mut cluster = Cluster::named_one_by_one(&format!("etcd://{}/meseta", etcd.address()));
    let mut leader = cluster.leader(None).await;
    let mut running = cluster.in_time("the tasks run", Running::start(cluster.masters())).await;
    for _ in 0..2 {
        cluster.whole().await;
        the_command_sees_all(&cluster);
        cluster.masters[leader].process.kill();
        cluster.in_time("the framework has another master", running.moved()).await;
        let next = cluster.leader(Some(leader)).await;
        cluster.whole().await;
        cluster.in_time("an offer of the new master", running.offered()).await;
        cluster.masters[leader].process.start();
        leader = next;
    }
    the_command_sees_all(&cluster);
}
