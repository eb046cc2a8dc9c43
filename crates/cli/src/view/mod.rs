//! What people and programs are shown: tables in colours, or JSON.

mod amounts;
mod table;

use std::io::{IsTerminal, Write};

use serde::Serialize;

pub(crate) use amounts::{age, megabytes, number};
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

/// Prints text as it is.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
