//! Asking a task over HTTP: the status code that comes at last, redirects followed, the content thrown away.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::network;
use super::tls::Unverified;

/// How often a server may send us elsewhere, as curl has it, which Mesos asks with.
const MAX_REDIRECTS: usize = 50;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target(Uri);

impl Target {
    pub(super) fn of(https: bool, port: u32, path: &str, ipv6: bool) -> Result<Self, String> {
        let port = network::port(port)?;
        let address = network::own_address(ipv6);
        let scheme = if https { "https" } else { "http" };
        let host = if ipv6 { format!("[{address}]") } else { address.to_string() };
        let path = if path.is_empty() { "/" } else { path };
        let uri = format!("{scheme}://{host}:{port}{path}");
        uri.parse().map(Self).map_err(|error| format!("'{uri}' is no address: {error}"))
    }

    fn is_https(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    /// Host, without brackets, and port.
    fn host(&self) -> (&str, u16) {
        let host = self.0.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        (host, self.0.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 }))
    }

    /// Where a redirect leads.
    fn follow(&self, location: &str) -> Result<Self, String> {
        let nowhere = || format!("redirected to '{location}', which is no address to go to");
        let location = location.split('#').next().unwrap_or_default();
        let to = if let Some((scheme, _)) = location.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
            location.parse::<Uri>().ok().filter(|to| known && to.authority().is_some())
        } else if location.starts_with("//") {
            format!("{}:{location}", self.0.scheme_str().unwrap_or("http")).parse().ok()
        } else {
            self.relative(location)
        };
        to.map(Self).ok_or_else(nowhere)
    }

    /// A place on the same server.
    fn relative(&self, location: &str) -> Option<Uri> {
        let path = if location.starts_with('/') {
            location.to_owned()
        } else if location.starts_with('?') {
            format!("{}{location}", self.0.path())
        } else {
            let directory = self.0.path().rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{directory}/{location}")
        };
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
        Uri::from_parts(parts).ok()
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'))
}

/// The status code that is answered, by whoever is asked last.
pub(super) async fn status_code(target: Target, tls: &Unverified) -> Result<u16, String> {
    let mut target = target;
    for _ in 0..=MAX_REDIRECTS {
        let (host, port) = target.host();
        let stream = network::connect(host, port).await.map_err(|error| error.to_string())?;
        let (code, location) = if target.is_https() {
            ask(&target.0, tls.secure(host, stream).await?).await?
        } else {
            ask(&target.0, stream).await?
        };
        match location.filter(|_| matches!(code, 301 | 302 | 303 | 307 | 308)) {
            Some(location) => target = target.follow(&location)?,
            None => return Ok(code),
        }
    }
    Err(format!("more than {MAX_REDIRECTS} redirects"))
}

/// One request: the code, and where it sends us.
async fn ask<S>(uri: &Uri, stream: S) -> Result<(u16, Option<String>), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let said = |error: hyper::Error| crate::report(&error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    let exchange = async {
        let host = uri.authority().map(Authority::as_str).unwrap_or_default();
        let request = Request::get(uri.path_and_query().map_or("/", PathAndQuery::as_str))
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("meseta/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(said)?;
        let code = response.status().as_u16();
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok()).map(str::to_owned);
        // To its end: who breaks off in the middle has not answered.
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.map_err(said)?;
        }
        Ok((code, location))
    };
    // The connection works only while it is asked to, and ends with us.
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            // What it has received is still to be read.
            Ok(()) => exchange.await,
            Err(error) => Err(said(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request after the other with these bytes, and says what was asked.
    async fn server(answers: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("somebody");
                let mut request = vec![0; 4096];
                let count = stream.read(&mut request).await.expect("a request");
                let line =
                    String::from_utf8_lossy(&request[..count]).lines().next().unwrap_or_default().to_owned();
                asked.push(line);
                stream.write_all(answer.as_bytes()).await.expect("it listens");
            }
            asked
        });
        (port, serving)
    }

    async fn asked(answers: &[&str], path: &str) -> (Result<u16, String>, Vec<String>) {
        let (port, serving) = server(answers.iter().map(|answer| (*answer).to_owned()).collect()).await;
        let target = Target::of(false, port.into(), path, false).expect("an address");
        let code = status_code(target, &Unverified::default()).await;
        (code, serving.await.expect("it served"))
    }

    #[tokio::test]
    async fn the_status_code_is_what_counts() {
        for code in [200, 204, 304, 404, 500] {
            let answer = format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(asked(&[&answer], "/x?y=1").await, (Ok(code), vec!["GET /x?y=1 HTTP/1.1".to_owned()]));
        }
        let until_closed = "HTTP/1.0 200 OK\r\n\r\nsome text";
        assert_eq!(asked(&[until_closed], "").await, (Ok(200), vec!["GET / HTTP/1.1".to_owned()]));
    }

    #[tokio::test]
    async fn redirects_are_followed() {
        let there = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
        let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let (code, asked) = asked(&[there, fine], "/here").await;
        assert_eq!((code, asked[1].as_str()), (Ok(200), "GET /there HTTP/1.1"));
    }

    #[tokio::test]
    async fn who_breaks_off_has_not_answered() {
        let (code, _) = asked(&["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"], "/").await;
        assert!(code.is_err(), "{code:?}");
        let (code, _) = asked(&["gibberish\r\n\r\n"], "/").await;
        assert!(code.is_err(), "{code:?}");
    }

    #[test]
    fn addresses_are_those_of_the_task() {
        let of =
            |https, port, path, ipv6| Target::of(https, port, path, ipv6).map(|target| target.0.to_string());
        assert_eq!(of(false, 80, "/x", false), Ok("http://127.0.0.1:80/x".to_owned()));
        assert_eq!(of(true, 1, "", true), Ok("https://[::1]:1/".to_owned()));
        assert!(of(false, 65536, "/", false).is_err());
        assert!(of(false, 80, "/a b", false).is_err());
        assert_eq!(Target::of(true, 1, "", true).expect("valid").host(), ("::1", 1));
    }

    #[test]
    fn redirects_lead_where_they_lead() {
        let from = Target("http://h:1/a/b?c".parse().expect("an address"));
        let to = |location| from.follow(location).map(|target| target.0.to_string());
        assert_eq!(to("https://g/x#y"), Ok("https://g/x".to_owned()));
        assert_eq!(to("//g/x"), Ok("http://g/x".to_owned()));
        assert_eq!(to("/x?y"), Ok("http://h:1/x?y".to_owned()));
        assert_eq!(to("x/y"), Ok("http://h:1/a/x/y".to_owned()));
        assert_eq!(to("?d"), Ok("http://h:1/a/b?d".to_owned()));
        assert!(to("file:///etc/passwd").is_err());
        assert!(to("http://").is_err());
    }
}
