//! The schedule, and machines that go down and come up again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use base::AgentId;

use super::{Asked, Machine, inverse};
use crate::core::{Answered, MasterCore, send_agent};
use crate::output::{Output, ToAgent};
use crate::registry::{self, Effect};
use crate::types::{
    MachineId, MachineMode, OperatorError, RegistryOperation, RequestId, Window, WindowKey, WindowPart,
    WindowParts,
};
use crate::{agents, offers};

/// Most machines in one piece of a window: some 50 KB.
const PART: usize = 500;

/// What an agent is told, and the schedulers of its tasks.
pub(crate) const DOWN: &str = "Operator initiated 'Machine DOWN'";

/// Replaces the schedule. Machines that are down have to stay in it.
pub(crate) fn update(
    core: &mut MasterCore,
    windows: &[Window],
    request: RequestId,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    let machines = machines_of(&core.registry.content.windows);
    let scheduled: BTreeSet<&MachineId> = windows.iter().flat_map(|window| &window.machines).collect();
    let down = machines.iter().filter(|(_, machine)| machine.mode == MachineMode::Down);
    if let Some((id, _)) = down.into_iter().find(|(id, _)| !scheduled.contains(id)) {
        return Err(wrong(id, "is deactivated and cannot be removed from the schedule"));
    }
    write(core, parts_of(windows, &machines), request, out);
    Ok(Answered::Later)
}

/// Takes machines down that are about to be maintained.
pub(crate) fn start(
    core: &mut MasterCore,
    ids: &[MachineId],
    request: RequestId,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    expect(core, ids, MachineMode::Draining, "is not in DRAINING mode and cannot be brought down")?;
    let ids: BTreeSet<&MachineId> = ids.iter().collect();
    let mut parts = core.registry.content.windows.clone();
    for part in parts.values_mut().filter(|part| part.machines.iter().any(|(id, _)| ids.contains(id))) {
        for (id, mode) in &mut Arc::make_mut(part).machines {
            if ids.contains(id) {
                *mode = MachineMode::Down;
            }
        }
    }
    write(core, parts, request, out);
    Ok(Answered::Later)
}

/// Lets machines that are down come back; they are not in the schedule any more.
pub(crate) fn stop(
    core: &mut MasterCore,
    ids: &[MachineId],
    request: RequestId,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    expect(core, ids, MachineMode::Down, "is not in DOWN mode and cannot be brought up")?;
    let ids: BTreeSet<&MachineId> = ids.iter().collect();
    let mut parts = core.registry.content.windows.clone();
    parts.retain(|_, part| {
        if part.machines.iter().any(|(id, _)| ids.contains(id)) {
            Arc::make_mut(part).machines.retain(|(id, _)| !ids.contains(id));
        }
        !part.machines.is_empty()
    });
    write(core, parts, request, out);
    Ok(Answered::Later)
}

/// Whether all machines are in the schedule and in this mode.
fn expect(
    core: &MasterCore,
    ids: &[MachineId],
    mode: MachineMode,
    otherwise: &str,
) -> Result<(), OperatorError> {
    let machines = machines_of(&core.registry.content.windows);
    for id in ids {
        match machines.get(id) {
            Some(machine) if machine.mode == mode => {}
            Some(_) => return Err(wrong(id, otherwise)),
            // A machine with agents is known; it is up.
            None if core.agents.registered.values().any(|agent| machine_of(agent) == *id) => {
                return Err(wrong(id, otherwise));
            }
            None => return Err(wrong(id, "is not part of a maintenance schedule")),
        }
    }
    Ok(())
}

fn machine_of(agent: &crate::types::Agent) -> MachineId {
    MachineId::of_agent(&agent.pid, &agent.info)
}

fn wrong(id: &MachineId, what: &str) -> OperatorError {
    OperatorError::BadRequest(format!("Machine '{}' {what}", json(id)))
}

