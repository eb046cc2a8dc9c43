//! Files that a server gives out: sandboxes, and its log. Each is attached to a virtual path, by which clients ask for it.

mod local;
mod names;
mod serve;

pub use local::Attached;
pub use serve::{browse, download, list_files, read, read_file};
