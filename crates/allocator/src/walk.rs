//! Going through those who want offers in the order of service, while serving changes that order.

use std::ops::Bound;

use crate::tree::{ChildKey, ClientIx, ClientKey, RoleIx, Tree};

/// A position in the order of service. It is kept as keys, not as places, so it stays good while the tree changes; who
/// has moved to the back since then may be met a second time.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The roles that were entered, with what was last seen in each.
    path: Vec<(RoleIx, Option<ChildKey>)>,
    /// The role whose frameworks are being seen, and which was last.
    queue: Option<(RoleIx, Option<ClientKey>)>,
}

impl Walk {
    pub(crate) fn new(tree: &Tree) -> Self {
        Self { path: vec![(tree.root(), None)], queue: None }
    }

    /// The next one to serve.
    pub(crate) fn next(&mut self, tree: &Tree) -> Option<ClientIx> {
        loop {
            if let Some((role, last)) = &mut self.queue {
                if let Some(key) =
                    tree.roles[*role].queue.range((after(last.as_ref()), Bound::Unbounded)).next()
                {
                    *last = Some(key.clone());
                    return Some(key.client);
                }
                self.queue = None;
            }
            let (role, last) = self.path.last_mut()?;
            match tree.roles[*role].order.range((after(last.as_ref()), Bound::Unbounded)).next() {
                None => {
                    self.path.pop();
                }
                Some(key) => {
                    *last = Some(key.clone());
                    match key.node {
                        None => self.queue = Some((*role, None)),
                        Some(child) => self.path.push((child, None)),
                    }
                }
            }
        }
    }

    /// Goes on with the next role: there is nothing left for anyone in this one.
    pub(crate) fn skip_role(&mut self) {
        self.queue = None;
    }
}

fn after<K>(last: Option<&K>) -> Bound<&K> {
    last.map_or(Bound::Unbounded, Bound::Excluded)
}
