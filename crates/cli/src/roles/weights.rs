//! `meseta weight list|set`: how much more than others a role is to have.

use anyhow::Result;
use clap::{Args, Subcommand};
use proto::v1::WeightInfo;
use serde::Serialize;

use crate::cluster::Connection;
use crate::failure::tell;
use crate::flags::Weights;
use crate::view::{self, Column, Form, Table};

/// What can be done with weights.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the weights that were set; every other role has weight 1
    #[command(alias = "ls")]
    List(List),
    /// Set weights of roles; those of others stay as they are
    Set(Set),
}

/// Arguments of `meseta weight list`.
#[derive(Args)]
#[command(after_help = "JSON: a list of objects with role and weight.

Example:
  meseta weight list")]
pub(crate) struct List {
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta weight set`.
#[derive(Args)]
#[command(after_help = "A role of weight 2 gets twice the share of one of weight 1.

Examples:
  meseta weight set ads=2
  meseta weight set ads=2 batch=0.5")]
pub(crate) struct Set {
    /// Roles and their weights
    #[arg(required = true, value_name = "ROLE=WEIGHT")]
    weights: Vec<Weights>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Row {
    role: String,
    weight: f64,
}

const COLUMNS: &[Column] = &[Column("ROLE", false), Column("WEIGHT", true)];

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => list(options).await,
        Command::Set(options) => set(options).await,
    }
}

async fn list(options: List) -> Result<()> {
    let weights = options.connection.operator().weights().await?;
    let row = |info: WeightInfo| Row { weight: info.weight, role: info.role.unwrap_or_default() };
    let rows: Vec<Row> = weights.into_iter().map(row).collect();
    view::print_list(options.output, &rows, "no weights are set: every role has weight 1", table)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        table.row([(row.role.clone(), None), (view::number(row.weight), None)]);
    }
    table.render()
}

async fn set(options: Set) -> Result<()> {
    let weights: Vec<(String, f64)> = options.weights.into_iter().flat_map(|weights| weights.0).collect();
    let info = |(role, weight): &(String, f64)| WeightInfo { role: Some(role.clone()), weight: *weight };
    options.connection.operator().update_weights(weights.iter().map(info).collect()).await?;
    for (role, weight) in weights {
        tell(format_args!("the weight of {role} is {}", view::number(weight)));
    }
    Ok(())
}
