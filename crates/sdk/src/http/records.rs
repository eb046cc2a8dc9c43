//! The records of a subscription, in batches: all that one read of the connection brought.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use proto::recordio::Decoder;

use super::exchange::{Answer, Connection};

/// The longest event taken from a server: a thousand large offers fit many times.
const MAX_RECORD: usize = 256 << 20;

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamEnd {
    #[error("the server closed the stream")]
    Closed,
    #[error("the stream broke: {0}")]
    Broken(hyper::Error),
    #[error("nothing was heard for {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("the stream is not well-formed: {0}")]
    Malformed(String),
}

/// An open subscription.
#[derive(Debug)]
pub(crate) struct Records {
    body: Incoming,
    decoder: Decoder,
    _connection: Connection,
}

impl Records {
    pub(crate) fn new(answer: Answer) -> Self {
        let (body, connection) = answer.into_stream();
        Self { body, decoder: Decoder::new(MAX_RECORD), _connection: connection }
    }

    /// Waits for at least one record and appends all that have come; `silence` is how long the server may say nothing.
    pub(crate) async fn next_batch(
        &mut self,
        silence: Option<Duration>,
        batch: &mut Vec<Bytes>,
    ) -> Result<(), StreamEnd> {
        while batch.is_empty() {
            let frame = match silence {
                None => self.body.frame().await,
                Some(limit) => tokio::time::timeout(limit, self.body.frame())
                    .await
                    .map_err(|_| StreamEnd::Silent(limit))?,
            };
            let frame = frame.ok_or(StreamEnd::Closed)?.map_err(StreamEnd::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            self.decoder.push(&data);
            while let Some(record) = self.decoder.next().map_err(|e| StreamEnd::Malformed(e.to_string()))? {
                batch.push(record);
            }
        }
        Ok(())
    }
}
