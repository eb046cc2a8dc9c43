//! Roles: whom resources are reserved for and allocated to; paths such as `eng/backend` make a hierarchy.

use std::sync::LazyLock;

use crate::RoleError;

base::id_type!(
    /// The name of a role: `*`, or a path of components joined by slashes.
    Role
);

static STAR: LazyLock<Role> = LazyLock::new(|| Role::from("*"));

impl Role {
    /// The default role `*`.
    #[must_use]
    pub fn star() -> Self {
        STAR.clone()
    }

    /// Whether it is the default role.
    #[must_use]
    pub fn is_star(&self) -> bool {
        self.as_str() == "*"
    }

    /// Whether it lies below `ancestor` in the hierarchy.
    #[must_use]
    pub fn is_strict_subrole_of(&self, ancestor: &Self) -> bool {
        is_strict_subrole(self.as_str(), ancestor.as_str())
    }

    /// The roles above this one, nearest first: `a/b/c` has `a/b` and `a`.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let path = self.as_str();
        path.rmatch_indices('/').map(move |(at, _)| &path[..at])
    }
}

/// Whether `role` lies below `ancestor` in the hierarchy.
#[must_use]
pub fn is_strict_subrole(role: &str, ancestor: &str) -> bool {
    role.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with('/'))
}

/// Checks the name of a role.
///
/// # Errors
/// Which rule was broken, in Mesos' words.
pub fn validate_role(role: &str) -> Result<(), RoleError> {
    if role == "*" {
        return Ok(());
    }
    let role_owned = || role.to_owned();
    if role.starts_with('/') {
        return Err(RoleError::LeadingSlash(role_owned()));
    }
    if role.ends_with('/') {
        return Err(RoleError::TrailingSlash(role_owned()));
    }
    if role.contains("//") {
        return Err(RoleError::AdjacentSlashes(role_owned()));
    }
    if role.is_empty() {
        return Err(RoleError::Empty);
    }
    for component in role.split('/') {
        if matches!(component, "." | ".." | "*") {
            return Err(RoleError::Reserved { role: role_owned(), component: component.to_owned() });
        }
        if component.starts_with('-') {
            return Err(RoleError::LeadingDash(component.to_owned()));
        }
        // Tab, line feed, vertical tab, form feed, carriage return, space and delete.
        if component.bytes().any(|b| matches!(b, b'\t'..=b'\r' | b' ' | 0x7f)) {
            return Err(RoleError::Whitespace(component.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused_in_mesos_words() {
        for (role, text) in [
            ("-x", "Role component '-x' is invalid because it starts with a dash"),
            (".", "Role '.' cannot include '.' as a component"),
            ("a//b", "Role 'a//b' cannot contain two adjacent slashes"),
            ("..", "Role '..' cannot include '..' as a component"),
            ("a/../b", "Role 'a/../b' cannot include '..' as a component"),
            ("a/*", "Role 'a/*' cannot include '*' as a component"),
            ("", "Role names cannot be the empty string"),
            ("/a", "Role '/a' cannot start with a slash"),
            ("a/", "Role 'a/' cannot end with a slash"),
            ("a b", "Role component 'a b' is invalid because it contains backspace or whitespace"),
        ] {
            assert_eq!(validate_role(role).unwrap_err().to_string(), text);
        }
        for good in ["*", "a", "a/b/c", "a-b", "ops.team", "ä"] {
            assert_eq!(validate_role(good), Ok(()));
        }
    }

    #[test]
    fn hierarchy() {
        let role = Role::from("a/b/c");
        assert_eq!(role.ancestors().collect::<Vec<_>>(), ["a/b", "a"]);
        assert!(role.is_strict_subrole_of(&Role::from("a")));
        assert!(!role.is_strict_subrole_of(&role));
        assert!(!Role::from("ab").is_strict_subrole_of(&Role::from("a")));
    }
}
