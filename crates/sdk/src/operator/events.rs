//! The events of the operator API: the state of the cluster, and every change from then on.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use proto::v1::master;

use super::{Operator, OperatorError, PATH, TIMEOUT};
use crate::address::Address;
use crate::encoding::Encoding;
use crate::http::Records;
use crate::http::exchange;

/// A master that has said nothing for so many heartbeats is gone.
const MISSED_HEARTBEATS: f64 = 5.0;
/// The shortest silence that is a sign of anything.
const SHORTEST_SILENCE: Duration = Duration::from_secs(15);

/// A subscription to the events of the leading master. Dropping it ends it.
#[derive(Debug)]
pub struct Events {
    peer: Address,
    records: Records,
    waiting: VecDeque<Bytes>,
    /// How long the master may say nothing; known with the first event.
    silence: Duration,
}

impl Operator {
    /// Subscribes to events. The first is `SUBSCRIBED`, with the state of the cluster.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn subscribe(&self) -> Result<Events, OperatorError> {
        let kind = master::call::Type::Subscribe;
        let call = master::Call { r#type: Some(kind.into()), ..master::Call::default() };
        let body = Encoding::Protobuf.encode(&call);
        let request = |peer: &Address| exchange::post(peer, PATH, Encoding::Protobuf, None, body.clone());
        let answer = Box::pin(self.follow(kind.as_str_name(), request)).await?;
        let peer = answer.peer.clone();
        Ok(Events { peer, records: Records::new(answer), waiting: VecDeque::new(), silence: TIMEOUT })
    }
}

impl Events {
    /// Who sends them.
    #[must_use]
    pub fn peer(&self) -> &Address {
        &self.peer
    }

    /// Waits for the next event, heartbeats included.
    ///
    /// # Errors
    /// When the stream has ended, however; what happens between this one and the next one is not told to anybody.
    pub async fn next(&mut self) -> Result<master::Event, OperatorError> {
        if self.waiting.is_empty() {
            let mut batch = Vec::new();
            let read = self.records.next_batch(Some(self.silence), &mut batch).await;
            read.map_err(|end| OperatorError::Ended { peer: self.peer.clone(), reason: end.to_string() })?;
            self.waiting.extend(batch);
        }
        let record = self.waiting.pop_front().unwrap_or_default();
        let event: master::Event =
            Encoding::Protobuf.decode(record).map_err(|error| OperatorError::Ended {
                peer: self.peer.clone(),
                reason: format!("an event is not readable: {error}"),
            })?;
        let interval = event.subscribed.as_ref().and_then(|first| first.heartbeat_interval_seconds);
        if let Some(silence) =
            interval.and_then(|seconds| Duration::try_from_secs_f64(seconds * MISSED_HEARTBEATS).ok())
        {
            self.silence = silence.max(SHORTEST_SILENCE);
        }
        Ok(event)
    }
}
