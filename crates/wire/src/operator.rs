//! Quotas and weights that operators set.

use std::collections::BTreeSet;

use proto::MapEntry;
use proto::v1::WeightInfo;
use proto::v1::quota::{QuotaConfig, QuotaRequest};
use proto::v1::value::{Scalar, Type};
use resources::{Scalar as Amount, validate_role};

use crate::Invalid;
use crate::invalid::{Checked, check_amount, ensure, general, invalid};
use crate::limits::{check_kept_size, check_not_too_large};
use crate::resource::resource_from_proto;

/// Whether a role may be used. Where there are `roles`, there are no others but the default one.
fn may_be_used(role: &str, roles: &[String]) -> bool {
    roles.is_empty() || role == "*" || roles.iter().any(|known| known == role)
}

/// Checks one role's weight. Where there are `roles`, there are no others.
///
/// # Errors
/// The whole answer, of one line.
pub fn validate_weight(weight: &WeightInfo, roles: &[String]) -> Result<(), Invalid> {
    let prefix = "Failed to validate update weights request JSON";
    check_kept_size(weight).map_err(|error| error.within(prefix))?;
    let role = weight.role().trim();
    if let Err(error) = validate_role(role) {
        return invalid(format!("{prefix}: Invalid role '{role}': {error}"));
    }
    if !may_be_used(role, roles) {
        return invalid(format!("{prefix}: Unknown role '{role}'"));
    }
    // What is not a number is not positive either.
    if weight.weight > 0.0 {
        return Ok(());
    }
    let shown = general(weight.weight);
    invalid(format!("{prefix} for role '{role}': Invalid weight '{shown}': Weights must be positive"))
}

/// Checks one role's quota; the answer to a bad one is `Invalid QuotaConfig: ` and the reason. Where there are `roles`,
/// there are no others.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_quota_config(config: &QuotaConfig, roles: &[String]) -> Result<(), Invalid> {
    check_kept_size(config)?;
    if !may_be_used(&config.role, roles) {
        return invalid(format!("'{}' is not on the roles whitelist", config.role));
    }
    validate_role(&config.role)
        .map_err(|error| Invalid::new(error.to_string()).within("Invalid 'QuotaConfig.role'"))?;
    let (guarantees, limits) = (amounts(&config.guarantees), amounts(&config.limits));
    not_too_large(&guarantees).map_err(|error| error.within("Invalid 'QuotaConfig.guarantees'"))?;
    not_too_large(&limits).map_err(|error| error.within("Invalid 'QuotaConfig.limits'"))?;
    for (what, amounts) in [("guarantee", &guarantees), ("limit", &limits)] {
        for (name, amount) in amounts {
            check_amount(*amount).map_err(|error| {
                let shown = Amount::from_f64(*amount);
                error.within(format!("Invalid {what} configuration {{'{name}': {shown}}}"))
            })?;
        }
    }
    let limit = |name: &str| limits.iter().find(|(limited, _)| *limited == name).map(|(_, amount)| *amount);
    let within = guarantees.iter().all(|(name, amount)| {
        limit(name).is_none_or(|limit| Amount::from_f64(*amount) <= Amount::from_f64(limit))
    });
    if within {
        return Ok(());
    }
    invalid(format!(
        "'QuotaConfig.guarantees' {} is not contained within the 'QuotaConfig.limits' {}",
        shown(&guarantees),
        shown(&limits)
    ))
}

/// Checks a request of the older kind, which sets guarantees and limits at once. Where there are `roles`, there are no
/// others.
///
/// # Errors
/// The whole answer, of one line.
pub fn validate_quota_request(request: &QuotaRequest, roles: &[String]) -> Result<(), Invalid> {
    let prefix = "Failed to validate set quota request";
    for resource in &request.guarantee {
        resource_from_proto(resource)
            .map_err(|error| Invalid::new(format!("{prefix}: QuotaInfo with invalid resource: {error}")))?;
    }
    quota_request(request, roles).map_err(|error| error.within(prefix))
}

