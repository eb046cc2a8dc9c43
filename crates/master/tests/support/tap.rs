//! Stands between the master and an agent, and shows what the master has sent by an instant, whether or not the agent has come to
//! read it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Carries bytes both ways until it is dropped.
pub struct Tap {
    /// Where the master finds the agent.
    pub address: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    over: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

struct Wire {
    listener: TcpListener,
    agent: SocketAddr,
    links: Vec<Link>,
}

struct Link {
    master: TcpStream,
    agent: TcpStream,
    sent: Vec<u8>,
}

impl Tap {
    /// In front of an agent that listens at `agent`.
    pub fn before(agent: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Mutex::new(Wire { listener, agent, links: Vec::new() }));
        let over = Arc::new(AtomicBool::new(false));
        let carrier = std::thread::spawn({
            let (wire, over) = (Arc::clone(&wire), Arc::clone(&over));
            move || {
                while !over.load(Ordering::Relaxed) {
                    wire.lock().unwrap().carry();
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self { address, wire, over, carrier: Some(carrier) }
    }

    /// How many messages of a name the master has handed to the network by now.
    pub fn sent(&self, name: &str) -> usize {
        let mut wire = self.wire.lock().unwrap();
        wire.carry();
        let count = |link: &Link| link.sent.windows(name.len()).filter(|at| *at == name.as_bytes()).count();
        wire.links.iter().map(count).sum()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(carrier) = self.carrier.take() {
            // It has failed the test already, if it has failed.
            let _ = carrier.join();
        }
    }
}

impl Wire {
    fn carry(&mut self) {
        while let Ok((master, _)) = self.listener.accept() {
            let agent = TcpStream::connect(self.agent).unwrap();
            for stream in [&master, &agent] {
                stream.set_nonblocking(true).unwrap();
                stream.set_nodelay(true).unwrap();
            }
            self.links.push(Link { master, agent, sent: Vec::new() });
        }
        for link in &mut self.links {
            let said = available(&mut link.master);
            link.sent.extend_from_slice(&said);
            // Whoever is gone hears nothing.
            let _ = link.agent.write_all(&said);
            let _ = link.master.write_all(&available(&mut link.agent));
        }
    }
}

/// All that can be read now.
fn available(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Vec::new(),
        _ => bytes,
    }
}
