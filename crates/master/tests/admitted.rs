//! Which agents a master takes, and what of them it offers to whom.

mod support;

use proto::internal;
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, json as post, scalar};

/// What an agent says when it comes first, or back under its id.
fn come(agent: &mut FakeAgent, version: &str, zone: Option<&str>) {
    let mut slave = agent.info();
    slave.domain = zone.map(|zone| {
        let text = format!(r#"{{"fault_domain":{{"region":{{"name":"r"}},"zone":{{"name":"{zone}"}}}}}}"#);
        proto::json::from_slice(text.as_bytes()).unwrap()
    });
    let version = Some(version.to_owned());
    if agent.id.is_empty() {
        agent.send(&internal::RegisterSlaveMessage { version, ..FakeAgent::registration(slave) });
    } else {
        agent.send(&internal::ReregisterSlaveMessage { slave, version, ..agent.reregistration() });
    }
}

async fn taken(agent: &mut FakeAgent) {
    if agent.id.is_empty() {
        let answer: internal::SlaveRegisteredMessage = agent.wait_for().await;
        agent.id = answer.slave_id.value;
    } else {
        let _: internal::SlaveReregisteredMessage = agent.wait_for().await;
    }
}

/// How many agents the master has.
async fn known(master: &master::MasterServer) -> usize {
    get(master.address(), "/slaves").await.json()["slaves"].as_array().unwrap().len()
}

/// After `MasterTest.IgnoreOldAgentRegistration` and `IgnoreOldAgentReregistration`.
#[tokio::test(flavor = "multi_thread")]
async fn agents_that_are_too_old_are_passed_over() {
    let master = support::master().await;
    for id in ["", "former-master-S3"] {
        let mut agent = FakeAgent::listen(master.address()).await;
        agent.id = id.to_owned();
        let before = known(&master).await;
        for old in ["0.28.1-rc1", "", "unknown"] {
            come(&mut agent, old, None);
        }
        // Messages of one agent are read in their order: the master has passed over the others when it takes this one.
        come(&mut agent, "1.0.0", None);
        taken(&mut agent).await;
        assert_eq!(known(&master).await, before + 1);
        let metrics = get(master.address(), "/metrics/snapshot").await.json();
        let came = if id.is_empty() { "register" } else { "reregister" };
        assert_eq!(metrics[format!("master/messages_{came}_slave")], 1.0);
    }
    master.shutdown().await;
}

/// After `MasterTest.AgentDomainSameRegion`, `AgentDomainUnset`, `AgentDomainMismatch`, `AgentDomainMismatchOnReregister`,
/// `RegistrationWithoutRequiredAgentDomain` and `ReregistrationWithoutRequiredAgentDomain`.
#[tokio::test(flavor = "multi_thread")]
async fn agents_are_taken_by_the_domain_that_they_have() {
    const VERSION: &str = "1.12.0";
    for (masters, required, agents, is_taken) in [
        (Some("z1"), false, Some("z2"), true),
        (Some("z1"), false, None, true),
        (Some("z1"), true, None, false),
        (Some("z1"), true, Some("z2"), true),
        (None, false, Some("z1"), false),
        (None, false, None, true),
    ] {
        let master = support::master_with(|options| {
            options.domain =
                masters.map(|zone| master::FaultDomain { region: "r".into(), zone: zone.into() });
            options.require_agent_domain = required;
        })
        .await;
        for id in ["", "former-master-S3"] {
            let what = format!("master {masters:?}, required {required}, agent {agents:?} '{id}'");
            let mut agent = FakeAgent::listen(master.address()).await;
            agent.id = id.to_owned();
            let before = known(&master).await;
            come(&mut agent, VERSION, agents);
            if is_taken {
                taken(&mut agent).await;
                assert_eq!(known(&master).await, before + 1, "{what}");
                continue;
            }
            // It is taken as soon as it says what is wanted.
            come(&mut agent, VERSION, masters);
            taken(&mut agent).await;
            let metrics = get(master.address(), "/metrics/snapshot").await.json();
            let came = if id.is_empty() { "register" } else { "reregister" };
            assert_eq!(metrics[format!("master/messages_{came}_slave")], 1.0, "{what}");
        }
        let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
        let zone = scheduler.offer().await["domain"]["fault_domain"]["zone"]["name"].clone();
        assert_eq!(zone, json!(if is_taken { agents } else { masters }));
        master.shutdown().await;
    }
}

/// After `WhitelistTest.WhitelistSlave`.
#[tokio::test(flavor = "multi_thread")]
async fn only_agents_of_the_list_are_offered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whitelist.txt");
    std::fs::write(&path, "listed\ndummy-agent\n").unwrap();
    let master = support::master_with(|options| options.whitelist = Some(path)).await;
    for host in ["stranger", "listed"] {
        let mut agent = FakeAgent::listen(master.address()).await;
        agent.register_as(proto::v0::SlaveInfo { hostname: host.into(), ..agent.info() }).await;
    }
    // The list is read when the master starts, at about this time.
    let offered = async || loop {
        let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
        let offers = scheduler.wait_for("OFFERS").await["offers"]["offers"].clone();
        let hosts: Vec<Value> =
            offers.as_array().unwrap().iter().map(|offer| offer["hostname"].clone()).collect();
        if hosts == ["listed"] {
            break scheduler;
        }
        scheduler.call("TEARDOWN", "teardown", json!({})).await;
        while scheduler.next().await.is_some() {}
    };
    let scheduler =
        tokio::time::timeout(support::PATIENCE, offered()).await.expect("only what is listed is offered");
    let why = get(master.address(), &format!("/explain/framework?id={}", scheduler.framework_id)).await.body;
    assert!(why.contains("whitelist"), "{why}");
    master.shutdown().await;
}

