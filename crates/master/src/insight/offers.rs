//! `/offers`: who holds what, and for how long.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::ApiError;
use master_core::Offer;
use resources::Name;
use serde_json::{Value, json};

use super::gather::{Gathered, gathered};
use super::page::{Page, with_total};
use crate::server::Master;
use crate::v0::Query;
use crate::view::amounts::amounts;

const COLUMNS: [&str; 7] = ["age", "id", "framework", "role", "agent", "cpus", "mem"];

/// `GET /offers`: those that are held longest first, unless sorted otherwise.
pub(super) async fn offers(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let page = Page::new(&query)?;
    let column = page.column(&COLUMNS)?;
    let cluster = gathered(&master).await?;
    let mut found: Vec<&Arc<Offer>> = cluster
        .offers
        .iter()
        .filter(|offer| {
            page.is("framework_id", offer.framework_id.as_str())
                && page.is("slave_id", offer.agent_id.as_str())
                && page.is("role", offer.role.as_str())
        })
        .filter(|offer| {
            let host = offer.agent.hostname.as_str();
            page.finds(&[offer.id.as_str(), framework_name(&cluster, offer), host])
        })
        .collect();
    sort(&mut found, column, &cluster);
    let total = found.len();
    let shown: Vec<Value> = page.cut(found).into_iter().map(|offer| view(offer, &cluster)).collect();
    let shown = json!({
        "offers": shown,
        "offer_timeout_secs": master.options.offer_timeout.map(|timeout| timeout.as_secs_f64()),
    });
    Ok(with_total(query.json(&shown)?, total))
}

fn sort(found: &mut [&Arc<Offer>], column: &str, cluster: &Gathered) {
    match column {
        "id" => found.sort_by(|a, b| a.id.cmp(&b.id)),
        "framework" => found.sort_by_key(|offer| framework_name(cluster, offer)),
        "role" => found.sort_by(|a, b| a.role.cmp(&b.role)),
        "agent" => found.sort_by(|a, b| a.agent.hostname.cmp(&b.agent.hostname)),
        "cpus" => found.sort_by_cached_key(|offer| offer.resources.counts().get(&Name::Cpus)),
        "mem" => found.sort_by_cached_key(|offer| offer.resources.counts().get(&Name::Mem)),
        // The least age is the latest time.
        "age" => found.sort_by_key(|offer| std::cmp::Reverse(offer.made)),
        _ => found.sort_by_key(|offer| offer.made),
    }
}

fn framework_name<'a>(cluster: &'a Gathered, offer: &Offer) -> &'a str {
    cluster.framework(&offer.framework_id).map_or("", |framework| framework.info.name.as_str())
}

fn view(offer: &Offer, cluster: &Gathered) -> Value {
    json!({
        "id": offer.id.as_str(),
        "framework_id": offer.framework_id.as_str(),
        "framework_name": framework_name(cluster, offer),
        "slave_id": offer.agent_id.as_str(),
        "hostname": offer.agent.hostname,
        "role": offer.role.as_str(),
        "resources": amounts(&offer.resources),
        "offered_time": offer.made.as_secs_f64(),
        "held_secs": cluster.time.since(offer.made).as_secs_f64(),
    })
}
