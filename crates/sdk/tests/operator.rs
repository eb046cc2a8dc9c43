//! The operator client against a scripted master and agent.

mod support;

use proto::Message;
use proto::v1::{agent, master};
use sdk::{Masters, Operator};
use support::{Reply, Server};

fn text(bytes: Vec<u8>) -> String {
    // The answers of these tests hold no byte over 127, so that they fit the script's text.
    String::from_utf8(bytes).unwrap()
}

fn operator(addresses: &[&str]) -> Operator {
    Operator::new(Masters::parse(&addresses.join(",")).unwrap())
}

#[tokio::test]
async fn the_leader_is_found_and_asked() {
    let leader = Server::start(|request| {
        assert_eq!(request.message::<master::Call>().r#type(), master::call::Type::GetHealth);
        let answer = master::Response {
            r#type: Some(master::response::Type::GetHealth.into()),
            get_health: Some(master::response::GetHealth { healthy: true }),
            ..master::Response::default()
        };
        Reply::Answer(200, "", text(proto::encode(&answer)))
    })
    .await;
    let location: &'static str = format!("Location: //{}/api/v1\r\n", leader.address).leak();
    let standby = Server::start(move |_| Reply::Answer(307, location, String::new())).await;
    let gone = Server::start(|_| Reply::Hangup).await;
    let operator = operator(&[&gone.address, &standby.address]);
    let health = operator.ask(master::call::Type::GetHealth).await.unwrap();
    assert!(health.get_health.unwrap().healthy);
}

#[tokio::test]
async fn a_master_that_is_not_ready_is_passed_over() {
    let waiting = Server::start(|_| Reply::Answer(503, "", "not yet\n".into())).await;
    let leader = Server::start(|_| Reply::Answer(200, "", "{\"a\":1}".into())).await;
    let state = operator(&[&waiting.address, &leader.address]).get("/state").await.unwrap();
    assert_eq!(state["a"], 1);
    let error = operator(&[&waiting.address]).get("/state").await.unwrap_err();
    assert_eq!(error.status().unwrap(), 503);
}

#[tokio::test]
async fn explanations_are_asked_for() {
    let server = Server::start(|request| {
        let (path, id) = request.path.split_once('=').unwrap();
        Reply::Answer(200, "", format!(r#"{{"text":"{path}: {id}","roles":[]}}"#))
    })
    .await;
    let operator = operator(&[&server.address]);
    let framework = operator.explain_framework("f-1").await.unwrap();
    assert_eq!(framework.text, "/explain/framework?id: f-1");
    let role = operator.explain_role("a/b c").await.unwrap();
    assert_eq!(role.text, "/explain/role?name: a%2Fb%20c");
    assert!(role.details["roles"].is_array());
}

#[tokio::test]
async fn refusals_are_told_with_the_servers_words() {
    let server = Server::start(|_| Reply::Answer(403, "", "no\n".into())).await;
    let error = operator(&[&server.address]).agents().await.unwrap_err();
    assert_eq!(error.status().unwrap(), 403);
    let expect = format!("{} refused GET_AGENTS with 403 Forbidden: no", server.address);
    assert_eq!(error.to_string(), expect);

    let server = Server::start(|_| Reply::Answer(200, "", "<html>".into())).await;
    let error = operator(&[&server.address]).get("/state").await.unwrap_err().to_string();
    assert!(error.contains("answered /state with what cannot be read"), "{error}");
}

#[tokio::test]
async fn files_are_read_in_pieces() {
    let server = Server::start(|request| {
        let read = request.message::<agent::Call>().read_file.unwrap();
        assert_eq!(
            (read.path.as_str(), read.length),
            ("/frameworks/f/executors/t/runs/latest/stdout", Some(3))
        );
        let whole = b"hello";
        let from = usize::try_from(read.offset).unwrap();
        let data = bytes::Bytes::copy_from_slice(&whole[from..(from + 3).min(whole.len())]);
        let answer = agent::Response {
            r#type: Some(agent::response::Type::ReadFile.into()),
            read_file: Some(agent::response::ReadFile { size: 5, data }),
            ..agent::Response::default()
        };
        Reply::Answer(200, "", text(proto::encode(&answer)))
    })
    .await;
    let operator = Operator::agent(server.address.parse().unwrap());
    let path = sdk::operator::sandbox_path("f", "t", "stdout");
    let first = operator.read_file(&path, 0, 3).await.unwrap();
    assert_eq!((&first.data[..], first.size), (&b"hel"[..], 5));
    assert_eq!(&operator.read_file(&path, 3, 3).await.unwrap().data[..], b"lo");
}

#[tokio::test]
async fn a_page_says_how_many_there_are() {
    let server = Server::start(|request| {
        assert_eq!(request.path, "/tasks?limit=1");
        Reply::Answer(200, "Meseta-Total: 12\r\n", "{\"tasks\":[1]}".into())
    })
    .await;
    let operator = operator(&[&server.address]);
    let (page, total) = operator.get_listing::<serde_json::Value>("/tasks?limit=1").await.unwrap();
    assert_eq!((&page["tasks"][0], total), (&1.into(), Some(12)));
    let error = operator.get_as::<Vec<u64>>("/tasks?limit=1").await.unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

fn event(kind: master::event::Type) -> master::Event {
    master::Event { r#type: Some(kind.into()), ..master::Event::default() }
}

#[tokio::test]
async fn events_come_until_the_stream_ends() {
    use master::event::{Subscribed, Type};
    let (records, sent) = tokio::sync::mpsc::unbounded_channel();
    let mut stream = Some(sent);
    let server = Server::start(move |request| {
        assert_eq!(request.message::<master::Call>().r#type(), master::call::Type::Subscribe);
        Reply::Stream(stream.take().unwrap())
    })
    .await;
    let mut events = operator(&[&server.address]).subscribe().await.unwrap();
    assert_eq!(events.peer().to_string(), server.address);
    let subscribed = Subscribed { heartbeat_interval_seconds: Some(15.0), ..Subscribed::default() };
    let first = master::Event { subscribed: Some(subscribed), ..event(Type::Subscribed) };
    for event in [&first, &event(Type::Heartbeat), &event(Type::TaskAdded)] {
        records.send(event.encode_to_vec()).unwrap();
    }
    drop(records);
    let mut kinds = Vec::new();
    let end = loop {
        match events.next().await {
            Ok(event) => kinds.push(event.r#type()),
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(kinds, [Type::Subscribed, Type::Heartbeat, Type::TaskAdded]);
    // The script's streams end in the middle of nothing.
    assert!(end.starts_with(&format!("the events of {} ended: the stream broke", server.address)), "{end}");
}

#[tokio::test]
async fn a_server_is_asked_as_it_is() {
    let server = Server::start(|_| {
        Reply::Answer(307, "Date: Mon, 23 Nov 2026 02:13:20 GMT\r\nLocation: //a:1/x\r\n", "elsewhere".into())
    })
    .await;
    let peer = server.address.parse().unwrap();
    let limit = std::time::Duration::from_secs(20);
    let answer = sdk::operator::probe(&peer, "/x", limit).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (307, &b"elsewhere"[..]));
    assert_eq!(answer.date.as_deref(), Some("Mon, 23 Nov 2026 02:13:20 GMT"));
    assert_eq!(answer.location.as_deref(), Some("//a:1/x"));
    assert!(answer.json::<serde_json::Value>().is_err());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = silent.local_addr().unwrap().to_string().parse().unwrap();
    let error = sdk::operator::probe(&peer, "/x", std::time::Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("did not answer within"), "{error}");
}

#[tokio::test]
async fn changes_are_calls() {
    let mut server = Server::start(|_| Reply::Answer(200, "", String::new())).await;
    let operator = operator(&[&server.address]);
    operator.drain_agent("S0".into(), Some(std::time::Duration::from_millis(1500)), true).await.unwrap();
    let call = server.request().await.message::<master::Call>();
    let drain = call.drain_agent.unwrap();
    let grace = drain.max_grace_period.unwrap();
    assert_eq!((drain.agent_id.value.as_str(), drain.mark_gone), ("S0", Some(true)));
    assert_eq!((grace.seconds, grace.nanos), (Some(1), Some(500_000_000)));
    operator.update_weights(Vec::new()).await.unwrap();
    let call = server.request().await.message::<master::Call>();
    assert_eq!(call.r#type(), master::call::Type::UpdateWeights);
    assert!(call.update_weights.is_some());
}
