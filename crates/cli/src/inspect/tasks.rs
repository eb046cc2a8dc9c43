//! `meseta tasks`, which is also `meseta task list`.

mod rows;

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use clap::Args;
use sdk::Operator;

use super::pages;
use crate::cluster::{Connection, all_tasks, find_agent, is_terminal};
use crate::failure::{tell, usage};
use crate::view::{self, Form};
pub(crate) use rows::{Listed, Row, table};

/// Arguments of `meseta tasks`.
#[derive(Args)]
#[command(
    after_help = "JSON: a list of objects with id, name, state, framework_id, framework, agent_id, agent, role, \
cpus, mem, disk, gpus, updated (seconds since 1970), message and reason (null where the master does not tell them).

Examples:
  meseta task list
  meseta task list --framework web --state running,staging --limit 20
  meseta task list --agent S3 --all --output wide
  meseta task list --search db --output json"
)]
pub(crate) struct Options {
    /// Also those that have ended
    #[arg(short, long)]
    all: bool,
    /// Only those of the framework with this id or name
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
    /// Only those on the agent with this id, the end of one (S0), or this host
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Only those that run for this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Only those in these states, such as running or failed,lost
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = parse_state)]
    state: Vec<String>,
    /// Only those in whose id, name or host there is this, in any case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// A state as Mesos names it, from its name with or without the prefix, in any case.
fn parse_state(text: &str) -> Result<String, String> {
    let upper = text.trim().to_ascii_uppercase();
    let name = if upper.starts_with("TASK_") { upper } else { format!("TASK_{upper}") };
    match proto::v1::TaskState::from_str_name(&name) {
        Some(_) => Ok(name),
        None => {
            Err(format!("`{text}` is no state of a task; states are staging, running, failed and the like"))
        }
    }
}

/// The states that are shown where nothing is said of states.
const LIVING: [&str; 6] =
    ["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_UNREACHABLE", "TASK_UNKNOWN"];

/// What is wanted, with ids instead of names.
#[derive(Debug, Default)]
struct Filter {
    all: bool,
    /// Frameworks may have the same name.
    frameworks: Option<HashSet<String>>,
    agent_id: Option<String>,
    role: Option<String>,
    states: Vec<String>,
    search: Option<String>,
    /// The agents on whose host names the search ends as well.
    found_agents: HashSet<String>,
}

