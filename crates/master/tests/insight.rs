//! What people want to see and Mesos does not show: offers with their ages, a task that waits for its acknowledgement, files
//! of agents that do not answer.

mod support;

use proto::v1::TaskState;
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, until};

async fn ask(master: std::net::SocketAddr, path: &str) -> Value {
    let answer = get(master, path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_shown_with_who_holds_it_for_how_long() {
    let master = support::master().await;
    let address = master.address();
    let agent = FakeAgent::register(address).await;
    let mut scheduler =
        Scheduler::subscribe(address, Subscription::default().with("name", "holder".into())).await;
    let offer = scheduler.offer().await;
    let mut shown = Value::Null;
    until("the offer is shown", async || {
        shown = ask(address, "/offers").await["offers"][0].clone();
        !shown.is_null()
    })
    .await;
    assert_eq!(
        (&shown["id"], &shown["framework_name"], &shown["slave_id"]),
        (&offer["id"]["value"], &json!("holder"), &json!(agent.id))
    );
    let held = shown["held_secs"].as_f64().unwrap();
    assert!((0.0..support::PATIENCE.as_secs_f64()).contains(&held), "{shown}");
    assert_eq!(ask(address, "/offers?role=nobody").await["offers"], json!([]));
    assert_eq!(ask(address, "/offers?search=HOLD").await["offers"][0]["id"], offer["id"]["value"]);
    let overview = ask(address, "/overview").await;
    assert_eq!((&overview["offers"]["count"], &overview["offers"]["held_long"]), (&json!(1), &json!(0)));
    assert_eq!(overview["resources"]["cpus"]["offered"], overview["resources"]["cpus"]["total"]);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_listed_in_every_state_with_since_when() {
    let master = support::master().await;
    let address = master.address();
    let agent = FakeAgent::register(address).await;
    let shown = ask(address, "/state-summary/agents").await;
    let (first, gone) = (&shown["agents"][0], &shown["gone"]);
    assert_eq!((&first["id"], &first["state"], gone), (&json!(agent.id), &json!("active"), &json!(0)));
    assert_eq!((&first["tasks"], &first["state_time"]), (&json!(0), &first["registered_time"]));
    let call = json!({ "type": "MARK_AGENT_GONE", "mark_agent_gone": { "agent_id": { "value": agent.id } } });
    let answer = support::json(address, "/api/v1", &call.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // One that is gone is listed where it is asked for.
    let shown = ask(address, "/state-summary/agents").await;
    assert_eq!((&shown["agents"], &shown["gone"]), (&json!([]), &json!(1)));
    for path in ["/state-summary/agents?state=gone", &format!("/state-summary/agents?slave_id={}", agent.id)]
    {
        let shown = ask(address, path).await["agents"][0].clone();
        assert_eq!((&shown["id"], &shown["state"]), (&json!(agent.id), &json!("gone")));
        assert!(shown["state_time"].as_f64() >= first["state_time"].as_f64(), "{shown}");
        assert_eq!(shown["hostname"], first["hostname"]);
    }
    let refused = get(address, "/state-summary/agents?state=lost").await;
    assert_eq!(refused.status, 400);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_told_of_agents_that_are_or_were_there() {
    let master = support::master().await;
    let address = master.address();
    let agent = FakeAgent::register(address).await;
    let hosts = ask(address, &format!("/agents/hostnames?ids={},nobody", agent.id)).await;
    assert_eq!(hosts.as_object().unwrap().keys().collect::<Vec<_>>(), [&agent.id]);
    let call = json!({ "type": "MARK_AGENT_GONE", "mark_agent_gone": { "agent_id": { "value": agent.id } } });
    assert_eq!(support::json(address, "/api/v1", &call.to_string()).await.status, 200);
    let of_lost = ask(address, &format!("/agents/hostnames?ids={},nobody", agent.id)).await;
    assert_eq!(of_lost, hosts, "those of agents that are gone are known still");
    let many = vec!["x"; 1_001].join(",");
    assert_eq!(get(address, &format!("/agents/hostnames?ids={many}")).await.status, 400);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_not_acknowledged_is_told_apart_from_one_that_is() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    let offer = scheduler.offer().await;
    let task = json!({
        "name": "t", "task_id": { "value": "t" }, "agent_id": offer["agent_id"],
        "resources": [{ "name": "cpus", "type": "SCALAR", "scalar": { "value": 0.1 } }],
        "command": { "value": "true" },
    });
    assert_eq!(scheduler.launch(&offer, task).await.status, 202);
    let path = format!("/explain/task?framework_id={}&task_id=t", scheduler.framework_id);
    until("the task is known", async || get(address, &path).await.status == 200).await;
    let staging = ask(address, &path).await;
    assert!(staging["why"][0].as_str().unwrap().contains("on its way"), "{staging}");
    assert_eq!(staging["history"], json!([]));
    agent.update(&scheduler.framework_id, "t", TaskState::TaskFinished, 1);
    let update = scheduler.wait_for("UPDATE").await["update"]["status"].clone();
    let finished = ask(address, &path).await;
    assert_eq!(finished["task"]["state"], "TASK_FINISHED");
    // The agent's clock says that this was long ago.
    assert!(finished["why"].to_string().contains("not acknowledged the newest status"), "{finished}");
    assert_eq!(finished["history"].as_array().unwrap().len(), 1);
    let acknowledge =
        json!({ "agent_id": update["agent_id"], "task_id": update["task_id"], "uuid": update["uuid"] });
    assert_eq!(scheduler.call("ACKNOWLEDGE", "acknowledge", acknowledge).await.status, 202);
    until("it is done with", async || ask(address, &path).await["help"] == json!([])).await;
    master.shutdown().await;
}
