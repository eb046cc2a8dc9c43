//! Metrics of the allocator: under the names that Mesos gives them, and some of our own.

use std::collections::BTreeMap;

use allocator::{Allocator, RoleCounts, RoleView};
use resources::{Name, Quantities, Role, Scalar};

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
pub(crate) fn metrics(sharing: &Sharing, server: &ServerFigures, metrics: &mut Metrics) {
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
    let mut all = Quantities::new();
    for view in &sharing.roles {
        if view.role.ancestors().next().is_none() {
            all += &view.consumed;
        }
        role(view, &mut set);
    }
    // Mesos calls the top of the hierarchy by an empty name.
    consumed("", &all, &mut set);
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
    consumed(role.as_str(), &view.consumed, set);
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