impl Filter {
    /// As parameters of the master's.
    fn query(&self) -> Vec<(&'static str, String)> {
        let state = match (&self.states[..], self.all) {
            ([], true) => None,
            ([], false) => Some(LIVING.join(",")),
            (states, _) => Some(states.join(",")),
        };
        let framework = self.frameworks.iter().filter(|ids| ids.len() == 1).flatten().next().cloned();
        let given = [
            ("framework_id", framework),
            ("slave_id", self.agent_id.clone()),
            ("role", self.role.clone()),
            ("state", state),
            ("search", self.search.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Whether it leaves nothing out but what has ended.
    fn is_nothing(&self) -> bool {
        self.states.is_empty()
            && self.frameworks.is_none()
            && [&self.agent_id, &self.role, &self.search].iter().all(|part| part.is_none())
    }

    fn takes(&self, task: &Listed) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let searched = self.search.as_ref().is_none_or(|text| {
            let text = text.to_lowercase();
            task.id.to_lowercase().contains(&text)
                || task.name.to_lowercase().contains(&text)
                || self.found_agents.contains(&task.agent_id)
        });
        let state = if self.states.is_empty() {
            self.all || !task.state().is_some_and(is_terminal)
        } else {
            self.states.contains(&task.state)
        };
        state
            && searched
            && self.frameworks.as_ref().is_none_or(|ids| ids.contains(&task.framework_id))
            && same(&self.agent_id, &task.agent_id)
            && same(&self.role, &task.role)
    }
}

/// What frameworks and agents are called.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) frameworks: HashMap<String, String>,
    pub(crate) hosts: HashMap<String, String>,
}

impl Names {
    /// The agents in whose host names there is this, in any case.
    fn on(&self, text: &str) -> HashSet<String> {
        let text = text.to_lowercase();
        let host = |place: &str| place.rsplit_once(':').map_or(place, |(host, _)| host).to_lowercase();
        self.hosts.iter().filter(|(_, place)| host(place).contains(&text)).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) async fn ask(operator: &Operator) -> Result<Self> {
        let (frameworks, agents) = tokio::try_join!(operator.frameworks(), operator.agents())?;
        let known = frameworks.frameworks.into_iter().chain(frameworks.completed_frameworks);
        let name = |info: proto::v1::FrameworkInfo| Some((info.id?.value, info.name));
        let host = |agent: &proto::v1::master::response::get_agents::Agent| {
            Some((agent.agent_info.id.as_ref()?.value.clone(), super::agents::place(agent)))
        };
        Ok(Self {
            frameworks: known.filter_map(|framework| name(framework.framework_info)).collect(),
            hosts: agents.agents.iter().filter_map(host).collect(),
        })
    }
}

/// Lists tasks.
pub(crate) async fn run(options: Options) -> Result<()> {
    if options.limit == Some(0) {
        return Err(usage("--limit 0 would show nothing; say how many are to be shown"));
    }
    let operator = options.connection.operator();
    let names = Names::ask(&operator).await?;
    let (tasks, more) = match wanted(&operator, &options, &names).await? {
        Some(filter) => pick(&operator, &filter, options.limit).await?,
        None => (Vec::new(), false),
    };
    let rows: Vec<Row> = tasks.into_iter().map(|task| Row::new(task, &names)).collect();
    match options.output {
        Form::Json => view::print_json(&rows)?,
        Form::Table | Form::Wide if rows.is_empty() && !options.all => {
            tell(format_args!("no tasks; `--all` also lists those that have ended"));
        }
        form => view::print(&table(&rows, form == Form::Wide, view::now()))?,
    }
    if more {
        tell(format_args!(
            "only {} are shown, there are more: raise --limit, or narrow the list",
            rows.len()
        ));
    }
    Ok(())
}

/// The filter; none where nothing can match.
async fn wanted(operator: &Operator, options: &Options, names: &Names) -> Result<Option<Filter>> {
    let mut filter = Filter {
        all: options.all,
        role: options.role.clone(),
        states: options.state.clone(),
        search: options.search.clone(),
        found_agents: options.search.as_ref().map(|text| names.on(text)).unwrap_or_default(),
        ..Filter::default()
    };
    if let Some(agent) = &options.agent {
        // An agent that is gone has no other name than its id.
        let known = names.hosts.contains_key(agent) || agent.contains("-S");
        let found = if known {
            agent.clone()
        } else {
            find_agent(operator, agent).await?.agent_info.id.unwrap_or_default().value
        };
        filter.agent_id = Some(found);
    }
    if let Some(framework) = &options.framework {
        let ending = format!("-{framework}");
        let is_meant =
            |(id, name): &(&String, &String)| *id == framework || *name == framework || id.ends_with(&ending);
        let ids: HashSet<String> =
            names.frameworks.iter().filter(is_meant).map(|(id, _)| id.clone()).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        filter.frameworks = Some(ids);
    }
    Ok(Some(filter))
}

/// The tasks that a filter takes. What is narrowed is asked for page by page; for all, the whole answer is shorter.
async fn pick(operator: &Operator, filter: &Filter, limit: Option<usize>) -> Result<(Vec<Listed>, bool)> {
    let query = filter.query();
    if filter.is_nothing() && limit.is_none() {
        let tasks = all_tasks(operator.tasks().await?);
        return Ok((tasks.iter().map(Listed::from).filter(|task| filter.takes(task)).collect(), false));
    }
    let key = |task: &Listed| format!("{} {}", task.framework_id, task.id);
    let list = |answer: rows::Answer| answer.tasks;
    let picked =
        pages::fetch(operator, ("/tasks", &query), limit, list, key, |task| filter.takes(task)).await?;
    Ok((picked.entries, picked.more))
}

/// The tasks of one agent that have not ended.
pub(crate) async fn of_agent(operator: &Operator, agent_id: &str) -> Result<Vec<Row>> {
    of(operator, Filter { agent_id: Some(agent_id.to_owned()), ..Filter::default() }).await
}

/// The tasks of one agent, also those that have ended.
pub(crate) async fn ever_of_agent(operator: &Operator, agent_id: &str) -> Result<Vec<Row>> {
    of(operator, Filter { all: true, agent_id: Some(agent_id.to_owned()), ..Filter::default() }).await
}

/// The tasks of one framework that have not ended.
pub(crate) async fn of_framework(operator: &Operator, framework_id: &str) -> Result<Vec<Row>> {
    of(operator, Filter { frameworks: Some(HashSet::from([framework_id.to_owned()])), ..Filter::default() })
        .await
}

async fn of(operator: &Operator, filter: Filter) -> Result<Vec<Row>> {
    let (names, (tasks, _)) = tokio::try_join!(Names::ask(operator), pick(operator, &filter, None))?;
    Ok(tasks.into_iter().map(|task| Row::new(task, &names)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_any_spelling() {
        assert_eq!(parse_state("running"), Ok("TASK_RUNNING".into()));
        assert_eq!(parse_state("TASK_gone_by_operator"), Ok("TASK_GONE_BY_OPERATOR".into()));
        assert!(parse_state("busy").unwrap_err().contains("`busy` is no state"));
    }

    #[test]
    fn what_a_master_does_not_pick_is_picked_here() {
        let task = |id: &str, state: &str, role: &str| Listed {
            id: id.into(),
            state: state.into(),
            role: role.into(),
            ..Listed::default()
        };
        let tasks = [
            task("web-1", "TASK_RUNNING", "ads"),
            task("web-2", "TASK_FINISHED", "ads"),
            task("DB-1", "TASK_UNREACHABLE", "*"),
        ];
        let ids = |filter: &Filter| -> Vec<&str> {
            tasks.iter().filter(|task| filter.takes(task)).map(|task| task.id.as_str()).collect()
        };
        assert_eq!(ids(&Filter::default()), ["web-1", "DB-1"], "those that have not ended");
        assert_eq!(
            ids(&Filter { all: true, role: Some("ads".into()), ..Filter::default() }),
            ["web-1", "web-2"]
        );
        assert_eq!(ids(&Filter { search: Some("db".into()), ..Filter::default() }), ["DB-1"]);
        let of = |ids: &[&str]| Filter {
            frameworks: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
            all: true,
            ..Filter::default()
        };
        assert_eq!(of(&["f"]).query(), [("framework_id", "f".to_owned())]);
        let several = of(&["f", "g"]);
        assert!(several.query().is_empty() && ids(&several).is_empty(), "several are picked here");
        let finished = Filter { states: vec!["TASK_FINISHED".into()], ..Filter::default() };
        assert_eq!(ids(&finished), ["web-2"], "a state that is named is shown without --all");
        assert_eq!(finished.query(), [("state", "TASK_FINISHED".to_owned())]);
        let hosts = Names { hosts: [("S0".to_owned(), "Rack7:5051".to_owned())].into(), ..Names::default() };
        assert_eq!((hosts.on("rack"), hosts.on("5051")), (HashSet::from(["S0".to_owned()]), HashSet::new()));
    }
}
