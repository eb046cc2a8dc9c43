//! Where masters and agents are: `host:port`, lists of them, and the leader that a standby names.

use std::fmt;
use std::str::FromStr;

use store::url::{MasterUrl, UrlError};

/// The port that a master listens on when its address names none.
pub const DEFAULT_MASTER_PORT: u16 = 5050;

/// The environment variable that names the masters when nothing else does.
pub const MASTER_VARIABLE: &str = "MESETA_MASTER";

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A host name or an IP address; an IPv6 address is without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither an argument nor the environment names a master.
    #[error("no master is named: give `host:port` or set {MASTER_VARIABLE}")]
    Missing,
    /// The text is not of the form.
    #[error("`{text}` is not an address: {reason} (expected `host:port`, as in `127.0.0.1:5050`)")]
    Malformed {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text names a service that knows the masters, but not rightly.
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Reads `host`, `host:port`, `[v6]:port`, with or without `http://` in front and a path behind.
    ///
    /// # Errors
    /// When there is no host, or the port is no number from 1 to 65535.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let malformed = |reason| AddressError::Malformed { text: text.to_owned(), reason };
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(malformed("only http:// is known")),
            None => text,
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
            let (host, after) = inner.split_once(']').ok_or_else(|| malformed("`[` is never closed"))?;
            (host, after.strip_prefix(':'))
        } else {
            match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        if host.is_empty() {
            return Err(malformed("it has no host"));
        }
        let port = match port {
            None => default_port,
            Some(port) => port
                .parse()
                .ok()
                .filter(|&p| p != 0)
                .ok_or_else(|| malformed("its port is no port number"))?,
        };
        Ok(Self { host: host.to_owned(), port })
    }

    /// The address in the `Location` of a standby master: `//host:port/path`, or an absolute URL.
    #[must_use]
    pub fn from_location(location: &str) -> Option<Self> {
        let rest = location.strip_prefix("http:").unwrap_or(location).strip_prefix("//")?;
        Self::parse(rest, DEFAULT_MASTER_PORT).ok()
    }

    /// The address in a libprocess id such as `slave(1)@127.0.0.1:5051`.
    #[must_use]
    pub fn from_pid(pid: &str) -> Option<Self> {
        let (_, address) = pid.rsplit_once('@')?;
        Self::parse(address, 0).ok()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, DEFAULT_MASTER_PORT)
    }
}

/// The masters of a cluster: at least one address, and which of them leads is found out by asking; or the service that
/// elects one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters(Where);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Where {
    Listed(Vec<Address>),
    Service(MasterUrl),
}

impl Masters {
    /// Reads `zk://...`, `etcd://...`, `file://...` with one of these in the file, or a list of addresses separated by
    /// commas.
    ///
    /// # Errors
    /// When the list is empty, or something in it is no address or no URL.
    pub fn parse(list: &str) -> Result<Self, AddressError> {
        if ["zk://", "etcd://", "file://"].iter().any(|scheme| list.trim().starts_with(scheme)) {
            return match list.parse::<MasterUrl>()? {
                MasterUrl::Addresses(addresses) => Self::parse(&addresses.join(",")),
                service => Ok(Self(Where::Service(service))),
            };
        }
        let addresses = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| Address::parse(entry, DEFAULT_MASTER_PORT))
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() { Err(AddressError::Missing) } else { Ok(Self(Where::Listed(addresses))) }
    }

    /// The list in `MESETA_MASTER`.
    ///
    /// # Errors
    /// When the variable is not set, or what it holds is no list of addresses.
    pub fn from_env() -> Result<Self, AddressError> {
        std::env::var(MASTER_VARIABLE).map_err(|_| AddressError::Missing).and_then(|list| Self::parse(&list))
    }

    /// The addresses, in the order given; none if a service knows them.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        if let Where::Listed(addresses) = &self.0 { addresses } else { &[] }
    }

    /// The service that knows the masters.
    pub(crate) fn service(&self) -> Option<&MasterUrl> {
        if let Where::Service(url) = &self.0 { Some(url) } else { None }
    }
}

impl From<Address> for Masters {
    fn from(address: Address) -> Self {
        Self(Where::Listed(vec![address]))
    }
}

impl fmt::Display for Masters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Where::Service(url) = &self.0 {
            return url.fmt(f);
        }
        for (i, address) in self.addresses().iter().enumerate() {
            write!(f, "{}{address}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(Address::parse(text, 5050).unwrap().to_string(), expect, "{text}");
    }

    #[test]
    fn addresses_are_read_in_every_spelling() {
        check("10.0.0.1:1234", "10.0.0.1:1234");
        check("master", "master:5050");
        check("http://master:80/api", "master:80");
        check("[::1]:7", "[::1]:7");
        check("[::1]", "[::1]:5050");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "no host"),
            (":5050", "no host"),
            ("a:0", "port"),
            ("a:65536", "port"),
            ("a:b", "port"),
            ("[::1:5050", "never closed"),
            ("ftp://a", "http://"),
        ] {
            let error = Address::parse(text, 5050).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn leaders_and_agents_are_found_in_what_servers_say() {
        assert_eq!(Address::from_location("//h:5051/api/v1").unwrap().to_string(), "h:5051");
        assert_eq!(Address::from_location("http://h:1/").unwrap().to_string(), "h:1");
        assert_eq!(Address::from_location("/api"), None);
        assert_eq!(Address::from_pid("slave(1)@127.0.0.1:5051").unwrap().to_string(), "127.0.0.1:5051");
    }

    #[test]
    fn lists_are_read() {
        let masters = Masters::parse("a:1, b:2,").unwrap();
        assert_eq!(masters.to_string(), "a:1,b:2");
        assert_eq!(masters.addresses().len(), 2);
        assert_eq!(Masters::parse(" , "), Err(AddressError::Missing));
    }

    #[test]
    fn services_know_masters() {
        let masters = Masters::parse("zk://u:secret@a,b:1/mesos").unwrap();
        assert_eq!(masters.to_string(), "zk://a:2181,b:1/mesos", "no password in messages");
        assert!(masters.addresses().is_empty());
        let error = Masters::parse("zk://a:2181").unwrap_err().to_string();
        assert!(error.contains("names no path"), "{error}");
    }
}
