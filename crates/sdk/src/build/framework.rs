//! Framework infos.

use std::time::Duration;

use proto::v1::framework_info::{Capability, capability};
use proto::v1::{FrameworkId, FrameworkInfo};

/// Builds a [`FrameworkInfo`]. Unless said otherwise the framework is in role `*`, runs its tasks as the user who runs
/// the scheduler, and can handle several roles, refined reservations and agents that are cut off for a while.
#[derive(Clone, Debug)]
pub struct Framework(FrameworkInfo);

impl Framework {
    /// A framework of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let capabilities = [
            capability::Type::MultiRole,
            capability::Type::ReservationRefinement,
            capability::Type::PartitionAware,
        ];
        Self(FrameworkInfo {
            name: name.into(),
            user: own_user(),
            roles: vec!["*".to_owned()],
            capabilities: capabilities.into_iter().map(capability).collect(),
            ..FrameworkInfo::default()
        })
    }

    /// The user that runs the tasks.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.0.user = user.into();
        self
    }

    /// The roles to get offers for, instead of `*`.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// How long the tasks live on while the scheduler is away; without this, not at all.
    #[must_use]
    pub fn failover_timeout(mut self, timeout: Duration) -> Self {
        self.0.failover_timeout = Some(timeout.as_secs_f64());
        self
    }

    /// Whether tasks and executors survive a restart of their agent.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: bool) -> Self {
        self.0.checkpoint = Some(checkpoint);
        self
    }

    /// Takes over the framework of this id.
    #[must_use]
    pub fn id(mut self, id: impl Into<FrameworkId>) -> Self {
        self.0.id = Some(id.into());
        self
    }

    /// Something more that the framework can handle, such as offers with GPUs.
    #[must_use]
    pub fn capability(mut self, kind: capability::Type) -> Self {
        self.0.capabilities.push(capability(kind));
        self
    }

    /// The info.
    #[must_use]
    pub fn build(self) -> FrameworkInfo {
        self.0
    }
}

fn capability(kind: capability::Type) -> Capability {
    Capability { r#type: Some(kind.into()) }
}

/// The name of the user that this process runs as, or the number of a user without a name.
fn own_user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own =
        fields.filter(|fields| fields.get(2) == Some(&id.as_str())).map(|fields| fields[0].to_owned()).next();
    // Users may also come from a directory service; then the session knows the name.
    own.or_else(|| std::env::var("USER").ok().filter(|user| !user.is_empty())).unwrap_or(id)
}
