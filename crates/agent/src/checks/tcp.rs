//! Whether somebody takes connections.

use std::net::IpAddr;

use super::network;

/// Connects, and closes at once.
pub(super) async fn connects(address: IpAddr, port: u16) -> bool {
    network::connect(&address.to_string(), port).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_is_told_from_nobody() {
        let address = network::own_address(false);
        let listener = tokio::net::TcpListener::bind((address, 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        assert!(connects(address, port).await);
        drop(listener);
        assert!(!connects(address, port).await);
    }
}
