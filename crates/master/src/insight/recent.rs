//! `/events`: what happened last that an operator may want to know. Tasks that begin and end as they should are left out.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::Ring;
use http_api::ApiError;
use master_core::{Observation, TaskState};
use serde::Serialize;

use crate::server::Master;
use crate::v0::Query;

/// How many are kept.
const KEPT: usize = 500;

/// How many are shown where the query does not say.
const DEFAULT_LIMIT: usize = 50;

/// Most bytes of a text that somebody else has written.
const LONGEST: usize = 1_000;

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Event {
    number: u64,
    /// Seconds since 1970.
    time: f64,
    kind: &'static str,
    /// `info`, `warning` or `error`.
    level: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    framework_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
}

/// What happened last.
pub(crate) struct Recent(Mutex<Events>);

struct Events {
    ring: Ring<Event>,
    numbers: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(Events { ring: Ring::new(KEPT), numbers: 0 }))
    }
}

impl Recent {
    /// Takes note of a change, if it is one of those.
    pub(crate) fn note(&self, observation: &Observation) {
        if let Some(event) = event_of(observation) {
            self.add(event);
        }
    }

    /// This master begins to lead.
    pub(crate) fn leads(&self, id: &str) {
        let text = format!("Master {id} leads");
        self.add(Event { kind: "MASTER_ELECTED", level: "info", text, ..Event::default() });
    }

    fn add(&self, event: Event) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.numbers += 1;
        let number = events.numbers;
        events.ring.push(Event { number, time, ..event });
    }

    /// The newest, newest first.
    fn newest(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.ring.iter().rev().filter(|event| wanted(event)).take(limit).cloned().collect()
    }
}

/// `GET /events`, newest first; `limit` says how many, `after` is the number of the newest that is known already,
/// `framework_id` and `slave_id` pick.
pub(super) async fn show(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    let after = query.number("after")?.unwrap_or(0) as u64;
    let is = |name: &str, value: Option<&str>| query.get(name).is_none_or(|wanted| value == Some(wanted));
    let events = master.watchers.recent().newest(limit, |event| {
        event.number > after
            && is("framework_id", event.framework_id.as_deref())
            && is("slave_id", event.agent_id.as_deref())
    });
    query.json(&serde_json::json!({ "events": events }))
}

fn event_of(observation: &Observation) -> Option<Event> {
    let event = match observation {
        Observation::TaskAdded(_) => return None,
        // The task may be further already: of that tells a later status.
        Observation::TaskUpdated { framework_id, status, .. } => Event {
            kind: status.state.name(),
            level: level_of(status.state)?,
            text: {
                let why = status.message.as_deref().map(|message| format!(": {}", short(message)));
                format!("Task {} is {}{}", status.task_id, status.state.name(), why.unwrap_or_default())
            },
            framework_id: Some(framework_id.to_string()),
            agent_id: status.agent_id.as_ref().map(ToString::to_string),
            task_id: Some(status.task_id.to_string()),
            ..Event::default()
        },
        Observation::FrameworkAdded(framework) => Event {
            kind: "FRAMEWORK_ADDED",
            level: "info",
            text: {
                let how = if framework.recovered { "is known again from an agent" } else { "subscribed" };
                format!("Framework {} {how}", framework.info.name)
            },
            framework_id: Some(framework.id.to_string()),
            ..Event::default()
        },
        Observation::FrameworkUpdated(framework) => Event {
            kind: "FRAMEWORK_UPDATED",
            level: if framework.connected() { "info" } else { "warning" },
            text: {
                let how = if framework.connected() { "is connected" } else { "is disconnected" };
                format!("Framework {} {how}", framework.info.name)
            },
            framework_id: Some(framework.id.to_string()),
            ..Event::default()
        },
        Observation::FrameworkRemoved(framework) => Event {
            kind: "FRAMEWORK_REMOVED",
            level: "info",
            text: format!("Framework {} is over", framework.info.name),
            framework_id: Some(framework.id.to_string()),
            ..Event::default()
        },
        Observation::AgentAdded(agent) => Event {
            kind: "AGENT_ADDED",
            level: "info",
            text: format!("Agent {} registered", agent.info.hostname),
            agent_id: Some(agent.id.to_string()),
            ..Event::default()
        },
        Observation::AgentRemoved { id: agent_id, hostname } => Event {
            kind: "AGENT_REMOVED",
            level: "warning",
            text: format!("Agent {} was removed", short(hostname)),
            agent_id: Some(agent_id.to_string()),
            ..Event::default()
        },
        Observation::OperationRefused { framework_id, message, .. } => Event {
            kind: "OPERATION_REFUSED",
            level: "warning",
            text: format!("An operation was refused: {}", short(message)),
            framework_id: Some(framework_id.to_string()),
            ..Event::default()
        },
        Observation::Dropped { what, from, why } => Event {
            kind: "CALL_DROPPED",
            level: "warning",
            text: format!("{what} of {} was dropped: {}", short(from), short(why)),
            ..Event::default()
        },
    };
    Some(event)
}

/// How bad a state is; `None` for those that come with every task.
fn level_of(state: TaskState) -> Option<&'static str> {
    match state {
        TaskState::Staging
        | TaskState::Starting
        | TaskState::Running
        | TaskState::Killing
        | TaskState::Finished
        | TaskState::Killed
        | TaskState::Unknown => None,
        TaskState::Failed | TaskState::Error | TaskState::Lost => Some("error"),
        TaskState::Dropped | TaskState::Unreachable | TaskState::Gone | TaskState::GoneByOperator => {
            Some("warning")
        }
    }
}

fn short(text: &str) -> &str {
    let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept_and_the_newest_come_first() {
        let recent = Recent::default();
        for n in 0..KEPT + 7 {
            recent.note(&Observation::AgentRemoved {
                id: format!("a{n}").as_str().into(),
                hostname: "host".into(),
            });
        }
        let all = recent.newest(usize::MAX, |_| true);
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[0].agent_id.as_deref(), Some("a506"));
        let new: Vec<u64> = recent.newest(10, |event| event.number > 505).iter().map(|e| e.number).collect();
        assert_eq!(new, [507, 506]);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "é".repeat(LONGEST);
        assert!(short(&text).len() <= LONGEST && short(&text).chars().all(|c| c == 'é'));
        assert_eq!(short("whole"), "whole");
    }
}
