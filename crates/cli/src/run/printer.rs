//! Where the output of tasks goes: through as it is, with a name before each line when there are several tasks, or as
//! JSON.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

/// One of the two streams of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn write(self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout => write_flushed(std::io::stdout().lock(), bytes),
            Self::Stderr => write_flushed(std::io::stderr().lock(), bytes),
        }
    }
}

fn write_flushed(mut to: impl Write, bytes: &[u8]) -> Result<()> {
    to.write_all(bytes)?;
    Ok(to.flush()?)
}

/// How output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Prefixed,
    Json,
}

/// Shows one stream of one task.
pub(super) struct Printer {
    style: Style,
    stream: Stream,
    task: String,
    /// A line that has not ended yet.
    line: Vec<u8>,
}

impl Printer {
    pub(super) fn new(style: Style, stream: Stream, task: String) -> Self {
        Self { style, stream, task, line: Vec::new() }
    }

    /// Shows a piece of output.
    pub(super) fn show(&mut self, data: &[u8]) -> Result<()> {
        match self.style {
            Style::Plain => self.stream.write(data),
            Style::Json => event(&json!({
                "event": "output",
                "task_id": self.task,
                "stream": self.stream.file(),
                "data": String::from_utf8_lossy(data),
            })),
            Style::Prefixed => {
                let lines = self.lines(data);
                self.stream.write(&lines)
            }
        }
    }

    /// Shows what is left of a last line without an end.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let lines = self.lines(b"\n");
        self.stream.write(&lines)
    }

    /// The lines that have ended, each with the task before it.
    fn lines(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                out.extend_from_slice(format!("[{}] ", self.task).as_bytes());
                out.append(&mut self.line);
            }
        }
        out
    }
}

/// Prints one event of `--output json`.
pub(super) fn event(event: &serde_json::Value) -> Result<()> {
    Stream::Stdout.write(format!("{event}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_however_they_come() {
        let mut printer = Printer::new(Style::Prefixed, Stream::Stdout, "t".into());
        let mut out = printer.lines(b"one\ntw");
        out.extend(printer.lines(b"o"));
        out.extend(printer.lines(b"\n\nend"));
        assert_eq!(String::from_utf8(out).unwrap(), "[t] one\n[t] two\n[t] \n");
        assert_eq!(printer.lines(b"\n"), b"[t] end\n");
    }
}
