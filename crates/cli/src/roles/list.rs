//! `meseta role list` and `meseta role show`.

use anyhow::{Result, bail};
use clap::Args;
use sdk::Operator;
use sdk::build::Quantities;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cluster::Connection;
use crate::view::{self, Amounts, Column, Details, Form, Table};

/// Arguments of `meseta role list`.
#[derive(Args)]
#[command(
    after_help = "JSON: a list of objects with name, weight, share (of the cluster: the largest of its shares of cpus, mem \
and so on), allocated, offered, reserved (each with cpus, mem, disk, gpus), guarantees, limits, consumed (by name of the \
resource), frameworks (ids).

Examples:
  meseta role list
  meseta role list --search ads --output wide"
)]
pub(crate) struct Options {
    /// Only those in whose name there is this, in any case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those of this framework's id
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Arguments of `meseta role show`.
#[derive(Args)]
#[command(after_help = "JSON: an object as in `meseta role list`.

Example:
  meseta role show ads/search")]
pub(crate) struct ShowOptions {
    /// The role
    role: String,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// The answer of `/roles`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) roles: Vec<Listed>,
}

/// A role, as `/roles` shows it. Numbers only: what else is reserved, such as ports, is text there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) frameworks: Vec<String>,
    pub(crate) allocated: Amounts,
    pub(crate) offered: Amounts,
    pub(crate) reserved: Amounts,
    pub(crate) quota: Quota,
}

/// What a role's quota is, and how much of it is used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Quota {
    pub(crate) guarantee: Map<String, Value>,
    pub(crate) limit: Map<String, Value>,
    pub(crate) consumed: Map<String, Value>,
}

/// A role as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) share: f64,
    pub(crate) allocated: Amounts,
    pub(crate) offered: Amounts,
    pub(crate) reserved: Amounts,
    pub(crate) guarantees: Map<String, Value>,
    pub(crate) limits: Map<String, Value>,
    pub(crate) consumed: Map<String, Value>,
    pub(crate) frameworks: Vec<String>,
}

/// The roles, each with its share of `total`.
pub(crate) fn rows(answer: Answer, total: &Amounts) -> Vec<Row> {
    let row = |role: Listed| Row {
        share: role.allocated.share_of(total),
        name: role.name,
        weight: role.weight,
        allocated: role.allocated,
        offered: role.offered,
        reserved: role.reserved,
        guarantees: role.quota.guarantee,
        limits: role.quota.limit,
        consumed: role.quota.consumed,
        frameworks: role.frameworks,
    };
    answer.roles.into_iter().map(row).collect()
}

/// All that agents have together.
pub(crate) fn total(agents: &proto::v1::master::response::GetAgents) -> Amounts {
    let of = |agent: &proto::v1::master::response::get_agents::Agent| {
        Quantities::of(&agent.total_resources).into()
    };
    agents.agents.iter().fold(Amounts::default(), |sum, agent| sum.plus(&of(agent)))
}

async fn ask(operator: &Operator) -> Result<Vec<Row>> {
    let (answer, agents) = tokio::try_join!(operator.get_as::<Answer>("/roles"), operator.agents())?;
    Ok(rows(answer, &total(&agents)))
}

/// Lists roles.
pub(crate) async fn run(options: Options) -> Result<()> {
    let mut rows = ask(&options.connection.operator()).await?;
    let search = options.search.as_ref().map(|text| text.to_lowercase());
    rows.retain(|row| search.as_ref().is_none_or(|text| row.name.to_lowercase().contains(text)));
    rows.retain(|row| options.framework.as_ref().is_none_or(|id| row.frameworks.contains(id)));
    let none = "no roles: no framework has one, and nothing is set or reserved for any";
    view::print_list(options.output, &rows, none, |rows| table(rows, options.output == Form::Wide))
}

