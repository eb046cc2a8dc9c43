//! `meseta framework list|show|teardown|explain`.

mod show;
mod teardown;

use anyhow::Result;
use clap::Subcommand;
use sdk::Operator;

use crate::cluster::{framework_id, pick};
use crate::{explain, inspect};

/// What can be done with frameworks.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the frameworks
    #[command(alias = "ls")]
    List(inspect::FrameworkOptions),
    /// Tell all about a framework
    #[command(alias = "inspect")]
    Show(show::Options),
    /// End a framework with all its tasks; this cannot be taken back
    Teardown(teardown::Options),
    /// Say why a framework gets no offers
    Explain(explain::FrameworkOptions),
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => inspect::frameworks(options).await,
        Command::Show(options) => show::run(options).await,
        Command::Teardown(options) => teardown::run(options).await,
        Command::Explain(options) => explain::framework(options).await,
    }
}

/// The framework that is meant, also one that has ended.
async fn find(
    operator: &Operator,
    wanted: &str,
) -> Result<(proto::v1::master::response::get_frameworks::Framework, &'static str)> {
    let known = operator.frameworks().await?;
    let living = known.frameworks.into_iter().map(|framework| {
        let state = inspect::frameworks::state(&framework);
        (framework, state)
    });
    let mut all: Vec<_> = living
        .chain(known.completed_frameworks.into_iter().map(|framework| (framework, "completed")))
        .collect();
    let id = {
        let named = |(framework, _): &(proto::v1::master::response::get_frameworks::Framework, &str)| {
            let info = &framework.framework_info;
            (framework_id(info).to_owned(), vec![info.name.clone()])
        };
        let living = all.iter().filter(|(_, state)| *state != "completed").map(named);
        // One that lives is meant rather than one that has ended.
        match pick("framework", "meseta framework list --all", living, wanted) {
            Ok(id) => id,
            Err(among_the_living) => {
                let ended = all.iter().filter(|(_, state)| *state == "completed").map(named);
                pick("framework", "", ended, wanted).map_err(|_| among_the_living)?
            }
        }
    };
    let place = all.iter().position(|(framework, _)| framework_id(&framework.framework_info) == id);
    place
        .map(|place| all.swap_remove(place))
        .ok_or_else(|| anyhow::anyhow!("framework {id} is not there any more"))
}
