//! Long answers in pieces, which they may share with others: what did not change is neither encoded nor copied again.

use std::convert::Infallible;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::gzip::{Compressing, takes_gzip};
use crate::{ApiError, with_jsonp};

/// What is shorter than this is copied beside its neighbours: a piece of its own would cost more.
const SHORT: usize = 4 << 10;

/// After so many bytes of a long answer other connections get their turn: who reads as quickly as we write would otherwise be
/// written to for milliseconds, and a hundred of them before somebody who asks something short.
const TURN: usize = 256 << 10;

/// The header that says how many entries a list has of which an answer may show a part.
pub const TOTAL: HeaderName = HeaderName::from_static("meseta-total");

/// A piece that is kept and used again, with a number that no other content has in this process.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its number.
    pub number: u64,
    /// What it says.
    pub bytes: Bytes,
}

/// An answer that is being put together.
#[derive(Debug)]
pub struct Pieces {
    done: Vec<Bytes>,
    open: Vec<u8>,
    length: u64,
    content: DefaultHasher,
}

impl Default for Pieces {
    fn default() -> Self {
        // Tags of another process, whose pieces have the same numbers, are not to be taken for ours.
        static PROCESS: OnceLock<RandomState> = OnceLock::new();
        let content = PROCESS.get_or_init(RandomState::new).build_hasher();
        Self { done: Vec::new(), open: Vec::new(), length: 0, content }
    }
}

impl Pieces {
    /// Appends what is not shared.
    pub fn write(&mut self, bytes: &[u8]) {
        self.content.write(bytes);
        self.copy(bytes);
    }

    /// Appends a piece without copying it.
    pub fn share(&mut self, piece: &Piece) {
        self.content.write_u64(piece.number);
        if piece.bytes.len() < SHORT {
            return self.copy(&piece.bytes);
        }
        self.close();
        self.length += piece.bytes.len() as u64;
        self.done.push(piece.bytes.clone());
    }

    /// The finished answer.
    #[must_use]
    pub fn finish(mut self, media_type: &'static str) -> Answer {
        self.close();
        let tag = format!("W/\"{:016x}-{:x}\"", self.content.finish(), self.length);
        Answer {
            media_type,
            pieces: self.done.into(),
            length: self.length,
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("W/\"\"")),
            total: None,
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        self.length += bytes.len() as u64;
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(Bytes::from(std::mem::take(&mut self.open)));
        }
    }
}

/// An answer that can be given many times.
#[derive(Clone, Debug)]
pub struct Answer {
    media_type: &'static str,
    pieces: Arc<[Bytes]>,
    length: u64,
    tag: HeaderValue,
    total: Option<usize>,
}

impl Answer {
    /// An answer that is encoded already.
    #[must_use]
    pub fn whole(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let mut pieces = Pieces::default();
        pieces.content.write(&bytes);
        pieces.length = bytes.len() as u64;
        pieces.done.push(Bytes::from(bytes));
        pieces.finish(media_type)
    }

    /// As [`respond`](Self::respond); as a call of the function `jsonp` where one is asked for.
    ///
    /// # Errors
    /// `400` when that is not the name of a function.
    pub fn respond_as(&self, jsonp: Option<&str>, request: &HeaderMap) -> Result<Response, ApiError> {
        if jsonp.is_none() {
            return Ok(self.respond(request));
        }
        let mut response = with_jsonp(self.to_vec(), jsonp)?;
        self.tell_total(&mut response);
        Ok(response)
    }

