//! `/offers`: who holds what, and for how long; `/inverse-offers`: who has still to say whether it leaves an agent.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::FrameworkId;
use http_api::ApiError;
use master_core::{InverseOffer, Offer};
use resources::Name;
use serde_json::{Value, json};

use super::gather::{Gathered, gathered};
use crate::listing::{FEW, Key, Wanted, amount};
use crate::server::Master;
use crate::v0::Query;
use crate::view::amounts::amounts;

/// What they can be sorted by.
#[derive(Clone, Copy)]
enum Column {
    Age,
    Id,
    Framework,
    Role,
    Agent,
    Amount(&'static Name),
}

const COLUMNS: [(&str, Column); 7] = [
    ("age", Column::Age),
    ("id", Column::Id),
    ("framework", Column::Framework),
    ("role", Column::Role),
    ("agent", Column::Agent),
    ("cpus", Column::Amount(&Name::Cpus)),
    ("mem", Column::Amount(&Name::Mem)),
];

/// `GET /offers`: those that are held longest first, unless sorted otherwise.
pub(super) async fn offers(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let wanted = Wanted::<_, ()>::new(&query, &COLUMNS, &[], FEW)?;
    let cluster = gathered(&master).await?;
    let found = cluster.offers.iter().filter(|offer| {
        wanted.framework_id.is_none_or(|id| id == offer.framework_id.as_str())
            && wanted.agent_id.is_none_or(|id| id == offer.agent_id.as_str())
            && wanted.role.is_none_or(|role| role == offer.role.as_str())
            && wanted.finds([
                offer.id.as_str(),
                framework_name(&cluster, &offer.framework_id),
                &offer.agent.hostname,
            ])
    });
    let part = wanted.part(found.map(|offer| (key(wanted.column(), offer, &cluster), offer)));
    let shown: Vec<Value> = part.entries.into_iter().map(|offer| view(offer, &cluster)).collect();
    let shown = json!({
        "offers": shown,
        "offer_timeout_secs": master.options.offer_timeout.map(|timeout| timeout.as_secs_f64()),
    });
    query.part(&shown, part.total)
}

fn key<'a>(column: Option<Column>, offer: &'a Offer, cluster: &'a Gathered) -> Key<'a> {
    let made = i64::try_from(offer.made.as_nanos()).unwrap_or(i64::MAX);
    match column {
        None => Key::Number(made),
        // The least age is the latest time.
        Some(Column::Age) => Key::Number(-made),
        Some(Column::Id) => Key::Text(offer.id.as_str()),
        Some(Column::Framework) => Key::Text(framework_name(cluster, &offer.framework_id)),
        Some(Column::Role) => Key::Text(offer.role.as_str()),
        Some(Column::Agent) => Key::Text(&offer.agent.hostname),
        Some(Column::Amount(name)) => amount([&offer.resources], name),
    }
}

fn framework_name<'a>(cluster: &'a Gathered, id: &FrameworkId) -> &'a str {
    cluster.framework(id).map_or("", |framework| framework.info.name.as_str())
}

fn view(offer: &Offer, cluster: &Gathered) -> Value {
    json!({
        "id": offer.id.as_str(),
        "framework_id": offer.framework_id.as_str(),
        "framework_name": framework_name(cluster, &offer.framework_id),
        "slave_id": offer.agent_id.as_str(),
        "hostname": offer.agent.hostname,
        "role": offer.role.as_str(),
        "resources": amounts(&offer.resources),
        "offered_time": offer.made.as_secs_f64(),
        "held_secs": cluster.time.since(offer.made).as_secs_f64(),
    })
}

/// `GET /inverse-offers`: those that are not answered, by id.
pub(super) async fn inverse_offers(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let wanted = Wanted::<(), ()>::new(&query, &[], &[], FEW)?;
    let cluster = gathered(&master).await?;
    let found = cluster.inverse_offers.iter().filter(|offer| {
        wanted.framework_id.is_none_or(|id| id == offer.framework_id.as_str())
            && wanted.agent_id.is_none_or(|id| id == offer.agent_id.as_str())
            && wanted.finds([
                offer.id.as_str(),
                framework_name(&cluster, &offer.framework_id),
                &offer.agent.hostname,
            ])
    });
    let part = wanted.part(found.map(|offer| (Key::Text(offer.id.as_str()), offer)));
    let shown: Vec<Value> = part.entries.into_iter().map(|offer| inverse_view(offer, &cluster)).collect();
    query.part(&json!({ "inverse_offers": shown }), part.total)
}

fn inverse_view(offer: &InverseOffer, cluster: &Gathered) -> Value {
    json!({
        "id": offer.id.as_str(),
        "framework_id": offer.framework_id.as_str(),
        "framework_name": framework_name(cluster, &offer.framework_id),
        "slave_id": offer.agent_id.as_str(),
        "hostname": offer.agent.hostname,
    })
}
