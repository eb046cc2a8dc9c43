//! What a URI means: where it is, and what it will be called.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use super::archive::Format;
use super::{SourceError, Uri};

/// What is wrong with a URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// No scheme that we know.
    #[error(
        "the scheme '{0}' is not supported, expected http, https, file, or one that a hadoop client is there for"
    )]
    Scheme(String),
    /// Not an address.
    #[error("it is no valid address: {0}")]
    Address(String),
    /// Nothing to call the file by.
    #[error("its path does not name a file")]
    NoName,
    /// The file would not be in the sandbox.
    #[error("'{0}' is not a name within the sandbox")]
    Name(String),
    /// A relative path without a place to start from.
    #[error("a relative path needs the agent's frameworks_home, which is not set")]
    Relative,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Local(PathBuf),
    /// In the hands of what knows the scheme.
    Remote {
        scheme: String,
        address: String,
    },
}

/// A URI understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// As it was given.
    pub(super) uri: String,
    pub(super) location: Location,
    /// Relative to the sandbox, and within it.
    pub(super) name: PathBuf,
    pub(super) executable: bool,
    pub(super) extract: bool,
    /// Whether it may come from the cache.
    pub(super) cache: bool,
}

impl Source {
    pub(super) fn new(uri: &Uri, home: Option<&Path>) -> Result<Self, UriError> {
        // As people paste them.
        let value = uri.value.trim();
        let (location, name) = locate(value, home)?;
        let name = match &uri.output_file {
            Some(output) => inside(Path::new(output)),
            None => {
                name.and_then(|name| inside(Path::new(&name)).filter(|path| path.components().count() == 1))
            }
        };
        let name = name.ok_or_else(|| match &uri.output_file {
            Some(output) => UriError::Name(output.clone()),
            None => UriError::NoName,
        })?;
        // The container's own output has these names, and what we have to say is in one of them.
        if name == Path::new("stdout") || name == Path::new("stderr") {
            return Err(UriError::Name(name.display().to_string()));
        }
        // What has `executable` is run, not unpacked.
        let (executable, extract) = (uri.executable, uri.extract && !uri.executable);
        Ok(Self { uri: value.to_owned(), location, name, executable, extract, cache: uri.cache })
    }

    /// How it is to be unpacked, if it is.
    pub(super) fn format(&self) -> Option<Format> {
        if self.extract { Format::of(&self.name) } else { None }
    }

    pub(super) fn copy_failed(&self, source: std::io::Error) -> SourceError {
        SourceError::Copy { uri: self.uri.clone(), source }
    }

    pub(super) fn download_failed(&self, source: Box<dyn std::error::Error + Send + Sync>) -> SourceError {
        SourceError::Download { uri: self.uri.clone(), source }
    }
}

fn locate(value: &str, home: Option<&Path>) -> Result<(Location, Option<OsString>), UriError> {
    if value.is_empty() {
        return Err(UriError::Empty);
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        let path = Path::new(value);
        let path =
            if path.is_absolute() { path.to_owned() } else { home.ok_or(UriError::Relative)?.join(path) };
        let name = path.file_name().map(ToOwned::to_owned);
        return Ok((Location::Local(path), name));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => {
            let path = PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest));
            if !path.is_absolute() {
                return Err(UriError::Address("a file's path must be absolute".to_owned()));
            }
            let name = path.file_name().map(ToOwned::to_owned);
            Ok((Location::Local(path), name))
        }
        "http" | "https" => {
            // A fragment is not for the server.
            let address = value.split('#').next().unwrap_or(value);
            let address: http::Uri = escape(address)
                .parse()
                .map_err(|error: http::uri::InvalidUri| UriError::Address(error.to_string()))?;
            let name = address.path().rsplit('/').next().map(unescape);
            Ok((Location::Remote { scheme: scheme.to_ascii_lowercase(), address: address.to_string() }, name))
        }
        // What the rest means is known to who fetches it; its last part is a name everywhere.
        other => {
            let name = rest.rsplit_once('/').map(|(_, name)| OsString::from(name));
            Ok((Location::Remote { scheme: other.to_owned(), address: value.to_owned() }, name))
        }
    }
}

/// The path if it stays inside the directory that it is relative to.
fn inside(path: &Path) -> Option<PathBuf> {
    let plain: Option<PathBuf> = path
        .components()
        .map(|component| match component {
            Component::Normal(part) => Some(part),
            _ => None,
        })
        .collect();
    plain.filter(|path| !path.as_os_str().is_empty())
}

/// Writes what must not be in an address as it is (spaces, letters beyond ASCII) as percent escapes.
fn escape(address: &str) -> String {
    let mut escaped = String::with_capacity(address.len());
    for byte in address.bytes() {
        if byte.is_ascii_graphic()
            && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Resolves percent escapes. What only looks like one stays as it is.
fn unescape(text: &str) -> OsString {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(value: &str, output_file: Option<&str>) -> Result<Source, UriError> {
        let output_file = output_file.map(str::to_owned);
        let uri =
            Uri { value: value.to_owned(), executable: false, extract: true, cache: false, output_file };
        Source::new(&uri, None)
    }

    #[test]
    fn names_come_from_the_path() {
        let name = |value| source(value, None).map(|source| source.name.display().to_string());
        assert_eq!(name("http://h/a/b.tgz?version=1#top"), Ok("b.tgz".to_owned()));
        assert_eq!(name("https://h:1/b%20c%C3%A9.zip"), Ok("b cé.zip".to_owned()));
        assert_eq!(name("http://h/b é.zip"), Ok("b é.zip".to_owned()));
        assert_eq!(name("file:///x/a%20b"), Ok("a%20b".to_owned()));
        assert_eq!(name("file://localhost/x/y"), Ok("y".to_owned()));
        assert_eq!(name(" /x/y "), Ok("y".to_owned()));
        assert_eq!(name("http://h/100%"), Ok("100%".to_owned()));
        assert_eq!(name("hdfs://name:9000/d/b é.tgz"), Ok("b é.tgz".to_owned()));
    }

    #[test]
    fn names_stay_in_the_sandbox() {
        for bad in [
            "http://h/",
            "http://h",
            "http://h/a%2Fb",
            "http://h/..",
            "http://h/%2e%2e",
            "file:///",
            "/",
            "hdfs://h",
            "hdfs://h/",
            "s3://b/..",
        ] {
            assert_eq!(source(bad, None).unwrap_err(), UriError::NoName, "{bad}");
        }
        for bad in ["../x", "/etc/passwd", "a/../../b", "", "stderr"] {
            assert_eq!(source("/x", Some(bad)).unwrap_err(), UriError::Name(bad.to_owned()));
        }
        assert_eq!(source("/x", Some("a/b")).expect("inside").name, Path::new("a/b"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(source("", None), Err(UriError::Empty));
        assert_eq!(source("x/y", None), Err(UriError::Relative));
        assert!(matches!(source("file://x", None), Err(UriError::Address(_))));
        assert!(matches!(source("http://", None), Err(UriError::Address(_))));
        let uri =
            Uri { value: "x/y".to_owned(), executable: true, extract: true, cache: false, output_file: None };
        let source = Source::new(&uri, Some(Path::new("/home"))).expect("below home");
        assert_eq!(source.location, Location::Local(PathBuf::from("/home/x/y")));
        assert!(!source.extract);
    }
}
