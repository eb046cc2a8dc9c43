//! Under which address others reach a process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Where others reach a process that listens on `bound`, with what its user says they see instead.
#[must_use]
pub fn advertised(bound: SocketAddr, ip: Option<IpAddr>, port: Option<u16>) -> SocketAddr {
    let ip = ip.unwrap_or_else(|| {
        // Nobody can connect to "all addresses": what a connection to the outside would come from is ours.
        if bound.ip().is_unspecified() { outgoing_address(bound.ip()) } else { bound.ip() }
    });
    SocketAddr::new(ip, port.unwrap_or(bound.port()))
}

fn outgoing_address(unspecified: IpAddr) -> IpAddr {
    // Connecting a datagram socket sends nothing; it only chooses a route. The address is one reserved for examples.
    let probe = UdpSocket::bind(SocketAddr::new(unspecified, 0))
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    match probe {
        Ok(address) if !address.ip().is_unspecified() => address.ip(),
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_says_comes_first_and_all_addresses_are_none() {
        let bound: SocketAddr = "127.0.0.1:5050".parse().unwrap();
        assert_eq!(advertised(bound, None, None), bound);
        let said = advertised(bound, Some("192.0.2.7".parse().unwrap()), Some(80));
        assert_eq!(said, "192.0.2.7:80".parse().unwrap());
        assert!(!advertised("0.0.0.0:5050".parse().unwrap(), None, None).ip().is_unspecified());
    }
}
