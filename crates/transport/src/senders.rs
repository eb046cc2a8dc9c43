//! Which connection of a sender counts: the newest over which a message of it has come. What is left in a former one is not
//! taken any more, and that one is closed.
//!
//! A sender opens another connection when it takes the former one for lost. What it had sent by then it takes for lost, too, and
//! sets that right by what it sends next: an agent tells anew what it has, and is asked what it has not. If the rest of a former
//! connection came after that, it would undo it.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use crate::{Message, Receiver, Upid};

/// So many senders of one connection are told apart; real ones have one or two. What others send is taken as it comes.
const MAX_SENDERS: usize = 65_536;

/// The number of the newest connection over which a sender's message has come. Held while a message is taken, so that none of
/// a former connection is taken behind it.
type Newest = tokio::sync::Mutex<u64>;

/// The senders of all connections of a server.
#[derive(Debug, Default)]
pub struct Senders {
    opened: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Kept by the connections over which their messages come.
    newest: HashMap<Upid, Weak<Newest>>,
    /// With so many, those are removed that have no connection any more.
    full: usize,
}

impl Senders {
    fn newest(&self, sender: &Upid) -> Arc<Newest> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = known.newest.get(sender).and_then(Weak::upgrade) {
            return newest;
        }
        if known.newest.len() >= known.full {
            known.newest.retain(|_, newest| newest.strong_count() > 0);
            known.full = 2 * known.newest.len() + 1_024;
        }
        let newest = Arc::new(Newest::new(0));
        known.newest.insert(sender.clone(), Arc::downgrade(&newest));
        newest
    }
}

/// Takes the messages of one connection, as long as it is the newest of their senders.
pub(crate) struct InOrder<R> {
    receiver: R,
    senders: Arc<Senders>,
    number: u64,
    own: Mutex<Own>,
    superseded: Notify,
}

#[derive(Default)]
struct Own {
    last: Option<(Upid, Arc<Newest>)>,
    all: HashMap<Upid, Arc<Newest>>,
}

impl<R> InOrder<R> {
    /// For a connection that was just accepted.
    pub(crate) fn new(senders: Arc<Senders>, receiver: R) -> Self {
        let number = senders.opened.fetch_add(1, Ordering::Relaxed) + 1;
        Self { receiver, senders, number, own: Mutex::default(), superseded: Notify::new() }
    }

    /// Waits until something comes that is not taken any more.
    pub(crate) async fn superseded(&self) {
        self.superseded.notified().await;
    }

    fn newest(&self, sender: &Upid) -> Option<Arc<Newest>> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, newest)) = own.last.as_ref().filter(|(last, _)| last == sender) {
            return Some(Arc::clone(newest));
        }
        let newest = match own.all.get(sender) {
            Some(newest) => Arc::clone(newest),
            None if own.all.len() >= MAX_SENDERS => return None,
            None => {
                let newest = self.senders.newest(sender);
                own.all.insert(sender.clone(), Arc::clone(&newest));
                newest
            }
        };
        own.last = Some((sender.clone(), Arc::clone(&newest)));
        Some(newest)
    }
}

impl<R: Receiver> Receiver for InOrder<R> {
    async fn receive(&self, message: Message<'_>) -> bool {
        let Some(newest) = self.newest(message.from) else { return self.receiver.receive(message).await };
        let mut newest = newest.lock().await;
        if *newest > self.number {
            drop(newest);
            self.superseded.notify_one();
            return pending().await;
        }
        *newest = self.number;
        self.receiver.receive(message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_without_connections_are_forgotten() {
        let senders = Senders::default();
        let sender = |number: usize| -> Upid { format!("slave({number})@1.2.3.4:5").parse().unwrap() };
        let kept = senders.newest(&sender(0));
        for number in 1..10_000 {
            drop(senders.newest(&sender(number)));
        }
        assert!(senders.known.lock().unwrap().newest.len() < 3_000);
        assert!(Arc::ptr_eq(&kept, &senders.newest(&sender(0))));
    }
}
