//! The operator API of a master about roles, quotas, weights and operations: what Mesos' `MasterAPITest` protects of them. Each
//! call that reads is made in JSON and in protobuf. Reservations and volumes are in `reservations`.

mod support;

use std::net::SocketAddr;

use proto::internal::ApplyOperationMessage;
use proto::v1;
use proto::v1::master::Call;
use proto::v1::master::call::{self, Type};
use proto::v1::offer::operation::Type as OperationType;
use serde_json::{Value, json};
use support::api::{ask, change, of};
use support::{FakeAgent, Scheduler, Subscription, get, proto_scalar};

/// After `GetWeights` and `UpdateWeights`.
#[tokio::test(flavor = "multi_thread")]
async fn weights_are_those_of_the_flag_until_they_are_changed() {
    let master = support::patient_master(|options| options.weights = vec![("role".into(), 2.0)]).await;
    let address = master.address();
    let weight = |weight| v1::WeightInfo { role: Some("role".into()), weight };
    let weights = async || ask(address, &of(Type::GetWeights)).await.get_weights.unwrap().weight_infos;
    assert_eq!(weights().await, [weight(2.0)]);
    let update_weights = Some(call::UpdateWeights { weight_infos: vec![weight(4.0)] });
    let update = Call { update_weights, ..of(Type::UpdateWeights) };
    assert_eq!(change(address, &update).await, (200, String::new()));
    assert_eq!(weights().await, [weight(4.0)]);
    master.shutdown().await;
}

/// After `SetQuota`, `GetQuota` and `RemoveQuota`.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_set_read_and_removed() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let guarantee = vec![proto_scalar("cpus", 1.0), proto_scalar("mem", 512.0)];
    let quotas = async || ask(address, &of(Type::GetQuota)).await.get_quota.unwrap().status.infos;
    let set = |force| {
        let quota_request = v1::quota::QuotaRequest {
            role: Some("role1".into()),
            guarantee: guarantee.clone(),
            force: Some(force),
        };
        Call { set_quota: Some(call::SetQuota { quota_request }), ..of(Type::SetQuota) }
    };
    let (status, text) = change(address, &set(false)).await;
    assert_eq!((status, text.contains("use 'force'")), (409, true), "there are no agents: {text}");
    assert_eq!(quotas().await, []);
    assert_eq!(change(address, &set(true)).await, (200, String::new()));
    let shown = quotas().await;
    assert_eq!((shown.len(), shown[0].role.as_deref(), &shown[0].guarantee), (1, Some("role1"), &guarantee));
    let remove_quota = Some(call::RemoveQuota { role: "role1".into() });
    let remove = Call { remove_quota, ..of(Type::RemoveQuota) };
    assert_eq!(change(address, &remove).await, (200, String::new()));
    assert_eq!(quotas().await, []);
    master.shutdown().await;
}

/// After `GetRoles`.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_has_its_weight_and_what_its_frameworks_hold() {
    let master = support::patient_master(|options| {
        options.roles = vec!["role1".into()];
        options.weights = vec![("role1".into(), 2.5)];
    })
    .await;
    let _agent = FakeAgent::register(master.address()).await;
    let subscription = Subscription::default().with("roles", json!(["role1"]));
    let mut scheduler = Scheduler::subscribe(master.address(), subscription).await;
    scheduler.offer().await;
    let roles = ask(master.address(), &of(Type::GetRoles)).await.get_roles.unwrap().roles;
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["*", "role1"], "all that may be used");
    let role = &roles[1];
    assert_eq!((role.weight, role.frameworks.len()), (2.5, 1));
    assert_eq!(role.frameworks[0].value, scheduler.framework_id);
    let held: Vec<(&str, f64)> = role
        .resources
        .iter()
        .map(|resource| (resource.name.as_str(), resource.scalar.as_ref().unwrap().value))
        .collect();
    for resource in [("cpus", 8.0), ("mem", 8192.0), ("disk", 1024.0)] {
        assert!(held.contains(&resource), "{held:?}");
    }
    master.shutdown().await;
}

/// A framework with a reservation under way that it has called `op`; its agent has not done it.
async fn pending(master: SocketAddr) -> (FakeAgent, Scheduler, ApplyOperationMessage) {
    let mut agent = FakeAgent::register(master).await;
    let subscription = Subscription::default().with("roles", json!(["web"])).with("checkpoint", json!(true));
    let mut scheduler = Scheduler::subscribe(master, subscription).await;
    assert_eq!(operations(master).await, []);
    let offer = scheduler.offer().await;
    let cpus = json!({ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 },
        "allocation_info": { "role": "web" }, "reservations": [{ "type": "DYNAMIC", "role": "web" }] });
    let reserve = json!({ "type": "RESERVE", "id": { "value": "op" }, "reserve": { "resources": [cpus] } });
    let accept = json!({ "offer_ids": [offer["id"]], "operations": [reserve] });
    assert_eq!(scheduler.call("ACCEPT", "accept", accept).await.status, 202);
    let asked = agent.wait_for().await;
    (agent, scheduler, asked)
}

async fn operations(master: SocketAddr) -> Vec<v1::Operation> {
    ask(master, &of(Type::GetOperations)).await.get_operations.unwrap().operations
}

async fn told(scheduler: &mut Scheduler) -> Value {
    scheduler.wait_for("UPDATE_OPERATION_STATUS").await["update_operation_status"]["status"].clone()
}

async fn metric(master: SocketAddr, name: &str) -> Value {
    get(master, "/metrics/snapshot").await.json()[name].clone()
}

/// After `GetOperations` and `OperationUpdatesUponAgentGone`.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_shown_and_goes_with_an_agent_that_is_declared_gone() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let (agent, mut scheduler, asked) = pending(address).await;
    let shown = operations(address).await;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].framework_id.as_ref().unwrap().value, scheduler.framework_id);
    assert_eq!(shown[0].agent_id.as_ref().unwrap().value, agent.id);
    assert_eq!(shown[0].uuid, asked.operation_uuid);
    assert_eq!(
        (shown[0].info.r#type(), shown[0].info.id.as_ref()),
        (OperationType::Reserve, Some(&"op".into()))
    );
    assert_eq!(shown[0].latest_status.state(), v1::OperationState::OperationPending);

    let mark_agent_gone = Some(call::MarkAgentGone { agent_id: agent.id.as_str().into() });
    let gone = Call { mark_agent_gone, ..of(Type::MarkAgentGone) };
    assert_eq!(change(address, &gone).await, (200, String::new()));
    let status = told(&mut scheduler).await;
    assert_eq!(
        (&status["operation_id"]["value"], &status["state"]),
        (&json!("op"), &json!("OPERATION_GONE_BY_OPERATOR"))
    );
    assert_eq!(metric(address, "master/operations/gone_by_operator").await, 1.0);
    assert_eq!(operations(address).await, []);
    master.shutdown().await;
}

/// After `OperationUpdatesUponUnreachable`.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_on_an_agent_that_is_lost_is_unreachable() {
    let master = support::patient_master(|_| ()).await;
    let (agent, mut scheduler, _) = pending(master.address()).await;
    agent.kill();
    let status = told(&mut scheduler).await;
    assert_eq!(
        (&status["operation_id"]["value"], &status["state"]),
        (&json!("op"), &json!("OPERATION_UNREACHABLE"))
    );
    assert_eq!(metric(master.address(), "master/operations/unreachable").await, 1.0);
    master.shutdown().await;
}
