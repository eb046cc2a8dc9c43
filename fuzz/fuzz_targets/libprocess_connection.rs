#![no_main]
//! The bytes of a connection between master and agent, from the first head to the last body.

use std::future::{Ready, ready};

use libfuzzer_sys::fuzz_target;
use transport::{Accepted, Message, Receiver};

struct Sink;

impl Receiver for Sink {
    fn receive(&self, message: Message<'_>) -> impl Future<Output = bool> + Send {
        assert!(message.body.len() <= LIMIT);
        let known: Ready<bool> = ready(message.to == "master");
        known
    }
}

const LIMIT: usize = 4_096;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    runtime.block_on(async {
        let stream = tokio::io::join(bytes, tokio::io::sink());
        if let Ok(Accepted::Messages(connection)) = transport::accept(stream).await {
            let _ = connection.serve(LIMIT, &Sink).await;
        }
    });
});
