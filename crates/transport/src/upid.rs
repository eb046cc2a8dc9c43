//! The address of a process: `<id>@<ip>:<port>`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Where a process can be reached: its id within the server that hosts it, and that server's address.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Upid {
    /// The whole text: addresses are compared, copied and written far more often than they are made.
    text: Arc<str>,
    id_length: usize,
    address: SocketAddr,
}

impl Upid {
    /// From its two halves.
    #[must_use]
    pub fn new(id: &str, address: SocketAddr) -> Self {
        Self { text: format!("{id}@{address}").into(), id_length: id.len(), address }
    }

    /// The process' id, such as `master` or `slave(1)`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.text[..self.id_length]
    }

    /// The text form, shared.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The address of the server that hosts it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no process' address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not of the form <id>@<ip>:<port>")]
pub struct InvalidUpid(pub String);

impl FromStr for Upid {
    type Err = InvalidUpid;

    fn from_str(text: &str) -> Result<Self, InvalidUpid> {
        let invalid = || InvalidUpid(text.to_owned());
        let (id, address) = text.split_once('@').ok_or_else(invalid)?;
        // The id becomes part of a request's path when it is answered.
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'?' | b'#')) {
            return Err(invalid());
        }
        Ok(Self::new(id, address.parse().map_err(|_| invalid())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in ["master@127.0.0.1:5050", "slave(1)@10.0.0.7:5051", "slave-observer(12)@[::1]:1"] {
            assert_eq!(text.parse::<Upid>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "master",
            "@127.0.0.1:1",
            "master@host:5050",
            "master@127.0.0.1",
            "a b@127.0.0.1:1",
            "a/b@127.0.0.1:1",
            "a\r\nb@127.0.0.1:1",
        ] {
            assert!(bad.parse::<Upid>().is_err(), "{bad}");
        }
    }
}