/// A machine as Mesos writes it in such a line.
fn json(id: &MachineId) -> String {
    let mut text = String::new();
    for (name, value) in [("hostname", &id.hostname), ("ip", &id.ip)] {
        let Some(value) = value else { continue };
        text.push(if text.is_empty() { '{' } else { ',' });
        // Writing to a string cannot fail.
        let _ = write!(text, "\"{name}\":\"");
        for char in value.chars() {
            let _ = match char {
                '"' | '\\' => write!(text, "\\{char}"),
                char if char.is_control() => write!(text, "\\u{:04x}", u32::from(char)),
                char => write!(text, "{char}"),
            };
        }
        text.push('"');
    }
    if text.is_empty() { "{}".to_owned() } else { text + "}" }
}

/// A schedule in pieces; machines that are in the present one stay in their mode.
fn parts_of(windows: &[Window], machines: &BTreeMap<MachineId, Machine>) -> WindowParts {
    let mode = |id: &MachineId| machines.get(id).map_or(MachineMode::Draining, |machine| machine.mode);
    let mut parts = WindowParts::new();
    for (window, each) in (0..).zip(windows) {
        for (part, ids) in (0..).zip(each.machines.chunks(PART)) {
            let machines = ids.iter().map(|id| (id.clone(), mode(id))).collect();
            let piece = WindowPart { machines, unavailability: each.unavailability };
            parts.insert(WindowKey { window, part }, Arc::new(piece));
        }
    }
    parts
}

/// The schedule of which these are the pieces.
#[must_use]
pub fn windows_of(parts: &WindowParts) -> Vec<Window> {
    let mut windows: Vec<(u32, Window)> = Vec::new();
    for (key, part) in parts {
        let ids = part.machines.iter().map(|(id, _)| id.clone());
        match windows.last_mut().filter(|(number, _)| *number == key.window) {
            Some((_, window)) => window.machines.extend(ids),
            None => {
                let window = Window { machines: ids.collect(), unavailability: part.unavailability };
                windows.push((key.window, window));
            }
        }
    }
    windows.into_iter().map(|(_, window)| window).collect()
}

pub(super) fn machines_of(parts: &WindowParts) -> BTreeMap<MachineId, Machine> {
    let mut machines = BTreeMap::new();
    for part in parts.values() {
        for (id, mode) in &part.machines {
            let machine = Machine { mode: *mode, unavailability: part.unavailability };
            machines.entry(id.clone()).or_insert(machine);
        }
    }
    machines
}

/// Writes what is different in a new schedule.
fn write(core: &mut MasterCore, parts: WindowParts, request: RequestId, out: &mut Vec<Output>) {
    let former = &core.registry.content.windows;
    let removed = former.keys().filter(|key| !parts.contains_key(key));
    let removed = removed.map(|key| RegistryOperation::Window(*key, None));
    let put = parts.iter().filter(|(key, part)| former.get(key) != Some(part));
    let put = put.map(|(key, part)| RegistryOperation::Window(*key, Some(Arc::clone(part))));
    let operations = removed.chain(put).collect();
    registry::write(core, operations, Effect::Maintenance(parts, request), out);
}

/// A master that begins to lead knows the schedule from the registry.
pub(crate) fn recovered(core: &mut MasterCore, windows: WindowParts) {
    core.maintenance.machines = machines_of(&windows);
    core.maintenance.windows = windows;
}

/// The registry holds another schedule, or other modes of machines. Agents of machines that are down now are told to end,
/// and removed. Of agents that will be away at another time than was said, offers are made anew.
pub(crate) fn changed(core: &mut MasterCore, windows: WindowParts, out: &mut Vec<Output>) {
    recovered(core, windows);
    let agents: Vec<(AgentId, MachineId)> =
        core.agents.registered.iter().map(|(id, agent)| (id.clone(), machine_of(agent))).collect();
    let mut down = Vec::new();
    for (id, machine) in agents {
        let scheduled = core.maintenance.machines.get(&machine).copied();
        let unavailability = scheduled.map(|machine| machine.unavailability);
        if unavailability != core.maintenance.unavailability(&id) {
            offers::rescind_of_agent(core, &id, out);
            inverse::rescind_of_agent(core, &id, out);
            place(core, &id, machine);
            core.allocation.hurry();
        }
        if scheduled.is_some_and(|machine| machine.mode == MachineMode::Down) {
            down.push(id);
        }
    }
    take_down(core, down, out);
}

