//! The threads of those who read: whoever asks for something long, or often, must not hold up schedulers and agents.
//!
//! A connection is sorted by its first request. Messages of agents and calls of schedulers are served by the runtime that the
//! server was started on; all others (operators, tools, people) here, by threads that give way when the processors are busy.

use std::io;
use std::num::NonZero;

use http_api::Admitted;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle, Runtime};
use transport::Prefixed;

/// How much these threads give way, in steps of 1 to 19.
const NICENESS: i32 = 10;

/// What a connection of a scheduler begins with.
const SCHEDULER: &[u8] = b"POST /api/v1/scheduler";

/// Their runtime, until it is dropped.
#[derive(Debug)]
pub(crate) struct Readers(Option<Runtime>);

impl Readers {
    /// Starts threads for half of the processors.
    pub(crate) fn start() -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.div_ceil(2))
            .thread_name("readers")
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// The way to it.
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // It may be dropped by a task, which must not wait for others.
            runtime.shutdown_background();
        }
    }
}

fn give_way() {
    // For this thread only, on Linux. Not being allowed to be modest is no reason to do nothing.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "a thread for readers does not give way");
    }
}

/// Where a connection is served, by what it begins with.
pub(crate) fn admit<S>(stream: Prefixed<S>, readers: Option<&Handle>) -> Admitted<Prefixed<S>>
where
    S: AsyncRead + AsyncWrite,
{
    let is_scheduler = stream.prefix().starts_with(SCHEDULER);
    Admitted { runtime: readers.filter(|_| !is_scheduler).cloned(), stream }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn schedulers_are_served_at_once_and_readers_give_way() {
        let readers = Readers::start().unwrap();
        let handle = readers.handle().unwrap();
        let place = |first: &'static str| {
            let (_, stream) = tokio::io::duplex(1);
            admit(Prefixed::new(Bytes::from_static(first.as_bytes()), stream), Some(&handle)).runtime
        };
        assert!(place("POST /api/v1/scheduler HTTP/1.1\r\n").is_none());
        assert!(place("GET /state HTTP/1.1\r\n").is_some() && place("POST /api/v1 HTTP/1.1\r\n").is_some());
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let (own, theirs) = (niceness(), handle.spawn(async move { niceness() }).await.unwrap());
        assert_eq!(theirs, (own + NICENESS).min(19));
    }
}
