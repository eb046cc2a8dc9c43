//! Dynamic reservations, by frameworks and by operators, over restarts of whoever may restart.

use std::slice::from_ref;
use std::time::Duration;

use conformance::cluster::Cluster;
use conformance::http::Response;
use conformance::offers::{amount, has_reservation, reserved_for, resources};
use conformance::operator;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::tasks::{launch, reserve, reserved, scalar, task, unreserve, with_id};
use serde_json::{Value, json};

const ROLE: &str = "web";

fn subscribe(cluster: &Cluster, role: &str) -> Scheduler {
    Scheduler::subscribe(&cluster.master.address, &Framework::in_role(role), &Log::default()).unwrap()
}

fn accept(scheduler: &Scheduler, offer: &Value, operations: &[Value]) {
    assert_eq!(scheduler.accept_refusing(&offer["id"], operations, 0.0).unwrap(), 202);
}

fn cpus(amount: f64) -> Value {
    reserved(scalar("cpus", amount), ROLE)
}

fn agent_id(cluster: &Cluster) -> String {
    let slaves = cluster.master.get("/slaves").unwrap();
    slaves["slaves"][0]["id"].as_str().unwrap().to_owned()
}

/// An operator's call of the operator API on the only agent.
fn call(cluster: &Cluster, kind: &str, resources: &[Value]) -> Response {
    let fields = json!({"agent_id": {"value": agent_id(cluster)}, "resources": resources});
    operator::call(&cluster.master.address, kind, &fields).unwrap()
}

/// The same by an older endpoint.
fn form(cluster: &Cluster, path: &str, resources: &[Value]) -> Response {
    let (id, resources) = (agent_id(cluster), Value::from(resources).to_string());
    let fields = [("slaveId", id.as_str()), ("resources", resources.as_str())];
    operator::form(&cluster.master.address, path, &fields).unwrap()
}

#[track_caller]
fn answered(response: &Response, status: u16, text: &str) {
    assert_eq!(response.head.status, status, "{}", response.text());
    assert!(response.text().contains(text), "{}", response.text());
}

#[test]
fn reserve_then_unreserve() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer().unwrap();
    let mine = [cpus(1.0), reserved(scalar("mem", 512.0), ROLE)];
    accept(&scheduler, &offer, &[reserve(&mine)]);
    let offer = scheduler.offer_where(has_reservation).unwrap();
    assert_eq!((amount(&offer, "cpus", Some(ROLE)), amount(&offer, "mem", Some(ROLE))), (1.0, 512.0));
    assert_eq!((amount(&offer, "cpus", None), amount(&offer, "mem", None)), (7.0, 7680.0));
    accept(&scheduler, &offer, &[unreserve(&mine)]);
    let offer = scheduler.offer_where(|offer| !has_reservation(offer)).unwrap();
    assert_eq!((amount(&offer, "cpus", None), amount(&offer, "mem", None)), (8.0, 8192.0));
}

#[test]
fn reserve_twice_with_fractions() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer().unwrap();
    accept(&scheduler, &offer, &[reserve(&[cpus(0.1)])]);
    let offer = scheduler.offer_where(has_reservation).unwrap();
    accept(&scheduler, &offer, &[reserve(&[cpus(0.2)])]);
    let offer = scheduler.offer_where(|offer| amount(offer, "cpus", Some(ROLE)) > 0.1).unwrap();
    assert_eq!((amount(&offer, "cpus", Some(ROLE)), amount(&offer, "cpus", None)), (0.3, 7.7));
    accept(&scheduler, &offer, &[unreserve(&[cpus(0.3)])]);
    let offer = scheduler.offer_where(|offer| !has_reservation(offer)).unwrap();
    assert_eq!(amount(&offer, "cpus", None), 8.0);
}

