//! All tasks.

use axum::response::Response;
use maud::html;

use crate::model::Tasks;
use crate::parts::layout::{Section, empty, head};
use crate::parts::list::{Choice, cut, filtered, filters, pager};
use crate::parts::tasks::{Common, Names, rows};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::{Listed, Trouble};

/// What can be asked for.
const STATES: [Choice<'static>; 13] = [
    ("TASK_RUNNING", "running"),
    ("TASK_STAGING", "staging"),
    ("TASK_STARTING", "starting"),
    ("TASK_KILLING", "killing"),
    ("TASK_FINISHED", "finished"),
    ("TASK_FAILED", "failed"),
    ("TASK_KILLED", "killed"),
    ("TASK_ERROR", "error"),
    ("TASK_LOST", "lost"),
    ("TASK_DROPPED", "dropped"),
    ("TASK_UNREACHABLE", "unreachable"),
    ("TASK_GONE", "gone"),
    ("TASK_GONE_BY_OPERATOR", "gone by operator"),
];

const FILTERS: [&str; 5] = ["search", "state", "framework_id", "slave_id", "role"];

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Tasks, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let path = ask.list("/tasks", &FILTERS, "started", "des");
    let Listed { value, total } = ask.source.list::<Tasks>(&path).await?;
    let (tasks, total) = cut(ask, value.tasks, total);
    let names = Names::of(&ask.source, &tasks).await?;
    let content = html! {
        (head(&[], &html! { "Tasks" }, &html! {}))
        (filters(ask, "part of a name or an id", &[("state", "State", &STATES)], &["framework_id", "slave_id", "role"]))
        @if total == 0 && !filtered(ask, &FILTERS) {
            (empty("There is no task", &html! { "Run one: " code { "meseta run 'echo hello'" } }))
        } @else {
            (rows(ask, "Tasks", &tasks, &names, Common::Nothing))
            (pager(ask, tasks.len(), total))
        }
    };
    Ok(Drawn::live("Tasks", content))
}
