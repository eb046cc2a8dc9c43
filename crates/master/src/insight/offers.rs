//! `/offers`: who holds what, and for how long; `/inverse-offers`: who has still to say whether it leaves an agent.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::{AgentId, FrameworkId};
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
        wanted.role.is_none_or(|role| role == offer.role.as_str()) && made(offer, &cluster).is_wanted(&wanted)
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
    let mut view = made(offer, cluster).view();
    view["role"] = offer.role.as_str().into();
    view["resources"] = json!(amounts(&offer.resources));
    view["offered_time"] = offer.made.as_secs_f64().into();
    view["held_secs"] = cluster.time.since(offer.made).as_secs_f64().into();
    view
}

/// What stands between a framework and an agent: an offer or an inverse offer.
struct Between<'a> {
    id: &'a str,
    framework_id: &'a str,
    framework_name: &'a str,
    agent_id: &'a str,
    hostname: &'a str,
}

fn made<'a>(offer: &'a Offer, cluster: &'a Gathered) -> Between<'a> {
    Between::new(cluster, offer.id.as_str(), &offer.framework_id, &offer.agent_id, &offer.agent.hostname)
}

fn asked<'a>(offer: &'a InverseOffer, cluster: &'a Gathered) -> Between<'a> {
    Between::new(cluster, offer.id.as_str(), &offer.framework_id, &offer.agent_id, &offer.agent.hostname)
}

impl<'a> Between<'a> {
    fn new(
        cluster: &'a Gathered,
        id: &'a str,
        framework_id: &'a FrameworkId,
        agent_id: &'a AgentId,
        hostname: &'a str,
    ) -> Self {
        let framework_name = framework_name(cluster, framework_id);
        let (framework_id, agent_id) = (framework_id.as_str(), agent_id.as_str());
        Self { id, framework_id, framework_name, agent_id, hostname }
    }

    fn is_wanted<C: Copy, S: Copy>(&self, wanted: &Wanted<'_, C, S>) -> bool {
        wanted.framework_id.is_none_or(|id| id == self.framework_id)
            && wanted.agent_id.is_none_or(|id| id == self.agent_id)
            && wanted.finds([self.id, self.framework_name, self.hostname])
    }

    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "framework_id": self.framework_id,
            "framework_name": self.framework_name,
            "slave_id": self.agent_id,
            "hostname": self.hostname,
        })
    }
}

/// `GET /inverse-offers`: those that are not answered, by id.
pub(super) async fn inverse_offers(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let wanted = Wanted::<(), ()>::new(&query, &[], &[], FEW)?;
    let cluster = gathered(&master).await?;
    let found = cluster.inverse_offers.iter().map(|offer| asked(offer, &cluster));
    let found = found.filter(|offer| offer.is_wanted(&wanted));
    let part = wanted.part(found.map(|offer| (Key::Text(offer.id), offer)));
    let shown: Vec<Value> = part.entries.iter().map(Between::view).collect();
    query.part(&json!({ "inverse_offers": shown }), part.total)
}
