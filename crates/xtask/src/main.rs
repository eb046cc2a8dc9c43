//! The project's own chores: `cargo xtask test`, `cargo xtask tidy`, `cargo xtask check`.

mod compat;
mod files;
mod layers;
mod licences;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's chores", arg_required_else_help = true)]
struct Options {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need and run all of them
    #[command(
        after_help = "Examples:\n  cargo xtask test\n  cargo xtask test -p allocator\n  cargo xtask test replay"
    )]
    Test {
        /// Passed on to the test runner: a package (`-p NAME`) or a part of a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Check layers, file sizes, headers, licences and that COMPAT.md covers the wire
    Tidy,
    /// Everything that is not a test: formatting, lints, docs and tidy
    Check,
}

fn main() -> ExitCode {
    let result = match Options::parse().chore {
        Chore::Test { filter } => test::run(&filter),
        Chore::Tidy => tidy::run(),
        Chore::Check => check(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<()> {
    cargo(&["fmt", "--all", "--check"], &[]).context("formatting (mend with `cargo fmt`)")?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]).context("lints")?;
    cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
        .context("documentation")?;
    tidy::run()
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/xtask lies two below the root")
        .into()
}

/// Runs cargo at the root and fails as it fails.
fn cargo(args: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    run("cargo", args, environment)
}

/// Runs a program at the root, shows what it prints, and fails as it fails.
fn run(program: &str, args: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    eprintln!("+ {program} {}", args.join(" "));
    let status = Command::new(program)
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot start `{program}`"))?;
    ensure!(status.success(), "`{program} {}` failed: {status}", args.join(" "));
    Ok(())
}
