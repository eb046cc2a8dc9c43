//! The network of a task. All tasks share the agent's today; where one has its own, it is entered here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::TcpStream;

/// Where a task is reached that listens on its own machine. No name: the task's files may not know `localhost`.
pub(super) fn own_address(ipv6: bool) -> IpAddr {
    if ipv6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

/// A port as the scheduler wrote it.
pub(super) fn port(written: u32) -> Result<u16, String> {
    u16::try_from(written).map_err(|_| format!("there is no port {written}"))
}

/// Connects to an address or a name.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((host, port)).await
}
