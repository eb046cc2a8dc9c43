//! The whole cluster on one screen.

use axum::response::Response;
use maud::{Markup, html};

use super::warnings;
use crate::format::{ago, amount, count, duration, encode, iso, number, percent};
use crate::model::{Event, Events, History, Overview, Sample, Share, Use, scalar};
use crate::parts::layout::{Section, empty, head};
use crate::parts::{bars, chart, state, tasks};
use crate::reply::{Drawn, page};
use crate::request::Ask;
use crate::source::Trouble;

/// The resources that have a picture, and their names for people.
const RESOURCES: [(&str, &str); 4] =
    [("cpus", "CPUs"), ("mem", "Memory"), ("disk", "Disk"), ("gpus", "GPUs")];

/// How many roles and events are shown.
const MOST: usize = 10;
/// How many events are looked at for what there is to warn of.
const LOOKED_AT: usize = 100;

pub(crate) async fn show(ask: Ask) -> Response {
    page(&ask, Section::Overview, draw(&ask).await)
}

async fn draw(ask: &Ask) -> Result<Drawn, Trouble> {
    let span = if ask.get("span") == Some("day") { "day" } else { "hour" };
    let overview: Overview = ask.source.get("/overview").await?;
    let history: History = ask.source.get(&format!("/history?span={span}")).await?;
    let events: Events = ask.source.get(&format!("/events?limit={LOOKED_AT}")).await?;
    let name = overview.cluster.clone().unwrap_or_else(|| "Cluster".to_owned());
    let content = html! {
        (head(&[], &html! { (name) }, &leader(&overview)))
        (warnings::show(&warnings::of(&overview, &events.events)))
        (figures(&overview))
        (resources(ask, &overview, &history.samples, span))
        div.columns {
            (shares(&overview))
            (recent(&events.events))
        }
    };
    Ok(Drawn::live(name, content))
}

fn leader(overview: &Overview) -> Markup {
    let master = &overview.master;
    html! {
        p.muted {
            "Led by " strong title=(format!("{} at {}", master.id, master.pid)) { (master.hostname) }
            " for " span title=(iso(master.elected_time)) { (duration(overview.time - master.elected_time)) }
            " · Mesos API " (master.version.version)
        }
    }
}

fn figures(overview: &Overview) -> Markup {
    let agents = &overview.agents;
    let framework = |state: &str| overview.frameworks.get(state).copied().unwrap_or(0);
    let task = |states: &[&str]| -> usize {
        states.iter().map(|state| overview.tasks.by_state.get(*state).copied().unwrap_or(0)).sum()
    };
    let beside = |parts: &[(usize, &str)]| {
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{} {name}", count(*n))).collect();
        if parts.is_empty() { "all well".to_owned() } else { parts.join(" · ") }
    };
    let tile = |path: &str, name: &str, figure: usize, beside: &str| {
        html! {
            a.tile href=(path) {
                span.tile-name { (name) }
                span.tile-figure { (count(figure)) }
                span.tile-beside { (beside) }
            }
        }
    };
    html! {
        section aria-label="In figures" {
            div.tiles {
                (tile("/ui/agents", "Agents", agents.registered, &beside(&[
                    (agents.disconnected, "disconnected"), (agents.unreachable, "unreachable"),
                    (agents.recovered, "to come back"), (agents.draining, "draining"), (agents.drained, "drained"),
                    (agents.deactivated.saturating_sub(agents.draining + agents.drained), "deactivated"),
                ])))
                (tile("/ui/frameworks", "Frameworks", framework("active") + framework("inactive") + framework("disconnected") + framework("recovered"), &beside(&[
                    (framework("inactive"), "inactive"), (framework("disconnected"), "disconnected"),
                    (framework("recovered"), "recovered"), (framework("completed"), "completed"),
                ])))
                (tile("/ui/tasks?state=TASK_RUNNING", "Running tasks", task(&["TASK_RUNNING"]), &beside(&[
                    (task(&["TASK_STAGING", "TASK_STARTING"]), "starting"), (task(&["TASK_KILLING"]), "killing"),
                    (task(&["TASK_FINISHED"]), "finished"), (task(&["TASK_FAILED", "TASK_ERROR"]), "failed"),
                    (task(&["TASK_LOST", "TASK_UNREACHABLE", "TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_DROPPED"]), "lost"),
                ])))
                (tile("/ui/offers", "Offers", overview.offers.count, &overview.offers.oldest_secs.map_or_else(
                    || "none is open".to_owned(),
                    |oldest| format!("the oldest for {}", duration(oldest)),
                )))
            }
        }
    }
}

