//! Why frameworks and roles get no offers, in JSON: the data from which the text for people is made, and that text.

use std::collections::BTreeMap;

use allocator::{
    Change, Detail, Finding, GuaranteeOpen, Level, LimitReached, Place, Refusal, Who, WhyClient,
    WhyFramework, WhyRole,
};
use resources::{Name, Scalar};
use serde_json::{Map, Value, json};

use super::amounts::quantities;

/// A framework in all of its roles.
pub(crate) fn framework(why: &WhyFramework) -> Value {
    json!({
        "framework_id": why.framework.as_str(),
        "time": why.now.as_secs_f64(),
        "roles": why.roles.iter().map(client).collect::<Vec<_>>(),
        "more_roles": why.more,
        "text": why.to_string(),
    })
}

/// A role with its frameworks.
pub(crate) fn role(why: &WhyRole) -> Value {
    json!({
        "role": why.role.as_str(),
        "time": why.now.as_secs_f64(),
        "weight": why.weight,
        "share": why.share,
        "consumed": quantities(&why.consumed),
        "guarantees": amounts(&why.guarantees),
        "limits": amounts(&why.limits),
        "frameworks": why.frameworks.iter().map(client).collect::<Vec<_>>(),
        "more_frameworks": why.more,
        "roles_below": why.below.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "help": changes(&why.help),
        "text": why.to_string(),
    })
}

fn amounts(amounts: &BTreeMap<Name, Scalar>) -> Map<String, Value> {
    amounts.iter().map(|(name, amount)| (name.to_string(), amount.to_f64().into())).collect()
}

/// A framework in one of its roles.
fn client(why: &WhyClient) -> Value {
    json!({
        "framework_id": why.framework.as_str(),
        "role": why.role.as_str(),
        "state": why.state.name(),
        "agents": why.agents,
        "unhindered": why.unhindered,
        "obstacles": why.findings.iter().map(finding).collect::<Vec<_>>(),
        "order": why.order.iter().map(level).collect::<Vec<_>>(),
        "holds": quantities(&why.holds),
        "offered": quantities(&why.offered),
        "help": changes(&why.help),
    })
}

/// An obstacle, with what there is more to say of it.
fn finding(finding: &Finding) -> Value {
    let mut shown = detail(&finding.detail);
    shown.insert("obstacle".to_owned(), finding.obstacle.name().into());
    shown.insert("agents".to_owned(), finding.agents.into());
    shown.into()
}

fn detail(detail: &Detail) -> Map<String, Value> {
    let fields: Vec<(&str, Value)> = match detail {
        Detail::None => Vec::new(),
        Detail::Capabilities(names) => vec![("capabilities", json!(names))],
        Detail::Conditions(conditions) => {
            let condition =
                |(condition, agents): &(String, usize)| json!({ "condition": condition, "agents": agents });
            vec![("conditions", conditions.iter().map(condition).collect())]
        }
        Detail::Reserved(roles) => vec![("reserved_for", roles.iter().map(AsRef::<str>::as_ref).collect())],
        Detail::Minimum { least, most_free } => vec![
            ("least", least.iter().map(|least| Value::from(quantities(least))).collect()),
            ("most_free", quantities(most_free).into()),
        ],
        Detail::Limits(limits) => vec![("limits", limits.iter().map(limit).collect())],
        Detail::Guarantees(guarantees) => vec![("guarantees", guarantees.iter().map(guarantee).collect())],
        Detail::Refusals { first, last_ends } => {
            vec![("first_refusal", refusal(first)), ("last_ends", last_ends.as_secs_f64().into())]
        }
        Detail::Offered { share, most } => vec![("share", json!(share)), ("most", json!(most))],
    };
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn limit(limit: &LimitReached) -> Value {
    json!({
        "role": limit.role.as_str(),
        "resource": limit.resource.to_string(),
        "limit": limit.limit.to_f64(),
        "consumed": limit.consumed.to_f64(),
    })
}

fn guarantee(open: &GuaranteeOpen) -> Value {
    json!({
        "role": open.role.as_str(),
        "resource": open.resource.to_string(),
        "guarantee": open.guarantee.to_f64(),
        "consumed": open.consumed.to_f64(),
    })
}

fn refusal(refusal: &Refusal) -> Value {
    json!({
        "agent_id": refusal.agent.as_str(),
        "resources": refusal.resources.to_string(),
        "until": refusal.until.as_secs_f64(),
    })
}

fn level(level: &Level) -> Value {
    json!({
        "who": place(&level.who),
        "behind": level.behind,
        "ahead": level.ahead.iter().map(place).collect::<Vec<_>>(),
    })
}

fn place(place: &Place) -> Value {
    let (kind, name) = match &place.name {
        Who::Role(role) => ("role", role.as_str()),
        Who::Own(role) => ("frameworks_of_role", role.as_str()),
        Who::Framework(id) => ("framework_id", id.as_str()),
    };
    json!({ kind: name, "share": place.share, "weight": place.weight })
}

/// Changes that help together.
fn changes(changes: &[Change]) -> Vec<Value> {
    changes.iter().map(change).collect()
}

fn change(change: &Change) -> Value {
    match change {
        Change::Wait => json!({ "change": "wait" }),
        Change::Subscribe => json!({ "change": "subscribe" }),
        Change::Revive { role, or_wait_until } => json!({
            "change": "revive",
            "role": role.as_str(),
            "or_wait_until": or_wait_until.map(|until| until.as_secs_f64()),
        }),
        Change::AnswerOffers => json!({ "change": "answer_offers" }),
        Change::AddCapability(capability) => json!({ "change": "add_capability", "capability": capability }),
        Change::DropCondition { role, condition } => {
            json!({ "change": "drop_condition", "role": role.as_str(), "condition": condition })
        }
        Change::LowerMinimum { role, to, own } => json!({
            "change": "lower_minimum",
            "role": role.as_str(),
            "to": quantities(to),
            "of": if *own { "offer_filters" } else { "min_allocatable_resources" },
        }),
        Change::JoinRole(role) => json!({ "change": "join_role", "role": role.as_str() }),
        Change::RaiseLimit { role, resource, by, to } => json!({
            "change": "raise_limit",
            "role": role.as_str(),
            "resource": resource.to_string(),
            "by": by.to_f64(),
            "to": to.to_f64(),
        }),
        Change::LowerGuarantee { role, resource, by, to } => json!({
            "change": "lower_guarantee",
            "role": role.as_str(),
            "resource": resource.to_string(),
            "by": by.to_f64(),
            "to": to.to_f64(),
        }),
        Change::ActivateAgent(agent) => json!({ "change": "activate_agent", "agent_id": agent.as_str() }),
        Change::UpgradeAgent(agent) => json!({ "change": "upgrade_agent", "agent_id": agent.as_str() }),
        Change::Whitelist(host) => json!({ "change": "whitelist", "hostname": host }),
        Change::MoreResources => json!({ "change": "more_resources" }),
    }
}
