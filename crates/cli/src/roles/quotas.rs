//! `meseta quota list|set|remove`: what is kept for a role, and how much it may take at most.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use proto::MapEntry;
use proto::v1::quota::{QuotaConfig, QuotaStatus};
use proto::v1::value::Scalar;
use serde::Serialize;
use serde_json::{Map, Value};

use super::list::{Answer, amounts_text};
use crate::cluster::Connection;
use crate::failure::{tell, usage};
use crate::view::{self, Column, Form, Table};

/// What can be done with quotas.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the quotas and how much of them is used
    #[command(alias = "ls")]
    List(List),
    /// Set the quota of a role, in place of what it was
    Set(Set),
    /// Remove the quota of a role: nothing is kept for it, and it has no limits
    #[command(alias = "rm")]
    Remove(Remove),
}

/// Arguments of `meseta quota list`.
#[derive(Args)]
#[command(
    after_help = "JSON: a list of objects with role, guarantees, limits, consumed (each by name of the resource).

Example:
  meseta quota list --role ads"
)]
pub(crate) struct List {
    /// Only that of this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta quota set`.
#[derive(Args)]
#[command(after_help = "Examples:
  meseta quota set ads --guarantee 'cpus:8;mem:16384' --limit 'cpus:20'
  meseta quota set batch --limit 'cpus:100;mem:204800'")]
pub(crate) struct Set {
    /// The role
    role: String,
    /// What is kept for it, such as 'cpus:8;mem:16384'
    #[arg(long, value_name = "AMOUNTS", value_parser = parse_amounts)]
    guarantee: Option<Parsed>,
    /// How much it may take at most; of what is not named, as much as there is
    #[arg(long, value_name = "AMOUNTS", value_parser = parse_amounts)]
    limit: Option<Parsed>,
    /// Set it though the cluster has less than what is guaranteed, or the role takes more than the limit already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta quota remove`.
#[derive(Args)]
#[command(after_help = "Example:
  meseta quota remove ads")]
pub(crate) struct Remove {
    /// The role
    role: String,
    #[command(flatten)]
    connection: Connection,
}

/// Amounts by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parsed(Vec<(String, f64)>);

fn parse_amounts(text: &str) -> Result<Parsed, String> {
    let one = |entry: &str| {
        let (name, amount) = entry
            .split_once(':')
            .ok_or_else(|| format!("`{entry}` is not of the form NAME:AMOUNT, as in cpus:8;mem:16384"))?;
        let amount: f64 =
            amount.trim().parse().map_err(|_| format!("the amount `{amount}` of {name} is no number"))?;
        if amount.is_finite() && amount >= 0.0 {
            Ok((name.trim().to_owned(), amount))
        } else {
            Err(format!("the amount {amount} of {name} is not one that can be had"))
        }
    };
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    let amounts = entries.map(one).collect::<Result<Vec<_>, _>>()?;
    if amounts.is_empty() { Err("it names no amounts".to_owned()) } else { Ok(Parsed(amounts)) }
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => list(options).await,
        Command::Set(options) => set(options).await,
        Command::Remove(options) => remove(options).await,
    }
}

#[derive(Debug, Serialize)]
struct Row {
    role: String,
    guarantees: Map<String, Value>,
    limits: Map<String, Value>,
    consumed: Map<String, Value>,
}

fn rows(status: &QuotaStatus, roles: &Answer) -> Vec<Row> {
    fn by_name<E: MapEntry<Value = Scalar>>(entries: &[E]) -> Map<String, Value> {
        let amount = |entry: &E| entry.value().map_or(0.0, |scalar| scalar.value);
        entries.iter().map(|entry| (entry.key().to_owned(), amount(entry).into())).collect()
    }
    let consumed = |role: &str| {
        let known = roles.roles.iter().find(|known| known.name == role);
        known.map(|known| known.quota.consumed.clone()).unwrap_or_default()
    };
    let row = |config: &QuotaConfig| Row {
        role: config.role.clone(),
        guarantees: by_name(&config.guarantees),
        limits: by_name(&config.limits),
        consumed: consumed(&config.role),
    };
    status.configs.iter().map(row).collect()
}

const COLUMNS: &[Column] =
    &[Column("ROLE", false), Column("GUARANTEES", false), Column("LIMITS", false), Column("CONSUMED", false)];

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let amounts = [&row.guarantees, &row.limits, &row.consumed].map(amounts_text);
        table.row(std::iter::once(row.role.clone()).chain(amounts).map(|cell| (cell, None)));
    }
    table.render()
}

async fn list(options: List) -> Result<()> {
    let operator = options.connection.operator();
    let (status, roles) = tokio::try_join!(operator.quotas(), operator.get_as::<Answer>("/roles"))?;
    let mut rows = rows(&status, &roles);
    rows.retain(|row| options.role.as_ref().is_none_or(|role| row.role == *role));
    view::print_list(options.output, &rows, "no quotas; `meseta quota set` sets one", table)
}

async fn set(options: Set) -> Result<()> {
    if options.guarantee.is_none() && options.limit.is_none() {
        return Err(usage(
            "nothing to set: give --guarantee, --limit or both (`meseta quota remove` removes a quota)",
        ));
    }
    let entries = |parsed: Option<Parsed>| parsed.map(|parsed| parsed.0).unwrap_or_default();
    let scalar = |(name, value): (String, f64)| (name, Scalar { value });
    let config = QuotaConfig {
        role: options.role.clone(),
        guarantees: entries(options.guarantee).into_iter().map(|entry| scalar(entry).into()).collect(),
        limits: entries(options.limit).into_iter().map(|entry| scalar(entry).into()).collect(),
    };
    options.connection.operator().update_quota(vec![config], options.force).await?;
    tell(format_args!("the quota of {} is set", options.role));
    Ok(())
}

async fn remove(options: Remove) -> Result<()> {
    let operator = options.connection.operator();
    if !operator.quotas().await?.configs.iter().any(|config| config.role == options.role) {
        bail!("the role `{}` has no quota; `meseta quota list` lists those that have", options.role);
    }
    // One that says nothing removes it.
    let config = QuotaConfig { role: options.role.clone(), ..QuotaConfig::default() };
    operator.update_quota(vec![config], false).await?;
    tell(format_args!("{} has no quota any more", options.role));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn amounts_are_read() {
        let parsed = parse_amounts("cpus:8; mem:16384;").unwrap();
        assert_eq!(parsed.0, [("cpus".to_owned(), 8.0), ("mem".to_owned(), 16384.0)]);
        for (text, part) in
            [("", "no amounts"), ("cpus", "NAME:AMOUNT"), ("cpus:x", "no number"), ("cpus:-1", "-1")]
        {
            assert!(parse_amounts(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn the_quotas_of_a_recorded_answer() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_QUOTA");
        let rows = rows(&reply.get_quota.unwrap().status, &recorded::json("master.get.roles"));
        let expected = "\
ROLE  GUARANTEES  LIMITS           CONSUMED
ads   cpus:1      cpus:8 mem:4096  cpus:4.02 disk:2048 mem:16
";
        let told = table(&rows).replace("mem:4096 cpus:8", "cpus:8 mem:4096");
        assert_eq!(told, expected);
    }
}
