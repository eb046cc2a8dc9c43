//! `meseta maintenance schedule`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use proto::v1::maintenance::{Schedule, Window};
use proto::v1::{DurationInfo, MachineId, TimeInfo, Unavailability};
use serde::Serialize;

use super::machines;
use crate::cluster::Connection;
use crate::failure::{tell, usage};
use crate::flags;
use crate::view::{self, Column, Form, Start, Table};

/// Arguments of `meseta maintenance schedule`.
#[derive(Args)]
#[command(
    after_help = "Without machines and without --file or --clear the schedule is shown. Frameworks are asked to leave the machines \
by inverse offers, from the moment that they are on the schedule.

A file has the schedule in Mesos' JSON, and takes the place of the whole schedule:
  {\"windows\":[{\"machine_ids\":[{\"hostname\":\"host7\",\"ip\":\"10.0.0.7\"}],
    \"unavailability\":{\"start\":{\"nanoseconds\":1795400000000000000},\"duration\":{\"nanoseconds\":3600000000000}}}]}

JSON: a list of objects with machines (hostname, ip), start (seconds since 1970), duration (seconds, or null without end).

Examples:
  meseta maintenance schedule
  meseta maintenance schedule host7 host8 --start +30mins --duration 2hrs
  meseta maintenance schedule S3 --start 2026-11-24T22:00:00Z --duration 4hrs
  meseta maintenance schedule host7 --remove
  meseta maintenance schedule --file schedule.json"
)]
pub(crate) struct Options {
    /// Machines to put on the schedule: HOST, IP, HOST/IP, an agent's id, or the end of one (S0)
    #[arg(value_name = "MACHINE", conflicts_with_all = ["file", "clear"])]
    machines: Vec<String>,
    /// When it begins: now, +30mins, or a time as 2026-11-24T22:00:00Z
    #[arg(long, value_name = "TIME", requires = "machines", conflicts_with = "remove")]
    start: Option<Start>,
    /// How long it takes; without this, until `meseta maintenance stop`
    #[arg(long, value_name = "DURATION", requires = "machines", conflicts_with = "remove")]
    duration: Option<flags::Duration>,
    /// Take the machines off the schedule instead
    #[arg(long, requires = "machines")]
    remove: bool,
    /// Replace the schedule by that in a file; - is standard input
    #[arg(long, value_name = "PATH", conflicts_with = "clear")]
    file: Option<PathBuf>,
    /// Take all machines off the schedule
    #[arg(long)]
    clear: bool,
    /// The form in which the schedule is shown
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Shows or changes the schedule.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (schedule, told) = if options.clear {
        (Schedule::default(), "nothing is to be maintained any more".to_owned())
    } else if let Some(file) = &options.file {
        let schedule = read(file)?;
        let count = schedule.windows.iter().map(|window| window.machine_ids.len()).sum::<usize>();
        (schedule, format!("{count} machines are on the schedule"))
    } else if options.machines.is_empty() {
        return show(&operator.maintenance_schedule().await?, options.output);
    } else {
        let machines = machines::find(&operator, &options.machines).await?;
        let mut schedule = operator.maintenance_schedule().await?;
        let names: Vec<String> = machines.iter().map(machines::name).collect();
        remove(&mut schedule, &machines);
        if options.remove {
            (schedule, format!("off the schedule: {}", names.join(", ")))
        } else {
            let Some(start) = options.start else {
                return Err(usage(
                    "when does it begin? give --start (now, +30mins, 2026-11-24T22:00:00Z), or --remove",
                ));
            };
            let start = start.time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
            schedule.windows.push(window(machines, start, options.duration.map(|duration| duration.0)));
            (schedule, format!("on the schedule: {}", names.join(", ")))
        }
    };
    operator.update_maintenance_schedule(schedule).await?;
    tell(format_args!("{told}"));
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Schedule> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    };
    proto::json::from_slice(text.as_bytes())
        .with_context(|| format!("{} holds no schedule in Mesos' JSON", path.display()))
}

/// Nanoseconds; what is too long for the message is as good as for ever.
fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn window(machine_ids: Vec<MachineId>, start: Duration, duration: Option<Duration>) -> Window {
    Window {
        machine_ids,
        unavailability: Unavailability {
            start: TimeInfo { nanoseconds: nanoseconds(start) },
            duration: duration.map(|duration| DurationInfo { nanoseconds: nanoseconds(duration) }),
        },
    }
}

/// Takes machines off; a window without machines goes with them.
fn remove(schedule: &mut Schedule, machines: &[MachineId]) {
    for window in &mut schedule.windows {
        window.machine_ids.retain(|machine| !machines.contains(machine));
    }
    schedule.windows.retain(|window| !window.machine_ids.is_empty());
}

#[derive(Serialize)]
struct Row {
    machines: Vec<Machine>,
    start: f64,
    duration: Option<f64>,
}

#[derive(Serialize)]
struct Machine {
    hostname: String,
    ip: String,
}

const COLUMNS: &[Column] = &[Column("MACHINE", false), Column("START", false), Column("DURATION", true)];

fn show(schedule: &Schedule, output: Form) -> Result<()> {
    let row = |window: &Window| Row {
        machines: window
            .machine_ids
            .iter()
            .map(|machine| Machine { hostname: machine.hostname().to_owned(), ip: machine.ip().to_owned() })
            .collect(),
        start: window.unavailability.start.nanoseconds as f64 / 1e9,
        duration: window.unavailability.duration.as_ref().map(|duration| duration.nanoseconds as f64 / 1e9),
    };
    match output {
        Form::Json => view::print_json(&schedule.windows.iter().map(row).collect::<Vec<_>>()),
        Form::Table | Form::Wide if schedule.windows.is_empty() => {
            tell(format_args!("nothing is to be maintained"));
            Ok(())
        }
        Form::Table | Form::Wide => view::print(&table(schedule, view::now())),
    }
}

fn table(schedule: &Schedule, now: f64) -> String {
    let mut table = Table::new(COLUMNS);
    for window in &schedule.windows {
        let start = window.unavailability.start.nanoseconds as f64 / 1e9;
        let duration = window.unavailability.duration.as_ref();
        let duration =
            duration.map_or("no end".to_owned(), |duration| view::span(duration.nanoseconds as f64 / 1e9));
        for machine in &window.machine_ids {
            table.row([
                (machines::name(machine), None),
                (view::ago(start, now), None),
                (duration.clone(), None),
            ]);
        }
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn a_recorded_schedule_is_shown_and_changed() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_MAINTENANCE_SCHEDULE");
        let mut schedule = reply.get_maintenance_schedule.unwrap().schedule;
        let expected = "\
MACHINE         START                          DURATION
other/10.0.0.9  2026-11-23T02:13:20Z (in 41m)       60m
";
        assert_eq!(table(&schedule, 1_795_397_500.0), expected);
        let another = MachineId { hostname: Some("b".into()), ip: None };
        schedule.windows.push(window(vec![another.clone()], Duration::from_secs(5), None));
        assert!(table(&schedule, 0.0).contains("no end"));
        remove(&mut schedule, &[another]);
        assert_eq!(schedule.windows.len(), 1);
    }
}
