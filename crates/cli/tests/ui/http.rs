//! Plain HTTP/1.1, with a connection for each request.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
    /// How many bytes the body has as it was sent.
    pub(crate) length: usize,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// All values of a header.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(move |(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Asks for a path.
pub(crate) fn get(address: &str, path: &str) -> Answer {
    get_with(address, path, &[])
}

/// The same, with headers.
pub(crate) fn get_with(address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // HTTP/1.0: the answer ends with the connection, and comes in no chunks.
    let mut request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all((request + "\r\n").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{path} answered {:?}", String::from_utf8_lossy(&bytes)));
    let length = bytes.len() - end - 4;
    let (head, body) = (String::from_utf8_lossy(&bytes[..end]), String::from_utf8_lossy(&bytes[end + 4..]));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, head: head.into_owned(), body: body.into_owned(), length }
}
