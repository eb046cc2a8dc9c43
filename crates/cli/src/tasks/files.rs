//! `meseta task files`.

use anyhow::{Context, Result};
use clap::Args;
use proto::v1::FileInfo;
use sdk::Operator;
use serde::Serialize;

use crate::cluster::{Connection, agent_address};
use crate::logs;
use crate::lookup::find_task;
use crate::view::{self, Column, Form, Table};

/// Arguments of `meseta task files`.
#[derive(Args)]
#[command(after_help = "`meseta task logs TASK --file PATH` shows one of them.

JSON: a list of objects with path (in the sandbox), directory, size (bytes), modified (seconds since 1970), mode, user, group.

Examples:
  meseta task files web-1
  meseta task files web-1 logs/old --output json")]
pub(crate) struct Options {
    /// The id of the task, or as much of it as is needed
    task: String,
    /// A directory of the sandbox
    #[arg(default_value = "")]
    path: String,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Row {
    path: String,
    directory: bool,
    size: u64,
    modified: f64,
    mode: u32,
    user: String,
    group: String,
}

const COLUMNS: &[Column] = &[
    Column("MODE", false),
    Column("USER", false),
    Column("GROUP", false),
    Column("SIZE", true),
    Column("MODIFIED", false),
    Column("PATH", false),
];

/// Lists the files of a sandbox.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let task = find_task(&operator, &options.task).await?;
    let id = &task.task_id.value;
    let address = agent_address(&operator, &task.agent_id).await;
    let agent = Operator::agent(address.with_context(|| format!("the sandbox of {id} cannot be read"))?);
    let sandbox = logs::path(&task, "");
    let wanted = logs::path(&task, options.path.trim_matches('/'));
    let entries = agent.list_files(wanted.trim_end_matches('/')).await;
    let entries =
        entries.with_context(|| format!("no listing of /{} of the sandbox of {id}", options.path))?;
    let mut rows: Vec<Row> = entries.into_iter().map(|entry| row(entry, &sandbox)).collect();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    match options.output {
        Form::Json => view::print_json(&rows),
        Form::Table | Form::Wide => view::print(&table(&rows)),
    }
}

/// Directories have this bit of `st_mode` among those of the type.
const KIND: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;

fn row(entry: FileInfo, sandbox: &str) -> Row {
    let mode = entry.mode.unwrap_or(0);
    Row {
        path: entry.path.strip_prefix(sandbox).unwrap_or(&entry.path).to_owned(),
        directory: mode & KIND == DIRECTORY,
        size: entry.size.unwrap_or(0),
        modified: entry.mtime.map_or(0.0, |time| time.nanoseconds as f64 / 1e9),
        mode,
        user: entry.uid.unwrap_or_default(),
        group: entry.gid.unwrap_or_default(),
    }
}

/// As `ls -l` writes it: `-rw-r--r--`.
fn mode_text(mode: u32) -> String {
    let kind = match mode & KIND {
        DIRECTORY => 'd',
        0o120_000 => 'l',
        _ => '-',
    };
    let bit = |shift: u32| if mode >> shift & 1 == 1 { b"xwr"[(shift % 3) as usize] } else { b'-' };
    std::iter::once(kind).chain((0..9).rev().map(|shift| char::from(bit(shift)))).collect()
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let slash = if row.directory { "/" } else { "" };
        table.row([
            (mode_text(row.mode), None),
            (row.user.clone(), None),
            (row.group.clone(), None),
            (view::bytes(row.size), None),
            (view::utc(row.modified), None),
            (format!("{}{slash}", row.path), None),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_as_ls_does() {
        let entry = |path: &str, mode, size| FileInfo {
            path: format!("/box/{path}"),
            mode: Some(mode),
            size: Some(size),
            uid: Some("root".into()),
            gid: Some("wheel".into()),
            ..FileInfo::default()
        };
        let rows: Vec<Row> =
            [entry("stdout", 0o100_644, 12), entry("logs", 0o040_755, 4096)].map(|e| row(e, "/box/")).into();
        let expected = "\
MODE        USER  GROUP  SIZE  MODIFIED  PATH
-rw-r--r--  root  wheel  12 B            stdout
drwxr-xr-x  root  wheel  4 KB            logs/
";
        assert_eq!(table(&rows), expected);
    }
}