#[test]
fn reserve_and_launch_then_unreserve() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer().unwrap();
    let mut sleeper = task(&offer, "t", "sleep 100");
    sleeper["resources"] = json!([cpus(1.0), scalar("mem", 32.0)]);
    accept(&scheduler, &offer, &[reserve(&[cpus(1.0)]), launch(&[sleeper])]);
    scheduler.running().unwrap();
    // What is in use cannot be taken back.
    let offer = scheduler.offer().unwrap();
    assert!(!has_reservation(&offer));
    accept(&scheduler, &offer, &[with_id(unreserve(&[cpus(1.0)]), "early")]);
    assert_eq!(scheduler.operation_status(10).unwrap()["state"], "OPERATION_ERROR");
    scheduler.kill("t").unwrap();
    scheduler.terminal().unwrap();
    let offer = scheduler.offer_where(has_reservation).unwrap();
    accept(&scheduler, &offer, &[with_id(unreserve(&[cpus(1.0)]), "late")]);
    let status = scheduler.operation_status(10).unwrap();
    assert_eq!(status["state"], "OPERATION_FINISHED");
    scheduler.acknowledge_operation(&status).unwrap();
    scheduler.end().unwrap();
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn a_role_shares_its_reservations_and_others_do_not_see_them() {
    let cluster = Cluster::start(1).unwrap();
    let mut first = subscribe(&cluster, ROLE);
    let offer = first.offer().unwrap();
    accept(&first, &offer, &[reserve(&[cpus(8.0), reserved(scalar("mem", 8192.0), ROLE)])]);
    first.offer_where(has_reservation).unwrap();
    first.end().unwrap();
    let mut stranger = subscribe(&cluster, "db");
    let offer = stranger.offer_within(2);
    assert!(offer.is_err() || !has_reservation(&offer.unwrap()));
    let mut second = subscribe(&cluster, ROLE);
    let offer = second.offer_where(has_reservation).unwrap();
    assert_eq!(amount(&offer, "cpus", Some(ROLE)), 8.0);
    // A role below has what is reserved for the one above it.
    second.end().unwrap();
    let mut below = subscribe(&cluster, "web/a");
    assert_eq!(amount(&below.offer_where(has_reservation).unwrap(), "cpus", Some(ROLE)), 8.0);
}

#[test]
fn one_bad_operation_is_dropped_and_the_others_are_done() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer().unwrap();
    let foreign = reserved(scalar("cpus", 1.0), "db");
    accept(
        &scheduler,
        &offer,
        &[
            reserve(&[cpus(100.0)]),
            with_id(reserve(&[foreign]), "foreign"),
            with_id(unreserve(&[cpus(1.0)]), "alien"),
            reserve(&[cpus(2.0)]),
            launch(&[task(&offer, "t", "true")]),
        ],
    );
    let status = scheduler.operation_status(10).unwrap();
    assert_eq!(
        (&status["operation_id"]["value"], &status["state"]),
        (&json!("foreign"), &json!("OPERATION_ERROR"))
    );
    let message = status["message"].as_str().unwrap();
    let text = "A reserve operation was attempted for a resource with role 'db', but the resource was allocated to role \
                'web'; on agent ";
    assert!(message.starts_with(text), "{message}");
    let status = scheduler.operation_status(10).unwrap();
    assert_eq!(
        (&status["operation_id"]["value"], &status["state"]),
        (&json!("alien"), &json!("OPERATION_ERROR"))
    );
    assert_eq!(scheduler.terminal().unwrap()["state"], "TASK_FINISHED");
    let offer = scheduler.offer_where(has_reservation).unwrap();
    assert_eq!(amount(&offer, "cpus", Some(ROLE)), 2.0);
}

