//! COMPAT.md is the ledger of compatibility: it has a row for every call and event of the wire.

use std::fs;

use anyhow::{Context, Result};

use crate::root;
use crate::tidy::Complaint;

/// The files with calls and events, and how their rows are named in the ledger.
const APIS: &[(&str, &str)] =
    &[("scheduler", "scheduler"), ("executor", "executor"), ("master", "master"), ("agent", "agent")];

/// Checks that every value of `Call.Type` and `Event.Type`, and every message between master and agent, has a row.
pub(crate) fn check() -> Result<Vec<Complaint>> {
    let ledger = fs::read_to_string(root().join("COMPAT.md")).context("COMPAT.md")?;
    let rows: Vec<&str> = ledger.lines().filter(|l| l.starts_with('|')).collect();
    let mut complaints = Vec::new();
    for (file, api) in APIS {
        let path = root().join(format!("crates/proto/proto/mesos/v1/{file}/{file}.proto"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for kind in ["Call", "Event"] {
            for value in types_of(&text, kind) {
                let name = format!("`{api} {kind}.{value}`");
                if !rows.iter().any(|r| r.contains(&name)) {
                    complaints.push(format!("COMPAT.md has no row for {name}"));
                }
            }
        }
    }
    Ok(complaints)
}

/// The values of `enum Type` directly inside `message KIND`, `UNKNOWN` left out.
fn types_of(proto: &str, kind: &str) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut values = Vec::new();
    for line in proto.lines().map(|l| l.split("//").next().unwrap_or("").trim()) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("message" | "enum"), Some(name)) if line.ends_with('{') => path.push(name),
            (Some(_), _) if line.ends_with('{') => path.push(""),
            (Some(word), Some("=")) if path == [kind, "Type"] && word != "UNKNOWN" => {
                values.push(word.to_owned())
            }
            _ => {}
        }
        if line.starts_with('}') {
            path.pop();
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::types_of;

    #[test]
    fn values_of_the_type_enum_only() {
        let proto = "message Call {\n  enum Type {\n    UNKNOWN = 0;\n    A = 1; // one\n    B = 2;\n  }\n\
                     message Inner {\n enum Type {\n C = 1;\n }\n }\n}\nmessage Event {\n enum Type {\n D = 1;\n }\n}\n";
        assert_eq!(types_of(proto, "Call"), ["A", "B"]);
        assert_eq!(types_of(proto, "Event"), ["D"]);
    }
}
