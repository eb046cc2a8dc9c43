//! The table of layers: which crate may use which. ARCHITECTURE.md says why.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::root;
use crate::tidy::Complaint;

/// What a crate may use.
enum May {
    /// Only these crates of the workspace.
    Only(&'static [&'static str]),
    /// Any crate of a lower layer.
    Any,
}
use May::{Any, Only};

/// Layer, crate, what it may use. Tests of a crate (dev-dependencies) may also use crates of higher layers.
const TABLE: &[(u8, &str, May)] = &[
    (0, "base", Only(&[])),
    (0, "proto", Only(&[])),
    (1, "resources", Only(&["base"])),
    (2, "allocator", Only(&["base", "resources"])),
    (2, "wire", Only(&["base", "resources", "proto"])),
    (3, "master-core", Only(&["base", "resources", "allocator"])),
    (3, "agent-core", Only(&["base", "resources"])),
    (4, "store", Only(&["base", "proto"])),
    (3, "init", Only(&[])),
    (4, "transport", Only(&["base", "proto"])),
    (4, "http-api", Only(&["base", "proto"])),
    (4, "containerizer", Only(&["base", "resources", "init"])),
    (
        5,
        "master",
        Only(&[
            "base",
            "resources",
            "allocator",
            "proto",
            "wire",
            "master-core",
            "store",
            "transport",
            "http-api",
        ]),
    ),
    (
        5,
        "agent",
        Only(&[
            "base",
            "resources",
            "proto",
            "wire",
            "agent-core",
            "store",
            "transport",
            "http-api",
            "containerizer",
        ]),
    ),
    (5, "sdk", Only(&["proto", "store"])),
    (6, "ui", Only(&[])),
    (7, "cli", Any),
    (5, "testkit", Only(&["base", "resources", "allocator", "master-core", "agent-core"])),
    (6, "sim", Only(&["base", "resources", "allocator", "master-core", "agent-core", "store", "testkit"])),
    (8, "conformance", Only(&["proto", "sdk"])),
    (8, "bench", Any),
    (8, "xtask", Any),
];

/// Compares the table with what cargo knows.
pub(crate) fn check() -> Result<Vec<Complaint>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let layers: BTreeMap<&str, (u8, &May)> = TABLE.iter().map(|(l, name, may)| (*name, (*l, may))).collect();
    let mut complaints = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(&(layer, may)) = layers.get(name) else {
            complaints.push(format!("crate {name} is in no layer: add it to crates/xtask/src/layers.rs"));
            continue;
        };
        for dependency in &package.dependencies {
            if dependency.path.is_none() || dependency.kind == DependencyKind::Development {
                continue;
            }
            let uses = dependency.name.as_str();
            let named = match may {
                Only(list) => list.contains(&uses),
                Any => true,
            };
            let lower = layers.get(uses).is_some_and(|(l, _)| *l < layer || (*l == layer && layer == 8));
            if !named || !lower {
                complaints.push(format!("crate {name} (layer {layer}) may not use {uses}"));
            }
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_itself_goes_downwards() {
        let layer = |name: &str| TABLE.iter().find(|(_, n, _)| *n == name).map(|(l, _, _)| *l);
        for (own, name, may) in TABLE {
            if let Only(list) = may {
                for used in *list {
                    assert!(layer(used).expect("a crate of the table") < *own, "{name} uses {used}");
                }
            }
        }
    }
}
