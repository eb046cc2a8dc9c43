//! Builds `meseta-init`, the first process of every container, and has it embedded in this library.
//!
//! It is built apart from the rest, because it wants what the rest does not: linked statically at a fixed place, for
//! size, and ending at once where it panics. So an init has few pages of its own, and nothing has to be installed beside
//! the agent, nor can what runs in containers be of another version.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Settings of the outer build that must not reach the inner one: they are meant for other programs.
const NOT_INHERITED: &[&str] = &[
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let (out, target) = (PathBuf::from(variable("OUT_DIR")).join("init"), variable("TARGET"));
    let init = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("../init");
    for path in ["src", "Cargo.toml", "../../Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", init.join(path).display());
    }
    let mut cargo = Command::new(variable("CARGO"));
    cargo.arg("build").arg("--manifest-path").arg(init.join("Cargo.toml"));
    cargo.args(["--bin", "meseta-init", "--release", "--quiet", "--target", &target]);
    cargo.arg("--target-dir").arg(&out);
    for setting in
        ["panic=\"abort\"", "opt-level=\"s\"", "lto=\"fat\"", "codegen-units=1", "debug=false", "strip=true"]
    {
        cargo.arg("--config").arg(format!("profile.release.{setting}"));
    }
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static");
    let built = cargo.status().expect("cargo starts");
    assert!(built.success(), "meseta-init does not build: {built}");
    let program = out.join(&target).join("release/meseta-init");
    println!("cargo::rustc-env=MESETA_INIT={}", program.display());
}