#[test]
fn reservations_survive_restarts_of_agent_and_master() {
    let mut cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer().unwrap();
    accept(&scheduler, &offer, &[with_id(reserve(&[cpus(3.0)]), "r")]);
    let status = scheduler.operation_status(10).unwrap();
    scheduler.acknowledge_operation(&status).unwrap();
    let id = agent_id(&cluster);
    scheduler.end().unwrap();
    for round in 0..4 {
        if round % 2 == 0 {
            cluster.agents[0].restart().unwrap();
        } else {
            cluster.master.restart().unwrap();
            cluster.master.wait_until_healthy().unwrap();
        }
        let mut scheduler = subscribe(&cluster, ROLE);
        let offer = scheduler.offer_where(has_reservation).unwrap();
        assert_eq!((amount(&offer, "cpus", Some(ROLE)), amount(&offer, "cpus", None)), (3.0, 5.0));
        assert_eq!(offer["agent_id"]["value"], id);
        scheduler.end().unwrap();
    }
    answered(&call(&cluster, "UNRESERVE_RESOURCES", &[cpus(3.0)]), 202, "");
    operator::wait_until_done(&cluster.master.address).unwrap();
    cluster.agents[0].restart().unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer_where(|offer| amount(offer, "cpus", None) == 8.0).unwrap();
    assert!(!has_reservation(&offer));
}

#[test]
fn an_operation_is_done_or_dropped_whenever_the_agent_is_killed() {
    let mut cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let mut reserved = 0.0;
    // From before the agent has heard of it to after its answer.
    for (round, delay) in
        [0, 200, 500, 1000, 1500, 2000, 3000, 4000, 6000, 9000, 20_000].into_iter().enumerate()
    {
        let offer = scheduler.offer_where(|offer| amount(offer, "cpus", Some(ROLE)) == reserved).unwrap();
        let id = format!("op-{round}");
        accept(&scheduler, &offer, &[with_id(reserve(&[cpus(0.1)]), &id)]);
        std::thread::sleep(Duration::from_micros(delay));
        cluster.agents[0].restart().unwrap();
        let mut status = Value::Null;
        // An acknowledgement that met the restart was lost: that status comes again.
        while status["operation_id"]["value"] != id.as_str() {
            status = scheduler.operation_status(20).unwrap();
            if status.get("uuid").is_some() {
                scheduler.acknowledge_operation(&status).unwrap();
            }
        }
        match status["state"].as_str().unwrap() {
            "OPERATION_FINISHED" => reserved = (reserved * 10.0 + 1.0_f64).round() / 10.0,
            "OPERATION_DROPPED" => {}
            other => panic!("{other} after {delay} us"),
        }
    }
    let offer = scheduler.offer_where(|offer| amount(offer, "cpus", Some(ROLE)) == reserved).unwrap();
    assert_eq!(amount(&offer, "cpus", None) + reserved, 8.0);
    let knows =
        |state: Value| state["reserved_resources"][ROLE]["cpus"].as_f64().unwrap_or_default() == reserved;
    cluster.agents[0].wait_until("of the same mind", |agent| agent.get("/state").is_ok_and(knows)).unwrap();
}

#[test]
fn an_operation_is_done_or_unknown_whenever_the_master_is_killed() {
    let mut cluster = Cluster::start(1).unwrap();
    let framework = Framework::in_role(ROLE).with("failover_timeout", json!(600.0));
    let mut scheduler = Scheduler::subscribe(&cluster.master.address, &framework, &Log::default()).unwrap();
    let (framework, agent) = (framework.with_id(&scheduler.framework_id), agent_id(&cluster));
    let mut reserved = 0.0;
    for (round, delay) in [0, 500, 1000, 2000, 4000, 20_000].into_iter().enumerate() {
        let offer = scheduler.offer_where(|offer| amount(offer, "cpus", Some(ROLE)) == reserved).unwrap();
        let id = format!("op-{round}");
        accept(&scheduler, &offer, &[with_id(reserve(&[cpus(0.1)]), &id)]);
        std::thread::sleep(Duration::from_micros(delay));
        cluster.master.restart().unwrap();
        cluster.master.wait_until_healthy().unwrap();
        cluster.wait_for_agents(1).unwrap();
        scheduler = Scheduler::subscribe(&cluster.master.address, &framework, &Log::default()).unwrap();
        let slaves = cluster.master.get("/slaves").unwrap();
        let now = slaves["slaves"][0]["reserved_resources"][ROLE]["cpus"].as_f64().unwrap_or_default();
        let operation = json!({"operation_id": {"value": id}, "agent_id": {"value": agent}});
        let reconcile = json!({"reconcile_operations": {"operations": [operation]}});
        scheduler.call("RECONCILE_OPERATIONS", reconcile).unwrap();
        // A master knows of an operation a moment after it knows of the agent, as in Mesos; the agent's word comes then.
        let expected = if now > reserved { "OPERATION_FINISHED" } else { "OPERATION_UNKNOWN" };
        let mut status = Value::Null;
        while (&status["operation_id"]["value"], &status["state"]) != (&json!(id), &json!(expected)) {
            status =
                scheduler.operation_status(20).unwrap_or_else(|| panic!("not {expected} after {delay} us"));
        }
        reserved = now;
    }
    let offer = scheduler.offer_where(|offer| amount(offer, "cpus", Some(ROLE)) == reserved).unwrap();
    assert_eq!(amount(&offer, "cpus", None) + reserved, 8.0);
}