    /// The same, and how many entries there are in all of the list that it shows, or shows a part of.
    #[must_use]
    pub fn with_total(self, total: usize) -> Self {
        Self { total: Some(total), ..self }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// All of it in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// `200` with the answer, or `304` without it for whoever has it already: the request's `If-None-Match` names the
    /// answer's `ETag` (RFC 9110).
    #[must_use]
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let known = request.get_all(header::IF_NONE_MATCH).iter().any(|value| self.is_named(value));
        let mut response = if known {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let mut response = if takes_gzip(request) {
                let mut response = Response::new(Body::new(Compressing::new(Arc::clone(&self.pieces))));
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                response
            } else {
                Response::new(Body::new(self.sending()))
            };
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
            response
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        self.tell_total(&mut response);
        response
    }

    /// The answer on its way to one reader.
    pub(crate) fn sending(&self) -> Sending {
        Sending { pieces: Arc::clone(&self.pieces), next: 0, left: self.length, turn: 0 }
    }

    /// Adds the header [`TOTAL`] to an answer that was made of this one.
    fn tell_total(&self, response: &mut Response) {
        if let Some(total) = self.total {
            response.headers_mut().insert(TOTAL, HeaderValue::from(total));
        }
    }

    /// Whether a list of tags has this answer's. Weak tags count: what they call alike is alike.
    fn is_named(&self, list: &HeaderValue) -> bool {
        let tag = self.tag.as_bytes().strip_prefix(b"W/").unwrap_or_default();
        let mut tags = list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        tags.any(|given| given == b"*" || given.strip_prefix(b"W/").unwrap_or(given) == tag)
    }
}

/// An answer on its way to one reader.
#[derive(Debug)]
pub(crate) struct Sending {
    pieces: Arc<[Bytes]>,
    next: usize,
    left: u64,
    /// How much was given out in this turn.
    turn: usize,
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.get(self.next).cloned() else { return Poll::Ready(None) };
        if self.turn >= TURN {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turn += piece.len();
        self.next += 1;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.pieces.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn answer(number: u64, end: &[u8]) -> Answer {
        let mut pieces = Pieces::default();
        pieces.write(b"[");
        pieces.share(&Piece { number, bytes: Bytes::from(vec![b'x'; SHORT]) });
        pieces.share(&Piece { number: number + 1, bytes: Bytes::from_static(b"y") });
        pieces.write(end);
        pieces.finish("application/json")
    }

    fn given(tag: &HeaderValue) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.clone())])
    }

    #[tokio::test]
    async fn pieces_become_one_body_of_known_length() {
        let answer = answer(1, b"]");
        let response = answer.respond(&HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(hyper::body::Body::size_hint(response.body()).exact(), Some(SHORT as u64 + 3));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, answer.to_vec());
        assert!(body.starts_with(b"[x") && body.ends_with(b"xy]"));
    }

    #[tokio::test]
    async fn what_is_encoded_already_has_a_tag_too_and_calls_a_function_where_that_is_wanted() {
        let whole = |text: &str| Answer::whole("application/json", text.as_bytes().to_vec());
        let response = whole("[1]").respond_as(None, &HeaderMap::new()).unwrap();
        let tag = response.headers()[header::ETAG].clone();
        assert_eq!(whole("[1]").respond(&given(&tag)).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(whole("[2]").respond(&given(&tag)).status(), StatusCode::OK);
        let response = whole("[1]").with_total(7).respond_as(Some("f"), &given(&tag)).unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript");
        assert_eq!(response.headers()[TOTAL], "7");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "f([1]);");
        assert_eq!(whole("[1]").respond_as(Some("f()"), &HeaderMap::new()).unwrap_err().status, 400);
    }

    #[tokio::test]
    async fn who_takes_gzip_gets_the_same_in_less() {
        let answer = answer(1, b"]");
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip"))]);
        let response = answer.respond(&headers);
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
        assert_eq!(
            response.headers()[header::ETAG],
            answer.respond(&HeaderMap::new()).headers()[header::ETAG]
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.len() < SHORT / 10, "{} bytes", body.len());
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut plain).unwrap();
        assert_eq!(plain, answer.to_vec());
    }

    #[tokio::test]
    async fn who_has_it_gets_no_body() {
        let first = answer(1, b"]");
        let tag = first.respond(&HeaderMap::new()).headers()[header::ETAG].clone();
        // The tag is weak, as the same answer may come compressed; strong ones of the like are as good.
        let weak = format!("\"other\" , {}", tag.to_str().unwrap().strip_prefix("W/").unwrap());
        for named in [tag.clone(), HeaderValue::from_static("*"), weak.parse().unwrap()] {
            let response = answer(1, b"]").respond(&given(&named));
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(response.headers()[header::ETAG], tag);
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
        for changed in [answer(2, b"]"), answer(1, b"}")] {
            assert_eq!(changed.respond(&given(&tag)).status(), StatusCode::OK);
        }
    }
}
