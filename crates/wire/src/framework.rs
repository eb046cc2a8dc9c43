//! What a framework says of itself. What is wrong there is told by an ERROR event, not by a status code.

use std::collections::{BTreeMap, BTreeSet};

use proto::MapEntry;
use proto::v1::framework_info::capability;
use proto::v1::scheduler::OfferConstraints;
use proto::v1::{FrameworkInfo, OfferFilters};
use resources::{Quantities, Role, Scalar, validate_role};

use crate::Invalid;
use crate::invalid::{Checked, check_amount, check_id, general, invalid};
use crate::limits::{check_condition_count, check_filter_count, check_role_count};

/// Checks what a framework says of itself.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_framework_info(info: &FrameworkInfo) -> Result<(), Invalid> {
    check_role_count(info)?;
    validate_roles(info)?;
    if let Some(id) = info.id.as_ref().filter(|id| !id.value.is_empty()) {
        check_id(&id.value)?;
    }
    check_filter_count(info)?;
    for entry in &info.offer_filters {
        entry.value().map_or(Ok(()), validate_offer_filters)?;
    }
    validate_failover_timeout(info.failover_timeout())
}

/// Checks that offer constraints are for roles of the framework, and not too many.
///
/// # Errors
/// The first role that is not, or how many there are.
pub fn validate_offer_constraints(
    info: &FrameworkInfo,
    constraints: &OfferConstraints,
) -> Result<(), Invalid> {
    check_condition_count(constraints)?;
    let roles: BTreeSet<&str> = framework_roles(info).collect();
    match constraints.role_constraints.iter().map(MapEntry::key).find(|role| !roles.contains(role)) {
        None => Ok(()),
        Some(role) => invalid(format!(
            "Offer constraints specify `role_constraints` for a role '{role}'not contained in the set of roles"
        )),
    }
}

/// What offers to a framework must have at least one of, for the roles for which it says so: of what was checked by
/// [`validate_framework_info`].
#[must_use]
pub fn min_allocatable(info: &FrameworkInfo) -> BTreeMap<Role, Vec<Quantities>> {
    let filters = info.offer_filters.iter().filter_map(|entry| {
        let least = entry.value()?.min_allocatable_resources.as_ref()?;
        let least = least.quantities.iter().map(|quantities| {
            let amounts = quantities.quantities.iter();
            amounts
                .map(|entry| {
                    let amount = entry.value().map_or(0.0, |scalar| scalar.value);
                    (entry.key().into(), Scalar::from_f64(amount))
                })
                .collect()
        });
        Some((Role::from(entry.key()), least.collect()))
    });
    filters.collect()
}

/// The roles that a framework is subscribed to: those it lists if it knows of several, else its one.
pub fn framework_roles(info: &FrameworkInfo) -> impl Iterator<Item = &str> {
    let (several, one) =
        if is_multi_role(info) { (info.roles.as_slice(), None) } else { (&[][..], Some(info.role())) };
    several.iter().map(String::as_str).chain(one)
}

