//! One task, with its history and why it is in its state.

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};

use crate::format::{ago, at, duration, encode, id};
use crate::model::{Status, TaskExplained};
use crate::parts::layout::{Section, facts, head};
use crate::parts::{bars, state};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

pub(crate) async fn show(Path((framework, task)): Path<(String, String)>, ask: Ask) -> Response {
    page(&ask, Section::Tasks, draw(&ask, &framework, &task).await)
}

async fn draw(ask: &Ask, framework: &str, task: &str) -> Result<Drawn, Trouble> {
    let path = format!("/explain/task?framework_id={}&task_id={}", encode(framework), encode(task));
    let explained: TaskExplained = ask.source.get(&path).await?;
    let task = &explained.task;
    let name = if task.name.is_empty() { &task.id } else { &task.name };
    let content = html! {
        (head(&[("/ui/tasks", "Tasks")], &html! { (name) }, &state::task(&task.state)))
        (about(&explained))
        div.columns {
            (why(&explained))
            (history(&explained.history))
        }
    };
    Ok(Drawn::live(name.clone(), content))
}

fn about(explained: &TaskExplained) -> Markup {
    let task = &explained.task;
    let files = format!("/ui/agents/{}/file", encode(&task.slave_id));
    let file = |name: &str| format!("{files}?path={}", encode(&format!("{}/{name}", explained.sandbox)));
    let mut shown = vec![
        ("ID", html! { span.id { (task.id) } }),
        (
            "Framework",
            html! { a href=(format!("/ui/frameworks/{}", encode(&task.framework_id))) { (explained.framework_name) } },
        ),
        (
            "Agent",
            match &explained.agent {
                Some(agent) => html! {
                    a href=(format!("/ui/agents/{}", encode(&task.slave_id))) { (agent.hostname) }
                    @if !agent.connected { " (disconnected)" }
                },
                None => html! { (id(&task.slave_id)) " (not registered)" },
            },
        ),
        ("Role", html! { (task.role) }),
        ("Resources", html! { (bars::words(&task.resources)) }),
    ];
    if explained.agent.is_some() {
        shown.push((
            "Sandbox",
            html! {
                a href=(file("stdout")) { "stdout" } " · "
                a href=(file("stderr")) { "stderr" } " · "
                a href=(format!("{files}s?path={}", encode(&explained.sandbox))) { "all files" }
            },
        ));
    }
    if let Some(user) = task.user.as_ref().filter(|user| !user.is_empty()) {
        shown.push(("User", html! { (user) }));
    }
    if !task.executor_id.is_empty() {
        shown.push(("Executor", html! { (task.executor_id) }));
    }
    for label in &task.labels {
        shown.push(("Label", html! { (label.key) @if let Some(value) = &label.value { "=" (value) } }));
    }
    facts(&shown)
}

fn why(explained: &TaskExplained) -> Markup {
    html! {
        section.panel aria-labelledby="why" {
            div.panel-head { h2 #why { "Why it is " (explained.task.state) } }
            @for sentence in &explained.why { p.why { (sentence) } }
            @if !explained.help.is_empty() {
                h3 { "What helps" }
                ul.help { @for sentence in &explained.help { li { (sentence) } } }
            }
        }
    }
}

fn history(history: &[Status]) -> Markup {
    html! {
        section.panel aria-labelledby="history" {
            div.panel-head { h2 #history { "History" } }
            @if history.is_empty() {
                p.muted { "Nothing was told of it yet: it is on its way to its agent." }
            }
            ol.timeline {
                @for (index, status) in history.iter().enumerate() {
                    li {
                        div.timeline-head {
                            (state::task(&status.state))
                            span.muted { (ago(status.timestamp)) }
                        }
                        p.small.muted {
                            (at(status.timestamp))
                            @if let Some(before) = index.checked_sub(1).and_then(|at| history.get(at)) {
                                ", " (duration(status.timestamp - before.timestamp)) " after"
                            }
                        }
                        @if let Some(message) = status.message.as_ref().filter(|message| !message.is_empty()) { p.message { (message) } }
                        p.small.muted { (said(status)) }
                    }
                }
            }
        }
    }
}

fn said(status: &Status) -> String {
    let source = status.source.as_deref().map(|source| source.trim_start_matches("SOURCE_").to_lowercase());
    let parts = [
        source.map(|source| format!("told by the {source}")),
        status.reason.clone(),
        status.healthy.map(|healthy| if healthy { "healthy".to_owned() } else { "not healthy".to_owned() }),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
