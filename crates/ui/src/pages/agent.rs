//! One agent.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};

use crate::format::{ago, amount, encode, percent};
use crate::model::{Agent, Agents, Events, Tasks, Use, scalar};
use crate::parts::layout::{Section, empty, facts, head};
use crate::parts::list::{cut, pager};
use crate::parts::tasks::{Names, rows};
use crate::parts::{bars, state};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

pub(crate) async fn show(Path(id): Path<String>, ask: Ask) -> Response {
    page(&ask, Section::Agents, draw(&ask, &id).await)
}

async fn draw(ask: &Ask, agent_id: &str) -> Result<Drawn, Trouble> {
    let key = encode(agent_id);
    let agents: Agents = ask.source.get(&format!("/slaves?slave_id={key}")).await?;
    let Some(agent) = agents.slaves.into_iter().next() else {
        return Err(Trouble::NotFound(format!(
            "No agent is registered with ID {agent_id}; it may be unreachable or gone"
        )));
    };
    let path = ask.list("/tasks", &["state"], "started", "des");
    let listed = ask.source.list::<Tasks>(&format!("{path}&slave_id={key}")).await?;
    let (tasks, total) = cut(ask, listed.value.tasks, listed.total);
    let names = Names::of(&ask.source, &tasks).await?;
    let events: Events = ask.source.get(&format!("/events?limit=5&slave_id={key}")).await?;
    let content = html! {
        (head(&[("/ui/agents", "Agents")], &html! { (agent.hostname) }, &state::agent(&agent)))
        (about(&agent))
        section.panel aria-labelledby="resources" {
            div.panel-head { h2 #resources { "Resources" } }
            (resources(&agent))
        }
        section.panel aria-labelledby="tasks" {
            div.panel-head { h2 #tasks { "Tasks" } }
            @if tasks.is_empty() {
                (empty("No task is known here", &html! { "Tasks that run on this agent, and those that ended lately, are listed here." }))
            } @else {
                (rows(ask, "Tasks on this agent", &tasks, &names))
                (pager(ask, tasks.len(), total))
            }
        }
        @if !events.events.is_empty() {
            section.panel aria-labelledby="recent" {
                div.panel-head { h2 #recent { "Recent events" } }
                ol.events { @for event in &events.events { (super::overview::event(event)) } }
            }
        }
    };
    Ok(Drawn::live(agent.hostname, content))
}

fn about(agent: &Agent) -> Markup {
    let attributes: Vec<String> = agent
        .attributes
        .iter()
        .map(|(name, value)| {
            format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    let mut shown = vec![
        ("ID", html! { span.id { (agent.id) } }),
        ("Address", html! { code { (agent.pid) } }),
        ("Version", html! { (agent.version) }),
        ("Registered", ago(agent.registered_time)),
    ];
    if let Some(time) = agent.reregistered_time {
        shown.push(("Reregistered", ago(time)));
    }
    if !attributes.is_empty() {
        shown.push(("Attributes", html! { (attributes.join(", ")) }));
    }
    if !agent.capabilities.is_empty() {
        shown.push((
            "Capabilities",
            html! { span.small { (agent.capabilities.join(", ").to_lowercase().replace('_', " ")) } },
        ));
    }
    facts(&shown)
}

fn resources(agent: &Agent) -> Markup {
    let names: BTreeSet<&str> = agent.resources.keys().map(String::as_str).collect();
    let reserved = |name: &str| agent.reserved_resources.values().map(|held| scalar(held, name)).sum::<f64>();
    html! {
        div.table-frame role="group" aria-label="Resources" tabindex="0" {
            table {
                thead { tr {
                    th scope="col" { "Resource" }
                    th scope="col" { "Use" }
                    th.num scope="col" { "Total" }
                    th.num scope="col" { "Used" }
                    th.num.wide scope="col" { "Offered" }
                    th.num.wide scope="col" { "Free" }
                    th.num.wide scope="col" { "Reserved" }
                } }
                tbody {
                    @for name in names {
                        @let of = Use::of(name, &agent.resources, &agent.used_resources, &agent.offered_resources);
                        @match agent.resources.get(name).and_then(serde_json::Value::as_str) {
                            Some(text) => tr {
                                th scope="row" { (name) }
                                td { @if let Some(used) = agent.used_resources.get(name).and_then(serde_json::Value::as_str) { "used " (used) } }
                                td.num colspan="5" { (text) }
                            },
                            None => tr {
                                th scope="row" { (name) }
                                td { div.use { span.use-words { (percent(of.used, of.total)) } (bars::bar(of)) } }
                                td.num { (amount(name, of.total)) }
                                td.num { (amount(name, of.used)) }
                                td.num.wide { (amount(name, of.offered)) }
                                td.num.wide { (amount(name, of.free())) }
                                td.num.wide { (amount(name, reserved(name))) }
                            },
                        }
                    }
                }
            }
        }
    }
}
