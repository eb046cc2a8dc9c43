//! Write down first, act then.

/// Holds back what follows a write until that write is durable. Pure: what to commit is asked from it, and it is told when
/// that is done.
///
/// What comes while nothing is written or waits to be written passes at once. One commit is under way at a time; meanwhile
/// the next is gathered.
#[derive(Debug)]
pub struct Gate<W, A> {
    /// A commit is under way.
    committing: bool,
    /// What waits for the commit that is under way.
    waiting: Vec<A>,
    /// The writes of the next commit.
    gathered: Vec<W>,
    /// What waits for the next commit.
    behind: Vec<A>,
}

impl<W, A> Default for Gate<W, A> {
    fn default() -> Self {
        Self { committing: false, waiting: Vec::new(), gathered: Vec::new(), behind: Vec::new() }
    }
}

impl<W, A> Gate<W, A> {
    /// Takes a write.
    pub fn write(&mut self, write: W) {
        self.gathered.push(write);
    }

    /// Takes an action; gives it back if it may happen now.
    #[must_use]
    pub fn pass(&mut self, action: A) -> Option<A> {
        if !self.gathered.is_empty() {
            self.behind.push(action);
        } else if self.committing {
            self.waiting.push(action);
        } else {
            return Some(action);
        }
        None
    }

    /// What is to be committed now; [`Gate::committed`] has to follow when it is.
    #[must_use]
    pub fn begin(&mut self) -> Option<Vec<W>> {
        if self.committing || self.gathered.is_empty() {
            return None;
        }
        self.committing = true;
        self.waiting = std::mem::take(&mut self.behind);
        Some(std::mem::take(&mut self.gathered))
    }

    /// The commit is durable: what may happen now, in order. To happen before anything else passes, and before the next
    /// commit begins.
    #[must_use]
    pub fn committed(&mut self) -> Vec<A> {
        self.committing = false;
        std::mem::take(&mut self.waiting)
    }

    /// How many writes and actions are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.waiting.len() + self.gathered.len() + self.behind.len()
    }

    /// Whether nothing is held back and nothing is being written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.committing && self.held() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_write_waits_for_it_and_nothing_else_does() {
        let mut gate: Gate<&str, u32> = Gate::default();
        assert_eq!((gate.pass(1), gate.begin()), (Some(1), None));
        gate.write("a");
        assert_eq!(gate.pass(2), None);
        assert_eq!(gate.begin(), Some(vec!["a"]));
        assert_eq!(gate.pass(3), None);
        gate.write("b");
        assert_eq!(gate.pass(4), None);
        gate.write("c");
        assert_eq!((gate.pass(5), gate.begin(), gate.held()), (None, None, 6));
        assert_eq!(gate.committed(), [2, 3]);
        assert_eq!(gate.begin(), Some(vec!["b", "c"]));
        assert_eq!(gate.pass(6), None);
        assert_eq!(gate.committed(), [4, 5, 6]);
        assert!(gate.is_idle() && gate.begin().is_none());
        assert_eq!(gate.pass(7), Some(7));
    }
}
