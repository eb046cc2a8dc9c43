//! Which node holds what, and who may do what with it.

use std::fmt::Write as _;

use zookeeper_client::{Acl, Acls, AuthId, CreateMode, CreateOptions, Permission};

use crate::kv::{KvError, entry};

/// Keys are below this node, so that they are in nobody's way who looks for candidates.
const KEYS: &str = "meseta";

/// The nodes below one path.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    /// Without a slash at its end.
    path: String,
    acls: Vec<Acl>,
}

impl Nodes {
    /// Who authenticates lets others read and only itself write, as Mesos does.
    pub(super) fn new(path: &str, authenticated: bool) -> Self {
        let acls = if authenticated {
            vec![Acl::new(Permission::READ, AuthId::anyone()), Acl::new(Permission::ALL, AuthId::authed())]
        } else {
            vec![Acl::new(Permission::ALL, AuthId::anyone())]
        };
        Self { path: path.trim_end_matches('/').to_owned(), acls }
    }

    /// Where candidates are.
    pub(super) fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    pub(super) fn of_table(&self, table: &str) -> String {
        format!("{}/{KEYS}/{table}", self.path)
    }

    pub(super) fn of_key(&self, key: &str) -> Result<String, KvError> {
        let (table, name) = entry::split(key)?;
        Ok(format!("{}/{}", self.of_table(table), node(name)))
    }

    /// A child of the path.
    pub(super) fn child(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    pub(super) fn create(&self, mode: CreateMode) -> CreateOptions<'_> {
        mode.with_acls(Acls::new(&self.acls))
    }
}

/// A name as a node's: what ZooKeeper does not take, and `%`, as `%` and two digits.
fn node(name: &str) -> String {
    let mut node = String::with_capacity(name.len());
    let dots = name == "." || name == "..";
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_~:@+,=".contains(&byte) || (byte == b'.' && !dots);
        if plain {
            node.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(node, "%{byte:02X}");
        }
    }
    node
}

/// The name that a node has, if it is one of ours.
pub(super) fn name(node: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(node.len());
    let mut rest = node.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The candidates among the children of a path, as name and number, the first first: `<election>_<number>`.
pub(super) fn candidates(children: &[String], election: &str) -> Vec<(i64, String)> {
    let number = |child: &str| -> Option<i64> {
        let digits = child.strip_prefix(election)?.strip_prefix('_')?;
        digits.parse().ok()
    };
    let mut found: Vec<(i64, String)> =
        children.iter().filter_map(|child| Some((number(child)?, child.clone()))).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for given in ["a", ".", "..", "...", "a/b c%", "ä\u{1}"] {
            assert_eq!(name(&node(given)).as_deref(), Some(given));
        }
        assert_eq!(node("a.b-S1/x"), "a.b-S1%2Fx");
        assert_eq!(node(".."), "%2E%2E");
        assert_eq!((name("%"), name("%zz"), name("%ff")), (None, None, None), "made by somebody else");
    }

    #[test]
    fn the_lowest_number_is_first() {
        let children = ["json.info_0000000012", "log_replicas", "json.info_0000000003", "info_1", "meseta"];
        let children = children.map(str::to_owned);
        let found = candidates(&children, "json.info");
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 12]);
        assert_eq!(found[0].1, "json.info_0000000003");
    }
}
