//! An instance of the framework as the test has it: a process on a host, which is killed as machines kill, and of which
//! nothing is left but what it has written into the book.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::book::SharedBook;
use crate::cluster::Cluster;
use crate::evidence::Evidence;
use crate::framework::{EVIDENCE, MASTERS, PROCESS};
use crate::line;

const SIGKILL: i32 = 9;

/// One process of the framework. Dropped, it is killed, if it was not before.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    /// Hears what it says, until it is gone or was sent away.
    hearing: Option<JoinHandle<Option<String>>>,
}

impl Instance {
    /// Starts on one of the cluster's desks; it is the framework that is in the book, or a new one.
    pub(crate) fn start(cluster: &Cluster, desk: usize, book: &SharedBook, evidence: &Evidence) -> Self {
        let (ours, its) = UnixStream::pair().expect("a pair");
        let this = std::env::current_exe().expect("this test").display().to_string();
        let program = [&this, "--ignored", "--exact", PROCESS, "--nocapture"];
        // It must not outlive a test that is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(cluster.desks[desk].command(program))
            .env(MASTERS, &cluster.url)
            .env(EVIDENCE, evidence.directory())
            .stdin(OwnedFd::from(its))
            .stdout(Stdio::null())
            .spawn()
            .expect("setpriv");
        let (book, number) = (book.clone(), book.open().another());
        let hearing = std::thread::spawn(move || line::serve(ours, |word| book.open().hear(number, word)));
        Self { child, hearing: Some(hearing) }
    }

    /// Whether it will say nothing more.
    pub(crate) fn is_over(&self) -> bool {
        self.hearing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// As by `kill -9`. All that it has said is in the book then.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        let status = self.child.wait().expect("waited for");
        assert_eq!(status.signal(), Some(SIGKILL), "it has ended by itself: {status}");
        let hearing = self.hearing.take().expect("it was heard");
        assert_eq!(hearing.join().expect("no panic"), None, "it was sent away");
    }

    /// Waits for an instance that the master sends away; what it was told.
    pub(crate) async fn sent_away(mut self, cluster: &Cluster) -> String {
        cluster.eventually("the old instance is sent away", async || self.is_over().then_some(())).await;
        let hearing = self.hearing.take().expect("it was heard");
        let told = hearing.join().expect("no panic").expect("it has not ended by itself");
        let status = self.child.wait().expect("waited for");
        assert!(status.success(), "{status}");
        told
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
