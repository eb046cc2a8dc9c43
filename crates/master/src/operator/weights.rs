//! Weights of roles.

use std::collections::BTreeMap;

use http_api::ApiError;
use master_core::OperatorCall;
use proto::v1::WeightInfo;
use resources::Role;

/// The weights that were set.
pub(crate) fn to_proto(weights: &BTreeMap<Role, f64>) -> Vec<WeightInfo> {
    let weights = weights.iter();
    weights.map(|(role, weight)| WeightInfo { role: Some(role.to_string()), weight: *weight }).collect()
}

/// The call that sets weights. Where there are `roles`, there are no others.
pub(crate) fn update(infos: &[WeightInfo], roles: &[String]) -> Result<OperatorCall, ApiError> {
    let weights = infos.iter().map(|info| {
        wire::validate_weight(info, roles).map_err(|error| ApiError::bad_request(error.to_string()))?;
        Ok((Role::from(info.role().trim()), info.weight))
    });
    weights.collect::<Result<_, _>>().map(OperatorCall::UpdateWeights)
}