/// After `MasterTest.IgnoreEphemeralPortsResource`.
#[tokio::test(flavor = "multi_thread")]
async fn ports_that_the_agent_gives_by_itself_are_not_offered() {
    let master = support::master().await;
    let mut agent = FakeAgent::listen(master.address()).await;
    let mut slave = agent.info();
    for (name, begin, end) in [("ports", 31000, 32000), ("ephemeral_ports", 30001, 30999)] {
        slave.resources.push(proto::v1::Resource {
            name: name.into(),
            r#type: proto::v1::value::Type::Ranges.into(),
            ranges: Some(proto::v1::value::Ranges { range: vec![proto::v1::value::Range { begin, end }] }),
            ..Default::default()
        });
    }
    agent.register_as(slave).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let offer = scheduler.offer().await;
    let names: Vec<&str> = offer["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"ports") && !names.contains(&"ephemeral_ports"), "{names:?}");
    let shown = get(master.address(), "/slaves").await.json()["slaves"][0].clone();
    assert_eq!(shown["resources"]["ephemeral_ports"], "[30001-30999]");
    master.shutdown().await;
}

/// After `MasterTestPrePostReservationRefinement` (`LaunchTask`, `LaunchGroup`, `ReserveCreateLaunchDestroyUnreserve`), and
/// MESOS-8237: schedulers that know neither refined reservations nor several roles see offers as they know them, and use them so.
#[tokio::test(flavor = "multi_thread")]
async fn older_schedulers_see_and_use_what_they_know() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut subscription = Subscription::default().with("role", json!("ads")).with("capabilities", json!([]));
    subscription.info.as_object_mut().unwrap().remove("roles");
    let mut scheduler = Scheduler::subscribe(master.address(), subscription).await;
    let offer = scheduler.offer().await;
    assert!(offer.get("allocation_info").is_none(), "{offer}");
    for resource in offer["resources"].as_array().unwrap() {
        assert!(resource.get("allocation_info").is_none() && resource.get("reservations").is_none());
        assert_eq!(resource["role"], "*", "{resource}");
    }
    let reserved = |name: &str, value: f64| {
        let mut resource = scalar(name, value);
        resource["role"] = json!("ads");
        resource["reservation"] = json!({});
        resource
    };
    let mut volume = reserved("disk", 64.0);
    volume["disk"] =
        json!({ "persistence": { "id": "v" }, "volume": { "mode": "RW", "container_path": "data" } });
    let task = |id: &str, resources: Value| {
        json!({
            "name": id, "task_id": { "value": id }, "agent_id": offer["agent_id"], "resources": resources,
            "command": { "value": "true" },
        })
    };
    let executor = json!({
        "type": "DEFAULT", "executor_id": { "value": "pod" },
        "resources": [scalar("cpus", 0.1), scalar("mem", 32.0), scalar("disk", 32.0)],
    });
    let first = task("t", json!([reserved("cpus", 1.0), scalar("mem", 32.0), volume]));
    let group = json!({ "tasks": [task("g", json!([scalar("cpus", 0.1), scalar("mem", 32.0)]))] });
    let operations = json!([
        { "type": "RESERVE", "reserve": { "resources": [reserved("cpus", 2.0), reserved("disk", 64.0)] } },
        { "type": "CREATE", "create": { "volumes": [volume] } },
        { "type": "LAUNCH", "launch": { "task_infos": [first] } },
        { "type": "LAUNCH_GROUP", "launch_group": { "executor": executor, "task_group": group } },
    ]);
    let accept =
        json!({ "offer_ids": [offer["id"]], "operations": operations, "filters": { "refuse_seconds": 0 } });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    for number in 1..3 {
        let asked: internal::ApplyOperationMessage = agent.wait_for().await;
        agent.tell_of_operation(&asked, proto::v1::OperationState::OperationFinished, number);
    }
    let run: internal::RunTaskMessage = agent.wait_for().await;
    assert!(run.task.resources.iter().all(|resource| resource.allocation_info.is_some()));
    assert!(run.task.resources.iter().any(|resource| resource.disk.is_some()));
    let run: internal::RunTaskGroupMessage = agent.wait_for().await;
    assert_eq!(run.executor.resources[0].allocation_info.as_ref().unwrap().role(), "ads");
    // What is left of it is offered in the same way.
    let offer = scheduler.offer().await;
    let left =
        offer["resources"].as_array().unwrap().iter().find(|resource| resource["role"] == "ads").unwrap();
    assert_eq!((&left["name"], &left["scalar"]["value"]), (&json!("cpus"), &json!(1.0)), "{offer}");
    assert!(left.get("reservation").is_some() && left.get("reservations").is_none(), "{left}");
    // And given back so, as are volumes by operators.
    let accept = json!({ "offer_ids": [offer["id"]], "operations": [
        { "type": "UNRESERVE", "unreserve": { "resources": [reserved("cpus", 1.0)] } },
    ] });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    let asked: internal::ApplyOperationMessage = agent.wait_for().await;
    assert_eq!(asked.operation_info.r#type(), proto::v1::offer::operation::Type::Unreserve);
    master.shutdown().await;
}

/// After `MasterTestPrePostReservationRefinement` (`ReserveAndUnreserveResourcesV1`, `CreateAndDestroyVolumesV1`): operators may
/// write reservations in either form.
#[tokio::test(flavor = "multi_thread")]
async fn operators_reserve_and_create_in_the_older_form_too() {
    for refined in [true, false] {
        let master = support::master().await;
        let mut agent = FakeAgent::register(master.address()).await;
        let reserved = |name: &str, value: f64| {
            let mut resource = scalar(name, value);
            if refined {
                resource["reservations"] = json!([{ "type": "DYNAMIC", "role": "ads" }]);
            } else {
                resource["role"] = json!("ads");
                resource["reservation"] = json!({});
            }
            resource
        };
        let mut volume = reserved("disk", 64.0);
        volume["disk"] =
            json!({ "persistence": { "id": "v" }, "volume": { "mode": "RW", "container_path": "data" } });
        let amounts = json!([reserved("cpus", 1.0), reserved("disk", 64.0)]);
        for (number, (kind, part, what)) in [
            ("RESERVE_RESOURCES", "resources", &amounts),
            ("CREATE_VOLUMES", "volumes", &json!([volume])),
            ("DESTROY_VOLUMES", "volumes", &json!([volume])),
            ("UNRESERVE_RESOURCES", "resources", &amounts),
        ]
        .into_iter()
        .enumerate()
        {
            let call = json!({ "type": kind,
                kind.to_lowercase(): { "agent_id": { "value": agent.id }, part: what } });
            let answer = post(master.address(), "/api/v1", &call.to_string()).await;
            assert_eq!(answer.status, 202, "{kind} {what}: {answer:?}");
            let asked: internal::ApplyOperationMessage = agent.wait_for().await;
            let number = u8::try_from(number).unwrap() + 1;
            agent.tell_of_operation(&asked, proto::v1::OperationState::OperationFinished, number);
        }
        master.shutdown().await;
    }
}

/// After `MasterTest.TaskWithTinyResources`: Mesos' own library leaves out what rounds to nothing before it is sent, so that memory is
/// all that is left; who sends it all the same is refused by both.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_memory_alone_runs_and_amounts_that_round_to_nothing_are_refused() {
    let master = support::master().await;
    let mut agent = FakeAgent::register(master.address()).await;
    let mut scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    for (cpus, is_refused) in [(Some(0.000_01), true), (None, false)] {
        let offer = scheduler.offer().await;
        let resources: Vec<Value> =
            cpus.map(|cpus| scalar("cpus", cpus)).into_iter().chain([scalar("mem", 1.0)]).collect();
        let task = json!({
            "name": "t", "task_id": { "value": "t" }, "agent_id": offer["agent_id"], "resources": resources,
            "command": { "value": "sleep 1000" },
        });
        scheduler.launch(&offer, task).await;
        if is_refused {
            let status = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
            assert_eq!(status["reason"], "REASON_TASK_INVALID", "{status}");
            assert!(status["message"].as_str().unwrap().contains("value <= 0"), "{status}");
        } else {
            let run: internal::RunTaskMessage = agent.wait_for().await;
            assert_eq!(run.task.resources.len(), 1);
        }
    }
    master.shutdown().await;
}
