//! Limits of roles. Guarantees are not supported: what a role may take at most can be set, not what is kept for it.

use http_api::ApiError;
use master_core::{OperatorCall, QuotaLimits, Snapshot};
use proto::MapEntry as _;
use proto::v1;
use proto::v1::quota::quota_config::LimitsEntry;
use proto::v1::quota::{QuotaConfig, QuotaStatus};
use resources::{Name, Role, Scalar};

/// The limits that were set.
pub(crate) fn status(snapshot: &Snapshot) -> QuotaStatus {
    let configs = snapshot.quota_limits.iter().map(|(role, limits)| QuotaConfig {
        role: role.to_string(),
        limits: limits.iter().map(|(name, amount)| entry(name, *amount)).collect(),
        ..Default::default()
    });
    QuotaStatus { configs: configs.collect(), infos: Vec::new() }
}

fn entry(name: &Name, amount: Scalar) -> LimitsEntry {
    (name.to_string(), v1::value::Scalar { value: amount.to_f64() }).into()
}

/// The call that sets limits.
pub(crate) fn update(configs: &[QuotaConfig]) -> Result<OperatorCall, ApiError> {
    let limits = configs.iter().map(|config| {
        wire::validate_quota_config(config)
            .map_err(|error| ApiError::bad_request(format!("Invalid QuotaConfig: {error}")))?;
        if config.guarantees.iter().any(|entry| entry.value.as_ref().is_some_and(|value| value.value > 0.0)) {
            return Err(ApiError::not_implemented("Quota guarantees are not supported yet, only limits"));
        }
        // Of entries with the same name the last counts.
        let limits: QuotaLimits = config
            .limits
            .iter()
            .map(|entry| {
                (Name::from(entry.key()), Scalar::from_f64(entry.value().map_or(0.0, |scalar| scalar.value)))
            })
            .collect();
        Ok((Role::from(config.role.as_str()), limits))
    });
    limits.collect::<Result<_, _>>().map(OperatorCall::UpdateQuota)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn limits_yes_guarantees_no() {
        let entry = || ("cpus", v1::value::Scalar { value: 3.0 });
        let mut config = QuotaConfig { role: "a".into(), limits: vec![entry().into()], ..Default::default() };
        let limits = BTreeMap::from([(Name::Cpus, Scalar::whole(3))]);
        let call = update(std::slice::from_ref(&config)).unwrap();
        assert_eq!(call, OperatorCall::UpdateQuota(vec![("a".into(), limits)]));
        config.guarantees = vec![entry().into()];
        assert_eq!(update(&[config]).unwrap_err().status, 501);
    }
}
