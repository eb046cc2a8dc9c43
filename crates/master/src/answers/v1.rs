//! The calls of the operator API that show everything. In JSON all lists are there, empty ones too: readers expect it so.

use std::sync::Arc;
use std::time::Duration;

use http_api::{Answer, Encoding, Piece, Pieces, message_answer};
use master_core::{Agent, Snapshot};
use proto::Message;
use proto::v1::master::response::{self, Type, get_frameworks};
use proto::v1::master::{Response, event};

use super::entities::{AgentForm, TaskForm};
use super::lists::{Cut, Listed, Lists, Of};
use crate::context::Identity;
use crate::pb::Writer;
use crate::view::agent::recovered;
use crate::view::executor::Executors;
use crate::view::framework::to_proto;

/// Fields of `GetState`, and of `Response` what has the same content.
mod field {
    pub(super) const TASKS: (u32, u32) = (1, 13);
    pub(super) const EXECUTORS: (u32, u32) = (2, 12);
    pub(super) const FRAMEWORKS: (u32, u32) = (3, 11);
    pub(super) const AGENTS: (u32, u32) = (4, 10);
    pub(super) const STATE: u32 = 9;
    pub(super) const OPERATIONS: u32 = 20;
    /// Of `Event`.
    pub(super) const SUBSCRIBED: u32 = 2;
    /// Of `Event.Subscribed`.
    pub(super) const SUBSCRIBED_STATE: u32 = 1;
}

/// A part of an answer, before it is known what stands before it.
enum Part<'a> {
    Own(Vec<u8>),
    Shared(&'a Piece),
}

impl Part<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::Own(bytes) => bytes.len() as u64,
            Self::Shared(piece) => piece.bytes.len() as u64,
        }
    }

    fn write(&self, out: &mut Pieces) {
        match self {
            Self::Own(bytes) => out.write(bytes),
            Self::Shared(piece) => out.share(piece),
        }
    }
}

/// One of the four things that `GET_STATE` has: in JSON as members, in protobuf as fields.
type Parts<'a> = Vec<Part<'a>>;

/// All that parts are made from.
struct Material<'a> {
    snapshot: &'a Snapshot,
    executors: Executors<'a>,
    cut: Vec<Cut<'a>>,
}

/// `GET_TASKS`.
pub(super) fn tasks(encoding: Encoding, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    with_tasks(snapshot, lists, |material, lists| {
        let parts = tasks_part(encoding, material, lists);
        whole(encoding, Type::GetTasks, "get_tasks", field::TASKS.1, &parts)
    })
}

/// `GET_FRAMEWORKS`.
pub(super) fn frameworks(encoding: Encoding, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    with_tasks(snapshot, lists, |material, _| {
        let parts = frameworks_part(encoding, material);
        whole(encoding, Type::GetFrameworks, "get_frameworks", field::FRAMEWORKS.1, &parts)
    })
}

/// `GET_EXECUTORS`.
pub(super) fn executors(encoding: Encoding, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    let form = executors_form(encoding);
    let parts = list_part(encoding, "executors", lists.agents(&cut, form, &snapshot.frameworks));
    whole(encoding, Type::GetExecutors, "get_executors", field::EXECUTORS.1, &parts)
}

/// `GET_AGENTS`.
pub(super) fn agents(encoding: Encoding, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    let pieces = lists.agents(&cut, agents_form(encoding), &snapshot.frameworks);
    let parts = agents_part(encoding, pieces, snapshot);
    whole(encoding, Type::GetAgents, "get_agents", field::AGENTS.1, &parts)
}

