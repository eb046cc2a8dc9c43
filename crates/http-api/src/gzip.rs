//! Long answers in less, for whoever asks for it: compressed as they are sent, in the task of the reader's connection.

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Frame;

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
    use axum::http::HeaderValue;

    use super::*;

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
