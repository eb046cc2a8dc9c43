//! Ports for servers that a test ends and starts again at the same place.

use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// What this process has reserved. A port is nobody else's as long as it lives: nobody listens there before its server has
/// started, nor while it is started anew.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port of the loopback address on which nobody listens, and that no other process of tests is given; nor does anybody get it by
/// chance while the server is away: connections and servers that ask for any port get one above these.
///
/// # Panics
/// When all are taken.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u32 = 20_000;
    // Each process of tests begins somewhere else.
    const EACH: u32 = 61;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let next = std::process::id().wrapping_mul(EACH).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(next % COUNT).expect("a small number");
        if reserve(port).expect("a name") && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("all ports from {FIRST} on are taken");
}

/// Whether the port was not reserved, and is now. A name of the kernel's own stands for it, which goes with its process, leaves no
/// file, and holds where the port does: in one network namespace.
pub(crate) fn reserve(port: u16) -> io::Result<bool> {
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
