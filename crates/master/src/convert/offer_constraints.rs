//! Offer constraints: of which agents a framework wants offers.

use std::collections::BTreeMap;
use std::sync::Arc;

use master_core::{Condition, Constraints, OfferConstraints, Pattern, Predicate, RegexLimits, Selector};
use proto::v1::scheduler::attribute_constraint::selector::PseudoattributeType;
use proto::v1::scheduler::attribute_constraint::{
    Predicate as PredicateMessage, Selector as SelectorMessage,
};
use proto::v1::scheduler::offer_constraints::RoleConstraints;
use proto::v1::scheduler::{self, AttributeConstraint};
use proto::{MapEntry, v1};
use resources::Role;

use super::payload;

/// A framework's offer constraints, which must be for its own roles.
///
/// # Errors
/// What is wrong, in Mesos' words.
pub(crate) fn offer_constraints(
    info: &v1::FrameworkInfo,
    constraints: Option<&scheduler::OfferConstraints>,
    limits: RegexLimits,
) -> Result<Arc<OfferConstraints>, String> {
    let Some(constraints) = constraints else { return Ok(Arc::default()) };
    wire::validate_offer_constraints(info, constraints).map_err(|error| error.to_string())?;
    let roles =
        roles(constraints, limits).map_err(|error| format!("Offer constraints are not valid: {error}"))?;
    Ok(Arc::new(OfferConstraints { roles, body: payload(constraints) }))
}

fn roles(
    constraints: &scheduler::OfferConstraints,
    limits: RegexLimits,
) -> Result<BTreeMap<Role, Arc<Constraints>>, String> {
    let entries = constraints.role_constraints.iter();
    let empty = RoleConstraints::default();
    let roles = entries.map(|entry| {
        let any_of = groups(entry.key(), entry.value().unwrap_or(&empty), limits)?;
        Ok((Role::from(entry.key()), Arc::new(Constraints { any_of })))
    });
    roles.collect()
}

fn groups(
    role: &str,
    constraints: &RoleConstraints,
    limits: RegexLimits,
) -> Result<Vec<Vec<Condition>>, String> {
    if constraints.groups.is_empty() {
        return Err(format!(
            "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role {role}"
        ));
    }
    let groups = constraints.groups.iter().map(|group| {
        if group.attribute_constraints.is_empty() {
            return Err(format!(
                "'OfferConstraints::RoleConstraints::groups' for role {role}contains an empty \
                 RoleConstraints::Group"
            ));
        }
        let conditions = group.attribute_constraints.iter().map(|constraint| condition(constraint, limits));
        let conditions: Result<Vec<_>, String> = conditions.collect();
        conditions.map_err(|error| format!("A role {role} has an invalid 'AttributeConstraint': {error}"))
    });
    groups.collect()
}

fn condition(constraint: &AttributeConstraint, limits: RegexLimits) -> Result<Condition, String> {
    let selector = selector(&constraint.selector)?;
    let predicate = predicate(&constraint.predicate, limits)?;
    Ok(Condition { selector, predicate })
}

fn selector(selector: &SelectorMessage) -> Result<Selector, String> {
    // A type that is not known counts as none, as for all readers of protobuf.
    let pseudo = selector.pseudoattribute_type.and_then(|kind| PseudoattributeType::try_from(kind).ok());
    match (pseudo, &selector.attribute_name) {
        (Some(PseudoattributeType::Hostname), _) => Ok(Selector::Hostname),
        (Some(PseudoattributeType::Region), _) => Ok(Selector::Region),
        (Some(PseudoattributeType::Zone), _) => Ok(Selector::Zone),
        (Some(PseudoattributeType::Unknown), _) => Err("Unknown pseudoattribute type".to_owned()),
        (None, Some(name)) => Ok(Selector::Attribute(name.clone())),
        (None, None) => Err("Exactly one of 'AttributeConstraint::Selector::name' or \
                             'AttributeConstraint::Selector::pseudoattribute_type' must be set"
            .to_owned()),
    }
}

