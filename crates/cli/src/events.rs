//! `meseta events`: what happens in the cluster, as it happens.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use proto::v1::master::Event;
use proto::v1::master::event::Type;
use sdk::operator::Events;
use tokio::time::Instant;

use crate::cluster::{Connection, agent_id, framework_id, state_name};
use crate::failure::tell;
use crate::inspect::agents::place;
use crate::view::{self, Output};

/// How long a master may be away before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `meseta events`.
#[derive(Args)]
#[command(
    after_help = "Ctrl-C ends it. When the master goes away, it subscribes again and says so: what happens in between is not told.

JSON: an object per line, each an event of the operator API as Mesos writes it; heartbeats are left out.

Examples:
  meseta events
  meseta events --type task_updated --framework 0003
  meseta events --output json --count 10"
)]
pub(crate) struct Options {
    /// Only events of these types, such as task_added, task_updated, agent_added, agent_removed, framework_added
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = parse_type)]
    types: Vec<&'static str>,
    /// Only those about the framework with this id, or the end of it
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
    /// Only those about the agent with this id, or the end of it
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Only those in which there is this, in any case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// The form of the events
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

fn parse_type(text: &str) -> Result<&'static str, String> {
    let kind = Type::from_str_name(&text.to_ascii_uppercase()).filter(|kind| *kind != Type::Unknown);
    kind.map(|kind| kind.as_str_name()).ok_or_else(|| {
        format!(
            "`{text}` is no type of an event; there are subscribed, task_added, task_updated, agent_added, \
                 agent_removed, framework_added, framework_updated and framework_removed"
        )
    })
}

/// Shows events until it is told to end.
pub(crate) async fn run(options: Options) -> Result<u8> {
    tokio::select! {
        shown = show(&options) => shown.map(|()| 0),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Ok(0)
        }
    }
}

async fn show(options: &Options) -> Result<()> {
    let operator = options.connection.operator();
    let mut events = operator.subscribe().await?;
    let mut left = options.count.unwrap_or(u64::MAX);
    while left > 0 {
        let event = match events.next().await {
            Ok(event) => event,
            Err(error) => {
                tell(format_args!("{error}; subscribing again"));
                events = again(&operator).await?;
                tell(format_args!(
                    "subscribed again at {}; what happened in between is not told",
                    events.peer()
                ));
                continue;
            }
        };
        let told = Told::of(&event);
        if !told.is_wanted(options) {
            continue;
        }
        match options.output {
            Output::Json => view::print(&format!("{}\n", proto::json::to_string(&event)))?,
            Output::Table => {
                view::print(&format!("{}  {:<18}  {}\n", view::utc(view::now()), told.kind, told.text))?
            }
        }
        left -= 1;
    }
    Ok(())
}

/// Subscribes again, to whoever leads by then.
async fn again(operator: &sdk::Operator) -> Result<Events> {
    let until = Instant::now() + PATIENCE;
    loop {
        match operator.subscribe().await {
            Ok(events) => return Ok(events),
            Err(error) if Instant::now() >= until => return Err(error.into()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// An event in words.
#[derive(Debug, PartialEq)]
struct Told {
    kind: &'static str,
    text: String,
    framework: Option<String>,
    agent: Option<String>,
}

impl Told {
    fn of(event: &Event) -> Self {
        let mut told =
            Self { kind: event.r#type().as_str_name(), text: String::new(), framework: None, agent: None };
        if let Some(subscribed) = &event.subscribed {
            told.text = first(subscribed);
        } else if let Some(added) = &event.task_added {
            let task = &added.task;
            told.text =
                format!("{} of framework {} on agent {}", task.task_id, task.framework_id, task.agent_id);
            told.framework = Some(task.framework_id.value.clone());
            told.agent = Some(task.agent_id.value.clone());
        } else if let Some(updated) = &event.task_updated {
            told.updated(updated);
        } else if let Some(added) = &event.agent_added {
            let id = agent_id(&added.agent);
            told.text = format!("{id} at {}", place(&added.agent));
            told.agent = Some(id.to_owned());
        } else if let Some(removed) = &event.agent_removed {
            told.text.clone_from(&removed.agent_id.value);
            told.agent = Some(removed.agent_id.value.clone());
        } else {
            let info = event.framework_added.as_ref().map(|added| &added.framework.framework_info);
            let info =
                info.or(event.framework_updated.as_ref().map(|updated| &updated.framework.framework_info));
            if let Some(info) =
                info.or(event.framework_removed.as_ref().map(|removed| &removed.framework_info))
            {
                let id = framework_id(info);
                told.text = format!("{id} ({})", info.name);
                told.framework = Some(id.to_owned());
            }
        }
        told
    }

    fn updated(&mut self, updated: &proto::v1::master::event::TaskUpdated) {
        let status = &updated.status;
        self.text = format!("{} is {}", status.task_id, state_name(updated.state()));
        if status.reason.is_some() {
            self.text.push_str(&format!(" ({})", status.reason().as_str_name()));
        }
        if let Some(message) = status.message.as_ref().filter(|message| !message.is_empty()) {
            self.text.push_str(&format!(": {}", message.replace('\n', " ")));
        }
        self.framework = Some(updated.framework_id.value.clone());
        self.agent = status.agent_id.as_ref().map(|id| id.value.clone());
    }

    fn is_wanted(&self, options: &Options) -> bool {
        let ends = |wanted: &Option<String>, id: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| {
                id.as_ref().is_some_and(|id| id == wanted || id.ends_with(&format!("-{wanted}")))
            })
        };
        self.kind != Type::Heartbeat.as_str_name()
            && (options.types.is_empty() || options.types.contains(&self.kind))
            && ends(&options.framework, &self.framework)
            && ends(&options.agent, &self.agent)
            && options
                .search
                .as_ref()
                .is_none_or(|text| self.text.to_lowercase().contains(&text.to_lowercase()))
    }
}

/// What is there at the beginning.
fn first(subscribed: &proto::v1::master::event::Subscribed) -> String {
    let state = subscribed.get_state.clone().unwrap_or_default();
    let agents = view::count(state.get_agents.unwrap_or_default().agents.len(), "agent");
    let frameworks = view::count(state.get_frameworks.unwrap_or_default().frameworks.len(), "framework");
    let tasks = view::count(state.get_tasks.unwrap_or_default().tasks.len(), "task");
    format!("{agents}, {frameworks}, {tasks}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn recorded_events_are_told_in_a_line_each() {
        let told: Vec<(&str, String)> = recorded::lines::<Event>("operator_subscribe")
            .iter()
            .map(Told::of)
            .map(|t| (t.kind, t.text))
            .collect();
        assert_eq!(told[0], ("SUBSCRIBED", "1 agent, 1 framework, 2 tasks".to_owned()));
        let of = |kind: &str| told.iter().find(|told| told.0 == kind).map(|told| told.1.as_str()).unwrap();
        assert!(of("FRAMEWORK_ADDED").ends_with(')'), "{told:?}");
        assert!(
            of("TASK_ADDED").contains(" of framework ") && of("TASK_ADDED").contains(" on agent "),
            "{told:?}"
        );
        assert!(
            told.iter().any(|(kind, text)| *kind == "TASK_UPDATED" && text.contains(" is RUNNING")),
            "{told:?}"
        );
    }

    #[test]
    fn types_are_read_in_any_case() {
        assert_eq!(parse_type("task_Added"), Ok("TASK_ADDED"));
        assert!(parse_type("task").unwrap_err().contains("framework_removed"));
    }
}
