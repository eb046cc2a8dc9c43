//! All agents.

use axum::response::Response;
use maud::{Markup, html};

use crate::format::{ago, count, encode, name};
use crate::model::{Agent, Agents, Use};
use crate::parts::layout::{Section, empty, head};
use crate::parts::list::{Choice, Column, column, cut, filtered, filters, pager, table};
use crate::parts::{bars, state};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::{Listed, Trouble};

const COLUMNS: [Column; 7] = [
    column("Host", "hostname", ""),
    column("State", "state", ""),
    column("Tasks", "tasks", "num wide"),
    column("CPUs", "used_cpus", ""),
    column("Memory", "used_mem", "wide"),
    column("Disk", "used_disk", "wide"),
    column("Registered", "registered", "wide"),
];

const FILTERS: [&str; 4] = ["search", "state", "framework_id", "role"];

/// What can be asked for.
const STATES: [Choice<'static>; 8] = [
    ("active", "active"),
    ("disconnected", "disconnected"),
    ("draining", "draining"),
    ("drained", "drained"),
    ("deactivated", "deactivated"),
    ("recovered", "awaited"),
    ("unreachable", "unreachable"),
    ("gone", "gone"),
];

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Agents, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let path = ask.list("/state-summary/agents", &FILTERS, "hostname", "asc");
    let Listed { value, total } = ask.source.list::<Agents>(&path).await?;
    let gone = value.gone;
    let (agents, total) = cut(ask, value.agents, total);
    let rows = html! { @for agent in &agents { (row(agent)) } };
    let content = html! {
        (head(&[], &html! { "Agents" }, &html! {}))
        (filters(ask, "part of a host or an id", &[("state", "State", &STATES)], &["framework_id", "role"]))
        @if total == 0 && !filtered(ask, &FILTERS) {
            (empty("No agent is registered", &html! { "Start one on each machine: " code { "meseta agent --master=ADDRESS" } ". It registers by itself." }))
        } @else {
            (table(ask, "Agents", &COLUMNS, ("hostname", "asc"), &rows))
            (pager(ask, agents.len(), total))
        }
        @if gone > 0 && ask.get("state").is_none() {
            p.muted.small {
                (count(gone)) @if gone == 1 { " agent is" } @else { " agents are" } " gone for good. "
                a href=(ask.with(&[("state", "gone"), ("offset", "")])) { "Show what is gone" }
            }
        }
    };
    Ok(Drawn::live("Agents", content))
}

fn row(agent: &Agent) -> Markup {
    let of = |name: &str| Use::of(name, &agent.resources, &agent.used_resources, &agent.offered_resources);
    let cell = |name: &str| {
        if agent.is_registered() {
            bars::cell(name, of(name))
        } else {
            html! { "–" }
        }
    };
    html! {
        tr {
            th scope="row" {
                a href=(format!("/ui/agents/{}", encode(&agent.id))) title=(agent.id) { (name(agent.name())) }
                span.below { (agent.pid.split('@').next_back().unwrap_or_default()) }
            }
            td {
                (state::agent(&agent.state))
                // Since when is of interest where something is not as usual.
                @if let Some(since) = agent.state_time.filter(|_| agent.state != "active") { span.below { (ago(since)) } }
            }
            td.num.wide { @if agent.is_registered() { (count(agent.tasks)) } @else { "–" } }
            td { (cell("cpus")) }
            td.wide { (cell("mem")) }
            td.wide { (cell("disk")) }
            td.wide {
                @if agent.is_registered() { (ago(agent.reregistered_time.unwrap_or(agent.registered_time))) } @else { "–" }
            }
        }
    }
}
