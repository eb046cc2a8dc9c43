//! One agent.

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};

use crate::format::{ago, amount, encode, percent};
use crate::model::{Agent, Agents, Events, Tasks, Use, scalar};
use crate::parts::layout::{Section, empty, facts, head};
use crate::parts::list::{cut, pager};
use crate::parts::tasks::{Common, Names, rows};
use crate::parts::{bars, state};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

pub(crate) async fn show(Path(id): Path<String>, ask: Ask) -> Response {
    page(&ask, Section::Agents, draw(&ask, &id).await)
}

async fn draw(ask: &Ask, agent_id: &str) -> Result<Drawn, Trouble> {
    let key = encode(agent_id);
    let agents: Agents = ask.source.get(&format!("/state-summary/agents?slave_id={key}")).await?;
    let Some(agent) = agents.agents.into_iter().next() else {
        return Err(Trouble::NotFound(format!(
            "No agent is registered with ID {agent_id}, and none is lost"
        )));
    };
    let path = ask.list("/tasks", &["state"], "started", "des");
    let listed = ask.source.list::<Tasks>(&format!("{path}&slave_id={key}")).await?;
    let (tasks, total) = cut(ask, listed.value.tasks, listed.total);
    let names = Names::of(&ask.source, &tasks).await?;
    let events: Events = ask.source.get(&format!("/events?limit=5&slave_id={key}")).await?;
    let content = html! {
        (head(&[("/ui/agents", "Agents")], &html! { (agent.name()) }, &state::agent(&agent.state)))
        (about(&agent))
        @if let Some(what) = what_is_wrong(&agent.state) { p.why { (what) } }
        @if agent.is_registered() {
            section.panel aria-labelledby="resources" {
                div.panel-head { h2 #resources { "Resources" } }
                (resources(&agent))
            }
        }
        section.panel aria-labelledby="tasks" {
            div.panel-head { h2 #tasks { "Tasks" } }
            @if tasks.is_empty() {
                (empty("No task is known here", &html! { "Tasks that run on this agent, and those that ended lately, are listed here." }))
            } @else {
                (rows(ask, "Tasks on this agent", &tasks, &names, Common::Agent))
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
    Ok(Drawn::live(agent.name(), content))
}

/// What a state means that is not as usual, and what to do.
fn what_is_wrong(state: &str) -> Option<&'static str> {
    Some(match state {
        "disconnected" => {
            "Its connection is broken. The master waits for it to come back; see whether the machine and the agent run."
        }
        "draining" => "Its tasks are being ended, and nothing of it is offered.",
        "drained" => {
            "Nothing runs here and nothing of it is offered: its machine may be worked on. To use it again: meseta agent activate"
        }
        "deactivated" => {
            "Nothing of it is offered, because an operator wants that. To offer it again: meseta agent activate"
        }
        "recovered" => "It was there under the master before, and has not come back yet.",
        "unreachable" => {
            "It does not answer. Its tasks may still run, and come back with it. If it never will: meseta agent gone"
        }
        "gone" => "An operator said that it is gone for good. Its machine may come back as another agent.",
        _ => return None,
    })
}

fn about(agent: &Agent) -> Markup {
    let attributes: Vec<String> = agent
        .attributes
        .iter()
        .map(|(name, value)| {
            format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    let mut shown = vec![("ID", html! { span.id { (agent.id) } })];
    if let Some(since) = agent.state_time.filter(|_| agent.state != "active") {
        shown.push(("In this state", ago(since)));
    }
    if agent.is_registered() {
        shown.push(("Address", html! { code { (agent.pid) } }));
        shown.push(("Version", html! { (agent.version) }));
        shown.push(("Registered", ago(agent.registered_time)));
    }
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
    let known = ["cpus", "mem", "disk", "gpus"];
    let others = agent.resources.keys().map(String::as_str).filter(|name| !known.contains(name));
    // All agents tell of their GPUs, also those that have none.
    let has = |name: &&str| agent.resources.get(*name).is_some_and(|amount| amount.as_f64() != Some(0.0));
    let names = known.into_iter().chain(others).filter(has);
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
