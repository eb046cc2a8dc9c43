//! Free ports for servers under test.

use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// From here on up, below where the kernel takes the ports of outgoing connections from: one of these is not taken by
/// chance between being found free and being bound.
const FIRST: u32 = 11_000;
const COUNT: u32 = 19_000;

/// What this process has reserved. A port is nobody else's as long as it lives: nobody listens there before its server has
/// started, nor while it is started anew.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port of the loopback address that nobody listens on, and that no other process under test is given.
pub fn free() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let start = start ^ process::id().wrapping_mul(0x9e37_79b9);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step.wrapping_mul(7)) % COUNT;
        let port = u16::try_from(port).expect("below 30,000");
        if reserve(port)? && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port"))
}

/// Whether the port was not reserved, and is now. A name of the kernel's own stands for it, which goes with its process, leaves no
/// file, and holds where the port does: in one network namespace.
fn reserve(port: u16) -> io::Result<bool> {
    let name = SocketAddr::from_abstract_name(format!("meseta-port-under-test-{port}"))?;
    match UnixListener::bind_addr(&name) {
        Ok(listener) => {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_not_given_again() {
        let port = free().unwrap();
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "its server can listen");
        assert!(!reserve(port).unwrap(), "nobody listens there, but it is taken");
    }
}