#[test]
fn an_operator_reserves_what_is_free_and_what_is_offered() {
    let cluster = Cluster::start(1).unwrap();
    let (one, two) = ([cpus(1.0)], [reserved(scalar("mem", 100.0), ROLE)]);
    answered(&form(&cluster, "/reserve", &one), 202, "");
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer_where(has_reservation).unwrap();
    assert_eq!(amount(&offer, "cpus", Some(ROLE)), 1.0);
    // It is offered now, so the offer is taken back.
    answered(&call(&cluster, "RESERVE_RESOURCES", &two), 202, "");
    let rescinded = scheduler.wait("RESCIND", 40).unwrap();
    assert_eq!(rescinded["rescind"]["offer_id"], offer["id"]);
    let offer = scheduler.offer_where(|offer| amount(offer, "mem", Some(ROLE)) > 0.0).unwrap();
    assert_eq!((amount(&offer, "cpus", Some(ROLE)), amount(&offer, "mem", Some(ROLE))), (1.0, 100.0));
    answered(&call(&cluster, "UNRESERVE_RESOURCES", &one), 202, "");
    scheduler.wait("RESCIND", 40).unwrap();
    scheduler.offer_where(|offer| amount(offer, "cpus", None) == 8.0).unwrap();
    answered(&form(&cluster, "/unreserve", &two), 202, "");
    scheduler.wait("RESCIND", 40).unwrap();
    scheduler.offer_where(|offer| !has_reservation(offer)).unwrap();
}

#[test]
fn an_operator_reserves_anew_from_a_source() {
    let cluster = Cluster::start(1).unwrap();
    answered(&call(&cluster, "RESERVE_RESOURCES", &[cpus(2.0)]), 202, "");
    let other = reserved(scalar("cpus", 2.0), "db");
    let fields =
        json!({"agent_id": {"value": agent_id(&cluster)}, "source": [cpus(2.0)], "resources": [other]});
    answered(&operator::call(&cluster.master.address, "RESERVE_RESOURCES", &fields).unwrap(), 202, "");
    let mut scheduler = subscribe(&cluster, "db");
    let offer = scheduler.offer_where(has_reservation).unwrap();
    assert_eq!((amount(&offer, "cpus", Some("db")), amount(&offer, "cpus", Some(ROLE))), (2.0, 0.0));
}

#[test]
fn a_framework_reserves_anew_what_it_was_offered() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer().unwrap();
    let mut labelled = cpus(2.0);
    labelled["reservations"][0]["labels"] = json!({"labels": [{"key": "k", "value": "v"}]});
    let mut again = reserve(from_ref(&labelled));
    again["reserve"]["source"] = json!([cpus(2.0)]);
    accept(&scheduler, &offer, &[reserve(&[cpus(2.0)]), with_id(again, "again")]);
    let status = scheduler.operation_status(10).unwrap();
    assert_eq!(status["state"], "OPERATION_FINISHED", "{status}");
    let offer = scheduler.offer_where(has_reservation).unwrap();
    let seen = resources(&offer).find(|r| reserved_for(r).is_some()).unwrap();
    assert_eq!(seen["reservations"], labelled["reservations"]);
}

