//! Agents that are started again with other settings: what each `--reconfiguration_policy` permits, and what comes of it.

mod common;

use agent::{AgentOptions, AgentServer, FaultDomain, Isolation, ReconfigurationPolicy};
use common::groups::{Groups, linux};
use common::{AGENT_ID, FakeMaster, command_task, options, ports};
use proto::{internal, v1};

use ReconfigurationPolicy::{Additive, Any, Equal};

/// What is changed, how, and by which policies that is permitted.
type Case = (&'static str, fn(&mut AgentOptions), &'static [ReconfigurationPolicy]);

fn domain(zone: &str) -> FaultDomain {
    FaultDomain { region: "region".to_owned(), zone: zone.to_owned() }
}

/// Of an agent with `cpus:8;mem:8192;disk:20480;ports:[31000-32000]`, `rack:r1;zone:a` and no domain.
const CASES: [Case; 13] = [
    ("nothing", |_| {}, &[Equal, Additive, Any]),
    (
        "more cpus",
        |new| new.resources = resources("cpus:9;mem:8192;disk:20480;ports:[31000-32000]"),
        &[Additive, Any],
    ),
    (
        "a new resource",
        |new| new.resources = resources("cpus:8;mem:8192;disk:20480;ports:[31000-32000];gold:2"),
        &[Additive, Any],
    ),
    (
        "more ports",
        |new| new.resources = resources("cpus:8;mem:8192;disk:20480;ports:[30000-32000]"),
        &[Additive, Any],
    ),
    (
        "less memory",
        |new| new.resources = resources("cpus:8;mem:4096;disk:20480;ports:[31000-32000]"),
        &[Any],
    ),
    ("no ports", |new| new.resources = resources("cpus:8;mem:8192;disk:20480;ports:[]"), &[Any]),
    ("a new attribute", |new| new.attributes = resources("rack:r1;zone:a;disk:ssd"), &[Additive, Any]),
    ("another attribute", |new| new.attributes = resources("rack:r2;zone:a"), &[Any]),
    ("an attribute less", |new| new.attributes = resources("rack:r1"), &[Any]),
    ("a domain", |new| new.domain = Some(domain("a")), &[Additive, Any]),
    ("another hostname", |new| new.hostname = Some("other.example".to_owned()), &[Any]),
    ("another port", |new| new.port = ports::free_port(), &[Any]),
    ("another reserved role", |new| new.default_role = "ads".to_owned(), &[Any]),
];

fn resources(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// With a port that the agent has in all its lives.
fn at_a_port(options: AgentOptions) -> AgentOptions {
    AgentOptions { port: ports::free_port(), ..options }
}

/// Starts an agent again; what it says of itself to its master, or why it does not start.
async fn again(master: &mut FakeMaster, options: AgentOptions) -> Result<v1::AgentInfo, String> {
    let started = AgentServer::start(options).await;
    let agent = started.map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    })?;
    master.point_at(&agent);
    let (message, _) = master.take_back().await;
    assert_eq!(message.slave.id, Some(AGENT_ID.into()), "it is the same agent");
    agent.leave().await;
    let slave = proto::encode(&message.slave);
    Ok(proto::decode(&slave).expect("the same fields"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_permits_what_it_says() {
    for (name, change, permitted) in CASES {
        let work_dir = tempfile::tempdir().expect("a directory");
        let mut master = FakeMaster::start().await;
        let before = at_a_port(options(master.address, work_dir.path()));
        master.agent(before.clone()).await.leave().await;
        // The strictest first: who is refused leaves all as it was.
        for policy in [Equal, Additive, Any] {
            let mut now = AgentOptions { reconfiguration_policy: policy, ..before.clone() };
            change(&mut now);
            let expected = permitted.contains(&policy);
            match again(&mut master, now.clone()).await {
                Ok(info) => {
                    assert!(expected, "{name} is permitted under {policy:?}");
                    assert_eq!(
                        info.hostname,
                        now.hostname.unwrap_or_else(|| "127.0.0.1".to_owned()),
                        "{name}"
                    );
                    assert_eq!(info.domain.is_some(), now.domain.is_some(), "{name}");
                    break;
                }
                Err(error) => {
                    assert!(!expected, "{name} is refused under {policy:?}: {error}");
                    assert!(error.contains("not permitted under '--reconfiguration_policy="), "{error}");
                }
            }
        }
    }
}

/// What was permitted once is what the next change is compared with.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_kept() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let before = at_a_port(options(master.address, work_dir.path()));
    master.agent(before.clone()).await.leave().await;
    let more = AgentOptions {
        reconfiguration_policy: Additive,
        resources: resources("cpus:16;mem:8192;disk:20480;ports:[31000-32000]"),
        ..before.clone()
    };
    again(&mut master, more).await.expect("more is permitted");
    let back = AgentOptions { reconfiguration_policy: Additive, ..before };
    let error = again(&mut master, back).await.expect_err("it has more now");
    assert!(error.contains("lack some of"), "{error}");
}

/// Running tasks go on with other settings, as long as what they use is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_task_outlives_the_change_or_forbids_it() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let mut before = at_a_port(linux(master.address, work_dir.path()));
    before.linux.isolation = Isolation::parse("filesystem/linux,namespaces/pid").expect("known isolators");
    let agent = master.agent(before.clone()).await;
    master.run_for(true, command_task("t", "exec sleep 1000"));
    while master.status().await.state() != v1::TaskState::TaskRunning {}
    master.until_written().await;
    agent.leave().await;
    // It uses 0.1 of a processor and 32 MB.
    let with = |text: &str| AgentOptions { resources: resources(text), ..before.clone() };
    let error = again(&mut master, with("cpus:0.05;mem:8192")).await.expect_err("it does not fit");
    assert!(error.contains("cpus"), "{error}");
    let agent = AgentServer::start(with("cpus:1;mem:64")).await.expect("it fits");
    master.point_at(&agent);
    let (message, _): (internal::ReregisterSlaveMessage, _) = master.take_back().await;
    assert_eq!(message.tasks.iter().map(|task| task.task_id.value.as_str()).collect::<Vec<_>>(), ["t"]);
    agent.shutdown().await;
}
