//! What tasks really did: each writes a line into a file of its own when it starts, and the long ones live on as processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sdk::build::Task;
use sdk::proto::v1::{Offer, TaskInfo};

use crate::book::Book;

/// Told to every task, so that its process is found.
const MARK: &str = "MESETA_SYSTEM_TASK";

/// Where tasks leave what they did.
#[derive(Debug)]
pub(crate) struct Evidence(PathBuf);

impl Evidence {
    pub(crate) fn new(directory: &Path) -> Self {
        let directory = directory.join("evidence");
        std::fs::create_dir(&directory).expect("a directory");
        Self(directory)
    }

    /// The same directory, as another process finds it.
    pub(crate) fn at(directory: PathBuf) -> Self {
        Self(directory)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }

    /// A task that leaves a line, and then ends or lives for ever.
    pub(crate) fn task(&self, id: &str, offer: &Offer) -> TaskInfo {
        let path = self.0.join(id).display().to_string();
        let then = if id.starts_with("long") { "exec sleep 1000000" } else { "sleep 0.1" };
        let command = format!("echo started >> {path}; {then}");
        Task::new(id).command(command).env(MARK, path).cpus(0.1).mem(32.0).on(offer)
    }

    /// Every task's processes of those that live for ever.
    pub(crate) fn processes(&self) -> BTreeMap<String, Vec<u32>> {
        let mark = format!("{MARK}={}/", self.0.display());
        let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            let read = |what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            if !read("cmdline").starts_with(b"sleep\0") {
                continue;
            }
            let environment = read("environ");
            let marked = String::from_utf8_lossy(&environment);
            if let Some(id) = marked.split('\0').find_map(|variable| variable.strip_prefix(&*mark)) {
                found.entry(id.to_owned()).or_default().push(pid);
            }
        }
        found.retain(|id, _| id.starts_with("long"));
        found
    }

    /// Compares what the framework believes with what was done.
    pub(crate) fn check(&self, book: &Book) {
        assert_eq!(book.wrong, Vec::<String>::new());
        for (id, record) in &book.tasks {
            let lines = std::fs::read_to_string(self.0.join(id)).unwrap_or_default().lines().count();
            assert_eq!(lines, usize::from(!record.is_void()), "so often {id} was started: {record:?}");
        }
        for (id, processes) in self.processes() {
            assert_eq!(processes.len(), 1, "{id} runs once");
        }
    }
}
