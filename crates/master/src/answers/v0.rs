//! The older endpoints that show everything.

use std::sync::Arc;

use http_api::{Answer, Encoding, Pieces};
use master_core::{Agent, Snapshot};

use super::entities::{AgentForm, TaskForm};
use super::lists::{Cut, Listed, Lists, Of, write_list};
use crate::context::Identity;
use crate::view::executor::Executors;
use crate::view::framework::{self, write_members};
use crate::view::state::{StateHead, StateTail};

/// `/state`.
pub(super) fn state(identity: &Identity, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let mut out = Pieces::default();
    out.write(b"{");
    write_members(&mut out, &StateHead::new(identity, snapshot));
    out.write(b",\"slaves\":");
    write_agents(&mut out, snapshot, AgentForm::V0, lists);
    out.write(b",");
    write_members(&mut out, &StateTail::new(snapshot));
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
    out.finish(Encoding::Json.media_type())
}

/// `/slaves`.
pub(super) fn agents(snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let mut out = Pieces::default();
    out.write(b"{\"slaves\":");
    write_agents(&mut out, snapshot, AgentForm::V0Full, lists);
    out.write(b",");
    write_members(&mut out, &StateTail::new(snapshot));
    out.write(b"}");
    out.finish(Encoding::Json.media_type())
}

fn write_agents(out: &mut Pieces, snapshot: &Snapshot, form: AgentForm, lists: &mut Lists) {
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    write_list(out, lists.agents(&cut, form, &snapshot.frameworks));
}

/// `"frameworks":[...],"completed_frameworks":[...]`.
fn write_frameworks(out: &mut Pieces, snapshot: &Snapshot, lists: &mut Lists) {
    let executors = Executors::new(&snapshot.agents);
    let listed = Listed::all(snapshot);
    let cut = lists.cut_tasks(&listed);
    let (present, completed) = cut.split_at(snapshot.frameworks.len());
    for (name, frameworks) in [("\"frameworks\":[", present), (",\"completed_frameworks\":[", completed)] {
        out.write(name.as_bytes());
        for (index, each) in frameworks.iter().enumerate() {
            if index > 0 {
                out.write(b",");
            }
            write_framework(out, each, &executors, lists);
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
