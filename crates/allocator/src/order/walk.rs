//! Going through an order while serving changes it.

use std::collections::btree_set::Range;
use std::iter::Peekable;
use std::ops::Bound;

use base::Index;

use super::{ChildKey, ClientKey, Order};
use crate::tree::{ClientIx, RoleIx, Tree};

/// A position in an order. It is kept as keys, not as places, so it stays good while the order changes; who has moved to
/// the back since then may be met a second time.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    root: RoleIx,
    /// The roles that were entered, with what was last seen in each; none at the start.
    path: Vec<(RoleIx, Option<ChildKey>)>,
    /// The role whose clients are being seen, and which was last.
    queue: Option<(RoleIx, Option<ClientKey>)>,
}

impl Position {
    pub(crate) fn start(tree: &Tree) -> Self {
        Self { root: tree.root(), path: Vec::new(), queue: None }
    }
}

/// Goes through an order from a position on, as long as the order does not change.
pub(crate) struct Walk<'a> {
    order: &'a Order,
    root: RoleIx,
    /// Closed roles are entered, too.
    with_closed: bool,
    path: Vec<(RoleIx, Option<ChildKey>, Siblings<'a>)>,
    queue: Option<(RoleIx, Option<ClientKey>, Range<'a, ClientKey>)>,
}

/// What stands under a role, those closed in between the others if they are wanted.
struct Siblings<'a> {
    open: Range<'a, ChildKey>,
    closed: Option<(Peekable<Range<'a, ChildKey>>, Option<ChildKey>)>,
}

impl Iterator for Siblings<'_> {
    type Item = ChildKey;

    fn next(&mut self) -> Option<ChildKey> {
        let Some((closed, next_open)) = &mut self.closed else { return self.open.next().copied() };
        let open = next_open.take().or_else(|| self.open.next().copied());
        match (open, closed.peek()) {
            (Some(open), Some(first)) if **first < open => {
                *next_open = Some(open);
                closed.next().copied()
            }
            (None, _) => closed.next().copied(),
            (open, _) => open,
        }
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(order: &'a Order, from: &Position, with_closed: bool) -> Self {
        let path = Vec::with_capacity(from.path.len() + 2);
        let mut walk = Self { order, root: from.root, with_closed, path, queue: None };
        if from.path.is_empty() {
            walk.enter(from.root, None);
        }
        for (role, last) in &from.path {
            walk.enter(*role, *last);
        }
        if let Some((role, last)) = from.queue {
            walk.enter_queue(role, last);
        }
        walk
    }

    fn enter(&mut self, role: RoleIx, last: Option<ChildKey>) {
        if let Some(lane) = self.order.lanes.get(role.as_usize()) {
            let rest = (after(last), Bound::Unbounded);
            let closed = self.with_closed && !lane.closed.is_empty();
            let closed = closed.then(|| (lane.closed.range(rest).peekable(), None));
            self.path.push((role, last, Siblings { open: lane.children.range(rest), closed }));
        }
    }

    fn enter_queue(&mut self, role: RoleIx, last: Option<ClientKey>) {
        if let Some(lane) = self.order.lanes.get(role.as_usize()) {
            self.queue = Some((role, last, lane.queue.range((after(last), Bound::Unbounded))));
        }
    }

    /// Goes on with the next role: there is nothing left for anyone in this one.
    pub(crate) fn skip_role(&mut self) {
        self.queue = None;
    }

    /// Where it is; there must have been something.
    pub(crate) fn position(&self) -> Position {
        Position {
            root: self.root,
            path: self.path.iter().map(|(role, last, _)| (*role, *last)).collect(),
            queue: self.queue.as_ref().map(|(role, last, _)| (*role, *last)),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = ClientIx;

    fn next(&mut self) -> Option<ClientIx> {
        loop {
            if let Some((_, last, queue)) = &mut self.queue {
                if let Some(key) = queue.next() {
                    *last = Some(*key);
                    return Some(key.client);
                }
                self.queue = None;
            }
            let (role, last, children) = self.path.last_mut()?;
            match children.next() {
                None => {
                    self.path.pop();
                }
                Some(key) => {
                    *last = Some(key);
                    let role = *role;
                    match key.node {
                        None => self.enter_queue(role, None),
                        Some(child) => self.enter(child, None),
                    }
                }
            }
        }
    }
}

fn after<K>(last: Option<K>) -> Bound<K> {
    last.map_or(Bound::Unbounded, Bound::Excluded)
}
