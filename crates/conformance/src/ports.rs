//! Free ports for servers under test.

use std::io;
use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// From here on up, below where the kernel takes the ports of outgoing connections from: one of these is not taken by
/// chance between being found free and being bound.
const FIRST: u32 = 11_000;
const COUNT: u32 = 19_000;

/// A port of the loopback address that nobody listens on. Each process starts its search elsewhere.
pub fn free() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let start = start ^ process::id().wrapping_mul(0x9e37_79b9);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step.wrapping_mul(7)) % COUNT;
        let port = u16::try_from(port).expect("below 30,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port"))
}
