//! The operator API, `POST /api/v1`.

mod containers;
mod files;
mod lists;
mod reads;
mod statistics;

pub(crate) use containers::{Wanted, running};
pub(crate) use reads::executor_info;

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_api::{
    ApiError, Encoding, RequestBody, ResponseBody, accepted, decode_call, read_body, read_first_record,
    request_body, response_body,
};
use proto::v1::agent::{Call, Response as Reply, call, response};

use crate::context::{Agent, Shared};
use http_api::VERSION;

/// The handler.
pub(crate) async fn call(
    State(agent): State<Agent>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let content = request_body(&headers)?;
    let wanted = response_body(&headers)?;
    let limit = agent.options.max_request_bytes;
    let call: Call = match content {
        RequestBody::Message(encoding) => decode_call(encoding, &read_body(&headers, body, limit).await?)?,
        RequestBody::Stream(encoding) => decode_call(encoding, &read_first_record(body, limit).await?)?,
    };
    wire::validate_agent_call(&call)
        .map_err(|error| ApiError::bad_request(format!("Failed to validate agent::Call: {error}")))?;
    check_streams(call.r#type(), content, wanted)?;
    let answer_encoding = match wanted {
        ResponseBody::Message(encoding) | ResponseBody::Stream(encoding) => encoding,
    };
    answer(&agent, &call, answer_encoding, &headers).await
}

/// Input is a stream of calls, output one of answers; no other call goes with a stream.
fn check_streams(kind: call::Type, content: RequestBody, wanted: ResponseBody) -> Result<(), ApiError> {
    use call::Type::{AttachContainerInput, AttachContainerOutput, LaunchNestedContainerSession};
    let name = kind.as_str_name();
    let unsupported = |text| Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    match (matches!(content, RequestBody::Stream(_)), kind == AttachContainerInput) {
        (true, false) => {
            return unsupported(format!(
                "Streaming 'Content-Type' application/recordio is not supported for {name} call"
            ));
        }
        (false, true) => {
            return unsupported(format!(
                "Expecting 'Content-Type' to be application/recordio for {name} call"
            ));
        }
        (true, true) | (false, false) => {}
    }
    let answered_by_stream = matches!(kind, AttachContainerOutput | LaunchNestedContainerSession);
    if matches!(wanted, ResponseBody::Stream(_)) && !answered_by_stream {
        let text = format!("Streaming response is not supported for {name} call");
        return Err(ApiError::new(StatusCode::NOT_ACCEPTABLE, text));
    }
    Ok(())
}

fn expecting(what: &str) -> ApiError {
    ApiError::bad_request(format!("Failed to validate agent::Call: Expecting '{what}' to be present"))
}

async fn answer(
    agent: &Shared,
    call: &Call,
    encoding: Encoding,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    use call::Type;
    let kind = call.r#type();
    let reply = match kind {
        Type::Unknown => return Err(ApiError::not_implemented("UNKNOWN is not supported")),
        Type::GetHealth => {
            Reply { get_health: Some(response::GetHealth { healthy: true }), ..of(response::Type::GetHealth) }
        }
        Type::GetFlags => flags(agent),
        Type::GetVersion => Reply {
            get_version: Some(response::GetVersion { version_info: VERSION.to_proto() }),
            ..of(response::Type::GetVersion)
        },
        Type::GetMetrics => metrics(agent, call).await?,
        Type::GetLoggingLevel => Reply {
            get_logging_level: Some(response::GetLoggingLevel { level: agent.logging.level() }),
            ..of(response::Type::GetLoggingLevel)
        },
        Type::SetLoggingLevel => {
            let set = call.set_logging_level.as_ref().ok_or_else(|| expecting("set_logging_level"))?;
            let nanos = u64::try_from(set.duration.nanoseconds).unwrap_or(0);
            agent.logging.set_for(set.level, Duration::from_nanos(nanos));
            return Ok(http_api::ok());
        }
        Type::ListFiles => files::list(agent, call).await?,
        Type::ReadFile => files::read(agent, call).await?,
        Type::GetState => reads::state(agent).await?,
        Type::GetFrameworks => reads::frameworks(agent).await?,
        Type::GetExecutors => reads::executors(agent).await?,
        Type::GetTasks => reads::tasks(agent).await?,
        Type::GetAgent => reads::agent(agent).await?,
        Type::GetOperations => reads::operations(agent).await?,
        Type::GetResourceProviders => Reply {
            get_resource_providers: Some(response::GetResourceProviders::default()),
            ..of(response::Type::GetResourceProviders)
        },
        Type::GetContainers => containers::all(agent, call).await?,
        Type::PruneImages => return Ok(accepted()),
        _ => return containers::control(agent, call).await,
    };
    Ok(lists::answer(encoding, &reply, headers))
}

/// A reply of a type, without content.
fn of(kind: response::Type) -> Reply {
    Reply { r#type: Some(kind.into()), ..Default::default() }
}

fn flags(agent: &Shared) -> Reply {
    let flags = agent
        .flags
        .iter()
        .map(|(name, value)| proto::v1::Flag { name: name.clone(), value: Some(value.clone()) })
        .collect();
    Reply { get_flags: Some(response::GetFlags { flags }), ..of(response::Type::GetFlags) }
}

async fn metrics(agent: &Shared, call: &Call) -> Result<Reply, ApiError> {
    if call.get_metrics.is_none() {
        return Err(expecting("get_metrics"));
    }
    let view = agent.view().await?;
    let metrics = agent
        .metrics(&view)
        .into_iter()
        .map(|(name, value)| proto::v1::Metric { name, value: Some(value) })
        .collect();
    Ok(Reply { get_metrics: Some(response::GetMetrics { metrics }), ..of(response::Type::GetMetrics) })
}
