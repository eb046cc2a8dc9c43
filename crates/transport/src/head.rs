//! The head of a message: request line and headers, read incrementally.

use std::borrow::Cow;
use std::str;

use crate::Upid;

/// Most headers that a message may have; libprocess sends four or five.
const MAX_HEADERS: usize = 32;

/// What every message's name begins with; all protobuf packages of Mesos are below it.
const NAME_PREFIX: &str = "mesos.";

/// How a message's body is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// So many bytes follow.
    Length(usize),
    /// `Transfer-Encoding: chunked`, as libprocess itself sends.
    Chunked,
}

/// What the head of a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// The process that the message is for, decoded, such as `slave(1)`.
    pub(crate) to: String,
    /// The message's full protobuf name.
    pub(crate) name: String,
    /// Who sends it and gets the replies.
    pub(crate) from: Upid,
    /// Whether the sender wants an answer: real libprocess names itself as user agent and reads none.
    pub(crate) wants_answer: bool,
    pub(crate) framing: Framing,
    /// Whether the sender closes the connection after it.
    pub(crate) close: bool,
}

/// Why bytes are not the head of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Another HTTP request: to be served by an HTTP server.
    #[error("the request is not a message")]
    NotAMessage,
    /// Not HTTP at all, or a header that cannot be understood.
    #[error("malformed message head: {0}")]
    Malformed(String),
}

/// The two halves of the path that a message has: `/<process id>/mesos.<...>`.
fn split_path(path: &str) -> Option<(&str, &str)> {
    let path = path.split('?').next().unwrap_or(path);
    let (to, name) = path.strip_prefix('/')?.split_once('/')?;
    (!to.is_empty() && name.starts_with(NAME_PREFIX) && !name.contains('/')).then_some((to, name))
}

/// The head at the start of `buffer` and its length; `None` when more bytes are needed.
///
/// `known` is the sender of the message before, if there was one: mostly this one comes from the same, and then nothing
/// of the address has to be read again.
pub(crate) fn parse(buffer: &[u8], known: Option<&Upid>) -> Result<Option<(Head, usize)>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(buffer).map_err(|e| HeadError::Malformed(e.to_string()))?;
    // The request line is known before the headers are: what is no message goes to the HTTP server at once.
    let (Some(method), Some(path)) = (request.method, request.path) else { return Ok(None) };
    let Some((to, name)) = (method == "POST").then(|| split_path(path)).flatten() else {
        return Err(HeadError::NotAMessage);
    };
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    let mut fields = Fields::default();
    for header in request.headers.iter() {
        fields.take(header, known)?;
    }
    let from = fields.from.take().ok_or(HeadError::NotAMessage)?;
    let head = Head {
        to: decode(to)?,
        name: decode(name)?,
        from,
        wants_answer: !fields.libprocess_agent,
        framing: fields.framing()?,
        close: fields.close,
    };
    Ok(Some((head, length)))
}

/// The headers that matter.
#[derive(Default)]
struct Fields {
    from: Option<Upid>,
    libprocess_agent: bool,
    length: Option<usize>,
    chunked: bool,
    close: bool,
}

impl Fields {
    /// How the body is framed. Where two headers disagree, so would two readers; nobody reads it then.
    fn framing(&self) -> Result<Framing, HeadError> {
        match (self.chunked, self.length) {
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
            (true, None) => Ok(Framing::Chunked),
            (true, Some(_)) => Err(HeadError::Malformed("both chunked and of a given length".to_owned())),
        }
    }

