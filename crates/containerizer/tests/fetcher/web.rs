//! A small HTTP server, which counts what it is asked for.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Raw answers by path: the first, the second, and so on; the last for all after it.
type Answers = HashMap<String, Vec<Vec<u8>>>;

#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Answers,
    asked: Mutex<HashMap<String, usize>>,
    open: (Mutex<bool>, Condvar),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

impl Server {
    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.shared.asked.lock().expect("whole").get(path).copied().unwrap_or(0)
    }

    /// Waits, with a limit, until a path was asked for so often.
    pub(crate) async fn is_asked(&self, path: &str, times: usize) {
        for _ in 0..1000 {
            if self.asked(path) >= times {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("'{path}' was asked for {} times, not {times}", self.asked(path));
    }

    /// Lets answers of paths that begin with `/gated` go.
    pub(crate) fn open(&self) {
        *self.shared.open.0.lock().expect("whole") = true;
        self.shared.open.1.notify_all();
    }
}

/// Serves each path's raw answer, one request a connection, until the test ends with its process.
pub(crate) fn serve(answers: HashMap<&'static str, Vec<u8>>) -> Server {
    serve_in_turn(answers.into_iter().map(|(path, answer)| (path.to_owned(), vec![answer])).collect())
}

/// Serves the answers of each path one after the other.
pub(crate) fn serve_in_turn(answers: Answers) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let shared = Arc::new(Shared { answers, asked: Mutex::default(), open: Default::default() });
    let server = Server { address, shared: Arc::clone(&shared) };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || answer(stream, &shared));
        }
    });
    server
}

/// An answer with a body whose length is told.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn answer(mut stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut request = String::new();
    reader.read_line(&mut request).expect("a request");
    let path = request.split(' ').nth(1).expect("a path").to_owned();
    let mut line = String::new();
    while reader.read_line(&mut line).expect("headers") > 2 {
        line.clear();
    }
    let turn = {
        let mut asked = shared.asked.lock().expect("whole");
        let asked = asked.entry(path.clone()).or_default();
        *asked += 1;
        *asked - 1
    };
    if path.starts_with("/gated") {
        let open = shared.open.0.lock().expect("whole");
        drop(shared.open.1.wait_while(open, |open| !*open).expect("whole"));
    }
    // The other side may have given up.
    let _ = match shared.answers.get(&path) {
        Some(answers) => stream.write_all(answers.get(turn).or(answers.last()).expect("an answer")),
        None => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    };
    if path == "/stalls" {
        // Until the other side gives up.
        let _ = reader.read_line(&mut line);
    }
}
