//! Parts of the lists of the v0 endpoints, as they are asked for over HTTP.

mod support;

use serde_json::Value;
use support::{Answer, FakeAgent, Scheduler, Subscription, get};

/// How many entries there are, as the answer's head says it.
fn total(answer: &Answer) -> Option<usize> {
    let head = answer.head.to_ascii_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("meseta-total: ").map(str::to_owned));
    line.map(|text| text.parse().unwrap())
}

fn length(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_says_how_long_it_is() {
    let master = support::master().await;
    let address = master.address();
    let mut agents = Vec::new();
    for _ in 0..3 {
        agents.push(FakeAgent::register(address).await);
    }
    let named = |name: &str| Subscription::default().with("name", name.into());
    let one = Scheduler::subscribe(address, named("one")).await;
    let _two = Scheduler::subscribe(address, named("two")).await;
    for (path, list, shown, all) in [
        ("/slaves", "slaves", 3, 3),
        ("/slaves?limit=2&offset=2", "slaves", 1, 3),
        ("/master/slaves?state=drained", "slaves", 0, 0),
        ("/frameworks", "frameworks", 2, 2),
        ("/frameworks?search=TW", "frameworks", 1, 1),
        ("/frameworks?limit=1&sort=name&order=des", "frameworks", 1, 2),
        ("/tasks", "tasks", 0, 0),
        ("/tasks?sort=mem&limit=10", "tasks", 0, 0),
    ] {
        let answer = get(address, path).await;
        assert_eq!((answer.status, total(&answer)), (200, Some(all)), "{path}: {answer:?}");
        assert_eq!(length(&answer.json()[list]), shown, "{path}");
    }
    let page = get(address, &format!("/frameworks?framework_id={}", one.framework_id)).await.json();
    assert_eq!(page["frameworks"][0]["name"], "one");
    assert_eq!((length(&page["completed_frameworks"]), length(&page["unregistered_frameworks"])), (0, 0));
    let page = get(address, &format!("/slaves?slave_id={}", agents[1].id)).await.json();
    assert_eq!(page["slaves"][0]["id"], agents[1].id.as_str());
    assert_eq!(length(&page["recovered_slaves"]), 0);
    let script = get(address, "/slaves?limit=1&jsonp=show").await;
    assert!(script.body.starts_with("show({\"slaves\":[{"), "{}", script.body);
    assert_eq!(total(&script), Some(3));
    for path in ["/slaves?sort=size", "/frameworks?limit=x", "/tasks?state=LOST"] {
        let refused = get(address, path).await;
        assert_eq!((refused.status, refused.body.lines().count()), (400, 1), "{path}: {refused:?}");
    }
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_part_already_is_told_so_until_it_changes() {
    let master = support::master().await;
    let address = master.address();
    let _agent = FakeAgent::register(address).await;
    let path = "/slaves?limit=5";
    let head = get(address, path).await.head;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let again = support::request(address, "GET", path, &[("If-None-Match", &tag)], b"").await;
    assert_eq!((again.status, total(&again)), (304, Some(1)));
    let _other = FakeAgent::register(address).await;
    let now = support::request(address, "GET", path, &[("If-None-Match", &tag)], b"").await;
    assert_eq!((now.status, total(&now)), (200, Some(2)));
    master.shutdown().await;
}
