//! The lease: what belongs to it goes when this process does not renew it any more.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::call::{Calls, Kind, PAUSE};
use super::wire::{LeaseAnswer, Streamed};
use crate::kv::KvError;
use crate::kv::watch::AbortOnDrop;

/// A lease that is renewed for as long as somebody wants one.
#[derive(Debug)]
pub(super) struct Lease {
    wanted: watch::Sender<usize>,
    state: watch::Receiver<State>,
    _task: AbortOnDrop,
}

#[derive(Clone, Debug, Default)]
struct State {
    id: Option<String>,
    denied: Option<KvError>,
}

impl Lease {
    /// Nothing is asked of etcd before a lease is wanted: who only watches needs none.
    pub(super) fn start(calls: Arc<Calls>, timeout: Duration) -> Self {
        let wanted = watch::Sender::new(0);
        let (tell, state) = watch::channel(State::default());
        let keeper = Keeper { calls, timeout, wanted: wanted.subscribe(), tell };
        Self { wanted, state, _task: AbortOnDrop(tokio::spawn(keeper.keep())) }
    }

    /// Waits for a lease.
    pub(super) async fn get(&self) -> Result<String, KvError> {
        self.wanted.send_modify(|wanted| *wanted += 1);
        let mut state = self.state.clone();
        let found =
            state.wait_for(|state| state.id.is_some() || state.denied.is_some()).await.map(|s| s.clone());
        match found {
            Ok(State { id: Some(id), .. }) => Ok(id),
            Ok(State { denied: Some(error), .. }) => Err(error),
            _ => std::future::pending().await,
        }
    }

    /// Waits until a lease is over.
    pub(super) async fn over(&self, lease: &str) {
        let mut state = self.state.clone();
        // The keeper ends only with its owner.
        let _ = state.wait_for(|state| state.id.as_deref() != Some(lease)).await;
    }
}

struct Keeper {
    calls: Arc<Calls>,
    timeout: Duration,
    wanted: watch::Receiver<usize>,
    tell: watch::Sender<State>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut told = None;
        while self.wanted.wait_for(|wanted| *wanted > 0).await.is_ok() {
            let asked = Instant::now();
            let question = json!({ "TTL": self.timeout.as_secs().max(2).to_string() });
            let granted = timeout(
                self.timeout,
                self.calls.call::<_, LeaseAnswer>("lease/grant", &question, Kind::Write),
            );
            match granted.await {
                Ok(Ok(granted)) => {
                    told = None;
                    let id = granted.id;
                    self.tell.send_replace(State { id: Some(id.clone()), denied: None });
                    self.renew(&id, asked, Duration::from_secs(granted.ttl)).await;
                    tracing::warn!("the lease with {} is over", self.calls.name());
                    self.tell.send_replace(State::default());
                }
                Ok(Err(error @ KvError::Denied { .. })) => {
                    self.tell.send_replace(State { id: None, denied: Some(error) });
                    tokio::time::sleep(self.timeout).await;
                }
                Ok(Err(error)) => self.again(&mut told, &error.to_string()).await,
                Err(_) => {
                    let trouble = self.calls.trouble();
                    let trouble = trouble.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
                    self.again(&mut told, &trouble).await;
                }
            }
        }
    }

    /// Rests before the next attempt. Each trouble is told once, for it may last for hours.
    async fn again(&self, told: &mut Option<String>, trouble: &str) {
        if told.as_deref() != Some(trouble) {
            tracing::warn!(
                "no lease with {} yet, and nobody here can be elected: {trouble}",
                self.calls.name()
            );
            *told = Some(trouble.to_owned());
        }
        tokio::time::sleep(PAUSE).await;
    }

    /// Renews a lease until it is over: because etcd says so, or because it was not renewed in time. What counts is when the
    /// question was asked, for etcd cannot have counted from earlier.
    async fn renew(&self, id: &str, mut since: Instant, ttl: Duration) {
        loop {
            sleep_until(since + ttl / 3).await;
            let over = since + ttl;
            let asked = Instant::now();
            if asked >= over {
                return;
            }
            let question = json!({ "ID": id });
            // Short for one member, so that several can be asked in what is left.
            let each = (ttl / 6).clamp(Duration::from_millis(300), Duration::from_secs(3));
            let call = self.calls.call_each::<_, Streamed<LeaseAnswer>>(
                "lease/keepalive",
                &question,
                Kind::Read,
                each,
            );
            match tokio::time::timeout_at(over, call).await {
                Ok(Ok(answer)) if answer.result.ttl > 0 && Instant::now() < over => since = asked,
                Ok(Ok(_)) | Err(_) => return,
                Ok(Err(_)) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
