//! Every request that is wrong in some way gets the status and the line that Mesos gives it.

mod support;

use serde_json::{Value, json};
use support::{Answer, request};

const SCHEDULER: &str = "/api/v1/scheduler";
const OPERATOR: &str = "/api/v1";
const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
}

fn case(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: impl Into<Vec<u8>>,
) -> Case {
    Case { name, method, path, headers, body: body.into() }
}

fn subscribe(fields: Value) -> String {
    let mut info = json!({ "user": "root", "name": "bad" });
    for (name, value) in fields.as_object().unwrap() {
        info[name] = value.clone();
    }
    json!({ "type": "SUBSCRIBE", "subscribe": { "framework_info": info } }).to_string()
}

fn scheduler_cases() -> Vec<Case> {
    let post = |name, headers, body: String| case(name, "POST", SCHEDULER, headers, body);
    let text = |name, body: &str| post(name, JSON, body.to_owned());
    vec![
        case("sched-get", "GET", SCHEDULER, &[], ""),
        post("sched-no-content-type", &[], "{}".into()),
        post("sched-text", &[("Content-Type", "text/plain")], "hi".into()),
        text("sched-bad-json", "{"),
        text("sched-empty", ""),
        text("sched-array", "[]"),
        text("sched-no-type", "{}"),
        text("sched-unknown-type", r#"{"type":"FOO"}"#),
        text("sched-type-number", r#"{"type":7}"#),
        case(
            "sched-bad-protobuf",
            "POST",
            SCHEDULER,
            &[("Content-Type", "application/x-protobuf")],
            [0xff; 4],
        ),
        text("sub-no-body", r#"{"type":"SUBSCRIBE"}"#),
        text("sub-no-info", r#"{"type":"SUBSCRIBE","subscribe":{}}"#),
        text("sub-no-user", r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"x"}}}"#),
        post(
            "sub-stream-id",
            &[("Content-Type", "application/json"), ("Mesos-Stream-Id", "abc")],
            subscribe(json!({})),
        ),
        post(
            "sub-accept-text",
            &[("Content-Type", "application/json"), ("Accept", "text/html")],
            subscribe(json!({})),
        ),
        text(
            "sub-id-mismatch",
            r#"{"type":"SUBSCRIBE","framework_id":{"value":"a"},"subscribe":{"framework_info":{"user":"root","name":"bad","id":{"value":"b"}}}}"#,
        ),
        post("sub-bad-role", JSON, subscribe(json!({ "role": "a b" }))),
        post("sub-role-dash", JSON, subscribe(json!({ "role": "-a" }))),
        post("sub-roles-no-capability", JSON, subscribe(json!({ "roles": ["a"] }))),
        post(
            "sub-dup-roles",
            JSON,
            subscribe(json!({ "roles": ["a", "a"], "capabilities": [{ "type": "MULTI_ROLE" }] })),
        ),
        post("sub-neg-failover", JSON, subscribe(json!({ "failover_timeout": -1 }))),
        post("sub-huge-failover", JSON, subscribe(json!({ "failover_timeout": 1e300 }))),
        text("call-no-framework", r#"{"type":"REVIVE"}"#),
        text("call-unknown-framework", r#"{"type":"REVIVE","framework_id":{"value":"nope"}}"#),
        post(
            "call-unknown-framework-stream",
            &[("Content-Type", "application/json"), ("Mesos-Stream-Id", "abc")],
            r#"{"type":"REVIVE","framework_id":{"value":"nope"}}"#.into(),
        ),
        text("accept-missing", r#"{"type":"ACCEPT","framework_id":{"value":"nope"}}"#),
        text("kill-missing", r#"{"type":"KILL","framework_id":{"value":"nope"}}"#),
        text(
            "ack-bad-uuid",
            r#"{"type":"ACKNOWLEDGE","framework_id":{"value":"nope"},"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"!!"}}"#,
        ),
    ]
}

fn operator_cases() -> Vec<Case> {
    let post = |name, headers, body: &str| case(name, "POST", OPERATOR, headers, body);
    let text = |name, body: &str| post(name, JSON, body);
    let big = json!({ "type": "GET_HEALTH", "pad": "x".repeat(1 << 20) }).to_string();
    vec![
        case("op-get", "GET", OPERATOR, &[], ""),
        post("op-no-content-type", &[], "{}"),
        post("op-text", &[("Content-Type", "text/plain")], "x"),
        text("op-bad-json", "{"),
        text("op-no-type", "{}"),
        text("op-unknown", r#"{"type":"FOO"}"#),
        post(
            "op-accept-text",
            &[("Content-Type", "application/json"), ("Accept", "text/html")],
            r#"{"type":"GET_HEALTH"}"#,
        ),
        post(
            "op-accept-any",
            &[("Content-Type", "application/json"), ("Accept", "*/*")],
            r#"{"type":"GET_HEALTH"}"#,
        ),
        text("op-no-payload", r#"{"type":"READ_FILE"}"#),
        text("op-read-missing", r#"{"type":"READ_FILE","read_file":{"path":"/nope","offset":0}}"#),
        text("op-list-missing", r#"{"type":"LIST_FILES","list_files":{"path":"/nope"}}"#),
        text("op-teardown-unknown", r#"{"type":"TEARDOWN","teardown":{"framework_id":{"value":"nope"}}}"#),
        text(
            "op-gone-unknown",
            r#"{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"nope"}}}"#,
        ),
        text("op-drain-unknown", r#"{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"nope"}}}"#),
        text(
            "op-weights-neg",
            r#"{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"a","weight":-1}]}}"#,
        ),
        text(
            "op-quota-neg",
            r#"{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"a","limits":{"cpus":{"value":-1}}}]}}"#,
        ),
        text(
            "op-quota-guarantee-over-limit",
            r#"{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"a","guarantees":{"cpus":{"value":2}},"limits":{"cpus":{"value":1}}}]}}"#,
        ),
        text(
            "op-quota-star",
            r#"{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"*","limits":{"cpus":{"value":1}}}]}}"#,
        ),
        text(
            "op-reserve-unknown-agent",
            r#"{"type":"RESERVE_RESOURCES","reserve_resources":{"agent_id":{"value":"nope"},"resources":[]}}"#,
        ),
        text(
            "op-maint-overlap",
            r#"{"type":"UPDATE_MAINTENANCE_SCHEDULE","update_maintenance_schedule":{"schedule":{"windows":[{"machine_ids":[],"unavailability":{"start":{"nanoseconds":0}}}]}}}"#,
        ),
        text(
            "op-start-maint-unknown",
            r#"{"type":"START_MAINTENANCE","start_maintenance":{"machines":[{"hostname":"x","ip":"1.2.3.4"}]}}"#,
        ),
        text(
            "op-loglevel",
            r#"{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":99,"duration":{"nanoseconds":1}}}"#,
        ),
        text("op-big", &big),
    ]
}

fn endpoint_cases() -> Vec<Case> {
    let get = |name, path| case(name, "GET", path, &[], "");
    let send = |name, method, path, body: &str| case(name, method, path, &[], body);
    const FROM: &[(&str, &str)] = &[("Libprocess-From", "x@127.0.0.1:9")];
    vec![
        get("v0-teardown-get", "/teardown"),
        send("v0-teardown-unknown", "POST", "/teardown", "frameworkId=nope"),
        send("v0-teardown-none", "POST", "/teardown", ""),
        send("v0-reserve-none", "POST", "/reserve", ""),
        send("v0-reserve-bad", "POST", "/reserve", "slaveId=x&resources=["),
        get("v0-unreserve-get", "/unreserve"),
        send("v0-create-none", "POST", "/create-volumes", ""),
        send("v0-quota-put-bad", "POST", "/quota", "{"),
        send("v0-quota-delete-unknown", "DELETE", "/quota/none", ""),
        send("v0-weights-bad", "PUT", "/weights", r#"[{"role":"a","weight":0}]"#),
        send("v0-weights-post", "POST", "/weights", "[]"),
        send("v0-machine-down-unknown", "POST", "/machine/down", r#"[{"hostname":"x"}]"#),
        send("v0-maint-bad", "POST", "/maintenance/schedule", "{"),
        get("v0-unknown", "/nothing"),
        get("v0-master-unknown", "/master/nothing"),
        get("v0-redirect", "/redirect"),
        send("v0-health-post", "POST", "/health", ""),
        get("v0-state-jsonp", "/state?jsonp=cb"),
        get("v0-tasks-limit", "/tasks?limit=0"),
        get("v0-tasks-order", "/tasks?order=asc&offset=5"),
        get("v0-files-none", "/files/read"),
        get("v0-files-nope", "/files/read?path=/nope"),
        get("v0-files-offset", "/files/read?path=/master/log&offset=x"),
        get("v0-browse-none", "/files/browse"),
        get("v0-download-nope", "/files/download?path=/nope"),
        case("libprocess-unknown", "POST", "/master/mesos.internal.NopeMessage", FROM, ""),
        case("libprocess-nobody", "POST", "/nobody/mesos.internal.PongSlaveMessage", FROM, ""),
    ]
}

/// Answers of which only the status can be the same: they hold times, ids and tasks.
const ONLY_STATUS: [&str; 2] = ["v0-state-jsonp", "v0-tasks-order"];

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_answered_as_mesos_answers_them() {
    let recorded = include_str!("data/wrong_requests.jsonl");
    let recorded: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let master = support::master().await;
    let mut differences = Vec::new();
    let mut seen = 0;
    for case in scheduler_cases().into_iter().chain(operator_cases()).chain(endpoint_cases()) {
        let expected =
            recorded.iter().find(|line| line["case"] == case.name).unwrap_or_else(|| panic!("{}", case.name));
        let Answer { status, body, .. } =
            request(master.address(), case.method, case.path, case.headers, &case.body).await;
        seen += 1;
        let same_body = ONLY_STATUS.contains(&case.name) || expected["body"] == body.as_str();
        if expected["status"] != status || !same_body {
            differences.push(format!("{}: {status} {body:?}, expected {expected}", case.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let of_the_master =
        recorded.iter().filter(|line| !line["case"].as_str().unwrap().starts_with("a-")).count();
    assert_eq!(seen, of_the_master);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let master = support::master_with(|options| options.max_request_bytes = 1000).await;
    let body = json!({ "type": "GET_HEALTH", "pad": "x".repeat(1000) }).to_string();
    assert_eq!(support::json(master.address(), OPERATOR, &body).await.status, 413);
    let expecting = [("Content-Type", "application/json"), ("Expect", "100-continue")];
    let huge = request(master.address(), "POST", OPERATOR, &expecting, body.as_bytes()).await;
    assert_eq!(huge.status, 413, "{huge:?}");
    assert_eq!(support::json(master.address(), OPERATOR, r#"{"type":"GET_HEALTH"}"#).await.status, 200);
    master.shutdown().await;
}
