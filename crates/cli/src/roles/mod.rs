//! `meseta role list|show`, `meseta quota list|set|remove` and `meseta weight list|set`: who gets how much.

pub(crate) mod list;
pub(crate) mod quotas;
pub(crate) mod weights;

use anyhow::Result;
use clap::Subcommand;

use crate::explain;

/// What can be asked of roles.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the roles with what they have, and their shares
    #[command(alias = "ls")]
    List(list::Options),
    /// Tell all about a role
    Show(list::ShowOptions),
    /// Say why the frameworks of a role get no offers
    Explain(explain::RoleOptions),
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => list::run(options).await,
        Command::Show(options) => list::show(options).await,
        Command::Explain(options) => explain::role(options).await,
    }
}
