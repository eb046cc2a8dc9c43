//! Programs that filter system calls, for all kinds of programs that a machine runs: its own, and those of its narrower
//! sibling (32-bit programs on a 64-bit machine), whose calls have other numbers.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, sock_filter};
use syscalls::Sysno;

/// A kind of program.
#[derive(Clone, Copy)]
pub(super) struct Architecture {
    /// As profiles name it in their `archMap`.
    pub(super) name: &'static str,
    /// As the kernel tells a filter of it (`AUDIT_ARCH_*`).
    audit: u32,
    /// The number of a call; `None` if there is no such call.
    pub(super) number: fn(&str) -> Option<i64>,
}

/// The machine's own.
pub(super) const NATIVE: Architecture = Architecture {
    name: if cfg!(target_arch = "x86_64") { "SCMP_ARCH_X86_64" } else { "SCMP_ARCH_AARCH64" },
    audit: if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 },
    number: |name| name.parse::<Sysno>().ok().map(|call| i64::from(call.id())),
};

/// Its narrower sibling.
pub(super) const NARROW: Architecture = if cfg!(target_arch = "x86_64") {
    Architecture {
        name: "SCMP_ARCH_X86",
        audit: 0x4000_0003,
        number: |name| name.parse::<syscalls::x86::Sysno>().ok().map(|call| i64::from(call.id())),
    }
} else {
    Architecture {
        name: "SCMP_ARCH_ARM",
        audit: 0x4000_0028,
        number: |name| name.parse::<syscalls::arm::Sysno>().ok().map(|call| i64::from(call.id())),
    }
};

/// The instructions that `seccompiler` begins with: that the program is one of the machine's own.
const CHECK: usize = 3;

// Of the kernel's instructions: linux/bpf_common.h, linux/seccomp.h.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const OFFSET_OF_NUMBER: u32 = 0;
const OFFSET_OF_ARCHITECTURE: u32 = 4;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERROR_NO_SUCH_CALL: u32 = 0x0005_0000 | 38;
/// Calls of programs with short pointers on a 64-bit x86 are marked with this bit. No profile's rule knows them.
const SHORT_POINTERS: u32 = 0x4000_0000;

/// What is done about some calls, by their numbers, and about all others.
pub(super) fn compile(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    action: SeccompAction,
) -> Result<BpfProgram, String> {
    let machine = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filter = SeccompFilter::new(calls, otherwise, action, machine).map_err(|error| error.to_string())?;
    let program: BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    // The numbers of calls decide from here on; whose they are is found out for all kinds of programs together.
    Ok(program.into_iter().skip(CHECK).collect())
}

/// A whole program. Without `narrow`, programs of the narrower kind are ended.
pub(super) fn assemble(native: BpfProgram, narrow: Option<BpfProgram>) -> Result<Vec<u8>, String> {
    let mut own = Vec::new();
    if cfg!(target_arch = "x86_64") {
        own.push(instruction(LOAD, 0, 0, OFFSET_OF_NUMBER));
        own.push(instruction(JUMP_IF_AT_LEAST, 0, 1, SHORT_POINTERS));
        own.push(instruction(RETURN, 0, 0, ERROR_NO_SUCH_CALL));
    }
    own.extend(native);
    let mut whole = vec![instruction(LOAD, 0, 0, OFFSET_OF_ARCHITECTURE)];
    let other = match narrow {
        Some(narrow) => {
            let mut other = vec![instruction(JUMP_IF_EQUAL, 1, 0, NARROW.audit)];
            other.push(instruction(RETURN, 0, 0, KILL_PROCESS));
            other.extend(narrow);
            other
        }
        None => vec![instruction(RETURN, 0, 0, KILL_PROCESS)],
    };
    let distance = u32::try_from(other.len()).map_err(|_| "the profile has too many rules".to_owned())?;
    whole.push(instruction(JUMP_IF_EQUAL, 0, 1, NATIVE.audit));
    whole.push(instruction(JUMP, 0, 0, distance));
    whole.extend(other);
    whole.extend(own);
    Ok(whole.iter().flat_map(bytes).collect())
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn bytes(instruction: &sock_filter) -> Vec<u8> {
    let mut bytes = instruction.code.to_ne_bytes().to_vec();
    bytes.extend([instruction.jt, instruction.jf]);
    bytes.extend(instruction.k.to_ne_bytes());
    bytes
}
