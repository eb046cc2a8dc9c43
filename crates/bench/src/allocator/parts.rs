//! Agents' resources as Mesos' benchmarks have them.

use resources::{
    Details, Disk, Label, Labels, Persistence, Range, Ranges, Reservation, Resource, Resources, Role, Value,
};

/// What agents of most of the benchmarks have.
pub(super) const AGENT: &str = "cpus:24;mem:4096;disk:4096;ports:[31000-32000]";

/// Resources from their text.
pub(super) fn parse(text: &str) -> Resources {
    Resources::parse(text).expect("resources of a benchmark are well-formed")
}

/// The range of ports 31000 to 32000 in 16 pieces: 15 single ports, every other one, and the rest.
pub(super) fn fragmented_ports() -> Resource {
    let single = (0..15).map(|i| Range { begin: 31_000 + 2 * i, end: 31_000 + 2 * i });
    let ranges = Ranges::new(single.chain([Range { begin: 31_030, end: 32_000 }]));
    Resource::new("ports".into(), Value::Ranges(ranges.expect("the pieces are in order")))
}

/// What is used on an agent of [`AGENT`] from the beginning, allocated to a role: 16 tasks with a port each.
pub(super) fn used(text: &str, role: &str) -> Resources {
    let mut used = parse(text);
    used.add(fragmented_ports());
    used.allocated_to(&Role::from(role))
}

/// A persistent volume of 1024 MB, reserved for a role.
pub(super) fn volume(role: &str, id: &str, shared: bool) -> Resource {
    let disk = Disk { persistence: Some(Persistence { id: id.into(), principal: None }), ..Disk::default() };
    let details = Details {
        reservations: vec![Reservation::fixed(Role::from(role))],
        disk: Some(disk),
        shared,
        ..Details::default()
    };
    parse("disk:1024").iter().next().expect("one resource").clone().with_details(details)
}

/// `cpus` reserved for a role with labels.
pub(super) fn labelled(cpus: &str, role: &str, labels: Vec<(String, String)>) -> Resource {
    let labels =
        labels.into_iter().map(|(key, value)| Label { key: key.into(), value: Some(value.into()) }).collect();
    let reservation = Reservation {
        labels: Some(Labels(labels)),
        ..Reservation::dynamic(Role::from(role), Some("principal1".into()))
    };
    parse(cpus).iter().next().expect("one resource").clone().reserved_by(reservation)
}

/// The same resource, to be taken away at any time.
pub(super) fn revocable(text: &str) -> Resource {
    let resource = parse(text).iter().next().expect("one resource").clone();
    resource.with_details(Details { revocable: true, ..Details::default() })
}
