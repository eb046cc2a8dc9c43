//! The older endpoints that show everything.

use std::sync::Arc;

use http_api::{Answer, Encoding, Pieces};
use master_core::{Agent, Snapshot, Task};
use resources::Role;
use serde::Serialize;
use serde_json::{Value, json};

use super::entities::{AgentForm, TaskForm};
use super::lists::{Cut, Listed, Lists, Of, write_list};
use crate::context::Identity;
use crate::listing::{ListedAgent, ListedFramework, Part};
use crate::view::agent::AgentFullView;
use crate::view::executor::Executors;
use crate::view::framework::{self, write_members};
use crate::view::roles::RoleInfo;
use crate::view::state::{StateHead, StateTail};
use crate::view::task::TaskView;

/// `/state`.
pub(super) fn state(identity: &Identity, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let mut out = Pieces::default();
    out.write(b"{");
    write_members(&mut out, &StateHead::new(identity, snapshot));
    out.write(b",\"slaves\":");
    write_agents(&mut out, snapshot, AgentForm::V0, lists);
    out.write(b",");
    write_members(&mut out, &StateTail::new(&snapshot.recovered));
    out.write(b",");
    write_frameworks(&mut out, snapshot, lists);
    out.write(b",\"orphan_tasks\":[],\"unregistered_frameworks\":[]}");
    out.finish(Encoding::Json.media_type())
}

/// `/frameworks`.
pub(super) fn frameworks(snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let mut out = Pieces::default();
    out.write(b"{");
    write_frameworks(&mut out, snapshot, lists);
    out.write(b",\"unregistered_frameworks\":[]}");
    let total = snapshot.frameworks.len() + snapshot.completed_frameworks.len();
    out.finish(Encoding::Json.media_type()).with_total(total)
}

/// `/frameworks`, with some of them.
pub(super) fn frameworks_part(
    snapshot: &Snapshot,
    part: &Part<ListedFramework<'_>>,
    lists: &mut Lists,
) -> Answer {
    let (mut present, mut completed) = (Vec::new(), Vec::new());
    for entry in &part.entries {
        match entry {
            ListedFramework::Present(framework) => present.push(*framework),
            ListedFramework::Completed(framework) => completed.push(*framework),
        }
    }
    let executors = Executors::new(&snapshot.agents);
    let listed = Listed::some(present.iter().chain(&completed).copied());
    let cut = lists.cut_some_tasks(&listed);
    let mut out = Pieces::default();
    out.write(b"{");
    write_cut_frameworks(&mut out, cut.split_at(present.len()), &executors, lists);
    out.write(b",\"unregistered_frameworks\":[]}");
    out.finish(Encoding::Json.media_type()).with_total(part.total)
}

/// `/slaves`.
pub(super) fn agents(snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let mut out = Pieces::default();
    out.write(b"{\"slaves\":");
    write_agents(&mut out, snapshot, AgentForm::V0Full, lists);
    out.write(b",");
    write_members(&mut out, &StateTail::new(&snapshot.recovered));
    out.write(b"}");
    let total = snapshot.agents.len() + snapshot.recovered.len();
    out.finish(Encoding::Json.media_type()).with_total(total)
}

/// `/slaves`, with some of them.
pub(crate) fn agents_part(snapshot: &Snapshot, part: &Part<ListedAgent<'_>>) -> Answer {
    let (mut present, mut recovered) = (Vec::new(), Vec::new());
    for entry in &part.entries {
        match *entry {
            ListedAgent::Present(agent) => present.push(AgentFullView::new(agent, &snapshot.frameworks)),
            ListedAgent::Recovered(agent) => recovered.push(agent),
            // They are not asked for where this is the answer.
            ListedAgent::Lost(_) => {}
        }
    }
    let mut out = Pieces::default();
    out.write(b"{");
    write_members(&mut out, &Agents { slaves: present });
    out.write(b",");
    write_members(&mut out, &StateTail::new(recovered));
    out.write(b"}");
    out.finish(Encoding::Json.media_type()).with_total(part.total)
}

/// `/roles`.
pub(super) fn roles(identity: &Identity, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let roles = lists.roles(snapshot, &identity.listed_roles);
    roles_part(&roles.iter().collect::<Vec<_>>(), roles.len())
}

/// `/roles`, with some of them.
pub(crate) fn roles_part(roles: &[(&Role, &RoleInfo)], total: usize) -> Answer {
    let views: Vec<Value> = roles.iter().map(|(name, role)| role.view(name)).collect();
    let text = json!({ "roles": views }).to_string().into_bytes();
    Answer::whole(Encoding::Json.media_type(), text).with_total(total)
}

/// `/tasks`.
pub(crate) fn tasks_part(part: &Part<&Arc<Task>>) -> Answer {
    let mut out = Pieces::default();
    out.write(b"{");
    write_members(&mut out, &Tasks { tasks: part.entries.iter().map(|task| TaskView::new(task)).collect() });
    out.write(b"}");
    out.finish(Encoding::Json.media_type()).with_total(part.total)
}

#[derive(Serialize)]
struct Agents {
    slaves: Vec<AgentFullView>,
}

#[derive(Serialize)]
struct Tasks<'a> {
    tasks: Vec<TaskView<'a>>,
}

fn write_agents(out: &mut Pieces, snapshot: &Snapshot, form: AgentForm, lists: &mut Lists) {
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    write_list(out, lists.agents(&cut, form, &snapshot.frameworks));
}

fn write_frameworks(out: &mut Pieces, snapshot: &Snapshot, lists: &mut Lists) {
    let executors = Executors::new(&snapshot.agents);
    let listed = Listed::all(snapshot);
    let cut = lists.cut_tasks(&listed);
    write_cut_frameworks(out, cut.split_at(snapshot.frameworks.len()), &executors, lists);
}

/// `"frameworks":[...],"completed_frameworks":[...]`.
fn write_cut_frameworks(
    out: &mut Pieces,
    (present, completed): (&[Cut<'_>], &[Cut<'_>]),
    executors: &Executors<'_>,
    lists: &mut Lists,
) {
    for (name, frameworks) in [("\"frameworks\":[", present), (",\"completed_frameworks\":[", completed)] {
        out.write(name.as_bytes());
        for (index, each) in frameworks.iter().enumerate() {
            if index > 0 {
                out.write(b",");
            }
            write_framework(out, each, executors, lists);
        }
        out.write(b"]");
    }
}

fn write_framework(out: &mut Pieces, cut: &Cut<'_>, executors: &Executors<'_>, lists: &mut Lists) {
    let executors = executors.of(&cut.framework.id);
    framework::write(out, cut.framework, &cut.used(executors), executors, |out| {
        for (index, of) in Of::ALL.into_iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            out.write(format!("{comma}\"{}\":", of.name()).as_bytes());
            write_list(out, lists.tasks(cut, of, TaskForm::V0));
        }
    });
}
