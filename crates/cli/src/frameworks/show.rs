//! `meseta framework show`.

use anyhow::Result;
use clap::Args;
use proto::v1::TimeInfo;
use proto::v1::master::response::get_frameworks::Framework;
use sdk::build::Quantities;
use serde::Serialize;

use crate::cluster::{Connection, framework_id};
use crate::inspect::tasks::{Row, of_framework, table};
use crate::view::{self, Amounts, Details, Form};

/// Arguments of `meseta framework show`.
#[derive(Args)]
#[command(
    after_help = "JSON: an object with id, name, state, user, principal, roles, hostname, webui_url, checkpoint, \
failover_timeout (seconds), capabilities, registered, reregistered, unregistered (seconds since 1970), used, offered, offers \
(how many), tasks (as in `meseta task list`).

Examples:
  meseta framework show marathon
  meseta framework show 0003 --output json"
)]
pub(crate) struct Options {
    /// The id of the framework, the end of it, or its name
    framework: String,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    state: &'static str,
    user: String,
    principal: String,
    roles: Vec<String>,
    hostname: String,
    webui_url: String,
    checkpoint: bool,
    failover_timeout: f64,
    capabilities: Vec<&'static str>,
    registered: f64,
    reregistered: f64,
    unregistered: f64,
    used: Amounts,
    offered: Amounts,
    offers: usize,
    tasks: Vec<Row>,
}

/// Tells all about a framework.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (framework, state) = super::find(&operator, &options.framework).await?;
    let tasks = of_framework(&operator, framework_id(&framework.framework_info)).await?;
    let shown = shown(&framework, state, tasks);
    match options.output {
        Form::Json => view::print_json(&shown),
        form => view::print(&text(&shown, form == Form::Wide, view::now())),
    }
}

fn shown(framework: &Framework, state: &'static str, tasks: Vec<Row>) -> Shown {
    let info = &framework.framework_info;
    let seconds = |time: &Option<TimeInfo>| time.as_ref().map_or(0.0, |time| time.nanoseconds as f64 / 1e9);
    Shown {
        id: framework_id(info).to_owned(),
        name: info.name.clone(),
        state,
        user: info.user.clone(),
        principal: info.principal.clone().unwrap_or_default(),
        roles: info.roles.clone(),
        hostname: info.hostname.clone().unwrap_or_default(),
        webui_url: info.webui_url.clone().unwrap_or_default(),
        checkpoint: info.checkpoint.unwrap_or(false),
        failover_timeout: info.failover_timeout.unwrap_or(0.0),
        capabilities: info.capabilities.iter().map(|c| c.r#type().as_str_name()).collect(),
        registered: seconds(&framework.registered_time),
        reregistered: seconds(&framework.reregistered_time),
        unregistered: seconds(&framework.unregistered_time),
        used: Quantities::of(&framework.allocated_resources).into(),
        offered: Quantities::of(&framework.offered_resources).into(),
        offers: framework.offers.len(),
        tasks,
    }
}

fn text(shown: &Shown, wide: bool, now: f64) -> String {
    let checkpoint = if shown.checkpoint { "its tasks outlive a restart of their agent" } else { "no" };
    let details = Details::default()
        .line("Id", &shown.id)
        .line("Name", &shown.name)
        .line("State", shown.state)
        .line("User", &shown.user)
        .line("Principal", &shown.principal)
        .line("Roles", shown.roles.join(", "))
        .line("Host", &shown.hostname)
        .line("Web UI", &shown.webui_url)
        .line("Checkpoint", checkpoint)
        .line("Failover", format!("may be away for {}", view::span(shown.failover_timeout)))
        .line("Capabilities", shown.capabilities.join(" "))
        .line("Registered", view::ago(shown.registered, now))
        .line("Reregistered", view::ago(shown.reregistered, now))
        .line("Ended", view::ago(shown.unregistered, now))
        .line("Used", shown.used.line())
        .line("Offered", if shown.offers == 0 { "nothing".to_owned() } else { shown.offered.line() });
    let tasks = match (shown.tasks.len(), shown.state) {
        (0, "completed") => {
            "\nIt has ended; `meseta task list --all --framework` shows what it ran.\n".to_owned()
        }
        (0, _) => {
            "\nNone of its tasks run. `meseta framework explain` says why it gets no offers.\n".to_owned()
        }
        _ => format!("\n{}", table(&shown.tasks, wide, now)),
    };
    details.render() + &tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn a_recorded_framework() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_FRAMEWORKS");
        let known = reply.get_frameworks.unwrap();
        let told = text(&shown(&known.frameworks[1], "active", Vec::new()), false, 1_795_359_265.0);
        for part in [
            "Name          fw-ads\n",
            "Roles         ads\n",
            "(9s ago)",
            "Used          cpus:0.02 mem:16 MB\n",
        ] {
            assert!(told.contains(part), "{part:?} in\n{told}");
        }
        let ended = text(&shown(&known.completed_frameworks[0], "completed", Vec::new()), false, 0.0);
        assert!(
            ended.contains("Ended         2026-11-22T14:54:16Z") && ended.contains("It has ended;"),
            "{ended}"
        );
    }
}
