//! Whether a file system has project quotas, and if not, what was looked at and what can be done about it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::libc;

use super::kernel::{self, State};
use super::{QuotaError, open};

/// Checks that what is in a directory can be accounted, and limited if that is wanted.
pub(super) fn check(directory: &Path, limits: bool) -> Result<(), QuotaError> {
    let missing = |what: String, remedy: &'static str| QuotaError::Unsupported {
        path: directory.to_owned(),
        mount: mount_of(directory),
        what,
        remedy,
    };
    let place = open(directory)?;
    kernel::project_of(&place).map_err(|error| {
        missing(format!("its files belong to no projects ({error})"), "use a directory on XFS, or 'disk/du'")
    })?;
    let state = kernel::state(&place).map_err(|error| missing(no_state(&error), SWITCH_ON))?;
    if !state.accounts {
        return Err(missing("project quotas are switched off".to_owned(), SWITCH_ON));
    }
    if limits && !enforced(&place, state) {
        return Err(missing(
            "projects are accounted, but their limits do not hold".to_owned(),
            "mount it with the option 'prjquota' instead of 'pqnoenforce'",
        ));
    }
    Ok(())
}

/// What switches quotas on.
const SWITCH_ON: &str = "mount it with the option 'prjquota' (for ext4, after `tune2fs -O project,quota`; \
                         XFS takes the option only when it is mounted, not when it is remounted)";

fn no_state(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            "it has no quotas, or the kernel was built without them or is older than 5.14".to_owned()
        }
        _ => format!("it cannot be asked about its project quotas ({error})"),
    }
}

fn enforced(place: &OwnedFd, state: State) -> bool {
    let now_on = || kernel::enforce(place).is_ok() && kernel::state(place).is_ok_and(|now| now.enforces);
    state.enforces || now_on()
}

/// The mount that a directory is on, as the kernel lists it.
fn mount_of(directory: &Path) -> String {
    let list = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    describe(&list, &path).unwrap_or_else(|| "an unknown file system".to_owned())
}

/// Of those that hold the path, the innermost; of several at one place, the last.
fn describe(list: &str, path: &Path) -> Option<String> {
    let mounts = list.lines().filter_map(|line| {
        let (place, device) = line.split_once(" - ")?;
        let target = place.split(' ').nth(4)?.replace("\\040", " ");
        let mut words = device.split(' ');
        let (kind, source, options) = (words.next()?, words.next()?, words.next()?);
        let depth = path.starts_with(&target).then(|| Path::new(&target).components().count())?;
        Some((depth, format!("{kind} ('{source}' at '{target}', mounted with '{options}')")))
    });
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_is_the_one() {
        let list = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
                    40 22 7:0 / /var/lib rw,nosuid - xfs /dev/loop0 rw,noquota\n\
                    41 22 7:0 / /var/library rw shared:1 - tmpfs tmpfs rw\n\
                    42 22 7:1 / /my\\040disk rw - xfs /dev/loop1 rw,prjquota\n";
        let of = |path: &str| describe(list, Path::new(path)).expect("the root is there");
        assert_eq!(of("/var/lib/mesos"), "xfs ('/dev/loop0' at '/var/lib', mounted with 'rw,noquota')");
        assert_eq!(of("/var/librarian"), "ext4 ('/dev/vda' at '/', mounted with 'rw,discard')");
        assert_eq!(of("/my disk/x"), "xfs ('/dev/loop1' at '/my disk', mounted with 'rw,prjquota')");
    }
}
