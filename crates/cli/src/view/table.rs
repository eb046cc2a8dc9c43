//! Tables without lines. A row is never broken, so that ids can be copied and lines be searched; where the terminal is
//! narrow, it wraps them itself.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, presets};

/// A column: its title, and whether it holds numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) bool);

/// A table to be printed.
pub(crate) struct Table {
    columns: &'static [Column],
    table: comfy_table::Table,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let title = |column: &Column| aligned(Cell::new(column.0).add_attribute(Attribute::Bold), *column);
        table.set_header(columns.iter().map(title));
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        Self { columns, table }
    }

    /// Adds a row; each cell may have a colour.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = (String, Option<Color>)>) {
        let cells = cells.into_iter().zip(self.columns).map(|((text, colour), column)| {
            let cell = aligned(Cell::new(text), *column);
            match colour {
                Some(colour) => cell.fg(colour),
                None => cell,
            }
        });
        self.table.add_row(cells);
    }

    /// The text of the table, for this process's standard output.
    pub(crate) fn render(mut self) -> String {
        if !super::colours(&std::io::stdout()) {
            self.table.force_no_tty();
        }
        let lines = self.table.lines().map(|line| format!("{}\n", line.trim_end()));
        lines.collect()
    }
}

fn aligned(cell: Cell, column: Column) -> Cell {
    if column.1 { cell.set_alignment(CellAlignment::Right) } else { cell }
}

/// The colour in which a task's state is shown.
pub(crate) fn state_colour(state: &str) -> Option<Color> {
    match state {
        "RUNNING" => Some(Color::Green),
        "STAGING" | "STARTING" | "KILLING" => Some(Color::Yellow),
        "FAILED" | "LOST" | "ERROR" | "DROPPED" | "GONE" | "GONE_BY_OPERATOR" | "UNREACHABLE" => {
            Some(Color::Red)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_plain_without_a_terminal() {
        let mut table = Table::new(&[Column("ID", false), Column("CPUS", true)]);
        table.row([("a-task".to_owned(), None), ("1".to_owned(), Some(Color::Red))]);
        table.row([("b".to_owned(), None), ("0.25".to_owned(), None)]);
        assert_eq!(table.render(), "ID      CPUS\na-task     1\nb       0.25\n");
    }
}
