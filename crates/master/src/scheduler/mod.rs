//! The scheduler API: `POST /api/v1/scheduler`.

mod calls;
mod events;
mod stream;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{
    ApiError, HangUp, MESOS_STREAM_ID, Receipts, accepted, decode_call, read_body, request_encoding,
    response_encoding,
};
use master_core::{Input, OperatorCall, SchedulerCall};
use proto::v1::scheduler::Call;
use proto::v1::scheduler::call::Type;

use crate::convert;
use crate::directory::Refusal;
use crate::engine::Work;
use crate::server::Master;
use crate::status::{answer, gone};

pub(crate) use events::EventContext;

/// Takes one call. Most are answered before they are acted upon: what comes of them is told by events. Of an acknowledgement
/// nothing is told: it is answered when the agent has it, so that it is lost neither with this master nor with the agent.
pub(crate) async fn call(
    State(master): State<Master>,
    Extension(hang_up): Extension<HangUp>,
    Extension(receipts): Extension<Receipts>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let encoding = request_encoding(&headers)?;
    let bytes = read_body(&headers, body, master.options.max_request_bytes).await?;
    let call: Call = decode_call(encoding, &bytes)?;
    wire::validate_scheduler_call(&call)
        .map_err(|error| ApiError::bad_request(format!("Failed to validate scheduler::Call: {error}")))?;
    let stream_id = headers.get(MESOS_STREAM_ID).map(|value| value.to_str().unwrap_or_default());
    if call.r#type() == Type::Subscribe {
        let accept = response_encoding(&headers)?;
        if stream_id.is_some() {
            let message = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
            return Err(ApiError::bad_request(message));
        }
        return stream::subscribe(&master, call, accept, hang_up).await;
    }
    if call.r#type() == Type::ReconcileOperations {
        response_encoding(&headers)?;
    }
    let framework = call.framework_id.as_ref().map(|id| id.value.as_str()).unwrap_or_default();
    let (framework_id, stream) =
        master.directory.check(framework, stream_id).map_err(|refusal| match refusal {
            Refusal::NotSubscribed => ApiError::forbidden(refusal.to_string()),
            Refusal::Unknown | Refusal::Missing | Refusal::Stale { .. } => {
                ApiError::bad_request(refusal.to_string())
            }
        })?;
    match call.r#type() {
        Type::UpdateFramework => update_framework(&master, call).await,
        Type::Unknown => Err(ApiError::not_implemented("")),
        _ => {
            let call = calls::convert(&framework_id, call)?;
            let passed_on = is_acknowledgement(&call).then(|| receipts.receipt());
            let input = Input::Call { framework_id, stream, call };
            let work = match passed_on {
                Some(receipt) => Work::PassOn(input, receipt),
                None => Work::Input(input),
            };
            master.core.send(work).await.map_err(gone)?;
            Ok(accepted())
        }
    }
}

fn is_acknowledgement(call: &SchedulerCall) -> bool {
    matches!(call, SchedulerCall::Acknowledge { .. } | SchedulerCall::AcknowledgeOperationStatus { .. })
}

/// The one call that waits for its answer.
async fn update_framework(master: &Master, call: Call) -> Result<Response, ApiError> {
    let Some(update) = call.update_framework else {
        return Err(ApiError::bad_request("Expecting 'update_framework' to be present"));
    };
    let framework_id = call.framework_id.map(|id| id.value).unwrap_or_default().into();
    wire::validate_framework_info(&update.framework_info)
        .map_err(|error| error.to_string())
        .and_then(|()| stream::admit(&update.framework_info, &master.options.roles))
        .map_err(|error| ApiError::bad_request(format!("Supplied FrameworkInfo is not valid: {error}")))?;
    let offer_constraints = convert::offer_constraints(
        &update.framework_info,
        update.offer_constraints.as_ref(),
        master.options.regex_limits(),
    );
    let call = OperatorCall::UpdateFramework {
        framework_id,
        info: Box::new(convert::framework_info(update.framework_info)),
        suppressed_roles: update.suppressed_roles.into_iter().map(Into::into).collect(),
        offer_constraints,
    };
    answer(master.core.operator(call).await.map_err(gone)?)
}
