//! All agents.

use axum::response::Response;
use maud::html;

use crate::format::{ago, encode};
use crate::model::{Agents, Use};
use crate::parts::layout::{Section, empty, head};
use crate::parts::list::{Choice, Column, column, cut, filtered, filters, pager, table};
use crate::parts::{bars, state};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::{Listed, Trouble};

const COLUMNS: [Column; 6] = [
    column("Host", "hostname", ""),
    column("State", "state", ""),
    column("CPUs", "used_cpus", ""),
    column("Memory", "used_mem", ""),
    column("Disk", "used_disk", "wide"),
    column("Registered", "registered", "wide"),
];

const FILTERS: [&str; 4] = ["search", "state", "framework_id", "role"];

/// What can be asked for.
const STATES: [Choice<'static>; 5] = [
    ("active", "active"),
    ("disconnected", "disconnected"),
    ("draining", "draining"),
    ("drained", "drained"),
    ("deactivated", "deactivated"),
];

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Agents, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let path = ask.list("/slaves", &FILTERS, "hostname", "asc");
    let Listed { value, total } = ask.source.list::<Agents>(&path).await?;
    let (agents, total) = cut(ask, value.slaves, total);
    let rows = html! {
        @for agent in &agents {
            @let of = |name: &str| Use::of(name, &agent.resources, &agent.used_resources, &agent.offered_resources);
            tr {
                th scope="row" {
                    a href=(format!("/ui/agents/{}", encode(&agent.id))) title=(agent.id) { (agent.hostname) }
                    span.below { (agent.pid.split('@').next_back().unwrap_or_default()) }
                }
                td { (state::agent(agent)) }
                td { (bars::cell("cpus", of("cpus"))) }
                td { (bars::cell("mem", of("mem"))) }
                td.wide { (bars::cell("disk", of("disk"))) }
                td.wide { (ago(agent.reregistered_time.unwrap_or(agent.registered_time))) }
            }
        }
    };
    let content = html! {
        (head(&[], &html! { "Agents" }, &html! {}))
        (filters(ask, "part of a host or an id", &[("state", "State", &STATES)], &["framework_id", "role"]))
        @if total == 0 && !filtered(ask, &FILTERS) {
            (empty("No agent is registered", &html! { "Start one on each machine: " code { "meseta agent --master=ADDRESS" } ". It registers by itself." }))
        } @else {
            (table(ask, "Agents", &COLUMNS, ("hostname", "asc"), &rows))
            (pager(ask, agents.len(), total))
        }
    };
    Ok(Drawn::live("Agents", content))
}
