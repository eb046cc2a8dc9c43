//! Answers that wait until what was asked for has been done, and nobody behind them does.
//!
//! `202` to a call means that it was taken, and whoever reads it may count on more than that: that the process which
//! answered can be killed now, and the call is not lost. A handler that waited for that would keep all calls behind it waiting,
//! for those of a connection are handled one after another; schedulers send thousands in a row and read the answers later. So
//! the handler answers at once, and the connection sends the answer when all that was to be done is done: whoever does it has a
//! [`Receipt`], and drops it then. The next calls are handled meanwhile.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

/// An answer is held back no longer than this: a call is taken, and answered, also when what it asks for takes its time.
const PATIENCE: Duration = Duration::from_millis(100);

/// Holds back the answer to a call until it is dropped, with all its clones.
#[derive(Debug, Clone)]
pub struct Receipt {
    _held: Arc<oneshot::Sender<Infallible>>,
}

/// Gives out the receipts of one connection; among the extensions of each request.
#[derive(Debug, Clone, Default)]
pub struct Receipts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How many bytes of answers wait to be sent.
    waiting: usize,
    /// Which of them are held back, in their order.
    holds: VecDeque<Hold>,
    /// The receipt of this turn of the connection's task: calls that are handled together are answered together.
    current: Option<Receipt>,
    /// When the first hold has lasted long enough.
    late: Option<Pin<Box<Sleep>>>,
}

/// What waits from here on is held back.
#[derive(Debug)]
struct Hold {
    from: usize,
    dropped: oneshot::Receiver<Infallible>,
}

impl Receipts {
    /// A receipt for the call whose handler asks: its answer is sent when the receipt is dropped, but no later than 100 ms after
    /// that it could have been sent.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        let mut state = self.lock();
        if let Some(current) = &state.current {
            return current.clone();
        }
        let (held, dropped) = oneshot::channel();
        let receipt = Receipt { _held: Arc::new(held) };
        let from = state.waiting;
        state.holds.push_back(Hold { from, dropped });
        state.current = Some(receipt.clone());
        receipt
    }

    /// What comes from now on is handled in another turn.
    pub(crate) fn end_turn(&self) {
        self.lock().current = None;
    }

    /// So many bytes more wait to be sent.
    pub(crate) fn gathered(&self, bytes: usize) {
        self.lock().waiting += bytes;
    }

    /// So many bytes less wait, the first ones.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(bytes);
        for hold in &mut state.holds {
            hold.from = hold.from.saturating_sub(bytes);
        }
    }

    /// Nothing of what waits is held back any more.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        state.holds.clear();
        state.late = None;
    }

    /// How many of the bytes that wait may be sent. Where that is not all, the task is woken when it is more.
    pub(crate) fn poll_free(&self, context: &mut Context<'_>) -> usize {
        self.lock().poll_free(context)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Used by the task of the connection, and handlers run in it: nobody ever waits here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll_free(&mut self, context: &mut Context<'_>) -> usize {
        while let Some(first) = self.holds.front_mut() {
            if Pin::new(&mut first.dropped).poll(context).is_pending() {
                let from = first.from;
                let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
                match late.as_mut().poll(context) {
                    Poll::Pending => return from,
                    Poll::Ready(()) => {}
                }
            }
            self.holds.pop_front();
            self.late = None;
        }
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{Instant, timeout};

    use super::*;

    async fn free(receipts: &Receipts) -> usize {
        poll_fn(|context| Poll::Ready(receipts.poll_free(context))).await
    }

    /// Waits until everything may be sent, and says how long that took.
    async fn all_free(receipts: &Receipts) -> Duration {
        let began = Instant::now();
        let all = |context: &mut Context<'_>| match receipts.poll_free(context) {
            usize::MAX => Poll::Ready(()),
            _ => Poll::Pending,
        };
        poll_fn(all).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_wait_for_their_receipts_in_their_order() {
        let receipts = Receipts::default();
        receipts.gathered(10);
        assert_eq!(free(&receipts).await, usize::MAX);
        // Two calls of one turn, and a third of the next.
        let (first, second) = (receipts.receipt(), receipts.receipt());
        receipts.gathered(20);
        receipts.end_turn();
        let third = receipts.receipt();
        receipts.gathered(5);
        receipts.end_turn();
        assert_eq!(free(&receipts).await, 10);
        receipts.sent(10);
        drop(third);
        assert_eq!(free(&receipts).await, 0);
        drop(first);
        assert_eq!(free(&receipts).await, 0);
        let waiting = tokio::spawn({
            let receipts = receipts.clone();
            async move { all_free(&receipts).await }
        });
        tokio::time::sleep(PATIENCE / 4).await;
        drop(second);
        assert_eq!(waiting.await.unwrap(), PATIENCE / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_waits_for_long() {
        let receipts = Receipts::default();
        let kept = receipts.receipt();
        receipts.end_turn();
        let next = receipts.receipt();
        receipts.end_turn();
        drop(next);
        let took = timeout(2 * PATIENCE, all_free(&receipts)).await.unwrap();
        assert!((PATIENCE..PATIENCE + Duration::from_millis(2)).contains(&took), "{took:?}");
        drop(kept);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_holds_nothing_back() {
        let receipts = Receipts::default();
        let kept = receipts.receipt();
        receipts.end_turn();
        assert_eq!(free(&receipts).await, 0);
        receipts.release();
        assert_eq!(free(&receipts).await, usize::MAX);
        assert!(receipts.lock().late.is_none());
        drop(kept);
    }
}
