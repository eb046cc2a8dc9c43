//! What containers write, moved into files of bounded size: one thread for all, since plain processes have no init that
//! could do it. They end with this process, so that nobody ever writes into a pipe without a reader.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base::ContainerId;
use init::Outputs;
use init::log::{Log, Taken, pipe};
use rustix::event::{EventfdFlags, epoll, eventfd};

use super::lock;

/// The event data of the descriptor that wakes the thread to end; streams are numbered from 1.
const WAKE: u64 = 0;
/// How many streams have their turn before the kernel is asked again.
const BATCH: usize = 64;
/// After a container's end no more is moved than a pipe holds, whoever still writes.
const LAST_TURNS: usize = 2;

struct Stream {
    log: Log,
    pipe: OwnedFd,
    directory: Arc<OwnedFd>,
}

#[derive(Default)]
struct Open {
    streams: HashMap<u64, Arc<Mutex<Stream>>>,
    of: HashMap<ContainerId, [u64; 2]>,
    last: u64,
}

/// The outputs of all containers.
pub(super) struct Logs {
    epoll: OwnedFd,
    wake: OwnedFd,
    open: Mutex<Open>,
}

impl Logs {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Self { epoll, wake, open: Mutex::default() })
    }

    /// Keeps what a container writes in the files `stdout` and `stderr` of a directory. Returns where it is to write to.
    pub(super) fn keep(
        &self,
        container_id: &ContainerId,
        outputs: Outputs,
        directory: OwnedFd,
        (stdout, stderr): (File, File),
        owner: Option<(u32, u32)>,
    ) -> io::Result<(File, File)> {
        let directory = Arc::new(directory);
        let stream = |log: io::Result<Log>| -> io::Result<(Stream, File)> {
            let (reader, writer) = pipe(owner)?;
            Ok((Stream { log: log?, pipe: reader, directory: Arc::clone(&directory) }, File::from(writer)))
        };
        let (stdout, out) = stream(Log::new("stdout", stdout, outputs.stdout))?;
        let (stderr, err) = stream(Log::new("stderr", stderr, outputs.stderr))?;
        let mut open = lock(&self.open);
        let mut numbers = [0; 2];
        for (number, stream) in numbers.iter_mut().zip([stdout, stderr]) {
            open.last += 1;
            *number = open.last;
            epoll::add(&self.epoll, &stream.pipe, epoll::EventData::new_u64(*number), epoll::EventFlags::IN)?;
            open.streams.insert(*number, Arc::new(Mutex::new(stream)));
        }
        open.of.insert(container_id.clone(), numbers);
        Ok((out, err))
    }

    /// Moves what a container that has ended has written last. When this returns, it is in its files.
    pub(super) fn finish(&self, container_id: &ContainerId) {
        let streams: Vec<_> = {
            let mut open = lock(&self.open);
            let numbers = open.of.remove(container_id).unwrap_or_default();
            numbers.iter().filter_map(|number| open.streams.remove(number)).collect()
        };
        for stream in streams {
            let mut stream = lock(&stream);
            for _ in 0..LAST_TURNS {
                if stream.turn() != Taken::NotAll {
                    break;
                }
            }
            // A process that was just forked has a copy of the descriptor: closing it does not end the events.
            let _ = epoll::delete(&self.epoll, &stream.pipe);
        }
    }

    pub(super) fn stop(&self) {
        // Fails only if the counter would overflow, which wakes as well.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(BATCH);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "what containers write cannot be kept any more");
                    return;
                }
            }
            for event in &events {
                match event.data.u64() {
                    WAKE => return,
                    number => self.turn(number),
                }
            }
        }
    }

    fn turn(&self, number: u64) {
        let Some(stream) = lock(&self.open).streams.get(&number).cloned() else { return };
        let mut stream = lock(&stream);
        if stream.turn() == Taken::End {
            // Nothing comes any more, and without this we would be told so for ever.
            let _ = epoll::delete(&self.epoll, &stream.pipe);
            drop(stream);
            lock(&self.open).streams.remove(&number);
        }
    }
}

impl Stream {
    fn turn(&mut self) -> Taken {
        self.log.take(self.pipe.as_fd(), self.directory.as_fd())
    }
}

pub(super) fn start(logs: Arc<Logs>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("logs".to_owned()).spawn(move || logs.run())
}
