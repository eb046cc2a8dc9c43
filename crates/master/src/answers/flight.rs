//! One answer for all who ask for the same at the same time.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

/// Whoever asks while an answer is being made gets the next one, together with all others who do: an answer never shows
/// less than was there when it was asked for, and a hundred readers cost what two cost.
pub(super) struct Flight<T: Clone> {
    next: Mutex<Option<Shared<BoxFuture<'static, T>>>>,
    turn: tokio::sync::Mutex<()>,
    shared: AtomicU64,
}

impl<T: Clone> Default for Flight<T> {
    fn default() -> Self {
        Self { next: Mutex::new(None), turn: tokio::sync::Mutex::new(()), shared: AtomicU64::new(0) }
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// The next answer; `make` makes it if nobody who waits has brought the like.
    pub(super) async fn join<F>(self: &Arc<Self>, make: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        let joined = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            if next.is_some() {
                self.shared.fetch_add(1, Ordering::Relaxed);
            }
            next.get_or_insert_with(|| self.depart(make())).clone()
        };
        joined.await
    }

    /// How many have got an answer that was made for another.
    pub(super) fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }

    /// Nothing happens before somebody waits for it, and not before the answer under way is there.
    fn depart<F>(self: &Arc<Self>, work: F) -> Shared<BoxFuture<'static, T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = Arc::clone(self);
        let making = async move {
            let _turn = flight.turn.lock().await;
            // From here on it may show too little for who comes now.
            *flight.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
            work.await
        };
        making.boxed().shared()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn who_comes_late_shares_the_next_answer() {
        let flight = Arc::new(Flight::<u32>::default());
        let (made, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (flight, made, go) = (Arc::clone(&flight), Arc::clone(&made), Arc::clone(&go));
            tokio::spawn(async move {
                flight
                    .join(|| async move {
                        let number = made.fetch_add(1, Ordering::Relaxed);
                        go.notified().await;
                        number
                    })
                    .await
            })
        };
        let first = ask();
        while made.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        // The first is being made already, so that these two want another.
        let (second, third) = (ask(), ask());
        tokio::task::yield_now().await;
        // One that goes away takes nothing with it.
        let gone = ask();
        tokio::task::yield_now().await;
        gone.abort();
        go.notify_one();
        assert_eq!(first.await.unwrap(), 0);
        go.notify_one();
        assert_eq!((second.await.unwrap(), third.await.unwrap()), (1, 1));
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert_eq!(flight.shared(), 2, "the third, and the one that went away");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_any_more_is_taken_up_by_the_next() {
        let flight = Arc::new(Flight::<u32>::default());
        {
            let mut abandoned = Box::pin(flight.join(std::future::pending::<u32>));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(abandoned.as_mut().poll(&mut context).is_pending());
        }
        // The one that was begun is gone with its only reader, and with it its turn.
        assert_eq!(flight.join(|| async { 7 }).await, 7);
    }
}
