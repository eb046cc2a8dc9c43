//! The older request that ends a framework: what Mesos' `teardown_tests` protect. The call is in `operator_api`.

mod support;

use proto::{internal, v1};
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, form, get};

async fn state(master: std::net::SocketAddr) -> Value {
    get(master, "/state").await.json()
}

/// After `Success`, `NoFrameworkId`, and `NoHeader` where nobody has to say who it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_is_named_is_ended_and_shown_as_completed() {
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    let other = Scheduler::subscribe(address, Subscription::default()).await;
    let id = scheduler.framework_id.clone();
    for body in ["", "framework_id=x", "x=frameworkId"] {
        let answer = form(address, "/teardown", body).await;
        let expected = (400, "Missing 'frameworkId' query parameter in the request body");
        assert_eq!((answer.status, answer.body.as_str()), expected, "{body}");
    }
    assert_eq!(form(address, "/teardown", "frameworkId=nope").await.status, 400);
    assert_eq!(state(address).await["frameworks"].as_array().unwrap().len(), 2, "nothing has happened");

    let answer = form(address, "/master/teardown", &format!("frameworkId={id}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    while scheduler.next().await.is_some() {}
    let shown = state(address).await;
    let ids = |list: &str| -> Vec<Value> {
        shown[list].as_array().unwrap().iter().map(|framework| framework["id"].clone()).collect()
    };
    assert_eq!(ids("frameworks"), [json!(other.framework_id)], "nobody else is touched");
    assert_eq!(ids("completed_frameworks"), [json!(id)]);
    assert_eq!(form(address, "/teardown", &format!("frameworkId={id}")).await.status, 400, "it is over");
    master.shutdown().await;
}

/// After `RecoveredFrameworkAfterMasterFailover`.
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_has_not_come_to_the_next_master_is_ended() {
    const ID: &str = "former-master-0007";
    let master = support::patient_master(|_| ()).await;
    let address = master.address();
    let mut agent = FakeAgent::listen(address).await;
    agent.id = "former-master-S3".into();
    let framework = v1::FrameworkInfo {
        id: Some(ID.into()),
        user: "root".into(),
        name: "test".into(),
        failover_timeout: Some(600.0),
        roles: vec!["*".into()],
        ..Default::default()
    };
    let task = v1::Task {
        name: "t".into(),
        task_id: "t".into(),
        framework_id: ID.into(),
        agent_id: agent.id.as_str().into(),
        state: v1::TaskState::TaskRunning.into(),
        ..Default::default()
    };
    agent.send(&internal::ReregisterSlaveMessage {
        tasks: vec![task],
        frameworks: vec![framework],
        ..agent.reregistration()
    });
    let _: internal::SlaveReregisteredMessage = agent.wait_for().await;
    assert_eq!(state(address).await["frameworks"][0]["recovered"], true);
    assert_eq!(form(address, "/teardown", &format!("frameworkId={ID}")).await.status, 200);
    let ended: internal::ShutdownFrameworkMessage = agent.wait_for().await;
    assert_eq!(ended.framework_id.value, ID);
    let shown = state(address).await;
    assert_eq!((&shown["frameworks"], &shown["unregistered_frameworks"]), (&json!([]), &json!([])));
    let completed = &shown["completed_frameworks"];
    assert_eq!((completed.as_array().unwrap().len(), &completed[0]["id"]), (1, &json!(ID)));
    assert_eq!(completed[0]["completed_tasks"][0]["state"], "TASK_KILLED");
    // Who comes back as it is too late.
    let late = Subscription::default().with("id", json!({ "value": ID }));
    let mut late = Scheduler::open(address, late).await;
    let message = late.wait_for("ERROR").await["error"]["message"].clone();
    assert_eq!(message, "Framework has been removed");
    assert_eq!(state(address).await["frameworks"], json!([]));
    master.shutdown().await;
}
