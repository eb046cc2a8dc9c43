//! The web pages of a large cluster in Chromium: 50,000 emulated agents with tasks at one real master. Each page is there, with
//! nothing on the console and without violations of accessibility. Screenshots stay in `target/browser/screenshots`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use conformance::browser;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The benchmark's cluster, with all its processes, until this is dropped.
struct Large {
    bench: Child,
    address: String,
    _directory: TempDir,
}

impl Large {
    fn start(agents: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let count = agents.to_string();
        let words = [
            "pages",
            "--agents",
            &count,
            "--frameworks",
            "1",
            "--tasks",
            "1",
            "--rounds",
            "0",
            "--silent",
            "3",
            "--stay",
            "600",
        ];
        let mut bench = Command::new(env!("CARGO_BIN_EXE_meseta-bench"))
            .args(words)
            .env("TMPDIR", directory.path())
            .env("MESETA_BIN", conformance::cluster::binary().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let lines = BufReader::new(bench.stdout.take().unwrap()).lines();
        for line in lines.map(Result::unwrap) {
            if let Some((_, rest)) = line.split_once("stays at http://") {
                let address = rest.split(' ').next().unwrap().to_owned();
                return Self { bench, address, _directory: directory };
            }
            said += &(line + "\n");
        }
        let status = bench.wait().unwrap();
        panic!("the large cluster was not started ({status}):\n{said}");
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let bench = i32::try_from(self.bench.id()).ok().and_then(Pid::from_raw).unwrap();
        // Ended already: as good.
        let _ = kill_process(bench, Signal::TERM);
        let _ = self.bench.wait();
    }
}

#[test]
fn every_page_of_fifty_thousand_agents() {
    let cluster = Large::start(50_000);
    let report = browser::check(&cluster.address, "light", "large").unwrap();
    assert_eq!((report.pages.len(), &report.faults), (28, &Vec::new()), "{report:?}");
}
