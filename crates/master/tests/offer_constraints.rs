//! Offer constraints over real sockets: at SUBSCRIBE, at UPDATE_FRAMEWORK, and where they are shown.

mod support;

use proto::v1;
use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, json as post};

fn rack_is(value: &str) -> Value {
    constraints(json!({ "text_equals": { "value": value } }))
}

fn constraints(predicate: Value) -> Value {
    let condition = json!({ "selector": { "attribute_name": "rack" }, "predicate": predicate });
    json!({ "role_constraints": { "*": { "groups": [{ "attribute_constraints": [condition] }] } } })
}

async fn agent_in_rack(master: std::net::SocketAddr, rack: &str) -> FakeAgent {
    let mut agent = FakeAgent::listen(master).await;
    let mut slave = agent.info();
    slave.attributes = vec![v1::Attribute {
        name: "rack".into(),
        r#type: v1::value::Type::Text.into(),
        text: Some(v1::value::Text { value: rack.into() }),
        ..Default::default()
    }];
    agent.register_as(slave).await;
    agent
}

fn constrained(offer_constraints: Value) -> Subscription {
    Subscription { offer_constraints: Some(offer_constraints), ..Subscription::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_decide_what_is_offered_and_are_shown() {
    let master = support::master().await;
    let agent = agent_in_rack(master.address(), "a").await;
    let mut scheduler = Scheduler::subscribe(master.address(), constrained(rack_is("z"))).await;
    let state = get(master.address(), "/frameworks").await.json();
    assert_eq!(state["frameworks"][0]["offer_constraints"], rack_is("z"));
    let frameworks = post(master.address(), "/api/v1", r#"{"type":"GET_FRAMEWORKS"}"#).await.json();
    assert_eq!(frameworks["get_frameworks"]["frameworks"][0]["offer_constraints"], rack_is("z"));

    let mut info = Subscription::default().info;
    info["id"] = json!({ "value": scheduler.framework_id });
    let update = json!({ "framework_info": info, "offer_constraints": rack_is("a") });
    let answer = scheduler.call("UPDATE_FRAMEWORK", "update_framework", update).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(scheduler.offer().await["agent_id"]["value"], agent.id.as_str());
    let state = get(master.address(), "/state").await.json();
    assert_eq!(state["frameworks"][0]["offer_constraints"], rack_is("a"));
    master.shutdown().await;
}

async fn refusal(master: &master::MasterServer, constraints: Value) -> String {
    let mut refused = Scheduler::open(master.address(), constrained(constraints)).await;
    refused.wait_for("ERROR").await["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_them_is_told() {
    let master = support::master().await;
    let wrong = constraints(json!({ "text_matches": { "regex": "[a-d" } }));
    let reason = "Offer constraints are not valid: A role * has an invalid 'AttributeConstraint': Failed to \
                  construct regex from pattern '[a-d': missing ]: [a-d";
    assert_eq!(refusal(&master, wrong.clone()).await, reason);

    let scheduler = Scheduler::subscribe(master.address(), Subscription::default()).await;
    let mut info = Subscription::default().info;
    info["id"] = json!({ "value": scheduler.framework_id });
    let update = json!({ "framework_info": info, "offer_constraints": wrong });
    let answer = scheduler.call("UPDATE_FRAMEWORK", "update_framework", update).await;
    let expected = format!("'UpdateFramework' call is not valid: {reason}");
    assert_eq!((answer.status, answer.body.as_str()), (400, expected.as_str()));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_pattern_may_be_is_a_flag() {
    let master = support::master_with(|options| options.offer_constraints_re2_max_program_size = 5).await;
    let message = refusal(&master, constraints(json!({ "text_matches": { "regex": "abcdefgh" } }))).await;
    assert!(message.contains("Regex 'abcdefgh' is too complex"), "{message}");
    master.shutdown().await;
}