#[test]
fn labels_tell_reservations_apart() {
    let cluster = Cluster::start(1).unwrap();
    let labelled = |value: &str| {
        let mut resource = cpus(1.0);
        resource["reservations"][0]["labels"] = json!({"labels": [{"key": "k", "value": value}]});
        resource
    };
    answered(&form(&cluster, "/reserve", &[labelled("a")]), 202, "");
    answered(&form(&cluster, "/reserve", &[labelled("b")]), 202, "");
    let mut scheduler = subscribe(&cluster, ROLE);
    let offer = scheduler.offer_where(has_reservation).unwrap();
    assert_eq!(resources(&offer).filter(|r| reserved_for(r).is_some()).count(), 2);
    answered(&form(&cluster, "/unreserve", &[labelled("c")]), 409, "does not contain");
    answered(&form(&cluster, "/unreserve", &[labelled("a")]), 202, "");
    let offer = scheduler.offer_where(|offer| amount(offer, "cpus", Some(ROLE)) == 1.0).unwrap();
    let labels =
        resources(&offer).find(|r| reserved_for(r).is_some()).unwrap()["reservations"][0]["labels"].clone();
    assert_eq!(labels, labelled("b")["reservations"][0]["labels"]);
}

#[test]
fn an_operator_hears_what_is_wrong() {
    let cluster = Cluster::start(1).unwrap();
    let fixed = json!({"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "role": ROLE});
    for path in ["/reserve", "/unreserve"] {
        answered(&form(&cluster, path, from_ref(&fixed)), 400, "is not dynamically reserved");
        answered(&form(&cluster, path, &[cpus(9.0)]), 409, "does not contain");
        let nowhere = [("slaveId", "nope"), ("resources", "[]")];
        answered(&operator::form(&cluster.master.address, path, &nowhere).unwrap(), 400, "No agent found");
        let nothing = operator::form(&cluster.master.address, path, &[("slaveId", "nope")]).unwrap();
        answered(&nothing, 400, "Missing 'resources' query parameter in the request body");
    }
    let mut offered = cpus(1.0);
    offered["allocation_info"] = json!({"role": ROLE});
    answered(&call(&cluster, "RESERVE_RESOURCES", &[offered]), 400, "unallocated resources");
    answered(&call(&cluster, "RESERVE_RESOURCES", &[scalar("cpus", -1.0)]), 400, "value <= 0");
    answered(
        &call(&cluster, "UNRESERVE_RESOURCES", &[scalar("cpus", 1.0)]),
        400,
        "is not dynamically reserved",
    );
}

#[test]
fn the_states_of_master_and_agent_show_reservations() {
    let cluster = Cluster::start(1).unwrap();
    answered(&form(&cluster, "/reserve", &[cpus(1.5)]), 202, "");
    let shown = |state: &Value| {
        let full = &state["reserved_resources_full"][ROLE][0];
        let amounts = [&state["reserved_resources"][ROLE]["cpus"], &state["unreserved_resources"]["cpus"]];
        amounts.map(|v| v.as_f64().unwrap_or_default()) == [1.5, 6.5]
            && full["scalar"]["value"] == 1.5
            && full["reservations"][0]["role"] == ROLE
            && full["role"] == ROLE
    };
    let slaves = cluster.master.get("/slaves").unwrap();
    assert!(shown(&slaves["slaves"][0]), "{slaves}");
    let mut cluster = cluster;
    cluster.agents[0]
        .wait_until("told of it", |agent| agent.get("/state").is_ok_and(|state| shown(&state)))
        .unwrap();
}