fn predicate(predicate: &PredicateMessage, limits: RegexLimits) -> Result<Predicate, String> {
    let pattern = |regex: &str| Pattern::new(regex, limits).map_err(|error| error.to_string());
    let PredicateMessage { exists, not_exists, text_equals, text_not_equals, text_matches, text_not_matches } =
        predicate;
    if exists.is_some() {
        Ok(Predicate::Exists)
    } else if not_exists.is_some() {
        Ok(Predicate::NotExists)
    } else if let Some(equals) = text_equals {
        Ok(Predicate::TextEquals(equals.value.clone()))
    } else if let Some(equals) = text_not_equals {
        Ok(Predicate::TextNotEquals(equals.value.clone()))
    } else if let Some(matches) = text_matches {
        Ok(Predicate::TextMatches(pattern(&matches.regex)?))
    } else if let Some(matches) = text_not_matches {
        Ok(Predicate::TextNotMatches(pattern(&matches.regex)?))
    } else {
        Err("Unknown predicate type".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(constraints: &str) -> Result<Arc<OfferConstraints>, String> {
        let info: v1::FrameworkInfo = proto::json::from_slice(
            br#"{"user":"u","name":"n","roles":["a","b"],"capabilities":[{"type":"MULTI_ROLE"}]}"#,
        )
        .unwrap();
        let constraints: scheduler::OfferConstraints =
            proto::json::from_slice(constraints.as_bytes()).unwrap();
        offer_constraints(&info, Some(&constraints), RegexLimits::default())
    }

    /// Constraints of role `a` with one condition.
    fn one(selector: &str, predicate: &str) -> String {
        format!(
            r#"{{"role_constraints":{{"a":{{"groups":[{{"attribute_constraints":
                [{{"selector":{selector},"predicate":{predicate}}}]}}]}}}}}}"#
        )
    }

    #[track_caller]
    fn shown(selector: &str, predicate: &str) -> String {
        let constraints = read(&one(selector, predicate)).unwrap();
        constraints.roles[&Role::from("a")].to_string()
    }

    #[test]
    fn every_selector_and_predicate() {
        const EXISTS: &str = r#"{"exists":{}}"#;
        assert_eq!(shown(r#"{"attribute_name":"rack"}"#, EXISTS), "attribute 'rack' exists");
        for (kind, expected) in [("HOSTNAME", "the hostname"), ("REGION", "the region"), ("ZONE", "the zone")]
        {
            let selector = format!(r#"{{"pseudoattribute_type":"{kind}"}}"#);
            assert_eq!(shown(&selector, EXISTS), format!("{expected} exists"));
        }
        for (predicate, expected) in [
            (r#"{"not_exists":{}}"#, "does not exist"),
            (r#"{"text_equals":{"value":"x"}}"#, "is 'x'"),
            (r#"{"text_not_equals":{"value":"x"}}"#, "is not 'x'"),
            (r#"{"text_matches":{"regex":"x.*"}}"#, "matches 'x.*'"),
            (r#"{"text_not_matches":{"regex":"x.*"}}"#, "does not match 'x.*'"),
        ] {
            assert_eq!(shown(r#"{"attribute_name":"r"}"#, predicate), format!("attribute 'r' {expected}"));
        }
    }

    #[test]
    fn two_roles() {
        let group = r#"{"groups":[{"attribute_constraints":[
            {"selector":{"attribute_name":"foo"},"predicate":{"exists":{}}}]}]}"#;
        let both = read(&format!(r#"{{"role_constraints":{{"a":{group},"b":{group}}}}}"#)).unwrap();
        assert_eq!(both.roles.keys().map(Role::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!both.body.as_bytes().is_empty());
        assert_eq!(read("{}").unwrap(), Arc::default());
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_mesos() {
        let check = |constraints: &str, expected: &str| {
            let expected = format!("Offer constraints are not valid: {expected}");
            assert_eq!(read(constraints).err().as_deref(), Some(expected.as_str()), "{constraints}");
        };
        check(
            r#"{"role_constraints":{"a":{}}}"#,
            "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role a",
        );
        check(
            r#"{"role_constraints":{"a":{"groups":[{}]}}}"#,
            "'OfferConstraints::RoleConstraints::groups' for role acontains an empty RoleConstraints::Group",
        );
        let invalid = |selector: &str, predicate: &str, expected: &str| {
            let expected = format!("A role a has an invalid 'AttributeConstraint': {expected}");
            check(&one(selector, predicate), &expected);
        };
        let (rack, exists) = (r#"{"attribute_name":"rack"}"#, r#"{"exists":{}}"#);
        let unknown = r#"{"pseudoattribute_type":"UNKNOWN"}"#;
        invalid(unknown, exists, "Unknown pseudoattribute type");
        invalid(
            "{}",
            exists,
            "Exactly one of 'AttributeConstraint::Selector::name' or \
             'AttributeConstraint::Selector::pseudoattribute_type' must be set",
        );
        invalid(rack, "{}", "Unknown predicate type");
        let not_closed = "Failed to construct regex from pattern '[a-d': missing ]: [a-d";
        invalid(rack, r#"{"text_matches":{"regex":"[a-d"}}"#, not_closed);
        invalid(rack, r#"{"text_not_matches":{"regex":"[a-d"}}"#, not_closed);
        let foreign = read(r#"{"role_constraints":{"c":{}}}"#).unwrap_err();
        assert!(foreign.contains("for a role 'c'not contained"), "{foreign}");
    }
}
