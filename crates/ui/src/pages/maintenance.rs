//! Maintenance of machines: what is planned, and how far it is.

use axum::response::Response;
use maud::{Markup, html};

use crate::format::{at, duration, encode, now};
use crate::model::{Machine, MaintenanceStatus, Schedule};
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
    let content = html! {
        (head(&[], &html! { "Maintenance" }, &html! {}))
        @if schedule.windows.is_empty() && status.draining_machines.is_empty() && status.down_machines.is_empty() {
            (empty("No maintenance is planned", &html! {
                "A schedule is sent to " code { "POST /maintenance/schedule" }
                "; frameworks are then asked to leave the machines in time. A single agent is emptied with the call " code { "DRAIN_AGENT" } "."
            }))
        } @else {
            (windows(&schedule))
            (machines(&status))
        }
    };
    Ok(Drawn::live("Maintenance", content))
}

fn name(machine: &Machine) -> String {
    match (&machine.hostname, &machine.ip) {
        (Some(host), Some(ip)) => format!("{host} ({ip})"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "unnamed".to_owned(),
    }
}

fn windows(schedule: &Schedule) -> Markup {
    html! {
        section.panel aria-labelledby="schedule" {
            div.panel-head { h2 #schedule { "Schedule" } }
            div.table-frame role="group" aria-label="Schedule" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Begins" }
                        th scope="col" { "Lasts" }
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
                                    }
                                }
                                td { @match &window.unavailability.duration {
                                    Some(length) => (duration(length.seconds())),
                                    None => "until it is ended",
                                } }
                                td {
                                    (window.machine_ids.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", "))
                                    @if window.machine_ids.len() > NAMED { " and " (window.machine_ids.len() - NAMED) " more" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn machines(status: &MaintenanceStatus) -> Markup {
    html! {
        section.panel aria-labelledby="machines" {
            div.panel-head { h2 #machines { "Machines" } }
            div.table-frame role="group" aria-label="Machines" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Machine" }
                        th scope="col" { "State" }
                        th scope="col" { "What frameworks answered" }
                    } }
                    tbody {
                        @for machine in &status.down_machines {
                            tr { th scope="row" { (name(machine)) } td { (state::machine(true)) } td { span.muted { "–" } } }
                        }
                        @for machine in &status.draining_machines {
                            tr {
                                th scope="row" { (name(&machine.id)) }
                                td { (state::machine(false)) }
                                td {
                                    @if machine.statuses.is_empty() { span.muted { "nothing yet" } }
                                    @for answer in &machine.statuses {
                                        @let id = answer.framework_id["value"].as_str().unwrap_or_default();
                                        p { (state::answer(&answer.status)) " " a href=(format!("/ui/frameworks/{}", encode(id))) { (crate::format::id(id)) } }
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
