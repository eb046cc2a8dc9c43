//! `meseta reserve` and `meseta unreserve`.

use anyhow::Result;
use clap::Args;

use super::stack::{Stack, parse};
use crate::cluster::{Connection, agent_id_for};
use crate::failure::tell;

/// Arguments of both.
#[derive(Args)]
#[command(after_help = "Examples:
  meseta reserve S0 'cpus:2;mem:1024;disk:4096' --role ads
  meseta reserve S0 'ports:[8000-8010]' --role ads --principal ops --label team=search
  meseta unreserve S0 'cpus:2' --role ads

What frameworks use cannot be reserved or unreserved until they give it back. Principal and labels must be those that the \
reservation was made with.")]
pub(crate) struct Options {
    /// The id of the agent, the end of it (S0), or its host
    agent: String,
    /// What, such as 'cpus:2;mem:1024;ports:[8000-8010]'
    resources: String,
    #[command(flatten)]
    stack: Stack,
    #[command(flatten)]
    connection: Connection,
}

/// Reserves resources for a role.
pub(crate) async fn reserve(options: Options) -> Result<()> {
    let resources =
        parse(&options.resources)?.into_iter().map(|resource| options.stack.over(resource)).collect();
    let operator = options.connection.operator();
    let id = agent_id_for(&operator, &options.agent).await?;
    operator.reserve_resources(id.clone(), resources).await?;
    tell(format_args!("{} of agent {id} are reserved for {}", options.resources, options.stack.role()));
    Ok(())
}

/// Takes the last reservation off resources.
pub(crate) async fn unreserve(options: Options) -> Result<()> {
    let resources =
        parse(&options.resources)?.into_iter().map(|resource| options.stack.over(resource)).collect();
    let operator = options.connection.operator();
    let id = agent_id_for(&operator, &options.agent).await?;
    operator.unreserve_resources(id.clone(), resources).await?;
    tell(format_args!(
        "{} of agent {id} are not reserved for {} any more",
        options.resources,
        options.stack.role()
    ));
    Ok(())
}
