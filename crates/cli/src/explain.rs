//! `meseta explain`: why a framework or a role gets no offers.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use proto::v1::FrameworkInfo;
use proto::v1::master::response::GetFrameworks;
use sdk::operator::Explanation;

use crate::cluster::Connection;
use crate::view;

/// Arguments of `meseta explain`.
#[derive(Args)]
#[command(after_help = "The answer ends with the smallest change that would help.

Examples:
  meseta explain framework 0003        the last part of an id is enough
  meseta explain framework marathon    and so is a name
  meseta explain role ads/search --output json")]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Why a framework gets no offers now
    Framework(FrameworkOptions),
    /// Why the frameworks of a role get no offers now
    Role(RoleOptions),
}

/// Arguments of `meseta explain framework` and `meseta framework explain`.
#[derive(Args)]
#[command(after_help = "Examples:
  meseta framework explain marathon
  meseta framework explain 0003 --output json")]
pub(crate) struct FrameworkOptions {
    /// The id of the framework, its last part, or the framework's name
    framework: String,
    #[command(flatten)]
    how: How,
}

/// Arguments of `meseta explain role` and `meseta role explain`.
#[derive(Args)]
#[command(after_help = "Example:
  meseta role explain ads/search")]
pub(crate) struct RoleOptions {
    /// The role
    role: String,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    // For people.
    #[default]
    Text,
    // For programs: one JSON document.
    Json,
}

/// Asks and prints the answer.
pub(crate) async fn run(options: Options) -> Result<()> {
    match options.what {
        What::Framework(options) => framework(options).await,
        What::Role(options) => role(options).await,
    }
}

/// Why a framework gets no offers.
pub(crate) async fn framework(FrameworkOptions { framework, how }: FrameworkOptions) -> Result<()> {
    let operator = how.connection.operator();
    let id = choose(operator.frameworks().await?, &framework)?;
    show(&operator.explain_framework(&id).await?, how.output)
}

/// Why the frameworks of a role get no offers.
pub(crate) async fn role(RoleOptions { role, how }: RoleOptions) -> Result<()> {
    show(&how.connection.operator().explain_role(&role).await?, how.output)
}

fn show(explanation: &Explanation, output: Output) -> Result<()> {
    match output {
        Output::Text => view::print(&format!("{}\n", explanation.text)),
        Output::Json => view::print_json(&explanation.details),
    }
}

/// The id of the framework that is meant: the one with this id, else the only one of this name or with an id that ends so.
fn choose(frameworks: GetFrameworks, wanted: &str) -> Result<String> {
    let ids = |infos: Vec<FrameworkInfo>| -> Vec<(String, String)> {
        let id = |info: FrameworkInfo| (info.id.map(|id| id.value).unwrap_or_default(), info.name);
        infos.into_iter().map(id).collect()
    };
    let known = ids(frameworks.frameworks.into_iter().map(|framework| framework.framework_info).collect());
    if known.iter().any(|(id, _)| id == wanted) {
        return Ok(wanted.to_owned());
    }
    let ending = format!("-{wanted}");
    let is_meant = |(id, name): &&(String, String)| name == wanted || id.ends_with(&ending);
    let meant: Vec<&str> = known.iter().filter(is_meant).map(|(id, _)| id.as_str()).collect();
    match meant[..] {
        [id] => Ok(id.to_owned()),
        [] => {
            let ended = ids(frameworks.completed_frameworks.into_iter().map(|f| f.framework_info).collect());
            if ended.iter().any(|framework| framework.0 == wanted || is_meant(&framework)) {
                bail!("the framework `{wanted}` has ended, so that it gets no offers any more");
            }
            bail!("no framework has the id or the name `{wanted}`; `meseta frameworks` lists them")
        }
        _ => bail!("`{wanted}` may be any of {}; give the whole id", meant.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::master::response::get_frameworks::Framework;

    use super::*;

    #[test]
    fn frameworks_are_found_by_id_or_name() {
        let framework = |id: &str, name: &str| Framework {
            framework_info: FrameworkInfo {
                id: Some(id.into()),
                name: name.into(),
                ..FrameworkInfo::default()
            },
            ..Framework::default()
        };
        let frameworks = GetFrameworks {
            frameworks: vec![
                framework("m-0000", "web"),
                framework("m-0001", "cron"),
                framework("m-0002", "cron"),
            ],
            completed_frameworks: vec![framework("m-0003", "old")],
            ..GetFrameworks::default()
        };
        let chosen = |wanted: &str| choose(frameworks.clone(), wanted).map_err(|error| error.to_string());
        for (wanted, id) in [("m-0000", "m-0000"), ("0000", "m-0000"), ("web", "m-0000"), ("0002", "m-0002")]
        {
            assert_eq!(chosen(wanted).as_deref(), Ok(id), "{wanted}");
        }
        assert!(chosen("cron").unwrap_err().contains("any of m-0001, m-0002"));
        assert!(chosen("0003").unwrap_err().contains("has ended"));
        assert!(chosen("00").unwrap_err().contains("no framework has the id or the name `00`"));
    }
}
