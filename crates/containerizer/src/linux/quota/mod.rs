//! `disk/xfs`: what sandboxes and persistent volumes hold is accounted, and limited, by the file system itself: XFS with
//! project quotas, or ext4 with them.
//!
//! Each such directory is a *project*: a number that it, and all that is made in it, belongs to. Which numbers are in use
//! the file systems know: a number is free as long as nothing belongs to it. So there is nothing to be remembered, and
//! nothing can be lost: neither by an agent that ends, nor by a machine. A sandbox keeps its number until it is deleted.

mod containers;
mod kernel;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use self::kernel::Project;
use super::options::{Isolator, LinuxOptions};
use super::walk::{OPEN, walk};
pub(super) use containers::{look, measure, measure_volumes};

/// Why the disk use of containers cannot be limited by the file system.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// It does not do that.
    #[error("the isolator 'disk/xfs' needs project quotas: '{path}' is on {mount}, and {what}; {remedy}")]
    Unsupported {
        /// Where it was looked.
        path: PathBuf,
        /// The file system there.
        mount: String,
        /// What is missing.
        what: String,
        /// What can be done.
        remedy: &'static str,
    },
    /// All numbers are in use.
    #[error(
        "Failed to assign project ID, range exhausted: all {total} of '--xfs_project_range' are in use, until sandboxes are deleted"
    )]
    Exhausted {
        /// How many there are.
        total: u64,
    },
    /// The file system refuses.
    #[error("cannot {attempt} '{path}'")]
    Failed {
        /// What was tried.
        attempt: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// How many projects there are for containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectIds {
    /// All.
    pub total: u64,
    /// Those that nothing belongs to.
    pub free: u64,
}

/// What becomes of who holds too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// Nothing.
    Account,
    /// Cannot write any more.
    Refuse,
    /// Is ended. So that it can be seen to hold too much, it may hold so many bytes more.
    End { headroom: u64 },
}

/// The projects of containers.
#[derive(Debug)]
pub(super) struct Quotas {
    policy: Policy,
    ranges: Vec<(Project, Project)>,
    /// Where there may be directories that have been given a project, with the numbers of their devices.
    roots: Vec<(PathBuf, u64)>,
    taken: Mutex<Taken>,
    /// Directories that are being made projects: a shared volume may be wanted twice at once.
    under_way: Mutex<BTreeSet<PathBuf>>,
    over: Condvar,
}

/// Keeps others from making the same directory a project.
struct Alone<'a> {
    quotas: &'a Quotas,
    directory: PathBuf,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.quotas.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.directory);
        self.quotas.over.notify_all();
    }
}

/// What is known of who is in use. No disk is asked while it is held.
#[derive(Debug, Default)]
struct Taken {
    /// With a place on each file system on which something belongs to it.
    by_project: BTreeMap<Project, BTreeSet<PathBuf>>,
    /// Those to which a directory is about to belong.
    joining: BTreeSet<Project>,
}

impl Quotas {
    /// Looks at the file systems that will be used; `None` where containers are not limited so.
    pub(super) fn open(options: &LinuxOptions) -> Result<Option<Self>, QuotaError> {
        if !options.isolation.has(Isolator::DiskXfs) {
            return Ok(None);
        }
        let policy = match (options.enforce_disk, options.end_beyond_quota) {
            (false, _) => Policy::Account,
            (true, false) => Policy::Refuse,
            (true, true) => Policy::End { headroom: options.quota_headroom },
        };
        let mut roots = Vec::with_capacity(options.quota_roots.len());
        for root in &options.quota_roots {
            support::check(root, policy == Policy::Refuse)?;
            let found = fstat(open(root)?).map_err(|error| failed("look at", root)(error.into()))?;
            roots.push((root.clone(), found.st_dev));
        }
        let own = Self {
            policy,
            ranges: options.project_ids.clone(),
            roots,
            taken: Mutex::default(),
            under_way: Mutex::default(),
            over: Condvar::new(),
        };
        own.find_taken()?;
        let ProjectIds { total, free } = own.ids();
        tracing::info!(total, free, "sandboxes and volumes are limited by project quotas");
        Ok(Some(own))
    }

