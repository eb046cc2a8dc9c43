//! Maintenance of machines: schedules, and lists of machines.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use proto::v1::MachineId;
use proto::v1::maintenance::Schedule;

use crate::invalid::{Checked, invalid};
use crate::limits::check_hostname_length;

/// Checks a maintenance schedule.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_maintenance_schedule(schedule: &Schedule) -> Checked {
    let mut known = BTreeSet::new();
    for window in &schedule.windows {
        if window.machine_ids.is_empty() {
            return invalid("List of machines in the maintenance window is empty");
        }
        if window.unavailability.duration.as_ref().is_some_and(|duration| duration.nanoseconds < 0) {
            return invalid("Unavailability 'duration' is negative");
        }
        validate_each(&window.machine_ids, &mut known)?;
    }
    Ok(())
}

/// Checks a list of machines that are to go down or to come up.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_machines(machines: &[MachineId]) -> Checked {
    if machines.is_empty() {
        return invalid("List of machines is empty");
    }
    validate_each(machines, &mut BTreeSet::new())
}

/// A machine has a name or an address, and is named once. Upper and lower case of its name are the same.
fn validate_each(machines: &[MachineId], known: &mut BTreeSet<(Option<String>, Option<String>)>) -> Checked {
    for machine in machines {
        let (hostname, ip) = (machine.hostname(), machine.ip());
        if hostname.is_empty() && ip.is_empty() {
            return invalid("Both 'hostname' and 'ip' for a machine are empty");
        }
        check_hostname_length(hostname)?;
        if !ip.is_empty() && ip.parse::<Ipv4Addr>().is_err() {
            return invalid(format!("Failed to parse IPv4: {ip}"));
        }
        let key = (machine.hostname.as_ref().map(|name| name.to_ascii_lowercase()), machine.ip.clone());
        if !known.insert(key) {
            let machine = proto::json::to_string(machine);
            return invalid(format!("Machine '{machine}' appears more than once in the schedule"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proto::v1::maintenance::Window;
    use proto::v1::{DurationInfo, TimeInfo, Unavailability};

    use super::*;

    fn machine(hostname: &str, ip: &str) -> MachineId {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        MachineId { hostname: some(hostname), ip: some(ip) }
    }

    fn window(machine_ids: Vec<MachineId>, duration: i64) -> Window {
        let duration = Some(DurationInfo { nanoseconds: duration });
        Window {
            machine_ids,
            unavailability: Unavailability { start: TimeInfo { nanoseconds: -10 }, duration },
        }
    }

    #[track_caller]
    fn check(windows: Vec<Window>, expected: &str) {
        let checked = validate_maintenance_schedule(&Schedule { windows });
        assert_eq!(checked.err().map_or(String::new(), String::from), expected);
    }

    #[test]
    fn schedules_are_checked() {
        check(Vec::new(), "");
        check(vec![window(vec![machine("a", ""), machine("b", "0.0.0.2")], 10)], "");
        check(vec![window(Vec::new(), 10)], "List of machines in the maintenance window is empty");
        check(vec![window(vec![machine("a", "")], -10)], "Unavailability 'duration' is negative");
        let empty = "Both 'hostname' and 'ip' for a machine are empty";
        check(vec![window(vec![machine("", "")], 10)], empty);
        let long = "At most 255 bytes in a host name are supported, not 256";
        check(vec![window(vec![machine(&"a".repeat(256), "")], 10)], long);
        check(vec![window(vec![machine("a", "1.2.3")], 10)], "Failed to parse IPv4: 1.2.3");
        let twice = r#"Machine '{"hostname":"A"}' appears more than once in the schedule"#;
        check(vec![window(vec![machine("a", "")], 10), window(vec![machine("A", "")], 10)], twice);
    }

    #[test]
    fn lists_of_machines_are_checked() {
        let check = |machines: &[MachineId]| validate_machines(machines).err().map(String::from);
        assert_eq!(check(&[machine("a", "1.2.3.4"), machine("a", "")]), None);
        assert_eq!(check(&[]).unwrap(), "List of machines is empty");
        assert_eq!(check(&[machine("", "::1")]).unwrap(), "Failed to parse IPv4: ::1");
        let twice = [machine("", "1.2.3.4"), machine("", "1.2.3.4")];
        let expected = r#"Machine '{"ip":"1.2.3.4"}' appears more than once in the schedule"#;
        assert_eq!(check(&twice).unwrap(), expected);
    }
}
