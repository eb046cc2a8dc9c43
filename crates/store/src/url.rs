//! Where the coordination service is: `zk://`, `etcd://`; or which masters there are, one by one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `zk://user:password@host:port,host:port/path`.
#[derive(Clone, PartialEq, Eq)]
pub struct ZooKeeperUrl {
    /// `host:port`, separated by commas.
    pub servers: String,
    /// Below which node; begins with a slash.
    pub path: String,
    /// `user:password` for the scheme `digest`.
    pub credentials: Option<String>,
}

/// `etcd://user:password@host:port,host:port/prefix?ca=FILE&cert=FILE&key=FILE`.
#[derive(Clone, PartialEq, Eq)]
pub struct EtcdUrl {
    /// `host:port` of each.
    pub endpoints: Vec<String>,
    /// Below which prefix; begins with a slash and does not end with one.
    pub prefix: String,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// Encrypted, if there is something here.
    pub tls: Option<EtcdTls>,
}

/// With whom we speak, and who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdTls {
    /// Certificates of the authorities that we trust, in PEM.
    pub ca: PathBuf,
    /// Our certificate, in PEM, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Where masters are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterUrl {
    /// As Mesos' masters are.
    ZooKeeper(ZooKeeperUrl),
    /// In etcd.
    Etcd(EtcdUrl),
    /// At one of these `host:port`.
    Addresses(Vec<String>),
}

/// Why something is not such a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A wrong host or port.
    #[error("not an address: '{address}' (expected: host:port)")]
    Address {
        /// What was given.
        address: String,
    },
    /// No path.
    #[error("'{url}' names no path (expected: {scheme}://host:port/path)")]
    NoPath {
        /// What was given; no password in it.
        url: String,
        /// `zk` or `etcd`.
        scheme: &'static str,
    },
    /// A path that ZooKeeper does not take.
    #[error("not a path: '{path}'")]
    Path {
        /// What was given.
        path: String,
    },
    /// What is before the @.
    #[error("expected user:password before the @")]
    Credentials,
    /// After the question mark.
    #[error("unknown option '{option}' (expected: ca=FILE, cert=FILE, key=FILE)")]
    Option {
        /// What was given.
        option: String,
    },
    /// Incomplete options.
    #[error("cert and key go together, and with ca")]
    Identity,
    /// Something else than what is known.
    #[error("unknown scheme in '{url}' (expected: zk://, etcd:// or host:port)")]
    Scheme {
        /// What was given.
        url: String,
    },
    /// `file://` with a file that cannot be read.
    #[error("cannot read '{path}': {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl FromStr for ZooKeeperUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.trim().strip_prefix("zk://");
        let rest = rest.ok_or_else(|| UrlError::Scheme { url: text.to_owned() })?;
        let (credentials, servers, path) = split(rest)?;
        let servers = addresses(servers, 2181)?.join(",");
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return Err(UrlError::NoPath { url: format!("zk://{servers}/"), scheme: "zk" });
        }
        if path
            .split('/')
            .skip(1)
            .any(|node| matches!(node, "" | "." | "..") || node.contains(char::is_control))
        {
            return Err(UrlError::Path { path: path.to_owned() });
        }
        let credentials = credentials.map(|(user, password)| format!("{user}:{password}"));
        Ok(Self { servers, path: path.to_owned(), credentials })
    }
}

impl FromStr for EtcdUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.trim().strip_prefix("etcd://");
        let rest = rest.ok_or_else(|| UrlError::Scheme { url: text.to_owned() })?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (credentials, servers, path) = split(rest)?;
        let endpoints = addresses(servers, 2379)?;
        let prefix = path.trim_end_matches('/');
        if prefix.is_empty() {
            return Err(UrlError::NoPath { url: format!("etcd://{servers}/"), scheme: "etcd" });
        }
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Ok(Self { endpoints, prefix: prefix.to_owned(), credentials, tls: tls(options)? })
    }
}

impl FromStr for MasterUrl {
    type Err = UrlError;

    /// Also `file:///path`, for a file with any of the others in it, so that a password is on no command line.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("file://") {
            let path = Path::new(path);
            let content = std::fs::read_to_string(path)
                .map_err(|error| UrlError::File { path: path.to_owned(), reason: error.to_string() })?;
            let content = content.trim();
            if content.starts_with("file://") {
                return Err(UrlError::Scheme { url: content.to_owned() });
            }
            return content.parse();
        }
        if text.starts_with("zk://") {
            return text.parse().map(Self::ZooKeeper);
        }
        if text.starts_with("etcd://") {
            return text.parse().map(Self::Etcd);
        }
        let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        if text.contains("://") {
            return Err(UrlError::Scheme { url: text.to_owned() });
        }
        addresses(text, 5050).map(Self::Addresses)
    }
}

type Parts<'a> = (Option<(&'a str, &'a str)>, &'a str, &'a str);