    /// Whether who holds too much is ended.
    pub(super) fn ends(&self) -> bool {
        matches!(self.policy, Policy::End { .. })
    }

    /// What an earlier agent gave, and what others use.
    fn find_taken(&self) -> Result<(), QuotaError> {
        for (root, _) in &self.roots {
            let place = open(root)?;
            for (first, last) in &self.ranges {
                let mut from = *first;
                while let Some((project, account)) =
                    kernel::next(&place, from).map_err(failed("list the projects of", root))?
                    && project <= *last
                {
                    if account.inodes > 0 || account.limited {
                        self.taken().by_project.entry(project).or_default().insert(root.clone());
                    }
                    let Some(next) = project.checked_add(1) else { break };
                    from = next;
                }
            }
        }
        Ok(())
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ids(&self) -> ProjectIds {
        let total = self.total();
        ProjectIds { total, free: total - self.taken().by_project.len() as u64 }
    }

    fn total(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Makes a directory with all that is in it a project if it is none, and limits it.
    pub(super) fn bound(&self, directory: &Path, limit: Option<u64>) -> Result<(), QuotaError> {
        let place = open(directory)?;
        let _alone = self.alone_with(directory);
        let project = match own_project(&place, directory)? {
            Some(project) => {
                let is_ours = self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&project));
                if is_ours {
                    let anchor = self.anchor(&place, directory);
                    self.taken().by_project.entry(project).or_default().insert(anchor);
                }
                project
            }
            None => self.give(&place, directory)?,
        };
        let (soft, hard) = match (self.policy, limit) {
            (Policy::Account, _) => (0, 0),
            // Who has been promised nothing is not limited, or goes on as before.
            (_, None) => return Ok(()),
            // To the kernel 0 is no limit.
            (Policy::Refuse, Some(limit)) => (limit.max(1), limit.max(1)),
            (Policy::End { headroom }, Some(limit)) => (limit.max(1), limit.saturating_add(headroom)),
        };
        kernel::limit(&place, project, soft, hard).map_err(failed("limit what belongs to", directory))
    }