/// Notes whether an agent is on a machine that will not be there.
fn place(core: &mut MasterCore, id: &AgentId, machine: MachineId) {
    let maintenance = &mut core.maintenance;
    match maintenance.machines.get(&machine) {
        Some(scheduled) => {
            let asked = Asked {
                machine,
                unavailability: scheduled.unavailability,
                offers: BTreeMap::new(),
                answers: BTreeMap::new(),
                refused: BTreeMap::new(),
            };
            maintenance.agents.insert(id.clone(), asked);
            maintenance.look_at(id);
        }
        None => agent_removed(core, id),
    }
}

/// An agent belongs to the cluster now.
pub(crate) fn agent_added(core: &mut MasterCore, id: &AgentId) {
    let Some(agent) = core.agents.get(id).filter(|_| !core.maintenance.machines.is_empty()) else { return };
    let machine = machine_of(agent);
    place(core, id, machine);
}

/// An agent does not belong to the cluster any more. Its inverse offers have been rescinded.
pub(crate) fn agent_removed(core: &mut MasterCore, id: &AgentId) {
    core.maintenance.agents.remove(id);
    core.maintenance.news.remove(id);
}

/// Whether the machine at this address is down: no agent of it is let in.
pub(crate) fn is_down(core: &MasterCore, machine: impl FnOnce() -> MachineId) -> bool {
    let machines = &core.maintenance.machines;
    !machines.is_empty() && machines.get(&machine()).is_some_and(|machine| machine.mode == MachineMode::Down)
}

/// An agent was let in, and its machine went down while that was written.
pub(crate) fn leave_if_down(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get(id) else { return };
    if is_down(core, || machine_of(agent)) {
        take_down(core, vec![id.clone()], out);
    }
}

/// Agents are told to end, and removed. One that does not hear it is removed nevertheless.
fn take_down(core: &mut MasterCore, ids: Vec<AgentId>, out: &mut Vec<Output>) {
    let (mut operations, mut leaving) = (Vec::new(), Vec::new());
    for id in ids {
        if let Some(agent) = core.agents.get(&id) {
            send_agent(agent, ToAgent::Shutdown(DOWN.to_owned()), out);
        }
        if let Some(operation) = agents::displace(core, &id) {
            operations.push(operation);
            leaving.push(id);
        }
    }
    if !leaving.is_empty() {
        registry::write(core, operations, Effect::MachineDown(leaving), out);
    }
}

/// Agents in the schedule cannot be drained as well.
pub(crate) fn drainable(core: &MasterCore, id: &AgentId) -> Result<(), OperatorError> {
    match core.maintenance.agents.get(id) {
        Some(asked) => {
            let machine = &asked.machine;
            let scheduled = core.maintenance.windows.values().flat_map(|part| &part.machines);
            // As the operator has written it.
            let machine = scheduled.map(|(id, _)| id).find(|id| *id == machine).unwrap_or(machine);
            let what = format!("Agent {id} is part of a maintenance schedule under Machine {machine}");
            Err(OperatorError::BadRequest(what))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Unavailability;

    fn id(hostname: &str) -> MachineId {
        MachineId { hostname: Some(hostname.into()), ip: None }
    }

    #[test]
    fn a_large_window_is_kept_in_pieces() {
        let machines = (0..1_203).map(|number| id(&format!("h{number}"))).collect();
        let unavailability = Unavailability { start: 1, duration: None };
        let other = Window { machines: vec![id("x")], unavailability };
        let windows = [Window { machines, unavailability }, other];
        let parts = parts_of(&windows, &BTreeMap::new());
        assert_eq!(parts.values().map(|part| part.machines.len()).collect::<Vec<_>>(), [500, 500, 203, 1]);
        assert_eq!(windows_of(&parts), windows);
        assert_eq!(machines_of(&parts).len(), 1_204);
    }

    #[test]
    fn machines_are_written_as_json() {
        let both = MachineId { hostname: Some("a\"\\\n".into()), ip: Some("1.2.3.4".into()) };
        assert_eq!(json(&both), r#"{"hostname":"a\"\\\u000a","ip":"1.2.3.4"}"#);
        assert_eq!(json(&MachineId { hostname: None, ip: Some("1.2.3.4".into()) }), r#"{"ip":"1.2.3.4"}"#);
        assert_eq!(json(&MachineId { hostname: None, ip: None }), "{}");
    }
}
