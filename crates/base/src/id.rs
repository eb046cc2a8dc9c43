//! Ids as they travel: short strings, shared instead of copied, one type for each kind of thing.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Declares an id type: a shared string that cannot be mistaken for another kind of id.
#[macro_export]
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The id as it is written on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.into())
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(value.into())
            }
        }

        impl From<std::sync::Arc<str>> for $name {
            fn from(value: std::sync::Arc<str>) -> Self {
                Self(value)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Lets a map keyed by the id be asked with a plain string, without an allocation.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id_type!(
    /// Names a framework: `<master id>-NNNN`, given by the master at the first subscription.
    FrameworkId
);
id_type!(
    /// Names an agent: `<master id>-SN`, given by the master at the first registration.
    AgentId
);
id_type!(
    /// Names a task within its framework; chosen by the scheduler.
    TaskId
);
id_type!(
    /// Names an executor within its framework and agent; chosen by the scheduler.
    ExecutorId
);
id_type!(
    /// Names an offer: `<master id>-ON`.
    OfferId
);
id_type!(
    /// Names an operation on resources; chosen by the scheduler.
    OperationId
);
id_type!(
    /// Names a container on an agent. A nested container's id is written `parent.child`.
    ContainerId
);

/// Why a string cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId {
    /// What is wrong, in one line.
    pub reason: String,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for InvalidId {}

/// Longest id in bytes: ids become names of directories, and Linux' `NAME_MAX` is 255.
const MAX_ID_BYTES: usize = 255;

/// Checks the rules that Mesos has for every id that a client chooses: not empty, at most 255 bytes, not `.` or `..`,
/// and neither control characters nor slashes in it, because ids name directories of sandboxes.
///
/// # Errors
/// Returns which rule was broken.
pub fn validate_id(id: &str) -> Result<(), InvalidId> {
    let reason = if id.is_empty() {
        "ID must not be empty".to_owned()
    } else if id.len() > MAX_ID_BYTES {
        format!("ID must not be greater than {MAX_ID_BYTES} characters")
    } else if id == "." || id == ".." {
        format!("'{id}' is disallowed")
    } else if id.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
        format!("'{id}' contains invalid characters")
    } else {
        return Ok(());
    };
    Err(InvalidId { reason })
}

impl ContainerId {
    /// The id of a container nested in this one.
    #[must_use]
    pub fn nested(&self, child: &str) -> Self {
        Self(Arc::from(format!("{}.{child}", Borrow::<str>::borrow(self))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_leave_their_directory_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(validate_id(bad).is_err(), "{bad:?}");
        }
        for good in ["t", "a.b", "a b", "täsk", &"x".repeat(255)] {
            assert!(validate_id(good).is_ok(), "{good:?}");
        }
    }
}
