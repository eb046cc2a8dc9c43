//! `cargo xtask test`: installs what the tests need and runs all of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::MetadataCommand;

use crate::run as start;
use crate::{cargo, root};

/// Debian packages that the tests use: a Python that can make virtual environments and a compiler for its modules; and a
/// virtual machine for what this machine's kernel is set up for otherwise; coordination services; a browser; and
/// what reads metrics.
const PACKAGES: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("curl", "curl"),
    ("xz", "xz-utils"),
    ("zip", "zip"),
    ("bzip2", "bzip2"),
    ("cpio", "cpio"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("java", "default-jre-headless"),
    ("openssl", "openssl"),
    ("etcd", "etcd-server"),
    ("chromium", "chromium"),
    ("mkfs.xfs", "xfsprogs"),
    ("insmod", "kmod"),
    ("prometheus", "prometheus"),
];

/// ZooKeeper is no program but a library of Java; the package's scripts are not needed.
const ZOOKEEPER: (&str, &str) = ("/usr/share/java/zookeeper.jar", "libzookeeper-java");

/// Prepares this machine and runs the tests that `filter` names, or all.
pub(crate) fn run(filter: &[String]) -> Result<()> {
    ensure!(
        is_root(),
        "the tests start agents that switch users and reap whole process trees: run them as root"
    );
    install_packages()?;
    start("bash", &["tests/pymesos/setup.sh"], &[]).context("the Python clients that the tests drive")?;
    start("bash", &["tests/avmesos/setup.sh"], &[]).context("the command line of Mesos")?;
    start("bash", &["tests/browser/setup.sh"], &[]).context("the browser's driver")?;
    let machine = target_directory()?.join("tmp/meseta-vm");
    start("bash", &["crates/containerizer/tests/vm/prepare.sh", machine.as_str()], &[])
        .context("the virtual machine for what this machine's kernel has not got")?;
    // The tests start the binary as users do; it is built before them, so that no test waits for a compiler.
    cargo(&["build", "--workspace", "--bins", "--examples"], &[])?;
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    let workspace: &[&str] = if filter.contains(&"-p") { &[] } else { &["--workspace"] };
    if has("cargo-nextest") {
        cargo(&[&["nextest", "run", "--no-fail-fast"], workspace, &filter].concat(), &[])?;
    } else {
        cargo(
            &[&["test", "--no-fail-fast", "--bins", "--lib", "--tests"], workspace, &filter].concat(),
            &[],
        )?;
    }
    // Examples in the documentation; nextest leaves them out.
    cargo(&[&["test", "--doc"], workspace, &filter].concat(), &[])
}

fn target_directory() -> Result<cargo_metadata::camino::Utf8PathBuf> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec();
    Ok(metadata.context("cargo metadata")?.target_directory)
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status")
        .is_ok_and(|s| s.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(1) == Some("0")))
}

fn has(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| d.join(program).is_file()))
}

fn install_packages() -> Result<()> {
    let mut missing: Vec<&str> =
        PACKAGES.iter().filter(|(p, _)| !has(p)).map(|(_, package)| *package).collect();
    if !Path::new(ZOOKEEPER.0).is_file() {
        missing.push(ZOOKEEPER.1);
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !has("apt-get") {
        bail!("install these programs first: {}", missing.join(", "));
    }
    let environment = [("DEBIAN_FRONTEND", "noninteractive")];
    start("apt-get", &["update", "-qq"], &environment)?;
    start(
        "apt-get",
        &[&["install", "-y", "-qq", "--no-install-recommends"], missing.as_slice()].concat(),
        &environment,
    )?;
    Ok(())
}
