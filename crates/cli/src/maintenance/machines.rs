//! Machines as operators name them. What a master goes by is the host name and the address of an agent, both as the agent
//! tells them; a machine that is named otherwise is another machine to it.

use std::net::IpAddr;

use anyhow::Result;
use proto::v1::MachineId;
use proto::v1::master::response::get_agents::Agent;
use sdk::{Address, Operator};

use crate::cluster::agent_id;
use crate::failure::usage;

/// `host/10.0.0.8`, or that of it which is known.
pub(super) fn name(machine: &MachineId) -> String {
    match (machine.hostname(), machine.ip()) {
        (host, "") => host.to_owned(),
        ("", ip) => ip.to_owned(),
        (host, ip) => format!("{host}/{ip}"),
    }
}

/// The machines that are meant: as those of agents and those of the schedule are known, else as they are written.
pub(super) async fn find(operator: &Operator, wanted: &[String]) -> Result<Vec<MachineId>> {
    let (agents, schedule) = tokio::try_join!(operator.agents(), operator.maintenance_schedule())?;
    let scheduled = schedule.windows.into_iter().flat_map(|window| window.machine_ids);
    let of_agent = |agent: &Agent| (agent_id(agent).to_owned(), of(agent));
    let known: Vec<(String, MachineId)> =
        scheduled.map(|machine| (String::new(), machine)).chain(agents.agents.iter().map(of_agent)).collect();
    wanted.iter().map(|wanted| choose(&known, wanted)).collect()
}

/// The machine of an agent.
fn of(agent: &Agent) -> MachineId {
    let ip = agent.pid.as_deref().and_then(Address::from_pid).map(|address| address.host);
    MachineId { hostname: Some(agent.agent_info.hostname.clone()), ip }
}

fn choose(known: &[(String, MachineId)], wanted: &str) -> Result<MachineId> {
    let ending = format!("-{wanted}");
    let same = |id: &str, machine: &MachineId| {
        machine.hostname().eq_ignore_ascii_case(wanted)
            || machine.ip() == wanted
            || name(machine).eq_ignore_ascii_case(wanted)
            || (!id.is_empty() && (id == wanted || id.ends_with(&ending)))
    };
    let mut meant: Vec<&MachineId> = Vec::new();
    for (id, machine) in known {
        if same(id, machine) && !meant.contains(&machine) {
            meant.push(machine);
        }
    }
    match meant[..] {
        [one] => return Ok(one.clone()),
        [] => {}
        _ => {
            let names: Vec<String> = meant.iter().map(|machine| name(machine)).collect();
            return Err(usage(format!("`{wanted}` may be any of {}; write HOST/IP", names.join(", "))));
        }
    }
    let is_ip = |text: &str| text.parse::<IpAddr>().is_ok();
    Ok(match wanted.split_once('/') {
        Some((host, ip)) if is_ip(ip) => {
            MachineId { hostname: Some(host.to_owned()), ip: Some(ip.to_owned()) }
        }
        Some((_, ip)) => return Err(usage(format!("`{ip}` of {wanted} is no IP address; write HOST/IP"))),
        None if is_ip(wanted) => MachineId { hostname: None, ip: Some(wanted.to_owned()) },
        None => MachineId { hostname: Some(wanted.to_owned()), ip: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_found_by_all_their_names() {
        let machine = |host: &str, ip: &str| MachineId { hostname: Some(host.into()), ip: Some(ip.into()) };
        let known = [
            ("m-S0".to_owned(), machine("a", "10.0.0.1")),
            ("m-S1".to_owned(), machine("a", "10.0.0.2")),
            (String::new(), machine("b", "10.0.0.3")),
        ];
        let chosen = |wanted: &str| choose(&known, wanted).map(|m| name(&m)).map_err(|e| e.to_string());
        for (wanted, expected) in [
            ("S0", "a/10.0.0.1"),
            ("10.0.0.2", "a/10.0.0.2"),
            ("B", "b/10.0.0.3"),
            ("a/10.0.0.1", "a/10.0.0.1"),
            ("other", "other"),
            ("10.9.9.9", "10.9.9.9"),
            ("c/10.9.9.9", "c/10.9.9.9"),
        ] {
            assert_eq!(chosen(wanted).as_deref(), Ok(expected), "{wanted}");
        }
        assert!(chosen("a").unwrap_err().contains("any of a/10.0.0.1, a/10.0.0.2"));
        assert!(chosen("c/d").unwrap_err().contains("`d` of c/d is no IP address"));
    }
}
