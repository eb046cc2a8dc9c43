//! What operators do to agents.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use sdk::Operator;

use super::known::id_of_one_that_is_left;
use crate::cluster::{Connection, agent_id, agent_id_for};
use crate::failure::tell;
use crate::flags;
use crate::inspect::agents::state_of;
use crate::view::confirm;

/// How often is looked whether an agent is drained.
const TICK: Duration = Duration::from_millis(250);

/// Arguments of `meseta agent activate` and `deactivate`.
#[derive(Args)]
#[command(after_help = "Examples:
  meseta agent deactivate S3
  meseta agent activate host7.example.com")]
pub(crate) struct Change {
    /// The id of the agent, the end of it (S0), or its host
    agent: String,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta agent drain`.
#[derive(Args)]
#[command(
    after_help = "Its tasks are killed and nothing of it is offered until `meseta agent activate`, also after it has \
been started anew.

Examples:
  meseta agent drain S3 --grace 2mins --wait
  meseta agent drain host7 --mark-gone --yes"
)]
pub(crate) struct Drain {
    /// The id of the agent, the end of it (S0), or its host
    agent: String,
    /// How long tasks may take to end, where that is less than what they ask for themselves
    #[arg(long, value_name = "DURATION")]
    grace: Option<flags::Duration>,
    /// Afterwards it is gone for good; this cannot be taken back
    #[arg(long)]
    mark_gone: bool,
    /// Wait until it is drained
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, default_value = "10mins", value_name = "DURATION", requires = "wait")]
    timeout: flags::Duration,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta agent gone`.
#[derive(Args)]
#[command(
    after_help = "Its tasks are TASK_GONE_BY_OPERATOR from then on, so that frameworks may replace them. An agent of this \
id is never let in again. Say it only of a machine of which you know that nothing runs on it any more.

Example:
  meseta agent gone 5dc54d3c-90fb-48a8-b0a8-61fd7e8f9a31-S3 --yes"
)]
pub(crate) struct Gone {
    /// The id of the agent, the end of it (S0), or its host, also of one that is unreachable
    agent: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Offers an agent again.
pub(crate) async fn activate(options: Change) -> Result<()> {
    let operator = options.connection.operator();
    let id = agent_id_for(&operator, &options.agent).await?;
    operator.reactivate_agent(id.clone()).await?;
    tell(format_args!("agent {id} is active again"));
    Ok(())
}

/// Offers nothing of an agent any more.
pub(crate) async fn deactivate(options: Change) -> Result<()> {
    let operator = options.connection.operator();
    let id = agent_id_for(&operator, &options.agent).await?;
    operator.deactivate_agent(id.clone()).await?;
    tell(format_args!("agent {id} is deactivated"));
    Ok(())
}

/// Says that an agent will never come back.
pub(crate) async fn gone(options: Gone) -> Result<()> {
    let operator = options.connection.operator();
    let id = id_of_one_that_is_left(&operator, &options.agent).await?;
    let what = format!("Agent {id} will be gone for good, and its tasks with it.");
    confirm(&what, options.yes)?;
    operator.mark_agent_gone(id.clone()).await?;
    tell(format_args!("agent {id} is gone"));
    Ok(())
}

/// Has the tasks of an agent end.
pub(crate) async fn drain(options: Drain) -> Result<()> {
    let operator = options.connection.operator();
    let id = agent_id_for(&operator, &options.agent).await?;
    if options.mark_gone {
        confirm(&format!("Agent {id} will be gone for good once it is drained."), options.yes)?;
    }
    let grace = options.grace.map(|grace| grace.0);
    operator.drain_agent(id.clone(), grace, options.mark_gone).await?;
    if !options.wait {
        tell(format_args!("agent {id} is being drained"));
        return Ok(());
    }
    match tokio::time::timeout(options.timeout.0, drained(&operator, &id.value)).await {
        Ok(end) => {
            tell(format_args!("agent {id} is {}", end?));
            Ok(())
        }
        Err(_) => bail!(
            "agent {id} is not drained after {} s; `meseta task list --agent {id}` shows what still runs there",
            options.timeout.0.as_secs()
        ),
    }
}

/// Waits until an agent is drained, or gone.
async fn drained(operator: &Operator, id: &str) -> Result<&'static str> {
    loop {
        let agents = operator.agents().await?.agents;
        match agents.iter().find(|agent| agent_id(agent) == id).map(state_of) {
            None => return Ok("gone"),
            Some("drained") => return Ok("drained"),
            Some("draining") => tokio::time::sleep(TICK).await,
            Some(state) => bail!("agent {id} is not being drained any more: it is {state}"),
        }
    }
}
