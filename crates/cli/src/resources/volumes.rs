//! `meseta volume list|create|destroy|grow|shrink`: disk space that outlives tasks.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use proto::v1::master::response::get_agents::Agent;
use proto::v1::resource::DiskInfo;
use proto::v1::resource::disk_info::Persistence;
use proto::v1::{AgentId, Resource, Volume, volume};
use sdk::Operator;
use serde::Serialize;

use super::stack::{Stack, disk};
use crate::cluster::{Connection, agent_id, find_agent};
use crate::failure::{tell, usage};
use crate::view::{self, Column, Form, Table, confirm};

/// What can be done with volumes.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the persistent volumes of the cluster
    #[command(alias = "ls")]
    List(List),
    /// Make a persistent volume of disk space that is reserved for a role
    Create(Create),
    /// Delete a persistent volume with all that is in it; this cannot be taken back
    Destroy(Destroy),
    /// Make a persistent volume larger
    Grow(Resize),
    /// Make a persistent volume smaller
    Shrink(Resize),
}

/// Arguments of `meseta volume list`.
#[derive(Args)]
#[command(
    after_help = "JSON: a list of objects with id, agent_id, agent, role, size (megabytes), container_path, shared, used (by a \
task, at this moment).

Example:
  meseta volume list --agent S0"
)]
pub(crate) struct List {
    /// Only those of the agent with this id, the end of one (S0), or this host
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Only those that are reserved for this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta volume create`.
#[derive(Args)]
#[command(after_help = "Example:
  meseta reserve S0 'disk:4096' --role ads
  meseta volume create S0 database --role ads --size 1024 --path data")]
pub(crate) struct Create {
    /// The id of the agent, the end of it (S0), or its host
    agent: String,
    /// The id that the volume gets; one of its kind for the role on the agent
    id: String,
    /// Megabytes
    #[arg(long, value_name = "MB")]
    size: f64,
    /// Where tasks find it in their sandboxes
    #[arg(long, default_value = "data", value_name = "PATH")]
    path: String,
    #[command(flatten)]
    stack: Stack,
    #[command(flatten)]
    connection: Connection,
}

/// Which volume.
#[derive(Args)]
struct Which {
    /// The id of the agent, the end of it (S0), or its host
    agent: String,
    /// The id of the volume
    id: String,
    /// The role that it is reserved for, where several roles have a volume of this id
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

/// Arguments of `meseta volume destroy`.
#[derive(Args)]
#[command(after_help = "Its space stays reserved.

Example:
  meseta volume destroy S0 database --yes")]
pub(crate) struct Destroy {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta volume grow` and `shrink`.
#[derive(Args)]
#[command(after_help = "Examples:
  meseta volume grow S0 database --by 512
  meseta volume shrink S0 database --by 512")]
pub(crate) struct Resize {
    #[command(flatten)]
    which: Which,
    /// By so many megabytes
    #[arg(long, value_name = "MB")]
    by: f64,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => list(options).await,
        Command::Create(options) => create(options).await,
        Command::Destroy(options) => destroy(options).await,
        Command::Grow(options) => grow(options).await,
        Command::Shrink(options) => shrink(options).await,
    }
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    agent_id: String,
    agent: String,
    role: String,
    size: f64,
    container_path: String,
    shared: bool,
    used: bool,
}

fn persistence(resource: &Resource) -> Option<&Persistence> {
    resource.disk.as_ref()?.persistence.as_ref()
}

/// The role that a resource is reserved for, in the form of today or the older one.
fn role_of(resource: &Resource) -> &str {
    match resource.reservations.last() {
        Some(reservation) => reservation.role(),
        None => resource.role(),
    }
}

fn size_of(resource: &Resource) -> f64 {
    resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value)
}

fn rows(agent: &Agent) -> Vec<Row> {
    let used = |id: &str, role: &str| {
        let same = |resource: &Resource| {
            persistence(resource).is_some_and(|p| p.id == id) && role_of(resource) == role
        };
        agent.allocated_resources.iter().any(same)
    };
    let row = |resource: &Resource| {
        let (id, role) = (persistence(resource)?.id.clone(), role_of(resource).to_owned());
        let path = resource.disk.as_ref()?.volume.as_ref().map(|volume| volume.container_path.clone());
        Some(Row {
            used: used(&id, &role),
            id,
            agent_id: agent_id(agent).to_owned(),
            agent: crate::inspect::agents::place(agent),
            role,
            size: size_of(resource),
            container_path: path.unwrap_or_default(),
            shared: resource.shared.is_some(),
        })
    };
    agent.total_resources.iter().filter_map(row).collect()
}

const COLUMNS: &[Column] = &[
    Column("ID", false),
    Column("AGENT", false),
    Column("ROLE", false),
    Column("SIZE", true),
    Column("PATH", false),
    Column("USED", false),
];

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let used = if row.used { "yes" } else { "no" };
        let cells = [
            row.id.clone(),
            row.agent_id.clone(),
            row.role.clone(),
            view::megabytes(row.size),
            row.container_path.clone(),
            used.to_owned(),
        ];
        table.row(cells.map(|cell| (cell, None)));
    }
    table.render()
}