fn quota_request(request: &QuotaRequest, roles: &[String]) -> Checked {
    check_kept_size(request)?;
    let Some(role) = request.role.as_deref() else { return invalid("QuotaInfo must specify a role") };
    validate_role(role)
        .map_err(|error| Invalid::new(error.to_string()).within("QuotaInfo with invalid role"))?;
    ensure(!request.guarantee.is_empty(), "QuotaInfo with empty 'guarantee'")?;
    let mut names = BTreeSet::new();
    for resource in &request.guarantee {
        let reserved = !resource.reservations.is_empty()
            || resource.reservation.is_some()
            || resource.role.as_deref().is_some_and(|role| role != "*");
        ensure(!reserved, "QuotaInfo must not contain any ReservationInfo")?;
        ensure(resource.disk.is_none(), "QuotaInfo must not contain DiskInfo")?;
        ensure(resource.revocable.is_none(), "QuotaInfo must not contain RevocableInfo")?;
        ensure(resource.r#type() == Type::Scalar, "QuotaInfo must not include non-scalar resources")?;
        if !names.insert(&resource.name) {
            return invalid(format!("QuotaInfo contains duplicate resource name '{}'", resource.name));
        }
        let amount = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        check_not_too_large(&resource.name, Amount::from_f64(amount))
            .map_err(|error| error.within("QuotaInfo with invalid resource"))?;
    }
    if may_be_used(role, roles) { Ok(()) } else { invalid(format!("Unknown role '{role}'")) }
}

/// The entries of a map by name; of those with the same name, the last counts.
fn amounts<E: MapEntry<Value = Scalar>>(entries: &[E]) -> Vec<(&str, f64)> {
    let mut amounts: Vec<(&str, f64)> = Vec::new();
    for entry in entries {
        let amount = entry.value().map_or(0.0, |scalar| scalar.value);
        match amounts.binary_search_by(|(name, _)| (*name).cmp(entry.key())) {
            Ok(at) => amounts[at].1 = amount,
            Err(at) => amounts.insert(at, (entry.key(), amount)),
        }
    }
    amounts
}

fn not_too_large(amounts: &[(&str, f64)]) -> Checked {
    amounts.iter().try_for_each(|(name, amount)| check_not_too_large(name, Amount::from_f64(*amount)))
}

fn shown(amounts: &[(&str, f64)]) -> String {
    let all: Vec<_> =
        amounts.iter().map(|(name, amount)| format!("{name}: {}", Amount::from_f64(*amount))).collect();
    format!("{{ {} }}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        let check = |role: &str, weight: f64| {
            let weight = WeightInfo { role: Some(role.to_owned()), weight };
            validate_weight(&weight, &["a".into(), "-a".into()]).map_err(|error| error.to_string())
        };
        assert_eq!(check("a", 2.5), Ok(()));
        for (weight, shown) in [(-1.0, "-1"), (0.0, "0")] {
            let text = format!(
                "Failed to validate update weights request JSON for role 'a': Invalid weight '{shown}': Weights must \
                 be positive"
            );
            assert_eq!(check("a", weight), Err(text));
        }
        let text = "Failed to validate update weights request JSON: Invalid role '-a': Role component '-a' is invalid \
                    because it starts with a dash";
        assert_eq!(check("-a", 1.0), Err(text.to_owned()));
        let text = "Failed to validate update weights request JSON: Unknown role 'b'";
        assert_eq!(check("b", 1.0), Err(text.to_owned()));
        assert_eq!(check("*", 1.0), Ok(()));
        let text = "Failed to validate update weights request JSON: It takes 70013 bytes, more than the 65536 that the \
                    registry takes";
        assert_eq!(check(&"a".repeat(70_000), 1.0), Err(text.to_owned()));
    }

    #[test]
    fn requests_of_the_older_kind() {
        let check = |json: &str| {
            let request: QuotaRequest = proto::json::from_slice(json.as_bytes()).unwrap();
            validate_quota_request(&request, &["a".into()]).map_err(|error| error.to_string()).err()
        };
        let failed = |why: &str| Some(format!("Failed to validate set quota request: {why}"));
        let cpus = |more: &str| format!(r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}}{more}}}"#);
        let request = |role: &str, guarantee: &[String]| {
            check(&format!(r#"{{"role":"{role}","guarantee":[{}]}}"#, guarantee.join(",")))
        };
        assert_eq!(request("a", &[cpus("")]), None);
        assert_eq!(check("{}"), failed("QuotaInfo must specify a role"));
        assert_eq!(
            request("-a", &[]),
            failed(
                "QuotaInfo with invalid role: Role component '-a' is invalid because it starts with a dash"
            )
        );
        assert_eq!(request("a", &[]), failed("QuotaInfo with empty 'guarantee'"));
        assert_eq!(request("b", &[cpus("")]), failed("Unknown role 'b'"));
        assert_eq!(
            request("a", &[cpus(""), cpus("")]),
            failed("QuotaInfo contains duplicate resource name 'cpus'")
        );
        let reserved = cpus(r#","reservations":[{"type":"STATIC","role":"a"}]"#);
        for (wrong, why) in [
            (cpus(r#","role":"a""#), "QuotaInfo must not contain any ReservationInfo"),
            (reserved, "QuotaInfo must not contain any ReservationInfo"),
            (cpus(r#","revocable":{}"#), "QuotaInfo must not contain RevocableInfo"),
            (
                r#"{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}"#.to_owned(),
                "QuotaInfo must not include non-scalar resources",
            ),
            (
                cpus("").replace('1', "1e13"),
                "QuotaInfo with invalid resource: {'cpus': 10000000000000} is invalid: values greater than 1 trillion \
                 (1000000000000) are not supported",
            ),
            (
                cpus("").replace('1', "-1"),
                "QuotaInfo with invalid resource: Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
            ),
        ] {
            assert_eq!(request("a", &[wrong]), failed(why));
        }
    }

    #[test]
    fn quotas() {
        let check = |fields: &str| {
            let json = format!(r#"{{"role":"a"{fields}}}"#);
            let config: QuotaConfig = proto::json::from_slice(json.as_bytes()).unwrap();
            validate_quota_config(&config, &[]).map_err(|error| error.to_string()).err().unwrap_or_default()
        };
        assert_eq!(check(r#","guarantees":{"cpus":{"value":1}},"limits":{"cpus":{"value":1}}"#), "");
        assert_eq!(check(r#","guarantees":{"cpus":{"value":1}},"limits":{"mem":{"value":1}}"#), "");
        assert_eq!(
            check(r#","limits":{"cpus":{"value":-1}}"#),
            "Invalid limit configuration {'cpus': -1}: Negative values not supported"
        );
        assert_eq!(
            check(r#","guarantees":{"cpus":{"value":2}},"limits":{"cpus":{"value":1}}"#),
            "'QuotaConfig.guarantees' { cpus: 2 } is not contained within the 'QuotaConfig.limits' { cpus: 1 }"
        );
        assert_eq!(
            check(r#","guarantees":{"mem":{"value":1099511627777}}"#),
            "Invalid 'QuotaConfig.guarantees': {'mem': 1099511627777} is invalid: values greater than 1 exabyte \
             (1099511627776) are not supported"
        );
        assert_eq!(
            check(r#","limits":{"cpus":{"value":1000000000001}}"#),
            "Invalid 'QuotaConfig.limits': {'cpus': 1000000000001} is invalid: values greater than 1 trillion \
             (1000000000000) are not supported"
        );
        let config = QuotaConfig { role: "a//b".to_owned(), ..QuotaConfig::default() };
        assert_eq!(
            validate_quota_config(&config, &[]).unwrap_err().reason(),
            "Invalid 'QuotaConfig.role': Role 'a//b' cannot contain two adjacent slashes"
        );
        let config = QuotaConfig { role: "a".repeat(70_000), ..QuotaConfig::default() };
        assert_eq!(
            validate_quota_config(&config, &[]).unwrap_err().reason(),
            "It takes 70004 bytes, more than the 65536 that the registry takes"
        );
    }
}
