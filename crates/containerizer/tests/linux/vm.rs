//! What this machine's kernel has not got, in a small virtual machine that holds this very program: the same tests with
//! control groups of version 2, where this machine has its controllers in version 1; and quotas of file systems.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Fixture;

/// Set inside the virtual machine.
pub(crate) const INSIDE: &str = "MESETA_TEST_IN_VM";

/// Seconds: a machine that is emulated by one that has much else to do needs its time, and what hangs in it is shown.
const PATIENCE: &str = "280";

#[test]
fn everything_holds_with_version_2_too() {
    let here = Fixture::new("posix/cpu").launcher().cgroups_version();
    if here == 2 {
        // Then all the others are that test.
        return;
    }
    let text = run_in_vm("groups");
    for test in ["limits::a_memory_hog_is_ended_and_named", "vm::inside_it_is_version_2"] {
        assert!(text.contains(&format!("test {test} ... ok")), "{test} has not run: {text}");
    }
}

#[test]
fn quotas_hold_on_real_file_systems() {
    let text = run_in_vm("quotas");
    let mut list = Command::new(std::env::current_exe().expect("it runs"));
    let listed = list.args(["--list", "--ignored", "quotas::"]).output().expect("it runs").stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let tests: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(tests.len() > 5, "{listed}");
    for test in tests {
        assert!(text.contains(&format!("test {test} ... ok")), "{test} has not run: {text}");
    }
}

/// What was written by the tests of a kind (see `vm/init.sh`) that ran in the virtual machine, if they all succeeded.
fn run_in_vm(kind: &str) -> String {
    let prepared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("meseta-vm");
    let (kernel, base) = (prepared.join("vmlinuz"), prepared.join("initramfs"));
    assert!(
        kernel.exists() && base.exists(),
        "there is no kernel in '{}': `cargo xtask test` prepares it",
        prepared.display()
    );
    let scratch = tempfile::tempdir().expect("a directory");
    let initramfs = with_this_program(&base, scratch.path());
    let mut qemu = Command::new("timeout");
    qemu.args([PATIENCE, "qemu-system-x86_64"]);
    // Emulated also where the machine could do it: some machines say so that are virtual themselves and cannot.
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max"]);
    qemu.args(["-nographic", "-no-reboot", "-nic", "none", "-m", "2048", "-smp", "2"]);
    qemu.arg("-kernel").arg(&kernel).arg("-initrd").arg(&initramfs);
    qemu.args(["-append", &format!("console=ttyS0 loglevel=0 panic=-1 -- {kind}")]);
    let output =
        qemu.stdin(Stdio::null()).output().expect("qemu-system-x86_64, which `cargo xtask test` installs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the tests ended with 0"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn inside_it_is_version_2() {
    if std::env::var_os(INSIDE).is_some() {
        assert_eq!(Fixture::new("posix/cpu").launcher().cgroups_version(), 2);
    }
}

/// The prepared archive with one more file: two archives one after the other are one to the kernel.
fn with_this_program(base: &Path, scratch: &Path) -> PathBuf {
    let program = fs::read(std::env::current_exe().expect("it runs")).expect("readable");
    let path = scratch.join("initramfs");
    fs::copy(base, &path).expect("readable");
    let mut archive = File::options().append(true).open(&path).expect("writable");
    archive.write_all(&entry("test", 0o100_755, &program)).expect("writable");
    archive.write_all(&entry("TRAILER!!!", 0, &[])).expect("writable");
    path
}

/// One file as cpio's "newc" format has it.
fn entry(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let numbers = [
        721,
        mode,
        0,
        0,
        1,
        0,
        u32::try_from(content.len()).expect("smaller than 4 GB"),
        0,
        0,
        0,
        0,
        u32::try_from(name.len() + 1).expect("short"),
        0,
    ];
    let mut header = b"070701".to_vec();
    header.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
    header.extend(name.as_bytes());
    header.push(0);
    let mut whole = padded(header);
    whole.extend(padded(content.to_vec()));
    whole
}
