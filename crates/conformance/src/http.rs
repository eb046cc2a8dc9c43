//! The smallest HTTP/1.1 client that can hold a stream open: one request a connection, blocking, with a deadline.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers beside `Host`, `Connection` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body; `None` sends no `Content-Length` either.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A `GET`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self { method: "GET".into(), path: path.into(), ..Self::default() }
    }

    /// A `POST` of JSON that asks for JSON.
    #[must_use]
    pub fn json(path: &str, body: &serde_json::Value) -> Self {
        Self { method: "POST".into(), path: path.into(), ..Self::default() }
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .body(body.to_string().into_bytes())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    fn write(&self, host: &str, out: &mut impl Write) -> io::Result<()> {
        let mut text =
            format!("{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        out.write_all(&bytes)
    }
}

/// Status and headers of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Whether the body comes in chunks.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    }
}

/// An answer read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request and reads the whole answer. `timeout` is for each read and write, not for the sum.
pub fn send(address: &str, request: &Request, timeout: Duration) -> io::Result<Response> {
    let (head, mut body) = open(address, request, Some(timeout))?;
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes)?;
    Ok(Response { head, body: bytes })
}

/// Sends a request and returns the answer's head and its body as a stream. Without a timeout a read waits for ever.
pub fn open(address: &str, request: &Request, timeout: Option<Duration>) -> io::Result<(Head, Body)> {
    let mut stream = connect(address, timeout)?;
    let written = request.write(address, &mut stream);
    // A server may refuse a body before it has all of it; what it said comes before the broken pipe.
    let mut reader = BufReader::new(stream);
    match read_head(&mut reader) {
        Ok(head) => Ok((head.clone(), Body::new(&head, request.method == "HEAD", reader))),
        Err(unread) => Err(written.err().unwrap_or(unread)),
    }
}

/// Connects, with a timeout for this and for every later read and write.
pub fn connect(address: &str, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let unresolved = || io::Error::new(io::ErrorKind::NotFound, format!("no address for '{address}'"));
    let socket = address.to_socket_addrs()?.next().ok_or_else(unresolved)?;
    let stream = match timeout {
        Some(limit) => TcpStream::connect_timeout(&socket, limit)?,
        None => TcpStream::connect(socket)?,
    };
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads the status line and the headers of an answer.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let first = read_line(reader)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| invalid(&format!("no status line: '{first}'")))?;
    Ok(Head { status, headers: read_headers(reader)? })
}

/// Reads headers up to and with the empty line.
pub fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid(&format!("no header: '{line}'")))?;
        headers.push((name.trim().into(), value.trim().into()));
    }
}

/// Reads a line without its end; an end of the stream before it is an error.
pub fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// How the end of a body is known.
#[derive(Debug)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// So many bytes are left of the current chunk.
    Chunk(u64),
    /// When the server closes.
    Close,
    /// It has ended.
    Ended,
}

/// A body that is read as it comes. Ends where the server ends it; a connection that is cut earlier is an error.
#[derive(Debug)]
pub struct Body {
    reader: BufReader<TcpStream>,
    framing: Framing,
}

impl Body {
    fn new(head: &Head, is_head_request: bool, reader: BufReader<TcpStream>) -> Self {
        let framing = if is_head_request || head.status == 204 {
            Framing::Ended
        } else if head.is_chunked() {
            Framing::Chunk(0)
        } else if let Some(length) = head.header("Content-Length").and_then(|v| v.parse().ok()) {
            Framing::Length(length)
        } else {
            Framing::Close
        };
        Self { reader, framing }
    }

    /// The connection, to close it from another thread.
    pub fn connection(&self) -> io::Result<TcpStream> {
        self.reader.get_ref().try_clone()
    }

    fn next_chunk(&mut self) -> io::Result<u64> {
        let mut line = read_line(&mut self.reader)?;
        if line.is_empty() {
            // The line end that closes the chunk before.
            line = read_line(&mut self.reader)?;
        }
        let size = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(size, 16).map_err(|_| invalid(&format!("no chunk size: '{line}'")))
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Framing::Chunk(0) = self.framing {
            self.framing = match self.next_chunk()? {
                0 => Framing::Ended,
                size => Framing::Chunk(size),
            };
        }
        match &mut self.framing {
            Framing::Ended | Framing::Length(0) => Ok(0),
            Framing::Close => self.reader.read(buffer),
            Framing::Length(left) | Framing::Chunk(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                let count = self.reader.read(&mut buffer[..most])?;
                if count == 0 && most > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *left -= count as u64;
                Ok(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn answered_with(answer: &'static str) -> io::Result<Response> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap());
            while !read_line(&mut head).unwrap().is_empty() {}
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let response = send(&address, &Request::get("/"), Duration::from_secs(5));
        server.join().unwrap();
        response
    }

    #[test]
    fn reads_bodies_by_length_in_chunks_and_to_the_end() {
        for (answer, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "abc"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                "abcde",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ] {
            assert_eq!(answered_with(answer).unwrap().text(), body, "{answer}");
        }
    }

    #[test]
    fn a_body_cut_short_is_an_error() {
        assert!(answered_with("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc").is_err());
        assert!(answered_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab").is_err());
        assert!(answered_with("").is_err());
    }
}
