//! Randomness from the kernel: what jitter and update ids are drawn from.

use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        // The kernel refuses only bad flags and bad addresses, and is interrupted only before its pool is first ready.
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).unwrap_or(0);
    }
    bytes
}

/// A random version 4 UUID, as its sixteen bytes.
pub(crate) fn uuid() -> [u8; 16] {
    let mut bytes = bytes::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

/// A number from 0 to 1, evenly drawn in steps of 2^-32.
pub(crate) fn unit() -> f64 {
    f64::from(u32::from_le_bytes(bytes())) / f64::from(u32::MAX)
}
