//! What master and agent say of their version.

use proto::v1;
use serde::Serialize;

/// The version of Mesos that is spoken here; clients compare with it what they may ask for.
pub const MESOS_VERSION: &str = "1.12.0";

/// What `/version` and `GET_VERSION` say.
#[derive(Serialize, Clone, Debug)]
pub struct Version {
    /// Not known: a build says the same whenever it was made.
    pub build_date: &'static str,
    /// Likewise.
    pub build_time: f64,
    /// Likewise.
    pub build_user: &'static str,
    /// Likewise.
    pub git_branch: &'static str,
    /// Meseta's own version.
    pub git_sha: &'static str,
    /// The version of Mesos.
    pub version: &'static str,
}

/// The version, in the form of Mesos; the build fields are those of Meseta's own version.
pub const VERSION: Version = Version {
    build_date: "",
    build_time: 0.0,
    build_user: "",
    git_branch: "",
    git_sha: concat!("meseta-", env!("CARGO_PKG_VERSION")),
    version: MESOS_VERSION,
};

impl Version {
    /// `mesos.v1.VersionInfo`.
    #[must_use]
    pub fn to_proto(&self) -> v1::VersionInfo {
        v1::VersionInfo {
            version: self.version.to_owned(),
            build_date: Some(self.build_date.to_owned()),
            build_time: Some(self.build_time),
            build_user: Some(self.build_user.to_owned()),
            git_sha: Some(self.git_sha.to_owned()),
            git_branch: Some(self.git_branch.to_owned()),
            git_tag: None,
        }
    }
}