    fn alone_with(&self, directory: &Path) -> Alone<'_> {
        let taken = |under_way: &mut BTreeSet<PathBuf>| under_way.contains(directory);
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.over.wait_while(under_way, taken);
        waited.unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned());
        Alone { quotas: self, directory: directory.to_owned() }
    }

    /// Makes a directory a project.
    fn give(&self, place: &OwnedFd, directory: &Path) -> Result<Project, QuotaError> {
        let anchor = self.anchor(place, directory);
        let project = self.begin(place, directory, &anchor)?;
        let joined = kernel::join(place, project, true).map_err(failed("assign a project to", directory));
        // If it has not joined, the next look at what is in use finds the number empty.
        self.taken().joining.remove(&project);
        joined?;
        tracing::debug!(project, directory = %directory.display(), "a directory is limited as a project");
        self.join_all(place, directory, project)?;
        Ok(project)
    }

    /// Makes all that is in a directory already belong to its project.
    fn join_all(&self, place: &OwnedFd, directory: &Path, project: Project) -> Result<(), QuotaError> {
        let descend = place.try_clone().map_err(failed("open", directory))?;
        let mut refused = None;
        walk(descend, |parent, name, found| {
            let kind = FileType::from_raw_mode(found.st_mode);
            // What else there may be takes no space that would count.
            if kind.is_dir() || kind.is_file() {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let joined = openat(parent, name, flags, Mode::empty())
                    .map_err(io::Error::from)
                    .and_then(|file| kernel::join(&file, project, kind.is_dir()));
                match joined {
                    // What is removed while we look holds nothing.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => refused = Some(error),
                    _ => {}
                }
            }
            true
        })
        .map_err(failed("look into", directory))?;
        let refused = refused.map(failed("assign a project to what is in", directory));
        refused.map_or(Ok(()), Err)
    }

    /// Takes the lowest number that nothing belongs to; it is not given back until the directory has joined it. What is found
    /// to be in use by others is not asked about again.
    fn begin(&self, place: &OwnedFd, directory: &Path, anchor: &Path) -> Result<Project, QuotaError> {
        let mut reclaimed = false;
        loop {
            let Some(project) = self.take(anchor) else {
                if std::mem::replace(&mut reclaimed, true) {
                    return Err(QuotaError::Exhausted { total: self.total() });
                }
                self.reclaim();
                continue;
            };
            let asked = kernel::account(place, project).and_then(|account| {
                if account.limited && account.inodes == 0 {
                    kernel::limit(place, project, 0, 0)?;
                }
                Ok(account.inodes == 0)
            });
            if !matches!(asked, Ok(true)) {
                self.taken().joining.remove(&project);
            }
            if asked.map_err(failed("ask about projects at", directory))? {
                return Ok(project);
            }
        }
    }

    /// The lowest number that is not known to be in use.
    fn take(&self, anchor: &Path) -> Option<Project> {
        let mut taken = self.taken();
        let mut all = self.ranges.iter().flat_map(|(first, last)| *first..=*last);
        let project = all.find(|project| !taken.by_project.contains_key(project))?;
        taken.by_project.insert(project, BTreeSet::from([anchor.to_owned()]));
        taken.joining.insert(project);
        Some(project)
    }

    /// A place that is there longer than the directory, on the same file system.
    fn anchor(&self, place: &OwnedFd, directory: &Path) -> PathBuf {
        let own = fstat(place).ok().map(|found| found.st_dev);
        let root = self.roots.iter().find(|(_, device)| own == Some(*device));
        root.map_or_else(|| directory.parent().unwrap_or(directory).to_owned(), |(root, _)| root.clone())
    }

    /// What a directory that is a project holds; `None` if it is none.
    pub(super) fn used(&self, directory: &Path) -> Result<Option<u64>, QuotaError> {
        let place = open(directory)?;
        let Some(project) = own_project(&place, directory)? else { return Ok(None) };
        let account = kernel::account(&place, project).map_err(failed("ask what belongs to", directory))?;
        Ok(Some(account.bytes))
    }

    /// Takes back the projects to which nothing belongs any more. Disks are asked while nobody has to wait for that.
    pub(super) fn reclaim(&self) {
        let candidates: Vec<(Project, BTreeSet<PathBuf>)> = {
            let taken = self.taken();
            let settled = taken.by_project.iter().filter(|(project, _)| !taken.joining.contains(project));
            settled.map(|(project, anchors)| (*project, anchors.clone())).collect()
        };
        for (project, anchors) in candidates {
            let empty = |anchor: &PathBuf| {
                lift_if_empty(anchor, project).unwrap_or_else(|error| {
                    let error = crate::chain(&error);
                    tracing::warn!(project, error, "it cannot be said whether a project is still in use");
                    false
                })
            };
            if anchors.iter().all(empty) {
                // Nobody has taken it meanwhile, because it was not free.
                self.taken().by_project.remove(&project);
            }
        }
    }
}

fn lift_if_empty(anchor: &Path, project: Project) -> Result<bool, QuotaError> {
    let place = open(anchor)?;
    let account = kernel::account(&place, project).map_err(failed("ask about projects at", anchor))?;
    if account.inodes == 0 && account.limited {
        kernel::limit(&place, project, 0, 0).map_err(failed("lift old limits at", anchor))?;
    }
    Ok(account.inodes == 0)
}

fn open(directory: &Path) -> Result<OwnedFd, QuotaError> {
    openat(CWD, directory, OPEN, Mode::empty()).map_err(|error| failed("open", directory)(error.into()))
}

/// The project that a directory is, and not one that it is only in.
fn own_project(place: &OwnedFd, directory: &Path) -> Result<Option<Project>, QuotaError> {
    let read = failed("read the project of", directory);
    let project = kernel::project_of(place).map_err(&read)?;
    if project == 0 {
        return Ok(None);
    }
    let around = openat(place, "..", OPEN, Mode::empty()).map_err(|error| read(error.into()))?;
    // Where a file system ends, so do its projects; what is around it may know of none.
    let around = kernel::project_of(&around).unwrap_or(0);
    Ok(Some(project).filter(|own| *own != around))
}

fn failed(attempt: &'static str, path: &Path) -> impl Fn(io::Error) -> QuotaError {
    let path = path.to_owned();
    move |source| QuotaError::Failed { attempt, path: path.clone(), source }
}
