//! `UpdateAllocation`: one agent with reservations for many roles, labelled and all in use; one framework unreserves what it
//! uses and reserves it again.

use std::time::Duration;

use ::allocator::{Capabilities, FrameworkSpec};
use base::Rng;
use resources::{Label, Labels, Ranges, Reservation, Resource, Resources, Role, Value};

use super::cluster::{Cluster, agent_id, framework_id, spec};
use super::parts::parse;
use crate::report::{figure, times};
use crate::stopwatch::Stopwatch;

const REPETITIONS: usize = 20;

pub(super) fn run(quick: bool) {
    let sizes: &[usize] = if quick { &[50] } else { &[50, 100, 200] };
    for &roles in sizes {
        run_with(roles);
    }
}

fn run_with(roles: usize) {
    let mut rng = Rng::new(7);
    let mut cluster = Cluster::new();
    let mut total = Resources::new();
    let mut used = Vec::new();
    for i in 0..roles {
        let role = Role::from(format!("parent/role-{}", rng.uuid()).as_str());
        let spec = FrameworkSpec {
            roles: [role.clone()].into(),
            capabilities: Capabilities::default(),
            ..FrameworkSpec::default()
        };
        cluster.allocator.add_framework(&framework_id(i), spec, true);
        let reserved: Resources = pieces().map(|piece| reserved(&mut rng, piece, &role)).collect();
        total += &reserved;
        used.push((framework_id(i), reserved.allocated_to(&role)));
    }
    let objects = total.len();
    cluster.allocator.add_agent(&agent_id(0), spec(total), &used);

    let (framework, reserved) = &used[0];
    let unreserved = reserved.to_unreserved();
    let mut convert = |from: &Resources, to: &Resources| {
        let started = Stopwatch::start();
        cluster
            .allocator
            .convert(framework, &agent_id(0), from, to)
            .expect("the framework uses what it converts");
        started.elapsed()
    };
    let (mut unreserving, mut reserving): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        unreserving.push(convert(reserved, &unreserved));
        reserving.push(convert(&unreserved, reserved));
    }
    figure("resources of the agent", format!("{objects}, of {roles} roles"));
    times("UNRESERVE", &mut unreserving);
    times("RESERVE", &mut reserving);
}

fn pieces() -> impl Iterator<Item = Resource> {
    let ports = Resource::new("ports".into(), Value::Ranges(Ranges::single(2, 2)));
    let scalars = parse("cpus:100;mem:100;disk:100");
    scalars.iter().cloned().collect::<Vec<_>>().into_iter().chain([ports])
}

fn reserved(rng: &mut Rng, resource: Resource, role: &Role) -> Resource {
    let label = Label { key: "Label".into(), value: Some(rng.uuid().to_string().into()) };
    resource.reserved_by(Reservation {
        labels: Some(Labels(vec![label])),
        ..Reservation::dynamic(role.clone(), None)
    })
}
