//! Reads the answers to pipelined calls: a status, and a short body that says what was wrong.
//!
//! Not for large or endless answers; those go through hyper.

use bytes::{Buf, BytesMut};

/// The longest answer to a call that is kept; masters answer with one line.
const MAX_ANSWER: usize = 1 << 20;
const MAX_HEADERS: usize = 64;

/// An answer to one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// The body as text, for people.
    pub(super) body: String,
    /// The peer will close the connection after this answer.
    pub(super) last: bool,
}

/// What came is not HTTP/1.1 as we need it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("an answer that is not HTTP: {0}")]
    Head(httparse::Error),
    #[error("an answer whose chunks are not well-formed")]
    Chunk,
    #[error("an answer with a bad Content-Length")]
    Length,
    #[error("an answer of more than {MAX_ANSWER} bytes")]
    TooLong,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

struct Head {
    bytes: usize,
    status: u16,
    framing: Framing,
    last: bool,
}

/// Takes the next whole answer off the front of `buffer`; none when it has not all come yet.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Response>, Malformed> {
    let Some(head) = parse_head(buffer)? else {
        return if buffer.len() > MAX_ANSWER { Err(Malformed::TooLong) } else { Ok(None) };
    };
    let after = &buffer[head.bytes..];
    let (body, used) = match head.framing {
        Framing::Length(length) if length > MAX_ANSWER => return Err(Malformed::TooLong),
        Framing::Length(length) if after.len() < length => return Ok(None),
        Framing::Length(length) => (text(&after[..length]), length),
        Framing::Chunked => match dechunk(after)? {
            Some((body, used)) => (text(&body), used),
            None => return Ok(None),
        },
    };
    buffer.advance(head.bytes + used);
    Ok(Some(Response { status: head.status, body, last: head.last }))
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim_end().to_owned()
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = response.parse(bytes).map_err(Malformed::Head)? else {
        return Ok(None);
    };
    let mut head =
        Head { bytes: used, status: response.code.unwrap_or(0), framing: Framing::Length(0), last: false };
    for header in response.headers.iter() {
        let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            head.framing = Framing::Length(value().parse().map_err(|_| Malformed::Length)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.last = value().eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}

/// The body and how many bytes its chunks took; none when the last chunk has not come.
fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Malformed> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let httparse::Status::Complete((start, size)) =
            httparse::parse_chunk_size(&bytes[at..]).map_err(|_| Malformed::Chunk)?
        else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(|_| Malformed::TooLong)?;
        if size > MAX_ANSWER || body.len() + size > MAX_ANSWER {
            return Err(Malformed::TooLong);
        }
        let data = at + start;
        let Some(chunk) = bytes.get(data..data + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(Malformed::Chunk);
        }
        body.extend_from_slice(&chunk[..size]);
        at = data + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str, last: bool) -> Response {
        Response { status, body: body.into(), last }
    }

    #[test]
    fn answers_come_one_after_the_other() {
        let wire = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n\
                    HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\nConnection: close\r\n\r\nnope\
                    HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        // However the bytes are cut, the answers are the same.
        for step in [1, 7, wire.len()] {
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            for piece in wire.as_bytes().chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(response) = take(&mut buffer).unwrap() {
                    seen.push(response);
                }
            }
            let expect = [response(202, "", false), response(400, "nope", true), response(403, "abc", false)];
            assert_eq!(seen, expect, "step {step}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (wire, expect) in [
            ("SSH-2.0-OpenSSH\r\n\r\n", Malformed::Head(httparse::Error::Version)),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Malformed::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", Malformed::TooLong),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Malformed::Chunk),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcd", Malformed::Chunk),
        ] {
            assert_eq!(take(&mut BytesMut::from(wire)), Err(expect), "{wire}");
        }
    }
}