/// Tells all about a role.
pub(crate) async fn show(options: ShowOptions) -> Result<()> {
    let rows = ask(&options.connection.operator()).await?;
    let Some(row) = rows.into_iter().find(|row| row.name == options.role) else {
        bail!(
            "there is no role `{}`: no framework has it, and nothing is set or reserved for it; `meseta role list` lists \
             them",
            options.role
        )
    };
    match options.output {
        Form::Json => view::print_json(&row),
        Form::Table | Form::Wide => view::print(&text(&row)),
    }
}

/// Amounts by name: `cpus:8 mem:4096`.
pub(crate) fn amounts_text(amounts: &Map<String, Value>) -> String {
    let text = |(name, value): (&String, &Value)| match value.as_f64() {
        Some(number) => format!("{name}:{}", view::number(number)),
        None => format!("{name}:{}", value.as_str().unwrap_or_default()),
    };
    amounts.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn text(row: &Row) -> String {
    let frameworks = if row.frameworks.is_empty() { "none".to_owned() } else { row.frameworks.join("\n") };
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    Details::default()
        .line("Role", &row.name)
        .line("Weight", view::number(row.weight))
        .line("Share", view::percent(row.share))
        .line("Allocated", row.allocated.line())
        .line("Offered", row.offered.line())
        .line("Reserved", row.reserved.line())
        .line("Guarantees", or_none(amounts_text(&row.guarantees)))
        .line("Limits", or_none(amounts_text(&row.limits)))
        .line("Consumed", or_none(amounts_text(&row.consumed)))
        .line("Frameworks", frameworks)
        .render()
}

const COLUMNS: &[Column] = &[
    Column("ROLE", false),
    Column("WEIGHT", true),
    Column("SHARE", true),
    Column("CPUS", true),
    Column("MEM", true),
    Column("FRAMEWORKS", true),
];

const WIDE: &[Column] = &[
    Column("ROLE", false),
    Column("WEIGHT", true),
    Column("SHARE", true),
    Column("CPUS", true),
    Column("MEM", true),
    Column("FRAMEWORKS", true),
    Column("DISK", true),
    Column("GPUS", true),
    Column("OFFERED", false),
    Column("RESERVED", false),
    Column("GUARANTEES", false),
    Column("LIMITS", false),
];

/// The list for people.
pub(crate) fn table(rows: &[Row], wide: bool) -> String {
    let mut table = Table::new(if wide { WIDE } else { COLUMNS });
    for row in rows {
        let mut cells = vec![
            row.name.clone(),
            view::number(row.weight),
            view::percent(row.share),
            view::number(row.allocated.cpus),
            view::megabytes(row.allocated.mem),
            row.frameworks.len().to_string(),
        ];
        if wide {
            cells.extend([
                view::megabytes(row.allocated.disk),
                view::number(row.allocated.gpus),
                row.offered.line(),
                row.reserved.line(),
                amounts_text(&row.guarantees),
                amounts_text(&row.limits),
            ]);
        }
        table.row(cells.into_iter().map(|cell| (cell, None)));
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn the_roles_of_a_recorded_answer() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_AGENTS");
        let rows = rows(recorded::json("master.get.roles"), &total(&reply.get_agents.unwrap()));
        let expected = "\
ROLE  WEIGHT  SHARE  CPUS    MEM  FRAMEWORKS
*          1   0.2%  0.02  16 MB           1
ads      2.5   0.2%  0.02  16 MB           1
";
        // 0.02 of 8 cpus is a little more than 16 of 8192 MB.
        assert_eq!(table(&rows, false), expected.replace("0.2%", &view::percent(0.02 / 8.0)));
        let told = text(&rows[1]);
        for part in
            ["Guarantees  cpus:1\n", "Limits      cpus:8 mem:4096\n", "Reserved    cpus:4 disk:2048 MB\n"]
        {
            assert!(told.contains(part), "{part:?} in\n{told}");
        }
        assert!(table(&rows, true).contains("cpus:8 mem:4096"));
    }
}
