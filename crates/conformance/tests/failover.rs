//! Parts of a cluster that go and come back, with real processes: what schedulers see is what Mesos' schedulers saw.

use anyhow::{Context, Result, ensure};
use conformance::cluster::Cluster;
use conformance::scheduler::{Framework, Log, Scheduler, text};
use conformance::sequence::{self, Order};
use conformance::shapes::differences_of;
use conformance::tasks::{launch, task};
use conformance::{operator, recording};
use serde_json::{Value, json};

/// As the recorded cluster was started: whoever does not answer is soon lost, and whoever comes back comes at once.
const MASTER: &[&str] = &["--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=2"];
const AGENT: &[&str] = &["--registration_backoff_factor=100ms"];

/// Plays a scenario on a cluster of its own and compares with its recording.
fn agrees_with_mesos(name: &str, play: impl FnOnce(&mut Cluster, &Log) -> Result<()>) {
    let mut cluster = Cluster::with_flags(1, MASTER, AGENT).unwrap();
    let log = Log::default();
    let stuck = play(&mut cluster, &log).err().map(|error| format!("{error:#}"));
    let recorded = recording::lines(recording::operation(name).expect("there is a recording")).unwrap();
    let (expected, seen) = (comparable(&recorded), comparable(&log.entries()));
    // An operator's answer and what schedulers hear of it come on connections of their own.
    let of_operators = ["deactivate", "drain", "inverse_offer", "mark_gone"].contains(&name);
    let order = if of_operators { Order::OfEachSubject } else { Order::Total };
    let differences = sequence::differences(&sequence::steps(&expected), &sequence::steps(&seen), order);
    let lines: Vec<String> = seen.iter().map(ToString::to_string).collect();
    assert!(
        differences.is_empty() && stuck.is_none(),
        "{stuck:?}\n{}\n\nseen:\n{}\n\nmaster:\n{}",
        differences.join("\n"),
        lines.join("\n"),
        cluster.master.log()
    );
    for agent in &mut cluster.agents {
        agent.kill();
    }
}

/// What can be compared. The recorder waited for things that do not come; and an agent that was killed before an
/// acknowledgement reached it tells the same again.
fn comparable(log: &[Value]) -> Vec<Value> {
    let mut told = Vec::new();
    let first = |entry: &&Value| {
        let uuid = &entry["update"]["status"]["uuid"];
        let again = !uuid.is_null() && told.contains(uuid);
        told.push(uuid.clone());
        !again && entry["type"] != "(timeout)" && entry["type"] != "(completed)"
    };
    log.iter().filter(first).cloned().collect()
}

fn framework(failover_timeout: f64) -> Framework {
    Framework::default().with("failover_timeout", json!(failover_timeout)).with("checkpoint", json!(true))
}

