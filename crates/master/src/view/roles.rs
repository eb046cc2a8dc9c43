//! Roles: who has them, their weights and limits, and what of the cluster they have.

use std::collections::BTreeMap;

use master_core::Snapshot;
use proto::v1;
use resources::{Name, Quantities, Resources, Role, Scalar};
use serde_json::{Map, json};

use super::amounts::quantities;
use super::framework::{offered, used};

/// What is known of a role.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleInfo {
    /// Ids of its frameworks.
    pub(crate) frameworks: Vec<String>,
    /// What tasks and executors of it take.
    pub(crate) allocated: Quantities,
    /// What is offered for it.
    pub(crate) offered: Quantities,
    /// What is reserved for it.
    pub(crate) reserved: Quantities,
    /// Its weight, where one was set.
    pub(crate) weight: Option<f64>,
    /// The most that it may take, where limits were set.
    pub(crate) limits: Option<BTreeMap<Name, Scalar>>,
}

/// The weight of a role for which none was set.
const DEFAULT_WEIGHT: f64 = 1.0;

/// All roles that have a framework, a reservation, a weight or limits.
pub(crate) fn roles(snapshot: &Snapshot) -> BTreeMap<Role, RoleInfo> {
    let mut roles: BTreeMap<Role, RoleInfo> = BTreeMap::new();
    for framework in &snapshot.frameworks {
        for role in &framework.info.roles {
            let role = roles.entry(role.clone()).or_default();
            role.frameworks.push(framework.id.to_string());
        }
        for (role, held) in used(framework, &snapshot.agents).allocations() {
            add(&mut roles.entry(role).or_default().allocated, &held);
        }
        for (role, held) in offered(framework).allocations() {
            add(&mut roles.entry(role).or_default().offered, &held);
        }
    }
    for agent in &snapshot.agents {
        for (role, held) in agent.total.reservations() {
            add(&mut roles.entry(role).or_default().reserved, &held);
        }
    }
    for (role, weight) in &snapshot.weights {
        roles.entry(role.clone()).or_default().weight = Some(*weight);
    }
    for (role, quota) in &snapshot.quotas {
        roles.entry(role.clone()).or_default().limits = Some(quota.limits.clone());
    }
    roles
}

fn add(sum: &mut Quantities, resources: &Resources) {
    for (name, amount) in resources.quantities().iter() {
        sum.add(name.clone(), amount);
    }
}

impl RoleInfo {
    /// What of the cluster the role has, offered or in use.
    fn taken(&self) -> Quantities {
        let mut taken = self.allocated.clone();
        for (name, amount) in self.offered.iter() {
            taken.add(name.clone(), amount);
        }
        taken
    }

    /// What counts against its limits: reservations, whether used or not, and what is used beside them.
    pub(crate) fn consumed(&self) -> Quantities {
        let mut consumed = self.reserved.clone();
        for (name, amount) in self.allocated.iter() {
            let beside = amount.thousandths().saturating_sub(self.reserved.get(name).thousandths()).max(0);
            consumed.add(name.clone(), Scalar::from_thousandths(beside));
        }
        consumed
    }

    /// The role for `/roles`.
    pub(crate) fn view(&self, name: &Role) -> serde_json::Value {
        json!({
            "name": name.as_str(),
            "weight": self.weight.unwrap_or(DEFAULT_WEIGHT),
            "quota": {
                "role": name.as_str(),
                "guarantee": {},
                "limit": self.limits.iter().flatten().map(|(name, amount)| (name.to_string(), amount.to_f64().into())).collect::<Map<_, _>>(),
                "consumed": quantities(&self.consumed()),
            },
            "resources": quantities(&self.taken()),
            "allocated": quantities(&self.allocated),
            "offered": quantities(&self.offered),
            "reserved": quantities(&self.reserved),
            "frameworks": self.frameworks,
        })
    }

    /// The role for `GET_ROLES`.
    pub(crate) fn to_proto(&self, name: &Role) -> v1::Role {
        v1::Role {
            name: name.to_string(),
            weight: self.weight.unwrap_or(DEFAULT_WEIGHT),
            frameworks: self.frameworks.iter().map(|id| id.as_str().into()).collect(),
            resources: self.taken().iter().map(|(name, amount)| scalar(name, amount)).collect(),
        }
    }
}

fn scalar(name: &Name, amount: Scalar) -> v1::Resource {
    v1::Resource {
        name: name.to_string(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value: amount.to_f64() }),
        ..Default::default()
    }
}
