//! A disk that can be made to answer nothing: a small file system in a file, which the kernel freezes. Only root can.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const SIZE: u64 = 32 << 20;

/// Mounted until it is dropped.
pub struct Disk {
    mount: PathBuf,
    /// Thaws it if this process is killed before it can: whoever waits for a frozen disk cannot be killed.
    watchdog: Option<Child>,
    _image: TempDir,
}

impl Disk {
    pub fn at(mount: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("image");
        std::fs::File::create(&image).and_then(|file| file.set_len(SIZE)).expect("ours");
        std::fs::create_dir_all(mount).expect("ours");
        system("mkfs.ext4", &["-q", "-F"], &image);
        system("mount", &["-o", "loop", image.to_str().expect("plain")], mount);
        Self { mount: mount.to_owned(), watchdog: None, _image: directory }
    }

    /// From here on whatever writes to it waits.
    pub fn freeze(&mut self) {
        let line = "sleep 60; fsfreeze --unfreeze \"$0\"";
        let mut watchdog = Command::new("setsid");
        watchdog.args(["sh", "-c", line]).arg(&self.mount).stdout(Stdio::null()).stderr(Stdio::null());
        self.watchdog = Some(watchdog.spawn().expect("a process"));
        system("fsfreeze", &["--freeze"], &self.mount);
    }

    /// All who waited go on.
    pub fn thaw(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            system("fsfreeze", &["--unfreeze"], &self.mount);
            // What it sleeps in ends by itself.
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.thaw();
        // Lazily: what a failed test has left may still use it.
        system("umount", &["--lazy"], &self.mount);
    }
}

fn system(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status().expect("it is installed");
    assert!(status.success(), "{program}: {status}");
}
