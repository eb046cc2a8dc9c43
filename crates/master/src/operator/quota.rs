//! Quotas of roles: what is kept for them, and what they may take at most.

use std::collections::BTreeMap;

use http_api::ApiError;
use master_core::{OperatorCall, Quota};
use proto::MapEntry;
use proto::v1;
use proto::v1::quota::{QuotaConfig, QuotaInfo, QuotaRequest, QuotaStatus};
use resources::{Name, Role, Scalar};

use crate::view::roles::scalar;

/// The quotas that were set. Guarantees are there twice: older clients know `infos` only.
pub(crate) fn status(quotas: &BTreeMap<Role, Quota>) -> QuotaStatus {
    let infos = quotas.iter().map(|(role, quota)| QuotaInfo {
        role: Some(role.to_string()),
        principal: None,
        guarantee: quota.guarantees.iter().map(|(name, amount)| scalar(name, *amount)).collect(),
    });
    let configs = quotas.iter().map(|(role, quota)| config_to_proto(role, quota));
    QuotaStatus { infos: infos.collect(), configs: configs.collect() }
}

/// A role's quota.
pub(crate) fn config_to_proto(role: &Role, quota: &Quota) -> QuotaConfig {
    QuotaConfig {
        role: role.to_string(),
        guarantees: quota.guarantees.iter().map(|(name, amount)| entry(name, *amount).into()).collect(),
        limits: quota.limits.iter().map(|(name, amount)| entry(name, *amount).into()).collect(),
    }
}

/// A role's quota.
pub(crate) fn quota_of(config: &QuotaConfig) -> Quota {
    Quota { guarantees: amounts(&config.guarantees), limits: amounts(&config.limits) }
}

fn entry(name: &Name, amount: Scalar) -> (String, v1::value::Scalar) {
    (name.to_string(), v1::value::Scalar { value: amount.to_f64() })
}

/// The call that sets quotas. Where there are `roles`, there are no others.
pub(crate) fn update(
    configs: &[QuotaConfig],
    force: bool,
    roles: &[String],
) -> Result<OperatorCall, ApiError> {
    let quotas = configs.iter().map(|config| {
        wire::validate_quota_config(config, roles)
            .map_err(|error| ApiError::bad_request(format!("Invalid QuotaConfig: {error}")))?;
        Ok((Role::from(config.role.as_str()), quota_of(config)))
    });
    Ok(OperatorCall::UpdateQuota { quotas: quotas.collect::<Result<_, ApiError>>()?, force })
}

/// The call that sets guarantees of a role, and limits with them. Where there are `roles`, there are no others.
pub(crate) fn set(request: &QuotaRequest, roles: &[String]) -> Result<OperatorCall, ApiError> {
    wire::validate_quota_request(request, roles).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let amount = |resource: &v1::Resource| resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
    let guarantee = request.guarantee.iter();
    Ok(OperatorCall::SetQuota {
        role: Role::from(request.role()),
        guarantee: guarantee
            .map(|resource| (Name::from(resource.name.as_str()), Scalar::from_f64(amount(resource))))
            .collect(),
        force: request.force(),
    })
}

/// Of entries with the same name the last counts.
fn amounts<E>(entries: &[E]) -> BTreeMap<Name, Scalar>
where
    E: MapEntry<Value = v1::value::Scalar>,
{
    let amount = |entry: &E| entry.value().map_or(0.0, |scalar| scalar.value);
    entries.iter().map(|entry| (Name::from(entry.key()), Scalar::from_f64(amount(entry)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarantees_and_limits() {
        let entry = |value| ("cpus", v1::value::Scalar { value });
        let config = QuotaConfig {
            role: "a".into(),
            guarantees: vec![entry(2.0).into()],
            limits: vec![entry(3.0).into()],
        };
        let quota = |amount| BTreeMap::from([(Name::Cpus, Scalar::whole(amount))]);
        let quotas = vec![("a".into(), Quota { guarantees: quota(2), limits: quota(3) })];
        assert_eq!(update(&[config], true, &[]).unwrap(), OperatorCall::UpdateQuota { quotas, force: true });
    }
}