    fn take(&mut self, header: &httparse::Header<'_>, known: Option<&Upid>) -> Result<(), HeadError> {
        let malformed = |what: &str| HeadError::Malformed(format!("{}: {what}", header.name));
        let value = || str::from_utf8(header.value).map(str::trim).map_err(|_| malformed("not text"));
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("Libprocess-From") {
            let text = value()?;
            self.from = Some(match known {
                Some(known) if **known.text() == *text => known.clone(),
                _ => text.parse().map_err(|e: crate::InvalidUpid| malformed(&e.to_string()))?,
            });
        } else if is("User-Agent") {
            // Old libprocess gave its address here only.
            if let Some(upid) = value()?.strip_prefix("libprocess/") {
                self.libprocess_agent = true;
                if self.from.is_none() {
                    self.from = upid.parse().ok();
                }
            }
        } else if is("Content-Length") {
            let digits = value()?;
            let length = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
            let length = length.ok_or_else(|| malformed("not a number"))?;
            if self.length.replace(length).is_some_and(|former| former != length) {
                return Err(malformed("comes twice"));
            }
        } else if is("Transfer-Encoding") {
            self.chunked = value()?.eq_ignore_ascii_case("chunked");
            if !self.chunked {
                return Err(malformed("only chunked is understood"));
            }
        } else if is("Connection") {
            self.close = value()?.eq_ignore_ascii_case("close");
        }
        Ok(())
    }
}

/// Undoes percent-encoding: clients differ in whether they encode the parentheses of `slave(1)`.
fn decode(segment: &str) -> Result<String, HeadError> {
    let malformed = || HeadError::Malformed(format!("'{segment}' is not well percent-encoded"));
    if !segment.contains('%') {
        return Ok(segment.to_owned());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = tail.get(..2).and_then(|d| str::from_utf8(d).ok()).ok_or_else(malformed)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| malformed())?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map(Cow::<str>::Owned).map(Cow::into_owned).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, HeadError> {
        parse(text.as_bytes(), None).map(|p| p.map(|(h, _)| h))
    }

    #[test]
    fn what_libprocess_sends() {
        let text = "POST /slave(1)/mesos.internal.PingSlaveMessage HTTP/1.1\r\nUser-Agent: libprocess/master@127.0.0.1:6050\r\n\
                    Libprocess-From: master@127.0.0.1:6050\r\nConnection: Keep-Alive\r\nHost: \r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        let head = head(text).unwrap().unwrap();
        assert_eq!((head.to.as_str(), head.name.as_str()), ("slave(1)", "mesos.internal.PingSlaveMessage"));
        assert_eq!(head.from.to_string(), "master@127.0.0.1:6050");
        assert!(!head.wants_answer && head.framing == Framing::Chunked && !head.close);
    }

    #[test]
    fn encoded_parentheses() {
        let text = "POST /slave-observer%281%29/mesos.internal.PongSlaveMessage HTTP/1.1\r\n\
                    Libprocess-From: slave%281%29@127.0.0.1:1\r\n\r\n";
        assert_eq!(head(text).unwrap().unwrap().to, "slave-observer(1)");
        assert!(head(&text.replace("%29/", "%2/")).is_err());
    }

    #[test]
    fn other_requests_are_known_by_their_first_line() {
        for other in [
            "GET /state HTTP/1.1\r\n",
            "POST /api/v1/scheduler HTTP/1.1\r\n",
            "POST /master/api/v1 HTTP/1.1\r\n",
            "GET /master/mesos.internal.X HTTP/1.1\r\n",
            "POST /master/mesos.internal.X HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            assert_eq!(head(other), Err(HeadError::NotAMessage), "{other}");
        }
        assert_eq!(head("POST /master/mesos.internal.X HTTP/1.1\r\nHo"), Ok(None));
        assert_eq!(head("PO"), Ok(None));
    }

    #[test]
    fn senselessness_is_refused() {
        let message = |header: &str| {
            format!("POST /master/mesos.X HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n{header}\r\n\r\n")
        };
        for bad in [
            "Content-Length: -1",
            "Content-Length: +1",
            "Content-Length: x",
            "Content-Length:",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
            "Libprocess-From: nobody",
            "Libprocess-From: a b@1.2.3.4:5",
        ] {
            assert!(matches!(head(&message(bad)), Err(HeadError::Malformed(_))), "{bad}");
        }
        assert!(matches!(head("\0\0\0"), Err(HeadError::Malformed(_))));
    }
}
