//! `network/ports`: who listens on ports that are not its own.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use base::ContainerId;

use super::Shared;
use crate::cgroups::Group;
use crate::limitation::{Limitation, LimitationKind};

type PortRanges = Vec<(u16, u16)>;

/// The state of a socket that listens, as `/proc/net/tcp` writes it.
const LISTENS: &str = "0A";

/// Looks at every container's listening sockets, and ends those that have foreign ones if that is to be.
pub(super) fn look(shared: &Shared) {
    let listening = listening();
    if listening.is_empty() {
        return;
    }
    let running: Vec<(ContainerId, Group, PortRanges)> = {
        let containers = shared.table.lock();
        let mut found = Vec::new();
        for (container_id, container) in &containers.by_id {
            let (Some(group), true) = (&container.group, container.process().is_some()) else { continue };
            // A nested container uses the ports of the one around it.
            let around = container_id.as_str().split('.').next().map(ContainerId::from);
            let around = around.and_then(|around| containers.by_id.get(&around));
            let mut ports: PortRanges = container.limits.ports.clone();
            ports.extend(around.into_iter().flat_map(|around| around.limits.ports.iter().copied()));
            found.push((container_id.clone(), group.clone(), ports));
        }
        found
    };
    for (container_id, group, own) in running {
        let isolated =
            |port: &u16| shared.options.isolated_ports.as_ref().is_none_or(|ranges| within(ranges, *port));
        let foreign: Vec<u16> = ports_of(&group, &listening)
            .into_iter()
            .filter(|port| isolated(port) && !within(&own, *port))
            .collect();
        let complained = {
            let mut containers = shared.table.lock();
            let Some(container) = containers.by_id.get_mut(&container_id) else { continue };
            std::mem::replace(&mut container.foreign_ports, foreign.clone()) == foreign
        };
        if foreign.is_empty() {
            continue;
        }
        let list: Vec<String> = foreign.iter().map(|port| format!("{port}-{port}")).collect();
        let message =
            format!("Container {container_id} is listening on unallocated port(s): [{}]", list.join(", "));
        if !complained {
            tracing::info!("{message}");
        }
        if shared.options.enforce_ports {
            let limitation = Limitation { kind: LimitationKind::Ports(foreign), message };
            if shared.limit(&container_id, limitation) {
                shared.kill(&container_id);
            }
        }
    }
}

fn within(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&port))
}

/// The ports that sockets of this machine listen on, by the sockets' numbers.
fn listening() -> HashMap<u64, u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.iter().filter_map(|table| fs::read_to_string(table).ok());
    texts.flat_map(|text| text.lines().skip(1).filter_map(parse).collect::<Vec<_>>()).collect()
}

/// A line of `/proc/net/tcp`: number, local address, remote address, state, ..., inode.
fn parse(line: &str) -> Option<(u64, u16)> {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1)?;
    if words.nth(1)? != LISTENS {
        return None;
    }
    let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    Some((words.nth(5)?.parse().ok()?, port))
}

fn ports_of(group: &Group, listening: &HashMap<u64, u16>) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for pid in group.processes() {
        // It may have ended since.
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for entry in entries.flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
            let port = inode.and_then(|inode| listening.get(&inode.parse().ok()?));
            found.extend(port);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_count() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x";
        assert_eq!(parse(line), Some((4711, 8080)));
        assert_eq!(parse(&line.replace(" 0A ", " 01 ")), None);
        assert!(within(&[(1, 2), (5, 9)], 9) && !within(&[(1, 2)], 3));
    }
}