/// Credentials, servers, path.
fn split(rest: &str) -> Result<Parts<'_>, UrlError> {
    // A password may hold anything but a slash.
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (credentials, servers) = match authority.rsplit_once('@') {
        Some((credentials, servers)) => {
            let pair = credentials.split_once(':').filter(|(user, _)| !user.is_empty());
            (Some(pair.ok_or(UrlError::Credentials)?), servers)
        }
        None => (None, authority),
    };
    Ok((credentials, servers, path))
}

fn addresses(text: &str, port: u16) -> Result<Vec<String>, UrlError> {
    text.split(',').map(|address| with_port(address.trim(), port)).collect()
}

/// `host:port`, with this port if none is given.
fn with_port(address: &str, default: u16) -> Result<String, UrlError> {
    let wrong = || UrlError::Address { address: address.to_owned() };
    let (host, port) = match address.rsplit_once(':') {
        // A bare IPv6 address would be ambiguous; in brackets it is not.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().map_err(|_| wrong())?),
        _ => (address, default),
    };
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let good = match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    if !good || port == 0 {
        return Err(wrong());
    }
    Ok(format!("{host}:{port}"))
}

fn tls(options: &str) -> Result<Option<EtcdTls>, UrlError> {
    let (mut ca, mut cert, mut key) = (None, None, None);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("ca", file)) => ca = Some(PathBuf::from(file)),
            Some(("cert", file)) => cert = Some(PathBuf::from(file)),
            Some(("key", file)) => key = Some(PathBuf::from(file)),
            _ => return Err(UrlError::Option { option: option.to_owned() }),
        }
    }
    match (ca, cert, key) {
        (None, None, None) => Ok(None),
        (Some(ca), None, None) => Ok(Some(EtcdTls { ca, identity: None })),
        (Some(ca), Some(cert), Some(key)) => Ok(Some(EtcdTls { ca, identity: Some((cert, key)) })),
        _ => Err(UrlError::Identity),
    }
}

/// For logs: passwords are left out.
impl fmt::Display for ZooKeeperUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zk://{}{}", self.servers, self.path)
    }
}

impl fmt::Debug for ZooKeeperUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// For logs: passwords are left out.
impl fmt::Display for EtcdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "etcd://{}{}", self.endpoints.join(","), self.prefix)
    }
}

impl fmt::Debug for EtcdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MasterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZooKeeper(url) => url.fmt(f),
            Self::Etcd(url) => url.fmt(f),
            Self::Addresses(addresses) => f.write_str(&addresses.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<MasterUrl, UrlError> {
        text.parse()
    }

    #[test]
    fn zookeeper() {
        let url: ZooKeeperUrl = "zk://jake:p@ss:1@one,two:2182/mesos/a/".parse().expect("a URL");
        assert_eq!((url.servers.as_str(), url.path.as_str()), ("one:2181,two:2182", "/mesos/a"));
        assert_eq!(url.credentials.as_deref(), Some("jake:p@ss:1"));
        assert_eq!(format!("{url:?}"), "zk://one:2181,two:2182/mesos/a", "no password in logs");
        for (wrong, says) in [
            ("zk://one:2181", "names no path"),
            ("zk://one:2181/", "names no path"),
            ("zk:///mesos", "not an address: ''"),
            ("zk://one:x/mesos", "not an address: 'one:x'"),
            ("zk://one,/mesos", "not an address: ''"),
            ("zk://jake@one/mesos", "expected user:password"),
            ("zk://one/a//b", "not a path"),
            ("zk://one/a/../b", "not a path"),
        ] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn etcd() {
        let url: EtcdUrl = "etcd://u:p@one,[::1]:99/meseta?ca=/c&cert=/d&key=/e".parse().expect("a URL");
        assert_eq!(url.endpoints, ["one:2379", "[::1]:99"]);
        assert_eq!(url.credentials, Some(("u".to_owned(), "p".to_owned())));
        let identity = Some(("/d".into(), "/e".into()));
        assert_eq!(url.tls, Some(EtcdTls { ca: "/c".into(), identity }));
        assert!(matches!(parse("etcd://one/x?cert=/d"), Err(UrlError::Identity)));
        assert!(matches!(parse("etcd://one/x?what=/d"), Err(UrlError::Option { .. })));
        assert!(matches!(parse("etcd://one"), Err(UrlError::NoPath { scheme: "etcd", .. })));
    }

    #[test]
    fn masters() {
        assert_eq!(parse("one,two:1"), Ok(MasterUrl::Addresses(vec!["one:5050".into(), "two:1".into()])));
        assert_eq!(parse("http://one:5/"), Ok(MasterUrl::Addresses(vec!["one:5".into()])));
        assert!(matches!(parse("ftp://x"), Err(UrlError::Scheme { .. })));
        assert!(matches!(parse("::1"), Err(UrlError::Address { .. })));
        assert!(matches!(parse("file:///nowhere/at/all"), Err(UrlError::File { .. })));
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("zk");
        std::fs::write(&file, "zk://one/mesos\n").expect("written");
        let url = parse(&format!("file://{}", file.display())).expect("a URL");
        assert_eq!(url.to_string(), "zk://one:2181/mesos");
    }
}
