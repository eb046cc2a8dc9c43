//! The executor API, `POST /api/v1/executor`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use agent_core::{ExecutorCall, ExecutorEvent, ExecutorRefusal, ExecutorState, Input, StreamId};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base::{ExecutorId, FrameworkId};
use http_api::{
    ApiError, EventStream, accepted, decode_call, read_body, request_encoding, response_encoding,
};
use proto::v1::executor::call::Type;
use proto::v1::executor::{Call, Event};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::context::{Agent, gone_error};
use crate::convert::{call_from_proto, event_to_proto, heartbeat};
use crate::engine::{CoreHandle, EventReceiver};

/// Events that wait between the stream's task and its connection; the rest waits in the stream's own queue.
const IN_FLIGHT: usize = 64;

/// The handler.
pub(crate) async fn call(
    State(agent): State<Agent>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let encoding = request_encoding(&headers)?;
    let bytes = read_body(&headers, body, agent.options.max_request_bytes).await?;
    let call: Call = decode_call(encoding, &bytes)?;
    let (framework_id, executor_id) =
        (call.framework_id.value.as_str().into(), call.executor_id.value.as_str().into());
    let stream = agent.core.new_stream();
    let Some(content) = call_from_proto(&call, stream).map_err(ApiError::bad_request)? else {
        if call.r#type() == Type::Unknown {
            return Err(unknown(&agent, &framework_id, &executor_id).await?);
        }
        return Ok(accepted());
    };
    if !matches!(content, ExecutorCall::Subscribe { .. }) {
        let answer = agent.core.executor(framework_id, executor_id, content, None).await;
        return answer.map_err(|gone| gone_error(&gone))?.map(|()| accepted()).map_err(refusal);
    }
    let answer_encoding = response_encoding(&headers)?;
    let (events, receiver) = mpsc::channel(agent.options.event_queue);
    let answer = agent.core.executor(framework_id, executor_id, content, Some(events)).await;
    answer.map_err(|gone| gone_error(&gone))?.map_err(refusal)?;
    let (out, stream_events) = mpsc::channel(IN_FLIGHT);
    tokio::spawn(feed(agent.core.clone(), stream, receiver, out, agent.options.http_heartbeat_interval));
    let own = Arc::clone(&agent.own);
    let body = EventStream::new(stream_events, move |item: Item, buffer: &mut Vec<u8>| {
        let event: Event = match item {
            Item::Event(event) => event_to_proto(&event, &own),
            Item::Heartbeat => heartbeat(),
        };
        let record = match answer_encoding {
            http_api::Encoding::Json => proto::json::to_vec(&event),
            http_api::Encoding::Protobuf => proto::encode(&event),
        };
        proto::recordio::encode(buffer, &record);
    });
    Ok(body.into_response(answer_encoding, None))
}

/// What is said to a call of a type that we do not know: first of all who may make calls, as in Mesos.
async fn unknown(
    agent: &Agent,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) -> Result<ApiError, ApiError> {
    let view = agent.core.view().await.map_err(|gone| gone_error(&gone))?;
    let known =
        view.snapshot.framework(framework_id).map(|_| view.snapshot.executor(framework_id, executor_id));
    Ok(match known {
        None => refusal(ExecutorRefusal::UnknownFramework),
        Some(None) => refusal(ExecutorRefusal::UnknownExecutor),
        Some(Some(executor)) if executor.state == ExecutorState::Registering => {
            refusal(ExecutorRefusal::NotSubscribed)
        }
        Some(Some(_)) => ApiError::not_implemented("UNKNOWN is not supported"),
    })
}

fn refusal(refusal: ExecutorRefusal) -> ApiError {
    match refusal {
        ExecutorRefusal::UnknownFramework | ExecutorRefusal::UnknownExecutor => {
            ApiError::bad_request(refusal.to_string())
        }
        ExecutorRefusal::NotSubscribed => ApiError::forbidden(refusal.to_string()),
    }
}

enum Item {
    Event(ExecutorEvent),
    Heartbeat,
}

/// Passes events on to the connection, with heartbeats between them, and tells the core when the executor is gone.
async fn feed(
    core: CoreHandle,
    stream: StreamId,
    mut events: EventReceiver,
    out: mpsc::Sender<Item>,
    heartbeat_interval: Duration,
) {
    let mut heartbeats = tokio::time::interval(heartbeat_interval);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeats.tick().await; // The first comes at once, and SUBSCRIBED is as good.
    let gone: Result<Infallible, ()> = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => if out.send(Item::Event(event)).await.is_err() { break Err(()) },
                // The core has closed the stream.
                None => return,
            },
            _ = heartbeats.tick() => {
                // Where so many events wait, a heartbeat says nothing new.
                let _ = out.try_send(Item::Heartbeat);
            }
            () = out.closed() => break Err(()),
        }
    };
    if gone.is_err() {
        // Nobody minds when the agent ends as well.
        let _ = core.input(Input::ExecutorStreamClosed(stream)).await;
    }
}
