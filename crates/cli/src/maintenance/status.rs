//! `meseta maintenance status`.

use anyhow::Result;
use clap::Args;
use proto::v1::MachineId;
use proto::v1::allocator::inverse_offer_status::Status;
use proto::v1::maintenance::ClusterStatus;
use serde::Serialize;

use super::machines;
use crate::cluster::Connection;
use crate::view::{self, Column, Form, Table};

/// Arguments of `meseta maintenance status`.
#[derive(Args)]
#[command(
    after_help = "JSON: a list of objects with hostname, ip, state (draining or down), answers: a list of framework_id, \
answer (accept, decline, unknown), time (seconds since 1970).

Example:
  meseta maintenance status"
)]
pub(crate) struct Options {
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Row {
    #[serde(skip)]
    name: String,
    hostname: String,
    ip: String,
    state: &'static str,
    answers: Vec<Answer>,
}

/// What a framework says of leaving.
#[derive(Serialize)]
struct Answer {
    framework_id: String,
    answer: &'static str,
    time: f64,
}

/// Shows it.
pub(crate) async fn run(options: Options) -> Result<()> {
    let status = options.connection.operator().maintenance_status().await?;
    let rows = rows(&status);
    view::print_list(options.output, &rows, "no machine is about to be maintained, and none is down", table)
}

fn rows(status: &ClusterStatus) -> Vec<Row> {
    let row = |machine: &MachineId, state, answers| Row {
        name: machines::name(machine),
        hostname: machine.hostname().to_owned(),
        ip: machine.ip().to_owned(),
        state,
        answers,
    };
    let draining = status.draining_machines.iter().map(|draining| {
        let answers = draining.statuses.iter().map(|status| Answer {
            framework_id: status.framework_id.value.clone(),
            answer: match status.status() {
                Status::Accept => "accept",
                Status::Decline => "decline",
                Status::Unknown => "unknown",
            },
            time: status.timestamp.nanoseconds as f64 / 1e9,
        });
        row(&draining.id, "draining", answers.collect())
    });
    draining.chain(status.down_machines.iter().map(|machine| row(machine, "down", Vec::new()))).collect()
}

const COLUMNS: &[Column] = &[Column("MACHINE", false), Column("STATE", false), Column("FRAMEWORKS", false)];

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let answer = |answer: &Answer| format!("{}: {}", answer.framework_id, answer.answer);
        let answers: Vec<String> = row.answers.iter().map(answer).collect();
        table.row([(row.name.clone(), None), (row.state.to_owned(), None), (answers.join("; "), None)]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn a_recorded_status() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_MAINTENANCE_STATUS");
        let mut status = reply.get_maintenance_status.unwrap().status;
        status.down_machines.push(MachineId { hostname: None, ip: Some("10.0.0.1".into()) });
        let expected = "\
MACHINE         STATE     FRAMEWORKS
other/10.0.0.9  draining
10.0.0.1        down
";
        assert_eq!(table(&rows(&status)), expected);
    }
}
