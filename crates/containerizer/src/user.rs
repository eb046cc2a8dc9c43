//! Users: who they are, and doing something as one of them.

use std::ffi::CString;
use std::io;

use rustix::process::{Gid, Uid};

/// A user that containers can run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: String,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// Why a user cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is no such user.
    #[error("no user '{0}' on this machine")]
    Unknown(String),
    /// The system's user database cannot be read.
    #[error("cannot look up user '{name}'")]
    Lookup {
        /// Who was asked for.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Only root can be somebody else.
    #[error("running as '{0}' needs root")]
    NotRoot(String),
    /// The system refused the change.
    #[error("cannot become user '{name}'")]
    Switch {
        /// Who we wanted to be.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl User {
    /// Looks a user up by name, with all groups.
    ///
    /// # Errors
    /// If there is no such user, or the database cannot be read.
    pub fn lookup(name: &str) -> Result<Self, UserError> {
        let (uid, gid) = entry(name)?;
        let c_name = CString::new(name).map_err(|_| UserError::Unknown(name.to_owned()))?;
        let groups = nix::unistd::getgrouplist(&c_name, nix::unistd::Gid::from_raw(gid))
            .map_err(|source| lookup_failed(name, source))?;
        let groups = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
        Ok(Self { name: name.to_owned(), uid, gid, groups })
    }

    /// Looks up who to switch to in order to act as `name`: `None` if that is who we are already.
    ///
    /// # Errors
    /// If there is no such user, or we are not root and it is somebody else.
    pub fn to_become(name: Option<&str>) -> Result<Option<Self>, UserError> {
        let Some(name) = name else { return Ok(None) };
        let own = rustix::process::geteuid().as_raw();
        // Mostly it is ourselves, and then nobody needs to know the groups.
        if entry(name)?.0 == own {
            Ok(None)
        } else if own == 0 {
            Self::lookup(name).map(Some)
        } else {
            Err(UserError::NotRoot(name.to_owned()))
        }
    }

    /// What the user is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the user.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The number of the user's own group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// In numbers, for an init.
    pub(crate) fn numbers(&self) -> init::User {
        init::User { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }

    fn group_ids(&self) -> Vec<Gid> {
        self.groups.iter().map(|group| Gid::from_raw(*group)).collect()
    }

    /// What makes the calling thread this user for good. Everything that allocates is done before the returned
    /// closure runs, so that it may run between fork and exec.
    pub(crate) fn switcher(&self) -> impl Fn() -> io::Result<()> + Send + Sync + 'static {
        let (uid, gid, groups) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid), self.group_ids());
        move || {
            // Groups first: afterwards we may not any more.
            rustix::thread::set_thread_groups(&groups)?;
            rustix::thread::set_thread_gid(gid)?;
            rustix::thread::set_thread_uid(uid)?;
            Ok(())
        }
    }
}

/// A user's number and that of its own group.
fn entry(name: &str) -> Result<(u32, u32), UserError> {
    let found = nix::unistd::User::from_name(name).map_err(|source| lookup_failed(name, source))?;
    let entry = found.ok_or_else(|| UserError::Unknown(name.to_owned()))?;
    Ok((entry.uid.as_raw(), entry.gid.as_raw()))
}

fn lookup_failed(name: &str, source: nix::errno::Errno) -> UserError {
    UserError::Lookup { name: name.to_owned(), source: source.into() }
}

/// The name of the user that this process runs as; its number if it has no name.
#[must_use]
pub fn own_user_name() -> String {
    let uid = nix::unistd::geteuid();
    nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Runs `work` with the rights of `user` (or our own without one) on a thread of its own, which ends with it: rights
/// belong to threads, so nobody else is affected, and no file of another user can be reached or made by mistake.
///
/// # Errors
/// If the user's rights cannot be taken on.
pub(crate) async fn run_as<T: Send + 'static>(
    user: Option<User>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, UserError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let who = user.as_ref().map_or_else(|| "ourselves".to_owned(), |user| user.name.clone());
    let failed = |source| UserError::Switch { name: who.clone(), source };
    std::thread::Builder::new()
        .name("as-user".to_owned())
        .spawn(move || {
            let became = user.map_or(Ok(()), |user| lower_rights(&user));
            // The receiver is gone only if nobody waits any more.
            let _ = sender.send(became.map(|()| work()));
        })
        .map_err(failed)?;
    let result = receiver.await.map_err(|_| failed(io::Error::other("the work was cut off by a bug")))?;
    result.map_err(failed)
}

/// Takes on a user's *effective* rights on this thread. The real user stays root, so that the user cannot signal us.
fn lower_rights(user: &User) -> io::Result<()> {
    rustix::thread::set_thread_groups(&user.group_ids())?;
    rustix::thread::set_thread_res_gid(None::<Gid>, Gid::from_raw(user.gid), None::<Gid>)?;
    rustix::thread::set_thread_res_uid(None::<Uid>, Uid::from_raw(user.uid), None::<Uid>)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_nobody_else_is_invented() {
        let root = User::lookup("root").expect("every machine has root");
        assert_eq!((root.uid(), root.gid()), (0, 0));
        assert!(matches!(User::lookup("no-such-user"), Err(UserError::Unknown(_))));
        assert!(User::lookup("a\0b").is_err());
        assert_eq!(User::to_become(None).expect("nothing to do"), None);
    }

    #[tokio::test]
    async fn rights_are_lowered_on_one_thread_only() {
        if rustix::process::geteuid().as_raw() != 0 {
            return; // Only root can be somebody else.
        }
        let Ok(nobody) = User::lookup("nobody") else { return };
        let directory = tempfile::tempdir().expect("a directory");
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "x").expect("we may");
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
        let path = secret.clone();
        let theirs = run_as(Some(nobody), move || std::fs::read(path)).await.expect("root may switch");
        assert_eq!(theirs.expect_err("not theirs").kind(), io::ErrorKind::PermissionDenied);
        assert!(std::fs::read(&secret).is_ok());
    }
}
