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
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// Where there may be directories that have been given a project.
    roots: Vec<PathBuf>,
    /// Those in use that are known of, with a place on each file system on which they are.
    taken: Mutex<BTreeMap<Project, BTreeSet<PathBuf>>>,
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
        for root in &options.quota_roots {
            support::check(root, policy == Policy::Refuse)?;
        }
        let (ranges, roots) = (options.project_ids.clone(), options.quota_roots.clone());
        let own = Self { policy, ranges, roots, taken: Mutex::default() };
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
        for root in &self.roots {
            let place = open(root)?;
            for (first, last) in &self.ranges {
                let mut from = *first;
                while let Some((project, account)) =
                    kernel::next(&place, from).map_err(failed("list the projects of", root))?
                    && project <= *last
                {
                    if account.inodes > 0 || account.limited {
                        self.taken().entry(project).or_default().insert(root.clone());
                    }
                    let Some(next) = project.checked_add(1) else { break };
                    from = next;
                }
            }
        }
        Ok(())
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<Project, BTreeSet<PathBuf>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ids(&self) -> ProjectIds {
        let total = self.total();
        ProjectIds { total, free: total - self.taken().len() as u64 }
    }

    fn total(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Makes a directory with all that is in it a project if it is none, and limits it.
    pub(super) fn bound(&self, directory: &Path, limit: Option<u64>) -> Result<(), QuotaError> {
        let place = open(directory)?;
        let project = match own_project(&place, directory)? {
            Some(project) => {
                let is_ours = self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&project));
                if is_ours && !self.taken().contains_key(&project) {
                    let anchor = self.anchor(&place, directory);
                    self.taken().entry(project).or_default().insert(anchor);
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

    /// Makes a directory a project.
    fn give(&self, place: &OwnedFd, directory: &Path) -> Result<Project, QuotaError> {
        let project = {
            let mut taken = self.taken();
            let project = match self.first_free(&mut taken, place, directory)? {
                Some(project) => project,
                None => {
                    give_back(&mut taken);
                    let free = self.first_free(&mut taken, place, directory)?;
                    free.ok_or(QuotaError::Exhausted { total: self.total() })?
                }
            };
            // Under the lock: from here on something belongs to it.
            kernel::join(place, project, true).map_err(failed("assign a project to", directory))?;
            taken.entry(project).or_default().insert(self.anchor(place, directory));
            tracing::debug!(project, directory = %directory.display(), "a directory is limited as a project");
            project
        };
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
        match refused {
            Some(error) => Err(failed("assign a project to what is in", directory)(error)),
            None => Ok(project),
        }
    }

    /// The lowest number that nothing belongs to. What was found to be in use by others is not asked about again.
    fn first_free(
        &self,
        taken: &mut BTreeMap<Project, BTreeSet<PathBuf>>,
        place: &OwnedFd,
        directory: &Path,
    ) -> Result<Option<Project>, QuotaError> {
        for project in self.ranges.iter().flat_map(|(first, last)| *first..=*last) {
            if taken.contains_key(&project) {
                continue;
            }
            let account =
                kernel::account(place, project).map_err(failed("ask about projects at", directory))?;
            if account.inodes > 0 {
                taken.entry(project).or_default().insert(self.anchor(place, directory));
                continue;
            }
            if account.limited {
                kernel::limit(place, project, 0, 0).map_err(failed("lift old limits at", directory))?;
            }
            return Ok(Some(project));
        }
        Ok(None)
    }

    /// A place that is there longer than the directory, on the same file system.
    fn anchor(&self, place: &OwnedFd, directory: &Path) -> PathBuf {
        let device = |path: &Path| Some(fstat(open(path).ok()?).ok()?.st_dev);
        let own = fstat(place).ok().map(|found| found.st_dev);
        let root = self.roots.iter().find(|root| own.is_some() && device(root) == own);
        root.map_or_else(|| directory.parent().unwrap_or(directory).to_owned(), Clone::clone)
    }

    /// What a directory that is a project holds; `None` if it is none.
    pub(super) fn used(&self, directory: &Path) -> Result<Option<u64>, QuotaError> {
        let place = open(directory)?;
        let Some(project) = own_project(&place, directory)? else { return Ok(None) };
        let account = kernel::account(&place, project).map_err(failed("ask what belongs to", directory))?;
        Ok(Some(account.bytes))
    }

    /// Takes back the projects to which nothing belongs any more.
    pub(super) fn reclaim(&self) {
        give_back(&mut self.taken());
    }
}

fn give_back(taken: &mut BTreeMap<Project, BTreeSet<PathBuf>>) {
    taken.retain(|project, anchors| {
        anchors.retain(|anchor| match lift_if_empty(anchor, *project) {
            Ok(empty) => !empty,
            Err(error) => {
                tracing::warn!(project, %error, "it cannot be said whether a project is still in use");
                true
            }
        });
        !anchors.is_empty()
    });
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
