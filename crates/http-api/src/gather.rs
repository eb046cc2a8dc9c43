//! Short answers in few writes.
//!
//! A scheduler sends its calls without waiting for the answers, which are a line each. The HTTP server writes each of them by
//! itself, and a write costs the system more than the call costs us. So what is short is gathered while one turn of the
//! connection's task lasts, and written at its end. (The server's own way of doing that gathers streams, too, and without a
//! bound.)

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::receipts::Receipts;

/// What is longer than this is written at once, without being copied.
const SHORT: usize = 4 << 10;

/// So much is gathered at most.
const MOST: usize = 32 << 10;

/// A stream that gathers what is written to it. What was written is sent by [`Sender::poll_send`], or when there is more than
/// is gathered; flushing it does nothing.
#[derive(Debug)]
pub(crate) struct Gathering<S>(Arc<Mutex<State<S>>>);

/// Sends what was gathered.
#[derive(Debug)]
pub(crate) struct Sender<S>(Arc<Mutex<State<S>>>);

#[derive(Debug)]
struct State<S> {
    stream: S,
    waiting: Vec<u8>,
    receipts: Receipts,
}

/// Gathers what is written to a stream. What comes behind a receipt that somebody still has is held back.
pub(crate) fn gather<S>(stream: S, receipts: Receipts) -> (Gathering<S>, Sender<S>) {
    let state = Arc::new(Mutex::new(State { stream, waiting: Vec::new(), receipts }));
    (Gathering(Arc::clone(&state)), Sender(state))
}

fn lock<S>(state: &Mutex<State<S>>) -> MutexGuard<'_, State<S>> {
    // Both are used by one task, so that nobody ever waits here.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncWrite + Unpin> Sender<S> {
    /// Ends a turn: sends what was gathered and need not be held back. Where the other side does not take all of it now,
    /// the rest waits, as what is held back does, and the task is woken.
    pub(crate) fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).poll_send(context)
    }
}

impl<S: AsyncWrite + Unpin> State<S> {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.receipts.end_turn();
        while !self.waiting.is_empty() {
            let free = self.receipts.poll_free(context).min(self.waiting.len());
            if free == 0 {
                return Poll::Pending;
            }
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, &self.waiting[..free]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.drain(..sent);
            self.receipts.sent(sent);
        }
        // Its memory goes back, for most connections say nothing most of the time.
        self.waiting = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Whether so much more can be gathered; what is there is sent if that makes room. Whoever asks for so much without
    /// reading the answers does not wait for them either: nothing is held back for that.
    fn poll_room(&mut self, context: &mut Context<'_>, more: usize) -> Poll<io::Result<bool>> {
        if more <= SHORT && self.waiting.len() + more <= MOST {
            return Poll::Ready(Ok(true));
        }
        self.receipts.release();
        ready!(self.poll_send(context))?;
        Poll::Ready(Ok(more <= SHORT))
    }

    fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        self.receipts.gathered(bytes.len());
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        if ready!(state.poll_room(context, bytes.len()))? {
            state.add(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut state.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        let length = slices.iter().map(|slice| slice.len()).sum();
        if ready!(state.poll_room(context, length))? {
            slices.iter().for_each(|slice| state.add(slice));
            return Poll::Ready(Ok(length));
        }
        Pin::new(&mut state.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        ready!(state.poll_send(context))?;
        Pin::new(&mut state.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_is_short_goes_together_and_nothing_is_lost() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let (mut gathering, sender) = gather(server, Receipts::default());
        gathering.write_all(b"one,").await.unwrap();
        gathering.flush().await.unwrap();
        gathering.write_all(b"two,").await.unwrap();
        let mut read = vec![0; 100];
        tokio::select! {
            biased;
            _ = client.read(&mut read) => panic!("it was sent already"),
            () = std::future::ready(()) => {}
        }
        poll_fn(|context| sender.poll_send(context)).await.unwrap();
        let count = client.read(&mut read).await.unwrap();
        assert_eq!(&read[..count], b"one,two,");
        // What is long goes behind what is short, and the end behind both.
        gathering.write_all(b"three,").await.unwrap();
        gathering.write_all(&[b'x'; 2 * SHORT]).await.unwrap();
        gathering.write_all(b",four").await.unwrap();
        gathering.shutdown().await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [&b"three,"[..], &[b'x'; 2 * SHORT], b",four"].concat());
    }

    #[tokio::test]
    async fn who_does_not_read_stops_who_writes() {
        let (mut client, server) = tokio::io::duplex(16);
        let (mut gathering, sender) = gather(server, Receipts::default());
        let writing = tokio::spawn(async move {
            for _ in 0..2 * MOST / 64 {
                gathering.write_all(&[b'x'; 64]).await.unwrap();
            }
            gathering.shutdown().await.unwrap();
        });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!writing.is_finished() && lock(&sender.0).waiting.len() <= MOST);
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        writing.await.unwrap();
        assert_eq!(all.len(), 2 * MOST);
    }
}
