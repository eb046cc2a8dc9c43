//! The scheduler client against a scripted master: what it sends, and what it makes of what it gets.

mod support;

use std::time::Duration;

use proto::v1::scheduler::{Call, Event as WireEvent, call, event};
use proto::v1::{
    AgentId, ExecutorId, FrameworkId, FrameworkInfo, Offer, OfferId, OperationStatus, TaskId, TaskStatus,
    Uuid,
};
use sdk::build::{Framework, Task};
use sdk::scheduler::{Event, Scheduler, SchedulerBuilder};
use sdk::{CallError, Encoding, Masters};
use support::{Reply, Request, Server, accepted};
use tokio::sync::mpsc;

type Stream = mpsc::UnboundedSender<Vec<u8>>;

fn encode(encoding: Encoding, event: &WireEvent) -> Vec<u8> {
    match encoding {
        Encoding::Json => proto::json::to_vec(event),
        Encoding::Protobuf => proto::encode(event),
    }
}

fn subscribed(interval: f64) -> WireEvent {
    WireEvent {
        r#type: Some(event::Type::Subscribed.into()),
        subscribed: Some(event::Subscribed {
            framework_id: FrameworkId { value: "f-0".into() },
            heartbeat_interval_seconds: Some(interval),
            master_info: None,
        }),
        ..WireEvent::default()
    }
}

fn update(task: &str, uuid: Option<&'static [u8]>) -> WireEvent {
    let status = TaskStatus {
        task_id: TaskId { value: task.into() },
        state: proto::v1::TaskState::TaskRunning.into(),
        agent_id: Some(AgentId { value: "a".into() }),
        uuid: uuid.map(bytes::Bytes::from_static),
        ..TaskStatus::default()
    };
    WireEvent {
        r#type: Some(event::Type::Update.into()),
        update: Some(event::Update { status }),
        ..WireEvent::default()
    }
}

/// A master that accepts subscriptions and hands their streams to the test; `answer` says what other calls get.
async fn master(
    encoding: Encoding,
    mut answer: impl FnMut(&Request) -> Reply + Send + 'static,
) -> (Server, mpsc::UnboundedReceiver<Stream>) {
    let (streams_to, streams) = mpsc::unbounded_channel();
    let server = Server::start(move |request| {
        if request.message::<Call>().r#type() != call::Type::Subscribe {
            return answer(request);
        }
        let (stream, records) = mpsc::unbounded_channel();
        stream.send(encode(encoding, &subscribed(15.0))).unwrap();
        streams_to.send(stream).unwrap();
        Reply::Stream(records)
    })
    .await;
    (server, streams)
}

fn client(server: &str) -> SchedulerBuilder {
    Scheduler::builder(Framework::new("test").build())
        .masters(Masters::parse(server).unwrap())
        .max_backoff(Duration::from_millis(50))
}

async fn next(scheduler: &mut Scheduler) -> Event {
    tokio::time::timeout(Duration::from_secs(60), scheduler.next_event())
        .await
        .expect("an event in time")
        .unwrap()
}

#[tokio::test]
async fn events_come_in_order_and_updates_are_acknowledged() {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let (mut server, mut streams) = master(encoding, |_| accepted()).await;
        let mut scheduler = client(&server.address).encoding(encoding).start().unwrap();
        let subscribe = server.request().await;
        assert_eq!(subscribe.path, "/api/v1/scheduler");
        assert_eq!(subscribe.header("accept"), Some(encoding.content_type()));
        assert_eq!(subscribe.header("mesos-stream-id"), None);
        assert_eq!(subscribe.message::<Call>().subscribe.unwrap().framework_info.name, "test");

        let stream = streams.recv().await.unwrap();
        stream.send(encode(encoding, &update("one", Some(b"0123456789abcdef")))).unwrap();
        stream.send(encode(encoding, &update("two", None))).unwrap();
        assert!(
            matches!(next(&mut scheduler).await, Event::Subscribed(s) if !s.again && s.framework_id.value == "f-0")
        );
        for expect in ["one", "two"] {
            assert!(matches!(next(&mut scheduler).await, Event::Update(s) if s.task_id.value == expect));
        }
        scheduler.calls().kill(TaskId { value: "two".into() }, None, None).await.unwrap();

        let acknowledge = server.request().await;
        assert_eq!(acknowledge.header("mesos-stream-id"), Some("stream"));
        let acknowledge = acknowledge.message::<Call>();
        assert_eq!(acknowledge.framework_id.unwrap().value, "f-0");
        assert_eq!(&acknowledge.acknowledge.unwrap().uuid[..], b"0123456789abcdef");
        // The second update asked for no acknowledgement.
        assert_eq!(server.request().await.message::<Call>().r#type(), call::Type::Kill);
    }
}

