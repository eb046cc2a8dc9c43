//! Metrics of the allocator: under the names that Mesos gives them, and some of our own.

use std::collections::BTreeMap;
use std::sync::Arc;

use allocator::{Allocator, RoleCounts, RoleView};
use master_core::{Agent, Snapshot};
use resources::{Name, Quantities, Resource, Resources, Role, Scalar, Value};

use super::metrics::{Metrics, ServerFigures};
use super::state::number;
use crate::timings::Statistics;

/// What the allocator tells.
pub(crate) struct Sharing {
    roles: Vec<RoleView>,
    counts: BTreeMap<Role, RoleCounts>,
    total: Quantities,
    used: Quantities,
}

impl Sharing {
    /// Asks it.
    pub(crate) fn of(allocator: &Allocator) -> Self {
        Self {
            roles: allocator.roles(),
            counts: allocator.role_counts(),
            total: allocator.cluster_total(),
            used: allocator.cluster_used(),
        }
    }
}

/// All of its metrics.
pub(crate) fn metrics(snapshot: &Snapshot, sharing: &Sharing, server: &ServerFigures, metrics: &mut Metrics) {
    let mut set = |name: String, value: f64| {
        metrics.insert(format!("allocator/{name}"), value);
    };
    // What the allocator has to do is done within the master's own work; nothing waits for it alone.
    set("event_queue_dispatches".to_owned(), 0.0);
    set("mesos/event_queue_dispatches".to_owned(), 0.0);
    for (name, runs) in [
        ("allocation_run", &server.allocation_run),
        ("allocation_run_latency", &server.allocation_run_latency),
    ] {
        times(name, runs, &mut set);
    }
    let names: Vec<&Name> = [Name::Cpus, Name::Mem, Name::Disk]
        .iter()
        .chain(sharing.total.iter().map(|(name, _)| name))
        .collect();
    for name in names {
        set(format!("mesos/resources/{name}/total"), sharing.total.get(name).to_f64());
        set(format!("mesos/resources/{name}/offered_or_allocated"), sharing.used.get(name).to_f64());
    }
    for view in &sharing.roles {
        role(view, &mut set);
    }
    let consumption = Consumption::of(&snapshot.agents);
    // Mesos calls the top of the hierarchy by an empty name.
    consumed("", &consumption.all, &mut set);
    for (role, amounts) in &consumption.roles {
        consumed(role, amounts, &mut set);
    }
    for (role, counts) in &sharing.counts {
        obstacles(role, counts, &mut set);
    }
}

fn times(name: &str, times: &Statistics, set: &mut impl FnMut(String, f64)) {
    for (suffix, value) in times.named() {
        set(format!("mesos/{name}_ms{suffix}"), value);
    }
}

fn role(view: &RoleView, set: &mut impl FnMut(String, f64)) {
    let role = &view.role;
    // Roles that nobody has take part in no order.
    if !view.frameworks.is_empty() || !view.used.is_empty() {
        set(format!("mesos/roles/{role}/shares/dominant"), view.share / view.weight);
    }
    let quota = format!("mesos/quota/roles/{role}/resources");
    let quotas = [(&view.quota.guarantees, "guarantee"), (&view.quota.limits, "limit")];
    for (amounts, what) in quotas {
        for (name, amount) in amounts {
            set(format!("{quota}/{name}/{what}"), Scalar::to_f64(*amount));
            set(format!("{quota}/{name}/offered_or_allocated"), view.used.get(name).to_f64());
        }
    }
}

/// What roles have for certain, with those below them: what is reserved, and what is used unreserved. What is offered is
/// not in it, unlike in what the allocator holds against limits.
#[derive(Default)]
struct Consumption<'a> {
    all: Quantities,
    roles: BTreeMap<&'a str, Quantities>,
}

impl<'a> Consumption<'a> {
    fn of(agents: &'a [Arc<Agent>]) -> Self {
        let mut sums = Self::default();
        for agent in agents {
            for resource in agent.total.iter() {
                if let Some(role) = resource.reservation_role() {
                    sums.add(role, resource);
                }
            }
            let used = agent.used.values().flat_map(Resources::iter);
            for resource in used.filter(|resource| !resource.is_reserved() && !resource.is_revocable()) {
                if let Some(role) = &resource.allocation {
                    sums.add(role, resource);
                }
            }
        }
        sums
    }

    fn add(&mut self, role: &'a Role, resource: &Resource) {
        let Value::Scalar(amount) = resource.value else { return };
        self.all.add(resource.name.clone(), amount);
        for role in std::iter::once(role.as_str()).chain(role.ancestors()) {
            self.roles.entry(role).or_default().add(resource.name.clone(), amount);
        }
    }
}

fn consumed(role: &str, amounts: &Quantities, set: &mut impl FnMut(String, f64)) {
    for (name, amount) in amounts.iter() {
        set(format!("mesos/quota/roles/{role}/resources/{name}/consumed"), amount.to_f64());
    }
}

/// Why frameworks of a role may get no offers. All but the first are not in Mesos.
fn obstacles(role: &Role, counts: &RoleCounts, set: &mut impl FnMut(String, f64)) {
    set(format!("mesos/offer_filters/roles/{role}/active"), number(counts.refusals));
    for (name, count) in [
        ("frameworks", counts.frameworks),
        ("frameworks_inactive", counts.inactive),
        ("frameworks_suppressed", counts.suppressed),
        ("frameworks_refusing", counts.refusing),
        ("frameworks_constrained", counts.constrained),
        ("limits_reached", counts.limits_reached),
        ("guarantees_open", counts.guarantees_open),
    ] {
        set(format!("meseta/roles/{role}/{name}"), number(count));
    }
}
