//! What people and programs are shown: tables in colours, or JSON.

mod amounts;
mod details;
mod moment;
mod question;
mod table;

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::failure::tell;

pub(crate) use amounts::{Amounts, age, bytes, count, megabytes, number, percent};
pub(crate) use details::Details;
pub(crate) use moment::{Start, ago, http_date, now, span, utc};
pub(crate) use question::confirm;
pub(crate) use table::{Column, Table, state_colour};

/// The form of what a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    // For people.
    #[default]
    Table,
    // For programs: one JSON document.
    Json,
}

/// The form of what a command of operators prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    // For people.
    #[default]
    Table,
    // For people with wide terminals: with columns that are not always needed.
    Wide,
    // For programs: one JSON document, of the shape that docs/cli.md tells.
    Json,
}

/// Whether a stream gets colours: only a terminal, and not where `NO_COLOR` asks for none.
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a JSON document.
pub(crate) fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    print(&text)
}

/// Prints a list: its rows as JSON, or as a table. People are told where there is nothing to show.
pub(crate) fn print_list<R: Serialize>(
    form: Form,
    rows: &[R],
    none: &str,
    table: impl FnOnce(&[R]) -> String,
) -> anyhow::Result<()> {
    match form {
        Form::Json => print_json(&rows),
        Form::Table | Form::Wide if rows.is_empty() => {
            tell(format_args!("{none}"));
            Ok(())
        }
        Form::Table | Form::Wide => print(&table(rows)),
    }
}

/// Prints text as it is.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
