//! Compiles the `.proto` files in pure Rust and generates two things from them: the message types (by `prost`), and
//! the tables that drive what `prost` does not do: the JSON form and the check of required fields.

#[path = "build/tables.rs"]
mod tables;

use std::path::PathBuf;
use std::{env, error, fs};

use prost_types::FileDescriptorSet;

/// Every file, so that the build stops when one is no longer reached.
const FILES: &[&str] = &[
    "google/protobuf/duration.proto",
    "mesos/v0/mesos.proto",
    "mesos/v1/mesos.proto",
    "mesos/v1/agent/agent.proto",
    "mesos/v1/allocator/allocator.proto",
    "mesos/v1/executor/executor.proto",
    "mesos/v1/maintenance/maintenance.proto",
    "mesos/v1/master/master.proto",
    "mesos/v1/quota/quota.proto",
    "mesos/v1/resource_provider/registry.proto",
    "mesos/v1/resource_provider/resource_provider.proto",
    "mesos/v1/scheduler/scheduler.proto",
    "mesos/internal/messages.proto",
    "mesos/internal/registry.proto",
    "mesos/internal/state/state.proto",
];

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=proto");

    let mut files = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("tables.rs"), tables::generate(&files))?;

    simplify(&mut files);
    prost_build::Config::new()
        .bytes(["."])
        .compile_well_known_types()
        .disable_comments(["."])
        .compile_fds(files)?;
    Ok(())
}

/// Takes from the files what `prost` must not see.
///
/// A map field is generated as what it is on the wire, a list of entries: `prost`'s own maps leave out a value that
/// equals its default, which the C++ implementation refuses where the value has a required field (a limit of 0 CPUs).
/// A deprecated field is one like any other here: whoever speaks with Mesos' clients has to set and read it.
fn simplify(files: &mut FileDescriptorSet) {
    fn visit(message: &mut prost_types::DescriptorProto) {
        if let Some(options) = message.options.as_mut() {
            options.map_entry = None;
        }
        for options in message.field.iter_mut().filter_map(|field| field.options.as_mut()) {
            options.deprecated = None;
        }
        message.nested_type.iter_mut().for_each(visit);
    }
    files.file.iter_mut().flat_map(|file| &mut file.message_type).for_each(visit);
}
