//! `/state-summary/roles`: roles with their shares, from what the allocator counts anyway. `/roles` says the same of this very
//! moment, and looks through all agents for it.

use std::collections::{BTreeMap, BTreeSet};

use allocator::RoleView;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::ApiError;
use resources::{Name, Quantities, Role, Scalar, is_strict_subrole};
use serde_json::{Map, Value, json};

use super::gather::{Gathered, gathered};
use crate::listing::{FEW, Key, Wanted, count};
use crate::server::Master;
use crate::v0::Query;
use crate::view::amounts::quantities;

/// What they can be sorted by. Amounts are what their tasks take.
#[derive(Clone, Copy)]
enum Column {
    Name,
    Weight,
    Share,
    Frameworks,
    Allocated(&'static Name),
}

const COLUMNS: [(&str, Column); 6] = [
    ("name", Column::Name),
    ("weight", Column::Weight),
    ("share", Column::Share),
    ("frameworks", Column::Frameworks),
    ("cpus", Column::Allocated(&Name::Cpus)),
    ("mem", Column::Allocated(&Name::Mem)),
];

/// A role. Amounts are with those of the roles below it.
struct Seen<'a> {
    name: &'a str,
    /// None where nobody has it and nothing is set for it.
    view: Option<&'a RoleView>,
    amounts: Amounts,
}

#[derive(Clone, Default)]
struct Amounts {
    /// What tasks take, and what is offered.
    used: Quantities,
    offered: Quantities,
    /// What of that is not reserved.
    offered_unreserved: Quantities,
}

/// `GET /state-summary/roles`.
pub(super) async fn roles(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let wanted = Wanted::<_, ()>::new(&query, &COLUMNS, &[], FEW)?;
    let cluster = gathered(&master).await?;
    let all = seen(&cluster, &master.identity.listed_roles);
    let found = all.iter().filter(|role| {
        wanted.role.is_none_or(|name| name == role.name)
            && wanted.framework_id.is_none_or(|id| role.frameworks().any(|each| each == id))
            && wanted.finds([role.name])
    });
    let part = wanted.part(found.map(|role| (role.key(wanted.column()), role)));
    let shown: Vec<Value> = part.entries.into_iter().map(Seen::shown).collect();
    query.part(&json!({ "roles": shown }), part.total)
}

/// The roles that the allocator knows; where there is a whitelist, those of it and the ones above them instead.
fn seen<'a>(cluster: &'a Gathered, whitelist: &'a [String]) -> Vec<Seen<'a>> {
    let mut amounts = amounts(cluster);
    let views: BTreeMap<&str, &RoleView> =
        cluster.roles.iter().map(|view| (view.role.as_str(), view)).collect();
    let mut names: BTreeSet<&str> = views.keys().copied().collect();
    if !whitelist.is_empty() {
        let listed: Vec<&str> = std::iter::once("*").chain(whitelist.iter().map(String::as_str)).collect();
        let is_above = |name: &str| listed.iter().any(|role| is_strict_subrole(role, name));
        names.retain(|name| is_above(name));
        names.extend(listed);
    }
    let role = |name| Seen {
        name,
        view: views.get(name).copied(),
        amounts: amounts.remove(name).unwrap_or_default(),
    };
    names.into_iter().map(role).collect()
}

/// What the roles have, those below them included.
fn amounts(cluster: &Gathered) -> BTreeMap<&str, Amounts> {
    let mut own: BTreeMap<&Role, Amounts> = BTreeMap::new();
    for view in &cluster.roles {
        own.entry(&view.role).or_default().used = view.used.clone();
    }
    for offer in &cluster.offers {
        let amounts = own.entry(&offer.role).or_default();
        amounts.offered += &offer.resources.counts();
        amounts.offered_unreserved += &offer.resources.unreserved().counts();
    }
    let mut sums: BTreeMap<&str, Amounts> = BTreeMap::new();
    for (role, amounts) in own {
        for name in role.ancestors().chain([role.as_str()]) {
            let sum = sums.entry(name).or_default();
            sum.used += &amounts.used;
            sum.offered += &amounts.offered;
            sum.offered_unreserved += &amounts.offered_unreserved;
        }
    }
    sums
}

impl<'a> Seen<'a> {
    fn frameworks(&self) -> impl Iterator<Item = &'a str> {
        self.view.into_iter().flat_map(|view| &view.frameworks).map(AsRef::as_ref)
    }

    fn weight(&self) -> f64 {
        self.view.map_or(1.0, |view| view.weight)
    }

    fn share(&self) -> f64 {
        self.view.map_or(0.0, |view| view.share)
    }

    fn allocated(&self) -> Quantities {
        let mut allocated = self.amounts.used.clone();
        allocated -= &self.amounts.offered;
        allocated
    }

    /// What counts against its quota: what is in use, and what is reserved beside.
    fn consumed(&self) -> Quantities {
        let mut consumed = self.view.map(|view| view.consumed.clone()).unwrap_or_default();
        consumed -= &self.amounts.offered_unreserved;
        consumed
    }

    fn key(&self, column: Option<Column>) -> Key<'a> {
        // Neither is below zero, and such numbers are in the order of their bits.
        let number = |value: f64| Key::Number(value.to_bits().try_into().unwrap_or(i64::MAX));
        match column.unwrap_or(Column::Name) {
            Column::Name => Key::Text(self.name),
            Column::Weight => number(self.weight()),
            Column::Share => number(self.share()),
            Column::Frameworks => count(self.frameworks().count()),
            Column::Allocated(name) => Key::Number(self.allocated().get(name).thousandths()),
        }
    }

    fn shown(&self) -> Value {
        let none = BTreeMap::new();
        let (guarantees, limits, reserved) = match self.view {
            Some(view) => (&view.quota.guarantees, &view.quota.limits, view.reserved.clone()),
            None => (&none, &none, Quantities::new()),
        };
        json!({
            "name": self.name,
            "weight": self.weight(),
            "share": self.share(),
            "quota": {
                "role": self.name,
                "guarantee": scalars(guarantees),
                "limit": scalars(limits),
                "consumed": quantities(&self.consumed()),
            },
            "allocated": quantities(&self.allocated()),
            "offered": quantities(&self.amounts.offered),
            "reserved": quantities(&reserved),
            "frameworks": self.frameworks().collect::<Vec<_>>(),
        })
    }
}

fn scalars(amounts: &BTreeMap<Name, Scalar>) -> Map<String, Value> {
    amounts.iter().map(|(name, amount)| (name.to_string(), amount.to_f64().into())).collect()
}
