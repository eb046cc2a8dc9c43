//! Roles: who has them, their weights and quotas, and what of the cluster they and the roles below them have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use base::FrameworkId;
use master_core::{Agent, Quota, Snapshot};
use proto::v1;
use resources::{Name, Quantities, Resource, Resources, Role, Scalar};
use serde_json::{Map, json};

use super::amounts::quantities;
use super::framework::offered;

/// What is known of a role. Amounts are with those of the roles below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleInfo {
    /// Ids of the frameworks right in it.
    pub(crate) frameworks: BTreeSet<String>,
    /// What tasks and executors take.
    pub(crate) allocated: Quantities,
    /// What is offered.
    pub(crate) offered: Quantities,
    /// What is reserved.
    pub(crate) reserved: Quantities,
    /// What is reserved and not in use.
    unused: Quantities,
    /// Its weight, where one was set.
    pub(crate) weight: Option<f64>,
    /// Its quota, where one was set.
    pub(crate) quota: Quota,
}

/// The weight of a role for which none was set.
const DEFAULT_WEIGHT: f64 = 1.0;

/// All roles that have a framework, something allocated, a reservation, a weight or a quota, and those above them. Where
/// there is a `whitelist`, it is its roles instead.
pub(crate) fn roles(snapshot: &Snapshot, whitelist: &[String]) -> BTreeMap<Role, RoleInfo> {
    roles_of(snapshot, whitelist, [&OnAgents::of(&snapshot.agents)])
}

/// The same, where it is known what all agents have, some of them in each of `agents`.
pub(crate) fn roles_of<'a>(
    snapshot: &Snapshot,
    whitelist: &[String],
    agents: impl IntoIterator<Item = &'a OnAgents>,
) -> BTreeMap<Role, RoleInfo> {
    let mut roles = Roles::default();
    for framework in &snapshot.frameworks {
        let id = framework.id.to_string();
        for role in &framework.info.roles {
            roles.exactly(role).frameworks.insert(id.clone());
        }
        for (role, held) in offered(framework).allocations() {
            roles.exactly(&role).frameworks.insert(id.clone());
            roles.add(&role, &held.counts(), |role| &mut role.offered);
        }
    }
    roles.add_agents(agents);
    for (role, weight) in &snapshot.weights {
        roles.exactly(role).weight = Some(*weight);
    }
    for (role, quota) in &snapshot.quotas {
        roles.exactly(role).quota = quota.clone();
    }
    roles.listed(whitelist)
}

/// Amounts by role, right in it.
type ByRole<'a> = BTreeMap<&'a Role, Quantities>;

/// What roles have on some agents.
#[derive(Default)]
pub(crate) struct OnAgents {
    /// What frameworks use.
    allocated: Vec<(FrameworkId, Role, Quantities)>,
    /// What is reserved.
    reserved: Vec<(Role, Quantities)>,
    /// What is reserved and not in use.
    unused: Vec<(Role, Quantities)>,
}

impl OnAgents {
    /// Of many agents each has something of few frameworks and roles, so that it is summed up by them before anything else is
    /// done.
    pub(crate) fn of<'a>(agents: impl IntoIterator<Item = &'a Arc<Agent>>) -> Self {
        let mut allocated: HashMap<&FrameworkId, ByRole<'_>> = HashMap::new();
        let (mut reserved, mut unused) = (ByRole::new(), ByRole::new());
        for agent in agents {
            for (framework, used) in &agent.used {
                sum_by(allocated.entry(framework).or_default(), used, |resource| {
                    resource.allocation.as_ref()
                });
            }
            add_reserved(agent, &mut reserved, &mut unused);
        }
        let owned =
            |sums: ByRole<'_>| sums.into_iter().map(|(role, amount)| (role.clone(), amount)).collect();
        Self {
            allocated: allocated
                .into_iter()
                .flat_map(|(framework, by_role)| {
                    by_role.into_iter().map(|(role, amount)| (framework.clone(), role.clone(), amount))
                })
                .collect(),
            reserved: owned(reserved),
            unused: owned(unused),
        }
    }
}

fn add_reserved<'a>(agent: &'a Agent, reserved: &mut ByRole<'a>, unused: &mut ByRole<'a>) {
    let (mut here, mut used) = (ByRole::new(), ByRole::new());
    sum_by(&mut here, &agent.total, Resource::reservation_role);
    if here.is_empty() {
        return;
    }
    for each in agent.used.values() {
        sum_by(&mut used, each, Resource::reservation_role);
    }
    for (role, mut amount) in here {
        *reserved.entry(role).or_default() += &amount;
        if let Some(used) = used.get(role) {
            amount -= used;
        }
        *unused.entry(role).or_default() += &amount;
    }
}

