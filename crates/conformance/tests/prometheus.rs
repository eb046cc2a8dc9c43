//! What Prometheus makes of `/metrics`: Debian's own, which reads it from a real master and a real agent, and its `promtool`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use conformance::cluster::Cluster;
use conformance::http::{self, Request, Response};
use conformance::ports;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::tasks::{launch, scalar, task};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

fn get(address: &str, path: &str) -> Response {
    let response = http::send(address, &Request::get(path), LIMIT).unwrap();
    assert_eq!(response.head.status, 200, "{path}: {}", response.text());
    response
}

/// A cluster where a task has run and a framework still is, so that there is something of everything.
fn used_cluster() -> (Cluster, Scheduler) {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler =
        Scheduler::subscribe(&cluster.master.address, &Framework::default(), &Log::default()).unwrap();
    let offer = scheduler.offer().unwrap();
    let mut too_big = task(&offer, "too-big", "true");
    too_big["resources"] = json!([scalar("cpus", 1000.0), scalar("mem", 32.0)]);
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", "exit 3"), too_big])]).unwrap();
    for _ in 0..2 {
        scheduler.terminal().expect("the end of a task");
    }
    (cluster, scheduler)
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let (cluster, _scheduler) = used_cluster();
    for address in [&cluster.master.address, &cluster.agents[0].address] {
        let text = get(address, "/metrics");
        assert_eq!(text.head.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let mut promtool = Command::new("promtool");
        promtool
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut promtool = promtool.spawn().expect("promtool of Debian's package prometheus");
        promtool.stdin.take().unwrap().write_all(&text.body).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
        let text = text.text();
        let unexplained: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# HELP") && line.contains("Mesos' metric"))
            .collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }
}

/// Prometheus, until this is dropped.
struct Prometheus {
    address: String,
    child: Child,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Ended by itself already: as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    fn start(cluster: &Cluster) -> Self {
        let directory = cluster.directory();
        let config = directory.join("prometheus.yml");
        let targets = format!("'{}', '{}'", cluster.master.address, cluster.agents[0].address);
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [{{ job_name: meseta, static_configs: [{{ targets: [{targets}] }}] }}]\n"
        );
        fs::write(&config, text).unwrap();
        let address = format!("127.0.0.1:{}", ports::free());
        let log = fs::File::create(directory.join("prometheus.log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus of Debian's package");
        Self { address, child }
    }

    /// What a query finds; `None` while it cannot be asked.
    fn query(&self, query: &str) -> Option<Vec<Value>> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let request = Request::get(&format!("/api/v1/query?query={escaped}"));
        let answer = http::send(&self.address, &request, LIMIT).ok()?;
        let answer: Value = serde_json::from_slice(&answer.body).ok()?;
        answer["data"]["result"].as_array().cloned()
    }

    fn wait_for(&self, query: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.query(query);
            if let Some(found) = found.as_ref().filter(|found| found.len() >= count) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "{query} finds {found:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The metrics that a query is about.
fn metrics_of(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("mesos_") || word.starts_with("meseta_"))
}

#[test]
fn prometheus_reads_both_and_the_dashboard_asks_for_what_there_is() {
    let (cluster, _scheduler) = used_cluster();
    let prometheus = Prometheus::start(&cluster);
    let elected = prometheus.wait_for("mesos_master_elected", 1);
    assert_eq!(elected[0]["value"][1], "1");
    prometheus.wait_for("mesos_slave_registered", 1);
    prometheus.wait_for("up == 1", 2);
    prometheus.wait_for(r#"mesos_master_task_reasons_total{state="task_error"}"#, 1);
    prometheus.wait_for(r#"meseta_http_request_seconds_count{endpoint="/metrics"}"#, 2);

    let names = get(&prometheus.address, "/api/v1/label/__name__/values");
    let names: Value = serde_json::from_slice(&names.body).unwrap();
    let names: BTreeSet<&str> = names["data"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../docs/grafana/meseta.json")).expect("a dashboard");
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut asked = 0;
    for query in queries.map(|target| target["expr"].as_str().unwrap()) {
        assert!(prometheus.query(query).is_some(), "no query: {query}");
        for metric in metrics_of(query) {
            assert!(names.contains(metric), "{metric} of {query} is not there: {names:?}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}