fn resources(ask: &Ask, overview: &Overview, samples: &[Sample], span: &str) -> Markup {
    let since = samples.first().map_or(0.0, |first| overview.time - first.time);
    html! {
        section.panel aria-labelledby="resources" {
            div.panel-head {
                h2 #resources { "Resources" }
                ul.legend {
                    li { span.swatch.used {} "used" }
                    li { span.swatch.offered {} "offered" }
                    li { span.swatch.free {} "free" }
                }
                div.choice {
                    @for (value, name) in [("hour", "Hour"), ("day", "Day")] {
                        a href=(ask.with(&[("span", if value == "hour" { "" } else { value })])) aria-current=[(value == span).then_some("true")] { (name) }
                    }
                }
            }
            div.charts {
                @for (name, title) in RESOURCES {
                    @let of = overview.resources.get(name).copied().unwrap_or_default();
                    @if of.total > 0.0 || name != "gpus" {
                        (picture(name, title, of, samples, since))
                    }
                }
            }
        }
    }
}

fn picture(name: &str, title: &str, of: Use, samples: &[Sample], since: f64) -> Markup {
    let words = format!(
        "{title}: {} of {} used, {} offered, {} free",
        amount(name, of.used),
        amount(name, of.total),
        amount(name, of.offered),
        amount(name, of.free())
    );
    html! {
        figure.picture {
            figcaption {
                h3 { (title) }
                p.picture-figure { (percent(of.used, of.total)) span.muted { " used" } }
            }
            (chart::chart(samples, name, &words))
            div.axis aria-hidden="true" {
                span { (duration(since)) " ago" }
                span { "now" }
            }
            p.picture-words aria-hidden="true" {
                strong { (amount(name, of.used)) } " of " (amount(name, of.total))
                " · " (amount(name, of.offered)) " offered · " (amount(name, of.free())) " free"
            }
        }
    }
}

fn shares(overview: &Overview) -> Markup {
    let mut roles: Vec<&Share> = overview.roles.iter().collect();
    roles.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    html! {
        section.panel aria-labelledby="shares" {
            div.panel-head {
                h2 #shares { "Shares by role" }
                a href="/ui/roles" { "All roles" }
            }
            @if roles.is_empty() {
                (empty("No framework has a role yet", &html! { "A framework names its roles when it subscribes. To try it: " code { "meseta run 'echo hello'" } }))
            } @else {
                div.table-frame role="group" aria-label="Shares by role" tabindex="0" {
                    table {
                        thead { tr {
                            th scope="col" { "Role" }
                            th scope="col" { "Dominant share" }
                            th.num.wide scope="col" { "Weight" }
                            th.num.wide scope="col" { "CPUs" }
                            th.num.wide scope="col" { "Memory" }
                        } }
                        tbody {
                            @for role in roles.iter().take(MOST) {
                                tr {
                                    th scope="row" { a href=(format!("/ui/roles/explain?name={}", encode(&role.name))) { (role.name) } }
                                    td { (bars::share(role.share)) }
                                    td.num.wide { (number(role.weight)) }
                                    td.num.wide { (amount("cpus", scalar(&role.consumed, "cpus"))) }
                                    td.num.wide { (amount("mem", scalar(&role.consumed, "mem"))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn recent(events: &[Event]) -> Markup {
    html! {
        section.panel aria-labelledby="recent" {
            div.panel-head { h2 #recent { "Recent events" } }
            @if events.is_empty() {
                (empty("Nothing has happened yet", &html! { "Agents that come and go, frameworks, and tasks that fail are told here." }))
            } @else {
                ol.events {
                    @for event in events.iter().take(MOST) { (self::event(event)) }
                }
            }
        }
    }
}

/// One event, with the way to what it is about.
pub(super) fn event(event: &Event) -> Markup {
    let path = match event {
        Event { framework_id: Some(framework), task_id: Some(task), .. } => {
            Some(tasks::path(framework, task))
        }
        Event { framework_id: Some(framework), .. } => Some(format!("/ui/frameworks/{}", encode(framework))),
        Event { agent_id: Some(agent), .. } => Some(format!("/ui/agents/{}", encode(agent))),
        _ => None,
    };
    html! {
        li data-key=(event.number) {
            span.event-head {
                (state::level(&event.level, &event.kind.replace('_', " ").to_lowercase()))
                span.muted { (ago(event.time)) }
            }
            @match path {
                Some(path) => a.event-text href=(path) { (event.text) },
                None => span.event-text { (event.text) },
            }
        }
    }
}
