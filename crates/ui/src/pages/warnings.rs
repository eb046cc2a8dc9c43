//! What on the overview wants somebody's attention, and what to do about it.

use maud::{Markup, html};

use crate::format::{amount, count, duration};
use crate::model::{Event, Overview, scalar};

/// Something that is not as it should be.
pub(super) struct Warning {
    what: String,
    help: &'static str,
    path: String,
}

/// How recent failures have to be.
const RECENT: f64 = 600.0;

/// What there is to warn of.
pub(super) fn of(overview: &Overview, events: &[Event]) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut say = |is: bool, what: String, help: &'static str, path: &str| {
        if is {
            found.push(Warning { what, help, path: path.to_owned() });
        }
    };
    let agents = &overview.agents;
    let some = |n: usize, one: &str, many: &str| format!("{} {}", count(n), if n == 1 { one } else { many });
    say(
        agents.registered == 0 && agents.recovered == 0,
        "There is no agent".to_owned(),
        "Nothing can run without one. Start one with: meseta agent --master=ADDRESS",
        "/ui/agents",
    );
    say(
        agents.unreachable > 0,
        some(agents.unreachable, "agent does not answer", "agents do not answer"),
        "See whether the machine runs and can be reached. Tasks may still run there, and come back with the agent.",
        "/ui/agents?state=unreachable",
    );
    say(
        agents.disconnected > 0,
        some(agents.disconnected, "agent is disconnected", "agents are disconnected"),
        "The master waits for them to come back, and gets no answers from them meanwhile.",
        "/ui/agents?state=disconnected",
    );
    say(
        agents.recovered > 0,
        some(agents.recovered, "agent has not come back yet", "agents have not come back yet"),
        "They were there under the master before. After --agent_reregister_timeout those that do not come are unreachable.",
        "/ui/agents?state=recovered",
    );
    let away = overview.frameworks.get("disconnected").copied().unwrap_or(0);
    say(
        away > 0,
        some(away, "framework is disconnected", "frameworks are disconnected"),
        "Their tasks go on until the frameworks' failover timeouts end. See whether the schedulers run.",
        "/ui/frameworks?state=disconnected",
    );
    say(
        overview.offers.held_long > 0,
        format!(
            "{} for more than a minute, the oldest for {}",
            some(overview.offers.held_long, "offer has been held", "offers have been held"),
            duration(overview.offers.oldest_secs.unwrap_or(0.0))
        ),
        "A framework that neither accepts nor declines offers keeps resources from the others.",
        "/ui/offers",
    );
    for role in &overview.roles {
        for (name, limit) in &role.limit {
            let (limit, consumed) = (limit.as_f64().unwrap_or(f64::MAX), scalar(&role.consumed, name));
            say(
                limit > 0.0 && consumed >= limit,
                format!("Role {} is at its limit of {} {name}", role.name, amount(name, limit)),
                "Its frameworks get no more of it. Raise the limit, or let tasks end.",
                "/ui/roles",
            );
        }
        for (name, guarantee) in &role.guarantee {
            let guarantee = guarantee.as_f64().unwrap_or(0.0);
            let total = overview.resources.get(name).map_or(0.0, |of| of.total);
            say(
                guarantee > total,
                format!(
                    "Role {} is guaranteed {} {name}, and the cluster has {}",
                    role.name,
                    amount(name, guarantee),
                    amount(name, total)
                ),
                "The guarantee cannot be kept. Add agents, or lower it.",
                "/ui/roles",
            );
        }
    }
    let failed = events.iter().filter(|event| event.level == "error" && overview.time - event.time < RECENT);
    let failed = failed.count();
    say(
        failed > 0,
        some(failed, "task failed within ten minutes", "tasks failed within ten minutes"),
        "The recent events below lead to each of them, with what was said of it.",
        "#recent",
    );
    found
}

/// The list of them; nothing where there is nothing to warn of.
pub(super) fn show(warnings: &[Warning]) -> Markup {
    html! {
        @if !warnings.is_empty() {
            section aria-label="Warnings" {
                ul.warnings {
                    @for warning in warnings {
                        li {
                            svg viewBox="0 0 10 10" width="14" height="14" aria-hidden="true" focusable="false" { path d="M5 .5l5 9H0z" {} }
                            p { a href=(warning.path) { (warning.what) } span { ". " (warning.help) } }
                        }
                    }
                }
            }
        }
    }
}