/// Adds what the resources are, each to the role that is said of it.
fn sum_by<'a>(
    sums: &mut ByRole<'a>,
    resources: &'a Resources,
    role: impl Fn(&'a Resource) -> Option<&'a Role>,
) {
    for resource in resources.iter() {
        if let Some(role) = role(resource) {
            sums.entry(role).or_default().add(resource.name.clone(), resource.value.count());
        }
    }
}

#[derive(Default)]
struct Roles(BTreeMap<Role, RoleInfo>);

impl Roles {
    /// A role; those above it are there as well then.
    fn exactly(&mut self, role: &Role) -> &mut RoleInfo {
        for above in role.ancestors() {
            self.0.entry(Role::from(above)).or_default();
        }
        self.0.entry(role.clone()).or_default()
    }

    /// Adds an amount to a role and to those above it.
    fn add(&mut self, role: &Role, amount: &Quantities, to: impl Fn(&mut RoleInfo) -> &mut Quantities) {
        *to(self.exactly(role)) += amount;
        for above in role.ancestors() {
            *to(self.exactly(&Role::from(above))) += amount;
        }
    }

    /// What agents have.
    fn add_agents<'a>(&mut self, agents: impl IntoIterator<Item = &'a OnAgents>) {
        for OnAgents { allocated, reserved, unused } in agents {
            for (framework, role, amount) in allocated {
                self.exactly(role).frameworks.insert(framework.to_string());
                self.add(role, amount, |role| &mut role.allocated);
            }
            for (role, amount) in reserved {
                self.add(role, amount, |role| &mut role.reserved);
            }
            for (role, amount) in unused {
                self.add(role, amount, |role| &mut role.unused);
            }
        }
    }

    fn listed(mut self, whitelist: &[String]) -> BTreeMap<Role, RoleInfo> {
        if whitelist.is_empty() {
            return self.0;
        }
        let listed: Vec<Role> =
            std::iter::once("*").chain(whitelist.iter().map(String::as_str)).map(Role::from).collect();
        for role in &listed {
            self.exactly(role);
        }
        let above: BTreeSet<&str> = listed.iter().flat_map(Role::ancestors).collect();
        self.0.retain(|role, _| listed.contains(role) || above.contains(role.as_str()));
        self.0
    }
}

fn amounts(amounts: &BTreeMap<Name, Scalar>) -> Map<String, serde_json::Value> {
    amounts.iter().map(|(name, amount)| (name.to_string(), amount.to_f64().into())).collect()
}

fn sum(one: &Quantities, other: &Quantities) -> Quantities {
    let mut sum = one.clone();
    sum += other;
    sum
}

impl RoleInfo {
    /// Its weight, as it counts.
    pub(crate) fn weight(&self) -> f64 {
        self.weight.unwrap_or(DEFAULT_WEIGHT)
    }

    /// What of the cluster the role has, offered or in use.
    fn taken(&self) -> Quantities {
        sum(&self.allocated, &self.offered)
    }

    /// What counts against its quota: what is in use, and what is reserved beside.
    pub(crate) fn consumed(&self) -> Quantities {
        sum(&self.allocated, &self.unused)
    }

    /// The role for `/roles`.
    pub(crate) fn view(&self, name: &Role) -> serde_json::Value {
        json!({
            "name": name.as_str(),
            "weight": self.weight(),
            "quota": {
                "role": name.as_str(),
                "guarantee": amounts(&self.quota.guarantees),
                "limit": amounts(&self.quota.limits),
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
        let shown = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus];
        let taken = self.taken();
        v1::Role {
            name: name.to_string(),
            weight: self.weight(),
            frameworks: self.frameworks.iter().map(|id| id.as_str().into()).collect(),
            resources: taken
                .iter()
                .filter(|(name, _)| shown.contains(name))
                .map(|(name, amount)| scalar(name, amount))
                .collect(),
        }
    }
}

/// An amount as a resource, where only its name and its value are of interest.
pub(crate) fn scalar(name: &Name, amount: Scalar) -> v1::Resource {
    v1::Resource {
        name: name.to_string(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value: amount.to_f64() }),
        ..Default::default()
    }
}