/// A scheduler with a running task `t`.
fn running(cluster: &Cluster, log: &Log, framework: &Framework) -> Result<Scheduler> {
    let mut scheduler = Scheduler::subscribe(&cluster.master.address, framework, log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", "sleep 100")])])?;
    scheduler.running().context("the task does not run")?;
    Ok(scheduler)
}

#[test]
fn agent_lost() {
    agrees_with_mesos("agent_lost", |cluster, log| {
        let mut scheduler = running(cluster, log, &framework(0.0))?;
        cluster.agents[0].kill();
        scheduler.terminal().context("the task is not lost")?;
        scheduler.wait("FAILURE", 40).context("the agent is not lost")?;
        scheduler.end()
    });
}

#[test]
fn agent_lost_partition_aware() {
    agrees_with_mesos("agent_lost_partition_aware", |cluster, log| {
        let aware = framework(0.0).capable_of("PARTITION_AWARE");
        let mut scheduler = running(cluster, log, &aware)?;
        cluster.agents[0].kill();
        scheduler.terminal().context("the task is not unreachable")?;
        scheduler.wait("FAILURE", 40).context("the agent is not lost")?;
        cluster.agents[0].restart()?;
        scheduler.running().context("the task is not back")?;
        scheduler.end()
    });
}

#[test]
fn mark_gone() {
    agrees_with_mesos("mark_gone", |cluster, log| {
        let aware = framework(0.0).capable_of("PARTITION_AWARE");
        let mut scheduler = running(cluster, log, &aware)?;
        let agent = cluster.master.get("/slaves")?["slaves"][0]["id"].clone();
        let answer = operator::call(
            &cluster.master.address,
            "MARK_AGENT_GONE",
            &json!({"agent_id": {"value": agent}}),
        )?;
        log.push(json!({"type": "(call)", "call": "MARK_AGENT_GONE", "status": answer.head.status}));
        scheduler.update(&["TASK_GONE_BY_OPERATOR"], 40).context("the task is not gone")?;
        scheduler.wait("FAILURE", 40).context("the agent is not lost")?;
        scheduler.end()?;
        // It was told to end, and may not come back.
        cluster.agents[0].wait_until("told to end", |agent| agent.log().contains("marked gone")).or_else(
            |error| {
                ensure!(error.to_string().contains("marked gone"), "{error:#}");
                Ok(())
            },
        )?;
        cluster.agents[0].restart()?;
        cluster.master.wait_until("asked by an agent that is gone", |master| {
            let metrics = master.get("/metrics/snapshot").unwrap_or_default();
            metrics["master/messages_reregister_slave"].as_f64() > Some(0.0)
                || metrics["master/messages_register_slave"].as_f64() > Some(1.0)
        })?;
        let agents = cluster.master.get("/slaves")?["slaves"].clone();
        ensure!(!agents.to_string().contains(&text(&agent)), "it is there again: {agents}");
        Ok(())
    });
}

/// Makes a call as an operator, and notes how it was answered.
fn ask(address: &str, log: &Log, kind: &str, fields: &Value) -> Result<()> {
    let answer = operator::call(address, kind, fields)?;
    log.push(json!({"type": "(call)", "call": kind, "status": answer.head.status}));
    Ok(())
}

#[test]
fn inverse_offer() {
    agrees_with_mesos("inverse_offer", |cluster, log| {
        let address = cluster.master.address.clone();
        let mut scheduler = running(cluster, log, &framework(0.0))?;
        let hostname = cluster.master.get("/slaves")?["slaves"][0]["hostname"].clone();
        let machine = json!({"hostname": hostname, "ip": "127.0.0.1"});
        let unavailability = json!({
            "start": {"nanoseconds": 4_000_000_000_000_000_000_i64},
            "duration": {"nanoseconds": 3_600_000_000_000_i64},
        });
        let windows = json!([{"machine_ids": [machine], "unavailability": unavailability}]);
        ask(&address, log, "UPDATE_MAINTENANCE_SCHEDULE", &json!({"schedule": {"windows": windows}}))?;
        let offers = scheduler.wait("INVERSE_OFFERS", 40).context("nobody is asked to leave")?;
        let offer = &offers["inverse_offers"]["inverse_offers"][0];
        let recorded = recording::lines(recording::operation("inverse_offer").unwrap_or_default())?;
        let told =
            |entries: &[Value], kind: &str| entries.iter().find(|entry| entry["type"] == kind).cloned();
        let as_in_mesos = told(&recorded, "INVERSE_OFFERS").context("none was recorded")?;
        let as_in_mesos = &as_in_mesos["inverse_offers"]["inverse_offers"][0];
        ensure!(fields(offer) == fields(as_in_mesos) && offer["unavailability"] == unavailability, "{offer}");
        let ids = json!({"inverse_offer_ids": [offer["id"]]});
        scheduler.call("ACCEPT_INVERSE_OFFERS", json!({"accept_inverse_offers": ids}))?;
        let mut status = Value::Null;
        cluster.master.wait_until("told that the framework will leave", |master| {
            status = master.get("/maintenance/status").unwrap_or_default();
            status["draining_machines"][0]["statuses"][0]["status"] == "ACCEPT"
        })?;
        ensure!(status["draining_machines"][0]["id"] == machine, "{status}");
        let v1 = operator::call(&address, "GET_MAINTENANCE_STATUS", &Value::Null)?.text();
        let v1: Value = serde_json::from_str(&v1)?;
        ensure!(v1["get_maintenance_status"]["status"] == status, "{v1}");
        log.push(json!({"type": "(maintenance)"}));

        let machines = json!({"machines": [machine]});
        ask(&address, log, "START_MAINTENANCE", &machines)?;
        scheduler.terminal().context("the task is not lost")?;
        scheduler.wait("FAILURE", 40).context("the agent is not lost")?;
        cluster.agents[0].wait_until_ended()?;
        // It is refused, and by the next master too.
        cluster.master.restart()?;
        cluster.master.wait_until_healthy()?;
        cluster.agents[0].restart()?;
        cluster.agents[0].wait_until_ended()?;
        ensure!(cluster.agents[0].log().contains("Machine is `DOWN`"), "{}", cluster.agents[0].log());
        ask(&address, log, "STOP_MAINTENANCE", &machines)?;
        ensure!(cluster.master.get("/maintenance/status")? == json!({}), "something is scheduled");
        cluster.agents[0].restart()?;
        cluster.wait_for_agents(1)
    });
}

/// The agents, as an operator sees them.
fn agents(address: &str, log: &Log) -> Result<Value> {
    let answer: Value = serde_json::from_str(&operator::call(address, "GET_AGENTS", &Value::Null)?.text())?;
    log.push(json!({"type": "(agents)"}));
    Ok(answer["get_agents"].clone())
}

/// What a recording says of the agents.
fn recorded_agents(name: &str) -> Result<Value> {
    let recorded = recording::lines(recording::operation(name).unwrap_or_default())?;
    let entry = recorded.iter().find(|entry| entry["type"] == "(agents)").context("none were recorded")?;
    let answer: Value = serde_json::from_str(entry["body"].as_str().unwrap_or_default())?;
    Ok(answer["get_agents"].clone())
}

#[test]
fn deactivate() {
    agrees_with_mesos("deactivate", |cluster, log| {
        let mut scheduler = Scheduler::subscribe(&cluster.master.address, &Framework::default(), log)?;
        let agent = scheduler.offer()?["agent_id"].clone();
        ask(&cluster.master.address, log, "DEACTIVATE_AGENT", &json!({"agent_id": agent}))?;
        scheduler.wait("RESCIND", 40).context("the offer stands")?;
        scheduler.end()
    });
}

#[test]
fn drain() {
    agrees_with_mesos("drain", |cluster, log| {
        let address = cluster.master.address.clone();
        let mut scheduler = running(cluster, log, &framework(0.0).capable_of("PARTITION_AWARE"))?;
        let agent = cluster.master.get("/slaves")?["slaves"][0]["id"].clone();
        let grace = json!({"nanoseconds": 1_000_000_000});
        let fields = json!({"agent_id": {"value": agent}, "max_grace_period": grace});
        ask(&address, log, "DRAIN_AGENT", &fields)?;
        scheduler.terminal().context("the task is not killed")?;
        cluster.master.wait_until("drained", |master| {
            let agents = master.get("/slaves").unwrap_or_default();
            agents["slaves"][0]["drain_info"]["state"] == "DRAINED"
        })?;
        let (found, wanted) = (agents(&address, log)?, recorded_agents("drain")?);
        let missing = differences_of("agents", &wanted, &found);
        ensure!(missing.is_empty(), "{missing:?} of {found}");
        for name in ["active", "deactivated", "drain_info"] {
            let of = |answer: &Value| answer["agents"][0][name].clone();
            ensure!(of(&found) == of(&wanted), "{name}: {} and not {}", of(&found), of(&wanted));
        }
        ask(&address, log, "REACTIVATE_AGENT", &json!({"agent_id": {"value": agent}}))?;
        scheduler.end()
    });
}

#[test]
fn drain_mark_gone() {
    agrees_with_mesos("drain_mark_gone", |cluster, log| {
        let address = cluster.master.address.clone();
        let mut scheduler = running(cluster, log, &framework(0.0).capable_of("PARTITION_AWARE"))?;
        let agent = cluster.master.get("/slaves")?["slaves"][0]["id"].clone();
        operator::call(&address, "DRAIN_AGENT", &json!({"agent_id": {"value": agent}, "mark_gone": true}))?;
        scheduler.update(&["TASK_GONE_BY_OPERATOR"], 40).context("the task is not gone")?;
        scheduler.wait("FAILURE", 40).context("the agent is not lost")?;
        let found = agents(&address, log)?;
        ensure!(found == recorded_agents("drain_mark_gone")?, "{found}");
        scheduler.end()
    });
}

fn fields(value: &Value) -> Vec<&String> {
    value.as_object().map(|object| object.keys().collect()).unwrap_or_default()
}

#[test]
fn master_restart() {
    agrees_with_mesos("master_restart", |cluster, log| {
        let mut first = running(cluster, log, &framework(600.0))?;
        log.push(json!({"type": "(master killed)"}));
        cluster.master.kill();
        ensure!(first.wait_closed(40), "the stream stays open");
        cluster.master.restart()?;
        cluster.master.wait_until_healthy()?;
        cluster.wait_for_agents(1)?;
        let again = framework(600.0).with_id(&first.framework_id);
        let mut second = Scheduler::subscribe(&cluster.master.address, &again, log)?;
        second.call("RECONCILE", json!({"reconcile": {"tasks": []}}))?;
        second.wait("UPDATE", 40).context("no answer")?;
        second.kill("t")?;
        second.terminal().context("the task is not killed")?;
        second.end()?;
        let metrics = cluster.master.get("/metrics/snapshot")?;
        ensure!(metrics["master/slave_registrations"] == 0.0, "the agent was admitted anew");
        Ok(())
    });
}

#[test]
fn framework_failover_timeout() {
    agrees_with_mesos("framework_failover_timeout", |cluster, log| {
        let first = running(cluster, log, &framework(3.0))?;
        let id = first.framework_id.clone();
        first.vanish();
        let mut completed = Value::Null;
        cluster.master.wait_until("rid of the framework", |master| {
            completed = master.get("/state").unwrap_or_default()["completed_frameworks"].clone();
            completed.as_array().is_some_and(|all| !all.is_empty())
        })?;
        ensure!(completed[0]["completed_tasks"][0]["state"] == "TASK_KILLED", "{completed}");
        let again = framework(3.0).with_id(&id);
        // It is refused, with an event and the end of the stream.
        ensure!(Scheduler::subscribe(&cluster.master.address, &again, log).is_err(), "it is subscribed");
        Ok(())
    });
}

/// What only the registry can tell the next master.
#[test]
fn what_operators_have_set_outlives_the_master() {
    let mut cluster = Cluster::with_flags(2, MASTER, AGENT).unwrap();
    let address = cluster.master.address.clone();
    let agents = cluster.master.get("/slaves").unwrap()["slaves"].clone();
    let call = |kind: &str, fields: Value| {
        let answer = operator::call(&address, kind, &fields).unwrap();
        assert_eq!(answer.head.status, 200, "{kind}: {}", answer.text());
    };
    let id = |at: usize| json!({"value": agents[at]["id"]});
    call("DEACTIVATE_AGENT", json!({"agent_id": id(0)}));
    call("MARK_AGENT_GONE", json!({"agent_id": id(1)}));
    call("UPDATE_WEIGHTS", json!({"weight_infos": [{"role": "web", "weight": 2.5}]}));
    let quota = json!({"role": "web", "limits": {"cpus": {"value": 3}}});
    call("UPDATE_QUOTA", json!({"quota_configs": [quota]}));

    cluster.master.restart().unwrap();
    cluster.master.wait_until_healthy().unwrap();
    let deactivated = |master: &conformance::cluster::Server| {
        let slaves = master.get("/slaves").unwrap_or_default()["slaves"].clone();
        slaves.as_array().is_some_and(|all| all.len() == 1 && all[0]["id"] == agents[0]["id"])
            && slaves[0]["deactivated"] == true
    };
    cluster.master.wait_until("joined by the deactivated agent", deactivated).unwrap();
    let weights = cluster.master.get("/weights").unwrap();
    assert_eq!(weights, json!([{"role": "web", "weight": 2.5}]));
    let quota = operator::call(&address, "GET_QUOTA", &Value::Null).unwrap().text();
    assert!(quota.contains("\"web\"") && quota.contains('3'), "{quota}");
    let metrics = cluster.master.get("/metrics/snapshot").unwrap();
    assert!(metrics["registrar/registry_size_bytes"].as_f64() > Some(0.0), "{metrics}");
    assert!(metrics["registrar/state_fetch_ms"].is_number(), "{metrics}");
}
