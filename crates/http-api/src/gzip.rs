//! Long answers in less, for whoever asks for it: compressed as they are sent, in the task of the reader's connection.

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame};

use crate::ApiError;

/// So much is compressed before others get their turn: about a millisecond.
const TURN: usize = 64 << 10;

/// Whether a request's `Accept-Encoding` allows gzip: it is named, or everything is, with a weight that is not zero.
pub(crate) fn takes_gzip(request: &HeaderMap) -> bool {
    let mut any = false;
    let values = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>).unwrap_or(0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                return weight > 0.0;
            }
            "*" => any = weight > 0.0,
            _ => {}
        }
    }
    any
}

/// What is shorter is sent as it is: the same bound as in Mesos.
const LEAST: u64 = 1024;

/// A layer that compresses answers in one piece for whoever asks for it. Streams and files are sent as they are.
pub async fn compress(request: Request, next: Next) -> Response {
    let wanted = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let length = response.body().size_hint().exact();
    if length.is_none_or(|length| length < LEAST) || !is_text(response.headers()) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !wanted {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let whole = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(error) => return ApiError::internal(error.to_string()).into_response(),
    };
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(header::CONTENT_LENGTH);
    weaken(&mut head.headers);
    Response::from_parts(head, Body::new(Compressing::new([whole].into())))
}

/// Whether it is worth the while to compress the answer.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let known =
        ["application/json", "application/x-protobuf", "text/"].iter().any(|text| kind.starts_with(text));
    known && !headers.contains_key(header::CONTENT_ENCODING)
}

/// A tag that stands for these very bytes does not for the compressed ones.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    if !tag.starts_with("W/")
        && let Ok(weak) = HeaderValue::try_from(format!("W/{tag}"))
    {
        headers.insert(header::ETAG, weak);
    }
}

/// A body that compresses pieces while they are asked for.
pub(crate) struct Compressing {
    pieces: Arc<[Bytes]>,
    next: usize,
    /// How much of the next piece is compressed already.
    done: usize,
    /// `None` once all is said.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Whether the last call gave something out.
    rests: bool,
}

impl Compressing {
    /// All of these pieces.
    pub(crate) fn new(pieces: Arc<[Bytes]>) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { pieces, next: 0, done: 0, encoder: Some(encoder), rests: false }
    }

    /// Compresses as much as one turn allows. What comes of it; nothing when all is said.
    fn go_on(&mut self) -> Option<Vec<u8>> {
        let encoder = self.encoder.as_mut()?;
        let mut left = TURN;
        while let Some(piece) = self.pieces.get(self.next) {
            let rest = &piece[self.done..];
            let now = &rest[..rest.len().min(left)];
            // A vector takes everything.
            let _ = encoder.write_all(now);
            left -= now.len();
            if now.len() == rest.len() {
                (self.next, self.done) = (self.next + 1, 0);
            } else {
                self.done += now.len();
            }
            if left == 0 {
                return Some(std::mem::take(encoder.get_mut()));
            }
        }
        self.encoder.take().and_then(|encoder| encoder.finish().ok())
    }
}

impl hyper::body::Body for Compressing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::take(&mut self.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.rests = true;
        match self.go_on() {
            None => Poll::Ready(None),
            // What is compressed may still be within the encoder; an empty chunk would end the body.
            Some(chunk) if chunk.is_empty() => {
                self.rests = false;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(chunk))))),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    /// What a server answers that has this as its text.
    async fn answer(text: String, media_type: &'static str, encodings: &str) -> Response {
        let body =
            move || async move { ([(header::CONTENT_TYPE, media_type), (header::ETAG, "\"x\"")], text) };
        let router: Router = Router::new().route("/", get(body)).layer(from_fn(compress));
        let request = Request::get("/").header(header::ACCEPT_ENCODING, encodings).body(Body::empty());
        router.oneshot(request.unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn long_text_in_one_piece_is_compressed_and_nothing_else() {
        let text = "[1]".repeat(1000);
        let response = answer(text.clone(), "application/json", "gzip").await;
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(response.headers()[header::ETAG], "W/\"x\"");
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&body[..]), &mut plain).unwrap();
        assert_eq!(plain, text);
        for (text, kind, encodings) in [
            (text.clone(), "application/json", "identity"),
            (text.clone(), "application/octet-stream", "gzip"),
            ("[1]".to_owned(), "application/json", "gzip"),
        ] {
            let response = answer(text.clone(), kind, encodings).await;
            assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "{kind} {encodings}");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
        }
    }

    #[test]
    fn only_who_asks_for_it_gets_it() {
        for (value, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(takes_gzip(&headers), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn long_pieces_are_compressed_in_turns_and_nothing_is_lost() {
        let mut rng = 1_u32;
        let mut noise = |length: usize| -> Bytes {
            let step = |_| {
                rng = rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                u8::try_from(rng >> 24).unwrap()
            };
            (0..length).map(step).collect::<Vec<u8>>().into()
        };
        let pieces: Arc<[Bytes]> = [noise(10), noise(3 * TURN + 7), Bytes::new(), noise(TURN)].into();
        let mut compressing = Compressing::new(Arc::clone(&pieces));
        let mut all = Vec::new();
        let mut turns = 0;
        while let Some(chunk) = compressing.go_on() {
            all.extend(chunk);
            turns += 1;
        }
        assert_eq!(turns, 5);
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&all[..]), &mut plain).unwrap();
        assert!(plain == pieces.concat(), "something is lost");
    }
}
