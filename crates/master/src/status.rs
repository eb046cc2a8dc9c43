//! From what the core answers to what clients get.

use axum::response::Response;
use http_api::{ApiError, ok};
use master_core::OperatorError;

use crate::engine::Gone;

/// The answer of a call that the core has decided upon.
pub(crate) fn answer(result: Result<(), OperatorError>) -> Result<Response, ApiError> {
    result.map(|()| ok()).map_err(refused)
}

/// What the core refused.
pub(crate) fn refused(error: OperatorError) -> ApiError {
    match error {
        OperatorError::BadRequest(message) => ApiError::bad_request(message),
        OperatorError::Forbidden(message) => ApiError::forbidden(message),
        OperatorError::NotFound(message) => ApiError::not_found(message),
        OperatorError::Conflict(message) => ApiError::conflict(message),
        OperatorError::Unavailable(message) => ApiError::unavailable(message),
    }
}

/// The master is on its way down.
pub(crate) fn gone(gone: Gone) -> ApiError {
    match gone {
        Gone::Stopping => ApiError::unavailable(gone.to_string()),
        Gone::Unfinished => ApiError::internal(gone.to_string()),
    }
}