fn operation_update(id: Option<&str>, uuid: Option<&'static [u8]>) -> WireEvent {
    let status = OperationStatus {
        operation_id: id.map(Into::into),
        state: proto::v1::OperationState::OperationFinished.into(),
        agent_id: Some(AgentId { value: "a".into() }),
        uuid: uuid.map(|uuid| Uuid { value: bytes::Bytes::from_static(uuid) }),
        ..OperationStatus::default()
    };
    WireEvent {
        r#type: Some(event::Type::UpdateOperationStatus.into()),
        update_operation_status: Some(event::UpdateOperationStatus { status }),
        ..WireEvent::default()
    }
}

#[tokio::test]
async fn statuses_of_operations_are_acknowledged_and_asked_for() {
    let (mut server, mut streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let mut scheduler = client(&server.address).start().unwrap();
    server.request().await;
    let stream = streams.recv().await.unwrap();
    assert!(matches!(next(&mut scheduler).await, Event::Subscribed(_)));
    // Of these three only the last asks for an acknowledgement.
    for (id, uuid) in
        [(None, Some(&b"0123456789abcdef"[..])), (Some("op"), None), (Some("op"), Some(b"0123456789abcdef"))]
    {
        stream.send(encode(Encoding::Protobuf, &operation_update(id, uuid))).unwrap();
        assert!(matches!(next(&mut scheduler).await, Event::UpdateOperationStatus(_)));
    }
    let acknowledge = server.request().await.message::<Call>().acknowledge_operation_status.unwrap();
    assert_eq!(
        (acknowledge.operation_id.value.as_str(), &acknowledge.uuid[..]),
        ("op", &b"0123456789abcdef"[..])
    );
    assert_eq!(acknowledge.agent_id.unwrap().value, "a");
    let calls = scheduler.calls();
    calls.reconcile_operations(vec![("op".into(), None)]).await.unwrap();
    let asked = server.request().await.message::<Call>();
    assert_eq!(asked.r#type(), call::Type::ReconcileOperations);
    assert_eq!(asked.reconcile_operations.unwrap().operations[0].operation_id.value, "op");
}

#[tokio::test]
async fn acknowledging_can_be_left_to_the_framework() {
    let (mut server, mut streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let mut scheduler = client(&server.address).acknowledge(false).start().unwrap();
    server.request().await;
    let stream = streams.recv().await.unwrap();
    stream.send(proto::encode(&update("one", Some(b"0123456789abcdef")))).unwrap();
    next(&mut scheduler).await;
    let Event::Update(status) = next(&mut scheduler).await else { panic!("an update is expected") };
    let calls = scheduler.calls();
    calls.revive(Vec::new()).await.unwrap();
    calls.acknowledge(&status).await.unwrap();
    assert_eq!(server.request().await.message::<Call>().r#type(), call::Type::Revive);
    assert_eq!(server.request().await.message::<Call>().r#type(), call::Type::Acknowledge);
}

#[tokio::test]
async fn inverse_offers_are_handed_on_and_answered() {
    let (mut server, mut streams) = master(Encoding::Json, |_| accepted()).await;
    let mut scheduler = client(&server.address).encoding(Encoding::Json).start().unwrap();
    server.request().await;
    let stream = streams.recv().await.unwrap();
    assert!(matches!(next(&mut scheduler).await, Event::Subscribed(_)));
    let event = br#"{"type":"INVERSE_OFFERS","inverse_offers":{"inverse_offers":[{"id":{"value":"o"},
        "framework_id":{"value":"f-0"},"unavailability":{"start":{"nanoseconds":7}}}]}}"#;
    stream.send(event.to_vec()).unwrap();
    let Event::InverseOffers(offers) = next(&mut scheduler).await else {
        panic!("inverse offers are expected")
    };
    assert_eq!(offers[0].unavailability.start.nanoseconds, 7);
    let calls = scheduler.calls();
    calls.answer_inverse_offers(vec![offers[0].id.clone()], true, None).await.unwrap();
    let accept = server.request().await.message::<Call>().accept_inverse_offers.unwrap();
    assert_eq!((accept.inverse_offer_ids[0].value.as_str(), accept.filters), ("o", None));
    calls.answer_inverse_offers(vec![offers[0].id.clone()], false, Some(60.0)).await.unwrap();
    let decline = server.request().await.message::<Call>().decline_inverse_offers.unwrap();
    assert_eq!(decline.filters.unwrap().refuse_seconds, Some(60.0));
}

#[tokio::test]
async fn many_calls_go_down_one_connection_in_order() {
    let (mut server, _streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let mut scheduler = client(&server.address).start().unwrap();
    server.request().await;
    next(&mut scheduler).await;
    let calls = scheduler.calls();
    let count = 20_000_usize;
    for i in 0..count {
        let offer = OfferId { value: i.to_string() };
        calls.decline(vec![offer], Some(1.0)).await.unwrap();
    }
    calls.flush().await;
    for i in 0..count {
        let decline =
            server.requests.try_recv().expect("flush waits for all").message::<Call>().decline.unwrap();
        assert_eq!(decline.offer_ids[0].value, i.to_string());
    }
}

#[tokio::test]
async fn refused_calls_are_told_of() {
    let (server, _streams) =
        master(Encoding::Protobuf, |_| Reply::Answer(403, "", "Not here\n".to_owned())).await;
    let mut scheduler = client(&server.address).start().unwrap();
    next(&mut scheduler).await;
    let calls = scheduler.calls();
    let refused = CallError::Refused { call: "KILL", status: 403, message: "Not here".into() };

    calls.kill(TaskId { value: "t".into() }, None, None).await.unwrap();
    assert!(matches!(next(&mut scheduler).await, Event::CallFailed(e) if e == refused));

    let error = scheduler.teardown().await.unwrap_err();
    assert_eq!(error.to_string(), "TEARDOWN was refused with 403: Not here");
}

#[tokio::test]
async fn a_standby_master_points_to_the_leader() {
    let (leader, _streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let location: &'static str = format!("Location: //{}/api/v1/scheduler\r\n", leader.address).leak();
    let standby = Server::start(move |_| Reply::Answer(307, location, String::new())).await;
    let mut scheduler = client(&standby.address).start().unwrap();
    assert!(matches!(next(&mut scheduler).await, Event::Subscribed(_)));
}

#[tokio::test]
async fn a_framework_of_one_role_stays_suppressed_after_a_loss() {
    for (role, expected) in [(Some("web"), "web"), (None, "*")] {
        let (mut server, mut streams) = master(Encoding::Protobuf, |_| accepted()).await;
        let info = FrameworkInfo { role: role.map(str::to_owned), ..FrameworkInfo::default() };
        let masters = Masters::parse(&server.address).unwrap();
        let builder = Scheduler::builder(info).masters(masters).max_backoff(Duration::from_millis(50));
        let mut scheduler = builder.start().unwrap();
        next(&mut scheduler).await;
        scheduler.calls().suppress(Vec::new()).await.unwrap();
        scheduler.calls().flush().await;
        drop(streams.recv().await.unwrap());
        let again = loop {
            if let Some(subscribe) = server.request().await.message::<Call>().subscribe
                && subscribe.framework_info.id.is_some()
            {
                break subscribe;
            }
        };
        assert_eq!(again.suppressed_roles, [expected]);
    }
}

#[tokio::test]
async fn looking_for_events_goes_on_when_the_queue_of_calls_was_full() {
    let (server, mut streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let mut scheduler = client(&server.address).start().unwrap();
    next(&mut scheduler).await;
    let stream = streams.recv().await.unwrap();
    for task in ["one", "two"] {
        stream.send(encode(Encoding::Protobuf, &update(task, Some(b"0123456789abcdef")))).unwrap();
    }
    let calls = scheduler.calls();
    let taken = async {
        let first = loop {
            // Queued at once, or as soon as there is room: nothing is written before the next line.
            let (agent, executor) = (AgentId { value: "a".into() }, ExecutorId { value: "e".into() });
            calls.message(agent, executor, vec![0; 2 << 20]).await.unwrap();
            match scheduler.try_next_event() {
                Some(event) => break event,
                None => tokio::task::yield_now().await,
            }
        };
        let second = loop {
            match scheduler.try_next_event() {
                Some(event) => break event,
                None => tokio::task::yield_now().await,
            }
        };
        [first, second]
    };
    let taken = tokio::time::timeout(Duration::from_secs(60), taken).await.expect("both in time");
    for (event, expected) in taken.into_iter().zip(["one", "two"]) {
        assert!(matches!(event, Event::Update(status) if status.task_id.value == expected));
    }
}

#[tokio::test]
async fn after_a_loss_it_subscribes_again_under_its_id() {
    let (mut server, mut streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let mut scheduler = client(&server.address).start().unwrap();
    next(&mut scheduler).await;
    scheduler.calls().suppress(Vec::new()).await.unwrap();
    scheduler.calls().flush().await;
    drop(streams.recv().await.unwrap());
    assert!(matches!(next(&mut scheduler).await, Event::Disconnected { .. }));
    assert!(matches!(next(&mut scheduler).await, Event::Subscribed(s) if s.again));
    assert_eq!(server.request().await.message::<Call>().framework_id, None);
    assert_eq!(server.request().await.message::<Call>().r#type(), call::Type::Suppress);
    let again = server.request().await.message::<Call>();
    assert_eq!(again.framework_id.unwrap().value, "f-0");
    let again = again.subscribe.unwrap();
    assert_eq!(again.framework_info.id.unwrap().value, "f-0");
    assert_eq!(again.suppressed_roles, ["*"], "what was suppressed stays so");
}

#[tokio::test]
async fn the_next_master_is_tried_when_one_is_gone() {
    let gone = Server::start(|_| Reply::Hangup).await;
    let unavailable = Server::start(|_| Reply::Answer(503, "", "No leader elected".into())).await;
    let (leader, _streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let list = format!("{},{},{}", gone.address, unavailable.address, leader.address);
    let mut scheduler = client(&list).start().unwrap();
    let Event::Disconnected { .. } = next(&mut scheduler).await else { panic!("the first is gone") };
    let Event::Disconnected { reason } = next(&mut scheduler).await else { panic!("the second leads not") };
    assert!(reason.contains("503") && reason.contains("No leader elected"), "{reason}");
    assert!(matches!(next(&mut scheduler).await, Event::Subscribed(_)));
}

#[tokio::test]
async fn a_silent_master_is_left() {
    let server = Server::start(|_| {
        let (stream, records) = mpsc::unbounded_channel();
        stream.send(proto::encode(&subscribed(0.01))).unwrap();
        // The stream stays open without a heartbeat.
        std::mem::forget(stream);
        Reply::Stream(records)
    })
    .await;
    let mut scheduler = client(&server.address).missed_heartbeats(2).start().unwrap();
    next(&mut scheduler).await;
    let Event::Disconnected { reason } = next(&mut scheduler).await else { panic!("a loss is expected") };
    assert!(reason.contains("nothing was heard for 0.02 s"), "{reason}");
    assert!(matches!(next(&mut scheduler).await, Event::Subscribed(s) if s.again));
}

#[tokio::test]
async fn a_refusal_is_the_end() {
    let server = Server::start(|_| Reply::Answer(400, "", "Failed to validate".into())).await;
    let mut scheduler = client(&server.address).start().unwrap();
    let Event::Error(message) = next(&mut scheduler).await else { panic!("an error is expected") };
    assert!(message.contains("400") && message.contains("Failed to validate"), "{message}");
    assert!(scheduler.next_event().await.is_none());

    // So is an ERROR event.
    let (_server, mut scheduler) = {
        let (server, mut streams) = master(Encoding::Protobuf, |_| accepted()).await;
        let mut scheduler = client(&server.address).start().unwrap();
        next(&mut scheduler).await;
        let error = WireEvent {
            r#type: Some(event::Type::Error.into()),
            error: Some(event::Error { message: "Framework has been removed".into() }),
            ..WireEvent::default()
        };
        streams.recv().await.unwrap().send(proto::encode(&error)).unwrap();
        (server, scheduler)
    };
    assert!(matches!(next(&mut scheduler).await, Event::Error(m) if m == "Framework has been removed"));
    assert!(scheduler.next_event().await.is_none());
}

#[tokio::test]
async fn without_a_subscription_calls_say_so() {
    let server = Server::start(|_| Reply::Hangup).await;
    let scheduler = client(&server.address).start().unwrap();
    let calls = scheduler.calls();
    let error = calls.revive(Vec::new()).await.unwrap_err();
    assert_eq!(error, CallError::NotSubscribed { call: "REVIVE" });
    assert_eq!(calls.framework_id(), None);
}

#[tokio::test]
async fn a_broken_connection_for_calls_is_replaced() {
    let mut first = true;
    let answer = move |_: &Request| if std::mem::take(&mut first) { Reply::Hangup } else { accepted() };
    let (mut server, _streams) = master(Encoding::Protobuf, answer).await;
    let mut scheduler = client(&server.address).start().unwrap();
    next(&mut scheduler).await;
    let calls = scheduler.calls();
    let revive = || Call { r#type: Some(call::Type::Revive.into()), ..Call::default() };
    assert!(matches!(calls.send_and_wait(revive()).await, Err(CallError::Unanswered { call: "REVIVE", .. })));
    calls.send_and_wait(revive()).await.unwrap();
    // The subscription was not disturbed.
    assert_eq!(server.request().await.message::<Call>().r#type(), call::Type::Subscribe);
    assert!(scheduler.try_next_event().is_none());
}

#[tokio::test]
async fn launches_name_their_offers_and_tasks() {
    let (mut server, _streams) = master(Encoding::Protobuf, |_| accepted()).await;
    let mut scheduler = client(&server.address).start().unwrap();
    server.request().await;
    next(&mut scheduler).await;
    let offer = Offer {
        id: OfferId { value: "o".into() },
        agent_id: AgentId { value: "a".into() },
        ..Offer::default()
    };
    let task = Task::new("t").command("true").env("A", "1").cpus(0.1).mem(32.0).on(&offer);
    scheduler.calls().launch(&[offer], vec![task], Some(60.0)).await.unwrap();
    let accept = server.request().await.message::<Call>().accept.unwrap();
    assert_eq!(accept.offer_ids[0].value, "o");
    assert_eq!(accept.filters.unwrap().refuse_seconds, Some(60.0));
    let task = &accept.operations[0].launch.as_ref().unwrap().task_infos[0];
    assert_eq!((task.agent_id.value.as_str(), task.name.as_str(), task.resources.len()), ("a", "t", 2));
    assert_eq!(task.command.as_ref().unwrap().value.as_deref(), Some("true"));
}
