//! How the older endpoints and the operator API answer whatever they are asked: as a script's call, compressed, or not at all
//! where the reader has it already. And their help.

mod support;

use std::net::SocketAddr;

use support::{Answer, FakeAgent, Scheduler, Subscription, get, request};

/// Everything that answers with JSON, as Mesos has it.
const JSON: [&str; 17] = [
    "/files/debug",
    "/flags",
    "/frameworks",
    "/maintenance/schedule",
    "/maintenance/status",
    "/metrics/snapshot",
    "/quota",
    "/roles",
    "/roles.json",
    "/slaves",
    "/state",
    "/state-summary",
    "/state.json",
    "/system/stats.json",
    "/tasks",
    "/version",
    "/weights",
];

/// What can be long.
const LONG: [&str; 6] = ["/frameworks", "/roles", "/slaves", "/state", "/state-summary", "/tasks"];

const LONG_CALLS: [&str; 7] = [
    "GET_AGENTS",
    "GET_EXECUTORS",
    "GET_FRAMEWORKS",
    "GET_OPERATIONS",
    "GET_ROLES",
    "GET_STATE",
    "GET_TASKS",
];

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_with_json_can_be_a_script() {
    let master = support::master().await;
    let address = master.address();
    for path in JSON {
        for path in [path.to_owned(), format!("/master{path}")] {
            let answer = get(address, &format!("{path}?jsonp=a.b")).await;
            assert_eq!(
                (answer.status, header(&answer, "content-type")),
                (200, Some("text/javascript")),
                "{path}"
            );
            let inner = answer.body.strip_prefix("a.b(").and_then(|rest| rest.strip_suffix(");"));
            let inner = inner.unwrap_or_else(|| panic!("{path}: {}", answer.body));
            assert!(serde_json::from_str::<serde_json::Value>(inner).is_ok(), "{path}: {inner}");
            let refused = get(address, &format!("{path}?jsonp=alert(1)")).await;
            assert_eq!((refused.status, refused.body.lines().count()), (400, 1), "{path}");
        }
    }
    master.shutdown().await;
}

/// Asks by `GET` for a path, or by `POST` for a call.
async fn ask(address: SocketAddr, what: &str, headers: &[(&str, &str)]) -> Answer {
    if what.starts_with('/') {
        return request(address, "GET", what, headers, b"").await;
    }
    let headers = [headers, &[("Content-Type", "application/json")]].concat();
    request(address, "POST", "/api/v1", &headers, format!("{{\"type\":\"{what}\"}}").as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_long_is_compressed_on_request_and_sent_once() {
    let master = support::master().await;
    let address = master.address();
    let agent = FakeAgent::register(address).await;
    let _scheduler = Scheduler::subscribe(address, Subscription::default().with("name", "f".into())).await;
    for what in LONG.into_iter().chain(LONG_CALLS) {
        let plain = ask(address, what, &[]).await;
        assert_eq!((plain.status, header(&plain, "content-encoding")), (200, None), "{what}: {plain:?}");
        let tag = header(&plain, "etag").unwrap_or_else(|| panic!("{what} has no tag")).to_owned();
        let packed = ask(address, what, &[("Accept-Encoding", "gzip")]).await;
        assert_eq!((packed.status, header(&packed, "content-encoding")), (200, Some("gzip")), "{what}");
        assert_eq!(header(&packed, "vary"), Some("accept-encoding"), "{what}");
        let again = ask(address, what, &[("If-None-Match", &tag)]).await;
        assert_eq!(again.status, 304, "{what}: {again:?}");
    }
    // What a reader has is old as soon as something changes that it shows.
    let tag = header(&get(address, "/state-summary").await, "etag").unwrap().to_owned();
    let _another = FakeAgent::register(address).await;
    let now = ask(address, "/state-summary", &[("If-None-Match", &tag)]).await;
    assert_eq!((now.status, now.json()["slaves"].as_array().unwrap().len()), (200, 2));
    drop(agent);
    for path in ["/metrics/snapshot", "/metrics"] {
        let packed = ask(address, path, &[("Accept-Encoding", "gzip")]).await;
        assert_eq!((packed.status, header(&packed, "content-encoding")), (200, Some("gzip")), "{path}");
    }
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_framework_stay_as_long_as_it_is_remembered() {
    let master = support::master_with(|options| options.max_completed_frameworks = 1).await;
    let address = master.address();
    let scheduler = Scheduler::subscribe(address, Subscription::default().with("name", "a/b".into())).await;
    let subscribed = format!("master/frameworks/a%2Fb/{}/subscribed", scheduler.framework_id);
    assert_eq!(get(address, "/metrics/snapshot").await.json()[&subscribed], 1.0);
    let labelled = format!(
        "mesos_master_framework_subscribed{{framework=\"a/b\",framework_id=\"{}\"}} 1\n",
        scheduler.framework_id
    );
    let text = get(address, "/metrics").await.body;
    assert!(text.contains(&labelled), "{text}");
    for family in ["task_start", "offer_answer", "core_turn"] {
        assert!(text.contains(&format!("# TYPE meseta_master_{family}_seconds histogram\n")), "{text}");
    }
    let teardown = format!("frameworkId={}", scheduler.framework_id);
    assert_eq!(request(address, "POST", "/teardown", &[], teardown.as_bytes()).await.status, 200);
    let metrics = get(address, "/metrics/snapshot").await.json();
    assert_eq!(metrics[&subscribed], 0.0, "it is over: {metrics}");
    assert!(
        metrics[subscribed.replace("/subscribed", "/events/heartbeat")].as_f64() >= Some(1.0),
        "{metrics}"
    );
    let next = Scheduler::subscribe(address, Subscription::default().with("name", "next".into())).await;
    let teardown = format!("frameworkId={}", next.framework_id);
    assert_eq!(request(address, "POST", "/teardown", &[], teardown.as_bytes()).await.status, 200);
    let metrics = get(address, "/metrics/snapshot").await.json();
    let names: Vec<_> =
        metrics.as_object().unwrap().keys().filter(|name| name.starts_with("master/frameworks/")).collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.contains("/next/")), "{names:?}");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_help_for_every_endpoint() {
    let master = support::master().await;
    let address = master.address();
    let help = get(address, "/help?format=json").await.json();
    let mut pages = 0;
    for process in help["processes"].as_array().unwrap() {
        for endpoint in process["endpoints"].as_array().unwrap() {
            let (id, name) = (process["id"].as_str().unwrap(), endpoint["name"].as_str().unwrap());
            let path = format!("/help/{id}{}", name.trim_end_matches('/'));
            let answer = request(address, "GET", &path, &[("User-Agent", "curl/8")], b"").await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            pages += 1;
        }
    }
    assert!(pages > 50, "{pages}");
    let page = get(address, "/help/master/state").await;
    assert_eq!(header(&page, "content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(get(address, "/help/nobody").await.status, 400);
    master.shutdown().await;
}
