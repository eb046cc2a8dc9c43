//! Maintenance of machines: what is planned, and how far it is.

use std::collections::BTreeMap;

use axum::response::Response;
use maud::{Markup, html};

use crate::format::{self, at, duration, encode, now};
use crate::model::{
    DrainingMachine, Frameworks, InverseOffer, InverseOffers, Machine, MaintenanceStatus, Schedule,
};
use crate::parts::layout::{Section, empty, head};
use crate::parts::state;
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

/// How many machines of a window are named.
const NAMED: usize = 20;

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Maintenance, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let schedule: Schedule = ask.source.get("/maintenance/schedule").await?;
    let status: MaintenanceStatus = ask.source.get("/maintenance/status").await?;
    let asked: InverseOffers = ask.source.get("/inverse-offers?limit=1000").await?;
    let frameworks: Frameworks = ask.source.get("/state-summary/frameworks?limit=1000").await?;
    let content = html! {
        (head(&[], &html! { "Maintenance" }, &html! {}))
        @if schedule.windows.is_empty() && status.draining_machines.is_empty() && status.down_machines.is_empty() {
            (empty("No maintenance is planned", &html! {
                "To plan some: " code { "meseta maintenance schedule HOST --start +1hrs --duration 2hrs" }
                ". Frameworks are then asked to leave the machines in time. A single agent is emptied by " code { "meseta agent drain HOST" } "."
            }))
        } @else {
            (windows(&schedule))
            (machines(&status, &asked.inverse_offers, &names(&frameworks)))
        }
    };
    Ok(Drawn::live("Maintenance", content))
}

fn name(machine: &Machine) -> Markup {
    let (host, ip) = match (&machine.hostname, &machine.ip) {
        (Some(host), ip) => (host.as_str(), ip.as_deref()),
        (None, Some(ip)) => (ip.as_str(), None),
        (None, None) => ("unnamed", None),
    };
    html! { (format::name(host)) @if let Some(ip) = ip { span.below { (ip) } } }
}

fn windows(schedule: &Schedule) -> Markup {
    html! {
        section.panel aria-labelledby="schedule" {
            div.panel-head { h2 #schedule { "Schedule" } }
            div.table-frame role="group" aria-label="Schedule" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Begins" }
                        th scope="col" { "Machines" }
                    } }
                    tbody {
                        @for window in &schedule.windows {
                            @let start = window.unavailability.start.seconds();
                            tr {
                                th scope="row" {
                                    (at(start))
                                    span.below {
                                        @if start > now() { "in " (duration(start - now())) } @else { (duration(now() - start)) " ago" }
                                        @match &window.unavailability.duration {
                                            Some(length) => { ", for " (duration(length.seconds())) },
                                            None => ", until it is ended",
                                        }
                                    }
                                }
                                td {
                                    ul.amounts {
                                        @for machine in window.machine_ids.iter().take(NAMED) { li { (name(machine)) } }
                                        @if window.machine_ids.len() > NAMED { li { "and " (window.machine_ids.len() - NAMED) " more" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Names of frameworks by their ids.
fn names(frameworks: &Frameworks) -> BTreeMap<&str, &str> {
    let named = frameworks.frameworks.iter().filter(|framework| !framework.name.is_empty());
    named.map(|framework| (framework.id.as_str(), framework.name.as_str())).collect()
}

fn machines(status: &MaintenanceStatus, asked: &[InverseOffer], names: &BTreeMap<&str, &str>) -> Markup {
    html! {
        section.panel aria-labelledby="machines" {
            div.panel-head { h2 #machines { "Machines" } }
            div.table-frame role="group" aria-label="Machines" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Machine" }
                        th scope="col" { "State" }
                        th scope="col" { "Answers" }
                    } }
                    tbody {
                        @for machine in &status.down_machines {
                            tr { th scope="row" { (name(machine)) } td { (state::machine(true)) } td { span.muted { "–" } } }
                        }
                        @for machine in &status.draining_machines {
                            tr {
                                th scope="row" { (name(&machine.id)) }
                                td { (state::machine(false)) }
                                td { (answers(machine, asked, names)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What frameworks said, and who has still to say something.
fn answers(machine: &DrainingMachine, asked: &[InverseOffer], names: &BTreeMap<&str, &str>) -> Markup {
    let host = machine.id.hostname.as_deref();
    let waiting: Vec<&InverseOffer> =
        asked.iter().filter(|offer| Some(offer.hostname.as_str()) == host).collect();
    let framework = |id: &str, name: &str| {
        let name = if name.is_empty() {
            format::id(id)
        } else {
            html! { (name) }
        };
        html! { a href=(format!("/ui/frameworks/{}", encode(id))) { (name) } }
    };
    html! {
        @if machine.statuses.is_empty() && waiting.is_empty() { span.muted { "none is asked" } }
        @else {
            ul.answers {
                @for answer in &machine.statuses {
                    @let id = answer.framework_id["value"].as_str().unwrap_or_default();
                    li { (state::answer(&answer.status)) " " (framework(id, names.get(id).copied().unwrap_or_default())) }
                }
                @for offer in waiting.iter().take(NAMED) {
                    li { (state::answer("unanswered")) " " (framework(&offer.framework_id, &offer.framework_name)) }
                }
                @if waiting.len() > NAMED { li.muted { "and " (waiting.len() - NAMED) " more" } }
            }
        }
    }
}