fn is_multi_role(info: &FrameworkInfo) -> bool {
    info.capabilities.iter().any(|c| c.r#type() == capability::Type::MultiRole)
}

fn validate_roles(info: &FrameworkInfo) -> Checked {
    if !is_multi_role(info) {
        if !info.roles.is_empty() {
            return invalid(
                "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
            );
        }
        return validate_role(info.role()).map_err(|error| {
            Invalid::new(error.to_string()).within("'FrameworkInfo.role' is not a valid role")
        });
    }
    if info.role.is_some() {
        return invalid("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable");
    }
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> =
        info.roles.iter().filter(|role| !seen.insert(*role)).map(String::as_str).collect();
    if !twice.is_empty() {
        let twice: Vec<_> = twice.into_iter().collect();
        return invalid(format!(
            "'FrameworkInfo.roles' contains duplicate items: {{ {} }}",
            twice.join(", ")
        ));
    }
    for role in &info.roles {
        validate_role(role).map_err(|error| {
            Invalid::new(error.to_string()).within("'FrameworkInfo.roles' contains invalid role")
        })?;
    }
    Ok(())
}

fn validate_offer_filters(filters: &OfferFilters) -> Checked {
    for quantities in filters.min_allocatable_resources.iter().flat_map(|least| &least.quantities) {
        if quantities.quantities.is_empty() {
            return invalid("Resource quantities must contain at least one quantity");
        }
        for entry in &quantities.quantities {
            check_amount(entry.value().map_or(0.0, |scalar| scalar.value))
                .map_err(|error| error.within(format!("Invalid resource quantity for '{}'", entry.key())))?;
        }
    }
    Ok(())
}

/// Mesos counts nanoseconds in 64 bits. Less than nothing is taken for nothing later.
fn validate_failover_timeout(seconds: f64) -> Checked {
    const MOST_SECONDS: f64 = 9_223_372_036.854_776;
    if seconds.abs() > MOST_SECONDS {
        return invalid(format!("The framework failover_timeout ({}) is invalid", general(seconds)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(fields: &str) -> FrameworkInfo {
        proto::json::from_slice(format!(r#"{{"user":"u","name":"n"{fields}}}"#).as_bytes()).unwrap()
    }

    const MULTI: &str = r#","capabilities":[{"type":"MULTI_ROLE"}]"#;

    #[track_caller]
    fn check(fields: &str, expected: &str) {
        let answer = validate_framework_info(&info(fields)).map_err(|error| error.to_string());
        assert_eq!(answer.err().as_deref().unwrap_or("ok"), expected, "{fields}");
    }

    #[test]
    fn roles() {
        check("", "ok");
        check(r#","role":"web""#, "ok");
        check(
            r#","role":"-x""#,
            "'FrameworkInfo.role' is not a valid role: Role component '-x' is invalid because it \
                                  starts with a dash",
        );
        check(
            r#","roles":["a"]"#,
            "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
        );
        let multi = |fields: &str| format!("{fields}{MULTI}");
        check(
            &multi(r#","role":"a""#),
            "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
        );
        check(&multi(r#","roles":["a","a/b"]"#), "ok");
        check(
            &multi(r#","roles":["b","a","b","a"]"#),
            "'FrameworkInfo.roles' contains duplicate items: { a, b }",
        );
        for (role, reason) in [
            ("-x", "Role component '-x' is invalid because it starts with a dash"),
            (".", "Role '.' cannot include '.' as a component"),
            ("a//b", "Role 'a//b' cannot contain two adjacent slashes"),
            ("", "Role names cannot be the empty string"),
        ] {
            let fields = multi(&format!(r#","roles":["{role}"]"#));
            check(&fields, &format!("'FrameworkInfo.roles' contains invalid role: {reason}"));
        }
    }

    #[test]
    fn ids_timeouts_and_filters() {
        check(r#","id":{"value":""}"#, "ok");
        check(r#","id":{"value":"a/b"}"#, "'a/b' contains invalid characters");
        check(r#","failover_timeout":-1"#, "ok");
        check(r#","failover_timeout":1e300"#, "The framework failover_timeout (1e+300) is invalid");
        let filters = |quantities: &str| {
            format!(
                r#","offer_filters":{{"*":{{"min_allocatable_resources":{{"quantities":[{quantities}]}}}}}}"#
            )
        };
        check(&filters(r#"{"quantities":{"cpus":{"value":1}}}"#), "ok");
        check(&filters("{}"), "Resource quantities must contain at least one quantity");
        check(
            &filters(r#"{"quantities":{"cpus":{"value":-1}}}"#),
            "Invalid resource quantity for 'cpus': Negative values not supported",
        );
    }

    #[test]
    fn filters_are_read_by_role() {
        let least = min_allocatable(&info(
            r#","offer_filters":{"a":{"min_allocatable_resources":{"quantities":[
                {"quantities":{"cpus":{"value":1},"mem":{"value":32}}},{"quantities":{"gpus":{"value":1}}}]}},
                "b":{"min_allocatable_resources":{}},"c":{}}"#,
        ));
        let shown: Vec<String> = least.iter().map(|(role, least)| format!("{role} {least:?}")).collect();
        assert_eq!(shown, ["a [cpus:1; mem:32, gpus:1]", "b []"]);
    }

    #[test]
    fn offer_constraints_are_for_own_roles() {
        let check = |fields: &str, role: &str| {
            let constraints = proto::json::from_slice(
                format!(r#"{{"role_constraints":{{"{role}":{{"groups":[]}}}}}}"#).as_bytes(),
            );
            validate_offer_constraints(&info(fields), &constraints.unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(check("", "*"), Ok(()));
        assert_eq!(check(&format!(r#","roles":["a"]{MULTI}"#), "a"), Ok(()));
        assert_eq!(
            check("", "a"),
            Err("Offer constraints specify `role_constraints` for a role 'a'not contained in the set of roles"
                .to_owned())
        );
    }
}