async fn list(options: List) -> Result<()> {
    let operator = options.connection.operator();
    let agents = match &options.agent {
        Some(agent) => vec![find_agent(&operator, agent).await?],
        None => operator.agents().await?.agents,
    };
    let mut rows: Vec<Row> = agents.iter().flat_map(rows).collect();
    rows.retain(|row| options.role.as_ref().is_none_or(|role| row.role == *role));
    view::print_list(options.output, &rows, "no volumes; `meseta volume create` makes one", table)
}

async fn create(options: Create) -> Result<()> {
    let size = positive(options.size, "--size")?;
    let mut resource = options.stack.over(disk(size)?);
    resource.disk = Some(DiskInfo {
        // The principal of a volume is that of its reservation, as masters demand.
        persistence: Some(Persistence {
            id: options.id.clone(),
            principal: resource.reservations.last().and_then(|reservation| reservation.principal.clone()),
        }),
        volume: Some(Volume {
            mode: volume::Mode::Rw.into(),
            container_path: options.path.clone(),
            ..Volume::default()
        }),
        ..DiskInfo::default()
    });
    let operator = options.connection.operator();
    let agent = find_agent(&operator, &options.agent).await?;
    let id = agent_id(&agent);
    operator.create_volumes(id.into(), vec![resource]).await?;
    tell(format_args!("volume {} of {} is on agent {id}", options.id, view::megabytes(size)));
    Ok(())
}

fn positive(megabytes: f64, flag: &str) -> Result<f64> {
    if megabytes.is_finite() && megabytes > 0.0 {
        Ok(megabytes)
    } else {
        Err(usage(format!("{flag} {megabytes} is no amount of disk; give megabytes, more than 0")))
    }
}

/// The volume that is meant, as its agent has it.
async fn find(operator: &Operator, which: &Which) -> Result<(AgentId, Resource)> {
    let agent = find_agent(operator, &which.agent).await?;
    let id = agent_id(&agent).into();
    choose(agent.total_resources, which).map(|resource| (id, resource))
}

fn choose(resources: Vec<Resource>, which: &Which) -> Result<Resource> {
    let is_meant = |resource: &Resource| {
        persistence(resource).is_some_and(|persistence| persistence.id == which.id)
            && which.role.as_ref().is_none_or(|role| role_of(resource) == role)
    };
    let mut meant: Vec<Resource> = resources.into_iter().filter(is_meant).collect();
    match meant.len() {
        0 => bail!(
            "agent {} has no volume `{}`{}; `meseta volume list` lists them",
            which.agent,
            which.id,
            which.role.as_ref().map(|role| format!(" of role {role}")).unwrap_or_default()
        ),
        1 => Ok(meant.remove(0)),
        _ => {
            let roles: Vec<&str> = meant.iter().map(role_of).collect();
            bail!(
                "volumes `{}` are there for several roles: {}; say which with --role",
                which.id,
                roles.join(", ")
            )
        }
    }
}

async fn destroy(options: Destroy) -> Result<()> {
    let operator = options.connection.operator();
    let (agent_id, volume) = find(&operator, &options.which).await?;
    let id = &options.which.id;
    confirm(
        &format!("Volume {id} of agent {agent_id} will be deleted, with all that is in it."),
        options.yes,
    )?;
    operator.destroy_volumes(agent_id, vec![volume]).await?;
    tell(format_args!("volume {id} is destroyed"));
    Ok(())
}

async fn grow(options: Resize) -> Result<()> {
    let by = positive(options.by, "--by")?;
    let operator = options.connection.operator();
    let (agent_id, volume) = find(&operator, &options.which).await?;
    let mut addition = volume.clone();
    let space = disk(by)?;
    addition.scalar = space.scalar;
    addition.shared = None;
    // What is added is space of the same disk that nothing lies on yet.
    addition.disk = volume
        .disk
        .as_ref()
        .filter(|disk| disk.source.is_some())
        .map(|disk| DiskInfo { source: disk.source.clone(), ..DiskInfo::default() });
    let size = size_of(&volume) + by;
    operator.grow_volume(agent_id, volume, addition).await?;
    tell(format_args!("volume {} has {}", options.which.id, view::megabytes(size)));
    Ok(())
}

async fn shrink(options: Resize) -> Result<()> {
    let by = positive(options.by, "--by")?;
    let operator = options.connection.operator();
    let (agent_id, volume) = find(&operator, &options.which).await?;
    let size = size_of(&volume) - by;
    operator.shrink_volume(agent_id, volume, by).await?;
    tell(format_args!("volume {} has {}", options.which.id, view::megabytes(size)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn the_volume_of_a_recorded_agent() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_AGENTS");
        let agent = reply.get_agents.unwrap().agents.remove(0);
        let expected = "\
ID    AGENT                                    ROLE     SIZE  PATH  USED
vol1  82e1ebe4-4067-4374-be55-44b8107ea46b-S0  ads   1024 MB  data  no
";
        assert_eq!(table(&rows(&agent)), expected);
        let which = |id: &str, role: Option<&str>| Which {
            agent: "S0".into(),
            id: id.into(),
            role: role.map(ToOwned::to_owned),
        };
        let chosen = |which: &Which| choose(agent.total_resources.clone(), which).map_err(|e| e.to_string());
        assert_eq!(size_of(&chosen(&which("vol1", Some("ads"))).unwrap()), 1024.0);
        let error = chosen(&which("vol1", Some("web"))).unwrap_err();
        assert_eq!(error, "agent S0 has no volume `vol1` of role web; `meseta volume list` lists them");
    }
}
