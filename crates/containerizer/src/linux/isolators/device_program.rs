//! Devices in version 2 of control groups: there is no file for them; the kernel asks a program that is attached to the
//! group. It is a handful of comparisons, written here instruction by instruction (`linux/bpf.h`).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::libc;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::devices::Allowed;

/// Operation codes: class, operation and kind of operand together.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

/// Registers: the answer, scratch (at first the question), and the question's parts.
const ANSWER: u8 = 0;
const SCRATCH: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
/// Whoever is above or below may have programs, too; all of them have to agree.
const ALLOW_MULTI: u32 = 2;

/// `struct bpf_insn`: code, registers, offset, number.
type Instruction = [u8; 8];

fn instruction(code: u8, to: u8, from: u8, offset: i16, number: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") { to | from << 4 } else { to << 4 | from };
    let ([o0, o1], [n0, n1, n2, n3]) = (offset.to_ne_bytes(), number.to_ne_bytes());
    [code, registers, o0, o1, n0, n1, n2, n3]
}

/// Answers 1 to what is allowed and 0 to all else.
fn program(allowed: &[Allowed]) -> Vec<Instruction> {
    let mut code = vec![
        // The question: kind below and access above, then major and minor number.
        instruction(LOAD_WORD, KIND, SCRATCH, 0, 0),
        instruction(LOAD_WORD, MAJOR, SCRATCH, 4, 0),
        instruction(LOAD_WORD, MINOR, SCRATCH, 8, 0),
        instruction(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        instruction(AND, KIND, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
    ];
    for rule in allowed {
        let kind = if rule.block { BLOCK } else { CHARACTER };
        let numbers = [(MAJOR, rule.major), (MINOR, rule.minor)];
        let numbers: Vec<(u8, i32)> = numbers
            .into_iter()
            .filter_map(|(register, number)| Some((register, i32::try_from(number?).ok()?)))
            .collect();
        let access = [(rule.make, MAKE), (rule.read, READ), (rule.write, WRITE)];
        let forbidden =
            access.into_iter().filter(|(allowed, _)| !allowed).fold(0, |bits, (_, bit)| bits | bit);
        // Every mismatch goes on to the next rule: past what is left of this one.
        let mut tests = vec![(KIND, kind)];
        tests.extend(numbers);
        let mut left = i16::try_from(tests.len()).unwrap_or(0) + 4;
        for (register, number) in tests {
            code.push(instruction(JUMP_UNLESS_EQUAL, register, 0, left, number));
            left -= 1;
        }
        code.push(instruction(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        code.push(instruction(AND, SCRATCH, 0, 0, forbidden));
        code.push(instruction(JUMP_UNLESS_EQUAL, SCRATCH, 0, 2, 0));
        code.push(instruction(MOVE, ANSWER, 0, 0, 1));
        code.push(instruction(EXIT, 0, 0, 0, 0));
    }
    code.push(instruction(MOVE, ANSWER, 0, 0, 0));
    code.push(instruction(EXIT, 0, 0, 0, 0));
    code
}

/// Has the kernel ask, about every use of a device in a group, whether it is among those allowed.
pub(super) fn attach(allowed: &[Allowed], group: &Path) -> io::Result<()> {
    let code = program(allowed);
    let program = load(&code)?;
    let directory = openat(CWD, group, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let number = |descriptor: &OwnedFd| {
        u32::try_from(descriptor.as_raw_fd()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
    };
    // The group holds the program from here on, and lets it go when it is removed.
    let attributes = [number(&directory)?, number(&program)?, ATTACH_CGROUP_DEVICE, ALLOW_MULTI];
    bpf(PROG_ATTACH, &attributes).map(drop)
}

#[expect(unsafe_code, reason = "a descriptor comes as a number")]
fn load(code: &[Instruction]) -> io::Result<OwnedFd> {
    /// The beginning of what the kernel calls `union bpf_attr`; the rest is zero.
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log: [u64; 2],
    }
    let attributes = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: u32::try_from(code.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        instructions: code.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log: [0; 2],
    };
    let number = bpf(PROG_LOAD, &attributes)?;
    // SAFETY: the kernel made it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[expect(unsafe_code, reason = "bpf(2) has no wrapper in the libraries used here")]
fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: the kernel reads as many bytes of the attributes as it is told; the memory they point to outlives the call
    // and is read only.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    i32::try_from(nix::errno::Errno::result(result)?).map_err(io::Error::other)
}
