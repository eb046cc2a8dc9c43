//! Free ports for servers under test, the same as those of the services beside them.

#[path = "../../store/tests/services/ports.rs"]
mod shared;

/// A port of the loopback address that nobody listens on, and that no other process under test is given as long as this one
/// lives.
///
/// # Panics
/// If all are taken.
#[must_use]
pub fn free() -> u16 {
    shared::free_port()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_was_given_is_not_given_again_though_nobody_listens_there() {
        let port = free();
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "its server can listen");
        assert!(!shared::reserve(port).unwrap(), "it is taken");
    }
}