/// `GET_ROLES`.
pub(super) fn roles(
    encoding: Encoding,
    identity: &Identity,
    snapshot: &Snapshot,
    lists: &mut Lists,
) -> Answer {
    let roles = lists.roles(snapshot, &identity.listed_roles);
    let get_roles =
        response::GetRoles { roles: roles.iter().map(|(name, role)| role.to_proto(name)).collect() };
    let kind = Some(Type::GetRoles.into());
    let response = Response { r#type: kind, get_roles: Some(get_roles), ..Default::default() };
    message_answer(encoding, &response)
}

/// `GET_OPERATIONS`.
pub(super) fn operations(encoding: Encoding, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    let form = match encoding {
        Encoding::Json => AgentForm::OperationsJson,
        Encoding::Protobuf => AgentForm::OperationsProtobuf,
    };
    let pieces = lists.agents(&cut, form, &snapshot.frameworks);
    // Where there are none, the list is not there either.
    let none = pieces.iter().all(|piece| piece.bytes.is_empty());
    let parts = if none { Parts::new() } else { list_part(encoding, "operations", pieces) };
    whole(encoding, Type::GetOperations, "get_operations", field::OPERATIONS, &parts)
}

/// `GET_STATE`.
pub(super) fn state(encoding: Encoding, snapshot: &Snapshot, lists: &mut Lists) -> Answer {
    with_state(encoding, snapshot, lists, |parts| {
        whole(encoding, Type::GetState, "get_state", field::STATE, &parts)
    })
}

/// The event SUBSCRIBED: the state, and how often heartbeats come.
pub(super) fn subscribed(
    encoding: Encoding,
    snapshot: &Snapshot,
    heartbeat: Duration,
    lists: &mut Lists,
) -> Answer {
    with_state(encoding, snapshot, lists, |state| {
        let mut parts = Parts::new();
        embed(&mut parts, encoding, "get_state", field::SUBSCRIBED_STATE, state);
        let rest = event::Subscribed {
            heartbeat_interval_seconds: Some(heartbeat.as_secs_f64()),
            ..Default::default()
        };
        parts.push(Part::Own(match encoding {
            // The other member comes behind the first.
            Encoding::Json => [b",", members(&serde_json::to_vec(&rest).unwrap_or_default())].concat(),
            Encoding::Protobuf => proto::encode(&rest),
        }));
        let kind = event::Type::Subscribed;
        begun(encoding, (kind.as_str_name(), kind.into()), "subscribed", field::SUBSCRIBED, &parts)
    })
}

/// The members of an object in JSON, without its braces.
fn members(object: &[u8]) -> &[u8] {
    object.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).unwrap_or_default()
}

/// Makes something of all that there is.
fn with_state(
    encoding: Encoding,
    snapshot: &Snapshot,
    lists: &mut Lists,
    make: impl FnOnce(Parts<'_>) -> Answer,
) -> Answer {
    let agents: Vec<&Arc<Agent>> = snapshot.agents.iter().collect();
    let cut = lists.cut_agents(&agents);
    let executors = lists.agents(&cut, executors_form(encoding), &snapshot.frameworks);
    let executors = list_part(encoding, "executors", executors);
    let pieces = lists.agents(&cut, agents_form(encoding), &snapshot.frameworks);
    let agents = agents_part(encoding, pieces, snapshot);
    with_tasks(snapshot, lists, |material, lists| {
        let mut parts = Parts::new();
        for (name, (number, _), part) in [
            ("get_tasks", field::TASKS, tasks_part(encoding, material, lists)),
            ("get_executors", field::EXECUTORS, executors),
            ("get_frameworks", field::FRAMEWORKS, frameworks_part(encoding, material)),
            ("get_agents", field::AGENTS, agents),
        ] {
            if encoding == Encoding::Json && !parts.is_empty() {
                parts.push(Part::Own(b",".to_vec()));
            }
            embed(&mut parts, encoding, name, number, part);
        }
        make(parts)
    })
}

fn with_tasks<T>(
    snapshot: &Snapshot,
    lists: &mut Lists,
    make: impl FnOnce(&Material<'_>, &mut Lists) -> T,
) -> T {
    let listed = Listed::all(snapshot);
    let cut = lists.cut_tasks(&listed);
    make(&Material { snapshot, executors: Executors::new(&snapshot.agents), cut }, lists)
}

fn tasks_part<'a>(encoding: Encoding, material: &'a Material<'_>, lists: &mut Lists) -> Parts<'a> {
    let mut parts = Parts::new();
    for of in Of::ALL {
        let form = match encoding {
            Encoding::Json => TaskForm::Json,
            Encoding::Protobuf => TaskForm::Protobuf,
        };
        let pieces = material.cut.iter().flat_map(|cut| lists.tasks(cut, of, form)).collect();
        if encoding == Encoding::Json && !parts.is_empty() {
            parts.push(Part::Own(b",".to_vec()));
        }
        parts.extend(list_part(encoding, of.name(), pieces));
    }
    parts
}

fn frameworks_part<'a>(encoding: Encoding, material: &Material<'_>) -> Parts<'a> {
    let shown = |cut: &Cut<'_>| to_proto(cut.framework, &cut.used(material.executors.of(&cut.framework.id)));
    let (present, completed) = material.cut.split_at(material.snapshot.frameworks.len());
    let lists: [(&str, u32, Vec<get_frameworks::Framework>); 2] = [
        ("frameworks", 1, present.iter().map(shown).collect()),
        ("completed_frameworks", 2, completed.iter().map(shown).collect()),
    ];
    let mut out = Vec::new();
    for (name, number, list) in lists {
        if encoding == Encoding::Json && !out.is_empty() {
            out.push(b',');
        }
        write_own(&mut out, encoding, name, number, &list);
    }
    vec![Part::Own(out)]
}

