//! The Linux launcher against the real kernel, as root: each isolator holds, each limit says so, and nothing is left of
//! any container.

mod destroy;
mod enter;
mod hung;
mod isolation;
mod life;
mod limits;
mod logs;
mod pids;
mod quotas;
mod recovery;
mod rights;
mod support;
mod traps;
mod usage;
mod vm;
