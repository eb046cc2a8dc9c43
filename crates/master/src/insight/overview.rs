//! `/overview`: the whole cluster on one screen.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::Time;
use http_api::{ApiError, VERSION};
use resources::Quantities;
use serde_json::{Map, Value, json};

use super::gather::{Gathered, gathered, task_counts};
use crate::context::Identity;
use crate::server::Master;
use crate::v0::Query;
use crate::view::amounts::quantities;

/// An offer that nobody has answered for so long is worth a word.
const LONG: f64 = 60.0;

/// `GET /overview`.
pub(super) async fn overview(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let (cluster, tasks) = tokio::try_join!(gathered(&master), task_counts(&master))?;
    let by_state: Map<String, Value> =
        tasks.by_state.iter().map(|(state, count)| (state.name().to_owned(), json!(count))).collect();
    let mut shown = head(&master.identity, &cluster);
    shown["tasks"] = json!({ "time": tasks.time.as_secs_f64(), "by_state": by_state });
    Query::new(query.as_deref()).json(&shown)
}

fn head(identity: &Identity, cluster: &Gathered) -> Value {
    json!({
        "time": cluster.time.as_secs_f64(),
        "cluster": identity.cluster,
        "master": {
            "id": identity.id,
            "pid": identity.upid.to_string(),
            "hostname": identity.hostname,
            "version": VERSION,
            "start_time": identity.start_time.as_secs_f64(),
            "elected_time": identity.elected_time().as_secs_f64(),
        },
        "agents": cluster.agents,
        "frameworks": frameworks(cluster),
        "resources": resources(&cluster.total, &cluster.used, &cluster.offered),
        "offers": offers(cluster),
        "roles": cluster.roles.iter().map(|role| json!({
            "name": role.role.as_str(),
            "weight": role.weight,
            "share": role.share,
            "frameworks": role.frameworks.len(),
            "resources": quantities(&role.used),
            "reserved": quantities(&role.reserved),
            "consumed": quantities(&role.consumed),
            "guarantee": role.quota.guarantees.iter().map(|(name, amount)| (name.to_string(), json!(amount.to_f64()))).collect::<Map<_, _>>(),
            "limit": role.quota.limits.iter().map(|(name, amount)| (name.to_string(), json!(amount.to_f64()))).collect::<Map<_, _>>(),
        })).collect::<Vec<_>>(),
    })
}

fn frameworks(cluster: &Gathered) -> Value {
    let count = |wanted: fn(&super::gather::FrameworkSeen) -> bool| {
        cluster.frameworks.iter().filter(|framework| wanted(framework)).count()
    };
    json!({
        "active": count(|framework| framework.active && framework.connected && !framework.completed),
        "inactive": count(|framework| !framework.active && framework.connected && !framework.completed),
        "disconnected": count(|framework| !framework.connected && !framework.recovered && !framework.completed),
        "recovered": count(|framework| framework.recovered && !framework.completed),
        "completed": count(|framework| framework.completed),
    })
}

/// By name: total, used, offered.
pub(super) fn resources(total: &Quantities, used: &Quantities, offered: &Quantities) -> Value {
    let all = quantities(total).into_iter().map(|(name, total)| {
        let of = |amounts: &Quantities| amounts.get(&name.as_str().into()).to_f64();
        (name.clone(), json!({ "total": total, "used": of(used), "offered": of(offered) }))
    });
    Value::Object(all.collect())
}

fn offers(cluster: &Gathered) -> Value {
    let held = |made: Time| cluster.time.since(made).as_secs_f64();
    let oldest = cluster.offers.iter().map(|offer| offer.made).min().map(held);
    let long = cluster.offers.iter().filter(|offer| held(offer.made) > LONG).count();
    json!({ "count": cluster.offers.len(), "oldest_secs": oldest, "held_long": long })
}