fn agents_part<'a>(encoding: Encoding, pieces: Vec<&'a Piece>, snapshot: &Snapshot) -> Parts<'a> {
    let mut parts = list_part(encoding, "agents", pieces);
    let mut out = Vec::new();
    if encoding == Encoding::Json {
        out.push(b',');
    }
    write_own(&mut out, encoding, "recovered_agents", 2, &recovered(snapshot));
    parts.push(Part::Own(out));
    parts
}

fn agents_form(encoding: Encoding) -> AgentForm {
    match encoding {
        Encoding::Json => AgentForm::Json,
        Encoding::Protobuf => AgentForm::Protobuf,
    }
}

fn executors_form(encoding: Encoding) -> AgentForm {
    match encoding {
        Encoding::Json => AgentForm::ExecutorsJson,
        Encoding::Protobuf => AgentForm::ExecutorsProtobuf,
    }
}

/// A list of pieces that are encoded already: in protobuf each element has its field's number.
fn list_part<'a>(encoding: Encoding, name: &str, pieces: Vec<&'a Piece>) -> Parts<'a> {
    let filled = pieces.into_iter().filter(|piece| !piece.bytes.is_empty());
    match encoding {
        Encoding::Protobuf => filled.map(Part::Shared).collect(),
        Encoding::Json => {
            let mut parts = vec![Part::Own(format!("\"{name}\":[").into_bytes())];
            for (index, piece) in filled.enumerate() {
                if index > 0 {
                    parts.push(Part::Own(b",".to_vec()));
                }
                parts.push(Part::Shared(piece));
            }
            parts.push(Part::Own(b"]".to_vec()));
            parts
        }
    }
}

/// A list that is not kept.
fn write_own<M: Message + serde::Serialize>(
    out: &mut Vec<u8>,
    encoding: Encoding,
    name: &str,
    number: u32,
    list: &[M],
) {
    match encoding {
        Encoding::Json => {
            out.extend_from_slice(format!("\"{name}\":").as_bytes());
            // A message is what JSON can hold, and a vector grows.
            let _ = serde_json::to_writer(out, list);
        }
        Encoding::Protobuf => {
            for message in list {
                Writer::new(out).message(number, message);
            }
        }
    }
}

/// Appends parts as one member or field.
fn embed<'a>(out: &mut Parts<'a>, encoding: Encoding, name: &str, number: u32, parts: Parts<'a>) {
    match encoding {
        Encoding::Json => out.push(Part::Own(format!("\"{name}\":{{").into_bytes())),
        Encoding::Protobuf => {
            let mut head = Vec::new();
            Writer::new(&mut head).open(number, parts.iter().map(Part::length).sum());
            out.push(Part::Own(head));
        }
    }
    out.extend(parts);
    if encoding == Encoding::Json {
        out.push(Part::Own(b"}".to_vec()));
    }
}

/// The answer: its type, and one member or field with all else.
fn whole(encoding: Encoding, kind: Type, name: &str, number: u32, parts: &[Part<'_>]) -> Answer {
    begun(encoding, (kind.as_str_name(), kind.into()), name, number, parts)
}

/// The same for any message whose first field is its type, by name and by number.
fn begun(
    encoding: Encoding,
    (kind, kind_number): (&str, i32),
    name: &str,
    number: u32,
    parts: &[Part<'_>],
) -> Answer {
    let mut out = Pieces::default();
    match encoding {
        Encoding::Json => {
            out.write(format!("{{\"type\":\"{kind}\",\"{name}\":{{").as_bytes());
        }
        Encoding::Protobuf => {
            let mut head = Vec::new();
            let mut writer = Writer::new(&mut head);
            writer.number(1, u64::try_from(kind_number).unwrap_or(0));
            writer.open(number, parts.iter().map(Part::length).sum());
            out.write(&head);
        }
    }
    for part in parts {
        part.write(&mut out);
    }
    if encoding == Encoding::Json {
        out.write(b"}}");
    }
    out.finish(encoding.media_type())
}
